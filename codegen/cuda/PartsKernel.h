//===- PartsKernel.h - Several kernels in one launch --------------------------------*- C++ -*-===//
//
// Elementwise kernels that wait for nothing of each other share the blocks of one grid
// (device/parts.cuh). Those that differ only in how many elements they have, as updates of the
// params of a model do, are one function.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_PARTSKERNEL_H
#define NNC_CODEGEN_CUDA_PARTSKERNEL_H

#include "codegen/cuda/KernelBody.h"
#include "runtime/format/Result.h"

namespace nnc::codegen {

struct PartsKernel {
  std::string source; ///< the generated part of a translation unit
  int64_t blocks = 0;
  unsigned threads = 0; ///< of a block
  std::string tactic;   ///< for people
};

/// The kernel `symbol` of all `parts`, which nn-join-launches has put together: elementwise,
/// without symbols, and each with results of one size. Its first parameter is a table of addresses,
/// all operands, then all results; then come the symbols. Fails with a sentence for people where
/// one of the parts cannot be written.
Result<PartsKernel> emitParts(llvm::ArrayRef<KernelBody> parts, const std::string &symbol);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_PARTSKERNEL_H
