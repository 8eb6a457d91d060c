//===- Spread.cpp - Variances in one pass -----------------------------------------------------===//
#include "ir/Spread.h"

#include "ir/NNOps.h"

using namespace mlir;

namespace nnc::nn {
namespace {

SmallVector<int64_t> axesLongerThanOne(RankedTensorType type) {
  SmallVector<int64_t> axes;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    if (getConstant(getDim(type, axis)) != 1)
      axes.push_back(axis);
  return axes;
}

/// Where the axes of the view's operand are in its result, those of size 1 aside; nothing if the
/// view moves elements.
std::optional<SmallVector<int64_t>> placesOfAxes(Operation *view) {
  auto from = cast<RankedTensorType>(view->getOperand(0).getType());
  auto to = cast<RankedTensorType>(view->getResult(0).getType());
  if (auto broadcast = dyn_cast<BroadcastOp>(view))
    return SmallVector<int64_t>(broadcast.getDims());
  SmallVector<int64_t> old = axesLongerThanOne(from), now = axesLongerThanOne(to);
  SmallVector<int64_t> places(from.getRank(), -1);
  if (!isa<ReshapeOp>(view) || old.size() != now.size())
    return std::nullopt;
  for (auto [axis, place] : llvm::zip(old, now)) {
    if (!areEqual(getDim(from, axis), getDim(to, place)))
      return std::nullopt;
    places[axis] = place;
  }
  return places;
}

} // namespace

Value matchDistanceFromMean(Value value, ArrayRef<int64_t> axes) {
  auto sub = value.getDefiningOp<SubOp>();
  if (!sub)
    return {};
  SmallVector<Operation *> views;
  Operation *op = sub.getRhs().getDefiningOp();
  for (; isa_and_nonnull<BroadcastOp, ReshapeOp>(op); op = op->getOperand(0).getDefiningOp())
    views.push_back(op);
  auto mean = dyn_cast_or_null<ReduceOp>(op);
  bool isMean = mean && mean.getKind() == ReduceKind::Mean && !mean->hasAttr(kSpreadAttr) &&
                mean.getInput() == sub.getLhs() && mean.getAxes() == axes;
  if (!isMean)
    return {};
  SmallVector<int64_t> places = axesLongerThanOne(mean.getType());
  for (Operation *view : llvm::reverse(views)) {
    std::optional<SmallVector<int64_t>> moved = placesOfAxes(view);
    if (!moved)
      return {};
    for (int64_t &place : places)
      place = (*moved)[place];
  }
  SmallVector<int64_t> kept;
  for (int64_t axis : axesLongerThanOne(sub.getType()))
    if (!llvm::is_contained(axes, axis))
      kept.push_back(axis);
  return places == kept ? sub.getLhs() : Value();
}

} // namespace nnc::nn
