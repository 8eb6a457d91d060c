//===- LaunchParts.h - Kernels that may be launched together ------------------------*- C++ -*-===//
//
// What nn-join-launches and nn-join-neighbours ask before they give kernels a launch in common, and
// codegen/cuda/PartsKernel relies on.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_LAUNCHPARTS_H
#define NNC_PASSES_LAUNCHPARTS_H

#include "ir/NNOps.h"

namespace nnc {

/// Whether the kernel can be one part of a launch: it is elementwise with results that all have as
/// many elements, or an update, or a reduction of all elements; of sizes that are numbers.
bool mayBePart(nn::KernelOp kernel);

/// Puts `parts` side by side where the first stands, what their operands are other names of before
/// it, and gives them the launch `number`. Nothing between the first and the last makes something
/// else that they read.
void launchTogether(llvm::ArrayRef<nn::KernelOp> parts, int64_t number);
/// Gives them the number; they stand side by side.
void markLaunch(llvm::ArrayRef<nn::KernelOp> parts, int64_t number);

} // namespace nnc

#endif // NNC_PASSES_LAUNCHPARTS_H
