//===- FusionRelations.h - How values run along the axes of a group -----------------*- C++ -*-===//
//
// A row reduction and what surrounds it share rows: each value of the group is either full (one
// number per element) or per row (one number per row), and its axes say which.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_FUSIONRELATIONS_H
#define NNC_PASSES_FUSIONRELATIONS_H

#include "passes/FusionGroups.h"

namespace nnc {

namespace nn {
class ReshapeOp;
} // namespace nn

/// Which axes of the operand stay, if `op` only drops axes of size 1.
std::optional<llvm::SmallVector<int64_t>> matchDroppedAxes(nn::ReshapeOp op);

/// `0, 1, ..., rank - 1`.
AxisMap identityMap(unsigned rank);

/// The map of the result of the view `op` of a value with the map `operand` in `group`; nothing if
/// the result does not run along the group's axes.
std::optional<AxisMap> mapThroughView(mlir::Operation *op, const AxisMap &operand,
                                      const Group &group);

/// The map of `op`, a reduction over `axes` of a value with the map `operand`.
AxisMap mapThroughReduction(mlir::Operation *op, const AxisMap &operand,
                            llvm::ArrayRef<int64_t> axes);

/// Both maps of one value in one, where each knows what the other does not; nothing if they differ.
std::optional<AxisMap> unify(const AxisMap &a, const AxisMap &b);

/// Whether a value with this map has one number per element of the group's space.
bool isFull(const AxisMap &map, const Group &group);
/// Whether it has one number per row, that is, runs along exactly the axes that are not reduced.
bool isPerRow(const AxisMap &map, const Group &group);

/// The axes that a reduction works along.
llvm::SmallVector<int64_t> getReducedAxes(mlir::Operation *reduction);

/// The sizes of the result of `op`.
llvm::SmallVector<mlir::AffineExpr> getResultDims(mlir::Operation *op);

} // namespace nnc

#endif // NNC_PASSES_FUSIONRELATIONS_H
