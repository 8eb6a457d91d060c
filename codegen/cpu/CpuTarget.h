//===- CpuTarget.h - kernels to one x86-64 object ---------------*- C++ -*-===//
//
// The cpu target: every nn.kernel becomes a function of one position independent ELF object, which
// model.bin carries and runtime/cpu/ObjectLoader.h loads. Nothing is compiled at load.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_CPUTARGET_H
#define NNC_CODEGEN_CPU_CPUTARGET_H

#include "runtime/format/Result.h"

#include "mlir/IR/AffineMap.h"

#include <string>
#include <vector>

namespace nnc::nn {
class KernelOp;
} // namespace nnc::nn

namespace nnc::codegen {

struct CpuOptions {
  /// "native", or a name that LLVM knows: "x86-64", "x86-64-v3", "sapphirerapids"...
  std::string cpu = "native";
  /// Whether objects that were compiled before come from the user's cache.
  bool cache = true;
};

/// One kernel of the object: `void symbol(void *const *buffers, const int64_t *dims, int64_t
/// block)`. `buffers` holds the operands, then the results, dense row-major, bool as one byte per
/// element; no result overlaps another buffer of the call. `dims` holds all dimensions of the entry
/// point in order. Every `block` in 0..grid writes its own part of the results; blocks may run in
/// any order, on any thread, and the numbers do not depend on it. A block needs at most 512 KiB of
/// stack.
struct CpuKernel {
  std::string symbol;
  mlir::AffineMap grid; ///< ()[dims of the entry] -> (number of blocks)
};

struct CpuObject {
  std::string elf;    ///< the bytes of an ELF64 x86-64 relocatable object
  std::string triple; ///< e.g. "x86_64-unknown-linux-gnu"
  std::string cpu;    ///< the cpu tuned for
  std::vector<std::string>
      features;                   ///< what the code needs, named as in runtime/cpu/CpuFeatures.def
  std::vector<CpuKernel> kernels; ///< one per given kernel; equal kernels share a symbol
};

/// Compiles kernels whose bodies are linalg (after nn-lower-to-linalg). Fails with a sentence that
/// names the kernel and the operation when a body holds something that the cpu target does not
/// know.
Result<CpuObject> compileForCpu(llvm::ArrayRef<nn::KernelOp> kernels, const CpuOptions &options);

} // namespace nnc::codegen

#endif
