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

} // namespace nnc

#endif // NNC_PASSES_LAUNCHPARTS_H
