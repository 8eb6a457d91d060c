//===- PartsKernel.h - Several kernels in one launch --------------------------------*- C++ -*-===//
//
// Elementwise kernels, and reductions of all elements, that wait for nothing of each other share
// the blocks of one grid (device/parts.cuh). Those that differ only in how many elements they have,
// as updates of the params of a model do, or the sums of the squares of their gradients, are one
// function. The blocks of a reduction combine what they have as those of columns.cuh do.
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
  bool startsEarly = false;
  int64_t scratch = 0; ///< numbers of memory of its own, see CudaKernel::scratch; 0: none
};

/// The kernel `symbol` of all `parts`, which nn-join-launches or nn-join-neighbours has put
/// together: each elementwise, with results of one size, or an update, or with results of one
/// element each. Its first parameter is a table of addresses, all operands, then all results; then
/// come the symbols. Fails with a sentence for people where one of the parts cannot be written.
Result<PartsKernel> emitParts(llvm::ArrayRef<KernelBody> parts, const std::string &symbol);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_PARTSKERNEL_H
