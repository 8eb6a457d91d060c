//===- LoopKernel.h - A whole loop as one kernel ------------------------------------*- C++ -*-===//
//
// One launch for all iterations: every step is a function over blocks that the grid shares out,
// with a barrier of the grid after it. Works on the plan, so that the kernel moves the loop's
// buffers as the runtime would.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_LOOPKERNEL_H
#define NNC_CODEGEN_CUDA_LOOPKERNEL_H

#include "codegen/cuda/CudaTarget.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace nnc::format {
struct EntryT;
struct LoopT;
struct StepT;
} // namespace nnc::format

namespace nnc::codegen {

/// A launch as a step of a loop's kernel.
struct LoopStep {
  const CudaPhase *phase = nullptr; ///< null: it cannot be one
  uint32_t grid = 0;                ///< Entry.exprs: its blocks
};

/// The source of a kernel that runs all of `loop`, and its parameters in `loop` (buffers, grids,
/// values, threads); nothing, and `loop` as it was, if some step cannot be part of it. The kernel
/// is called `symbol`; `title` is for its comment.
std::optional<std::string>
emitLoopKernel(const format::EntryT &entry, format::LoopT &loop, const std::string &symbol,
               const std::string &title,
               llvm::function_ref<LoopStep(const format::StepT &)> stepOf);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_LOOPKERNEL_H
