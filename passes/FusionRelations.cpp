//===- FusionRelations.cpp - How values run along the axes of a group -------------------------===//
#include "passes/FusionRelations.h"

#include "ir/NNOps.h"

using namespace mlir;

namespace nnc {
namespace {

bool isOne(AffineExpr size) { return nn::getConstant(size) == 1; }

} // namespace

AxisMap identityMap(unsigned rank) { return llvm::to_vector<4>(llvm::seq<int64_t>(0, rank)); }

SmallVector<AffineExpr> getResultDims(Operation *op) {
  return nn::getDims(cast<RankedTensorType>(op->getResult(0).getType()));
}

std::optional<SmallVector<int64_t>> matchDroppedAxes(nn::ReshapeOp op) {
  SmallVector<AffineExpr> from = nn::getDims(cast<RankedTensorType>(op.getInput().getType()));
  SmallVector<AffineExpr> to = getResultDims(op);
  SmallVector<int64_t> kept;
  for (auto [axis, size] : llvm::enumerate(from)) {
    if (kept.size() < to.size() && nn::areEqual(size, to[kept.size()]))
      kept.push_back(axis);
    else if (!isOne(size))
      return std::nullopt;
  }
  if (kept.size() != to.size() || from.size() == to.size())
    return std::nullopt;
  return kept;
}

std::optional<AxisMap> mapThroughView(Operation *op, const AxisMap &operand, const Group &group) {
  if (auto reshape = dyn_cast<nn::ReshapeOp>(op)) {
    AxisMap kept;
    std::optional<SmallVector<int64_t>> axes = matchDroppedAxes(reshape);
    for (int64_t axis : axes.value_or(SmallVector<int64_t>()))
      kept.push_back(operand[axis]);
    return axes ? std::optional(kept) : std::nullopt;
  }
  auto broadcast = dyn_cast<nn::BroadcastOp>(op);
  if (!broadcast)
    return std::nullopt;
  SmallVector<AffineExpr> from =
      nn::getDims(cast<RankedTensorType>(broadcast.getInput().getType()));
  SmallVector<AffineExpr> to = getResultDims(op);
  AxisMap map(to.size(), -1);
  for (auto [axis, place] : llvm::enumerate(broadcast.getDims()))
    if (!isOne(from[axis]) || isOne(to[place]))
      map[place] = operand[axis];
  for (auto [axis, size] : llvm::enumerate(to)) {
    if (map[axis] >= 0 || isOne(size))
      continue;
    // A stretched axis: it must be the group's own axis at this position.
    if (to.size() != group.space.size() || !nn::areEqual(size, group.space[axis]))
      return std::nullopt;
    map[axis] = axis;
  }
  return map;
}

AxisMap mapThroughReduction(Operation *op, const AxisMap &operand, ArrayRef<int64_t> axes) {
  if (getResultDims(op).size() == operand.size())
    return operand;
  AxisMap map;
  for (auto [axis, along] : llvm::enumerate(operand))
    if (!llvm::is_contained(axes, int64_t(axis)))
      map.push_back(along);
  return map;
}

std::optional<AxisMap> unify(const AxisMap &a, const AxisMap &b) {
  assert(a.size() == b.size() && "maps of values of different rank");
  AxisMap map = a;
  for (auto [known, other] : llvm::zip(map, b)) {
    if (known >= 0 && other >= 0 && known != other)
      return std::nullopt;
    known = std::max(known, other);
  }
  return map;
}

bool isFull(const AxisMap &map, const Group &group) {
  if (map.size() != group.space.size())
    return false;
  for (auto [axis, along] : llvm::enumerate(map))
    if (along != int64_t(axis) && !(along < 0 && isOne(group.space[axis])))
      return false;
  return true;
}

bool isPerRow(const AxisMap &map, const Group &group) {
  int64_t next = 0;
  auto isKept = [&](int64_t axis) {
    return !llvm::is_contained(group.reduced, axis) && !isOne(group.space[axis]);
  };
  auto skipOthers = [&] {
    while (next < int64_t(group.space.size()) && !isKept(next))
      ++next;
  };
  for (int64_t along : map) {
    if (along < 0 || isOne(group.space[along]))
      continue;
    skipOthers();
    if (along != next++)
      return false;
  }
  skipOthers();
  return next == int64_t(group.space.size());
}

SmallVector<int64_t> getReducedAxes(Operation *reduction) {
  if (auto axes = reduction->getAttrOfType<DenseI64ArrayAttr>("axes"))
    return llvm::to_vector(axes.asArrayRef());
  return {reduction->getAttrOfType<IntegerAttr>("axis").getInt()};
}

} // namespace nnc
