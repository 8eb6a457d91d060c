//===- DeriveShape.cpp - Derivatives of movements of elements ---------------------------------===//
//
// What moves elements forwards moves gradients back; what repeats them adds gradients up; what
// leaves some out has zeros there.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/DeriveUtils.h"
#include "ir/Unsupported.h"

#include "llvm/ADT/SmallSet.h"

using namespace mlir;

namespace nnc::nn {

Derived ReshapeOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  return {Deriving(builder, *this).reshapeLike(gradients[0], getInput())};
}

Derived TransposeOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  SmallVector<int64_t> inverse(getPermutation().size());
  for (auto [to, from] : llvm::enumerate(getPermutation()))
    inverse[from] = static_cast<int64_t>(to);
  return {Deriving(builder, *this).transpose(gradients[0], inverse)};
}

Derived BroadcastOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  RankedTensorType from = getInput().getType(), to = getType();
  llvm::SmallSet<int64_t, 8> kept;
  for (auto [axis, target] : llvm::enumerate(getDims()))
    if (getConstant(nn::getDim(from, axis)) != 1 || getConstant(nn::getDim(to, target)) == 1)
      kept.insert(target);
  SmallVector<int64_t> repeated;
  for (int64_t axis = 0; axis < to.getRank(); ++axis)
    if (!kept.contains(axis))
      repeated.push_back(axis);
  return {d.reshapeLike(d.sum(gradients[0], repeated), getInput())};
}

Derived ConcatOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  SmallVector<AffineExpr> starts(getType().getRank(), d.constant(0));
  SmallVector<int64_t> steps(starts.size(), 1);
  Derived parts;
  for (Value input : getInputs()) {
    SmallVector<AffineExpr> dims = nn::getDims(nn::getType(input));
    parts.push_back(d.slice(gradients[0], starts, dims, steps));
    starts[getAxis()] = starts[getAxis()] + dims[getAxis()];
  }
  return parts;
}

/// Constants: how much of `whole` lies before and behind `part`, laid out with its steps, each
/// element with the places up to the next behind it.
static std::optional<std::pair<SmallVector<int64_t>, SmallVector<int64_t>>>
findBorders(AffineMap start, ArrayRef<int64_t> step, RankedTensorType whole,
            RankedTensorType part) {
  SmallVector<int64_t> low, high;
  for (int64_t axis = 0; axis < whole.getRank(); ++axis) {
    AffineExpr first = start.getResult(axis);
    AffineExpr behind = getDim(whole, axis) - first - getDim(part, axis) * step[axis];
    std::optional<int64_t> before = getConstant(first), after = getConstant(behind);
    if (!before || !after)
      return std::nullopt;
    low.push_back(*before);
    high.push_back(*after);
  }
  return std::pair(low, high);
}

/// Zeros around the gradient and between its elements: a view where they are constants, else
/// written into zeros.
Derived SliceOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  RankedTensorType whole = getInput().getType();
  AffineMap start = getStart();
  auto borders = findBorders(start, getStep(), whole, getType());
  if (!borders)
    return {d.make<UpdateOp>(whole, d.full(whole, 0), gradients[0], start, getStep())};
  Value g = gradients[0];
  for (int64_t axis = 0; axis < whole.getRank(); ++axis)
    g = d.spread(g, axis, getStep()[axis]);
  // The places behind the last element may reach beyond the end.
  SmallVector<int64_t> high = borders->second;
  SmallVector<AffineExpr> dims = nn::getDims(nn::getType(g));
  for (auto [dim, after] : llvm::zip_equal(dims, high)) {
    if (after < 0)
      dim = dim + after;
    after = std::max<int64_t>(after, 0);
  }
  return {d.pad(d.crop(g, dims), borders->first, high)};
}

Derived UpdateOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  RankedTensorType part = getValue().getType();
  Value none = d.full(part, 0);
  Value outside = d.make<UpdateOp>(getType(), gradients[0], none, getStart(), getStep());
  return {outside, d.slice(gradients[0], SmallVector<AffineExpr>(getStart().getResults()),
                           nn::getDims(part), getStep())};
}

Derived PadOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  SmallVector<AffineExpr> starts;
  for (int64_t amount : getLow())
    starts.push_back(d.constant(amount));
  return {d.slice(gradients[0], starts, nn::getDims(getInput().getType()),
                  SmallVector<int64_t>(starts.size(), 1))};
}

Derived GatherOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  RankedTensorType wide = withElementType(getTable().getType(), builder.getF32Type());
  Value sums = d.make<ScatterAddOp>(wide, gradients[0], getIds(), getAxis());
  return {d.narrow(sums, getTable()), Value()};
}

Derived ScatterAddOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  RankedTensorType wide = withElementType(getValues().getType(), builder.getF32Type());
  Value rows = d.make<GatherOp>(wide, gradients[0], getIds(), getAxis());
  return {d.narrow(rows, getValues()), Value()};
}

/// Stored values are integers or floats of 8 bits and take nothing.
Derived DequantizeOp::buildDerivative(OpBuilder &, ValueRange) {
  if (!getScales())
    return Derived(getNumOperands());
  emitUnsupported(*this) << "gradients by the scales of quantized numbers are not supported yet";
  return {};
}

} // namespace nnc::nn
