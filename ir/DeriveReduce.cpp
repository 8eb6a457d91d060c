//===- DeriveReduce.cpp - Derivatives of reductions and softmax -------------------------------===//
//
// A sum repeats its gradient; an extremum gives it to the elements that equal it, in equal parts,
// as PyTorch's amax and amin do.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/DeriveUtils.h"

using namespace mlir;

namespace nnc::nn {

/// Of a mean: `g / count`, in f32.
static Value divideByCount(Deriving &d, ReduceOp op, Value g) {
  AffineExpr count = d.constant(1);
  for (int64_t axis : op.getAxes())
    count = count * getDim(op.getInput().getType(), axis);
  SmallVector<AffineExpr> dims = getDims(op.getType());
  Value number = d.broadcast(d.size(count, d.builder.getF32Type()), dims, {});
  return d.narrow(d.div(d.widen(g), number), op);
}

Derived ReduceOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  SmallVector<AffineExpr> dims = getDims(getInput().getType());
  Value g = gradients[0];
  if (getKind() == ReduceKind::Sum)
    return {d.repeat(g, dims, getAxes())};
  if (getKind() == ReduceKind::Mean)
    return {d.repeat(divideByCount(d, *this, g), dims, getAxes())};
  Value isExtreme = d.cmp(CmpPredicate::Eq, getInput(), d.repeat(getResult(), dims, getAxes()));
  Value count = d.sum(d.cast(isExtreme, builder.getF32Type()), getAxes());
  Value share = d.narrow(d.div(d.widen(g), count), g);
  return {d.keep(isExtreme, d.repeat(share, dims, getAxes()))};
}

/// `y * (g - sum(g * y))`.
Derived SoftmaxOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  Value g = d.widen(gradients[0]), y = d.widen(getResult());
  int64_t axis = getAxis();
  Value sum = d.repeat(d.sum(d.mul(g, y), axis), getDims(getType()), axis);
  return {d.narrow(d.mul(y, d.sub(g, sum)), getResult())};
}

/// The logarithm of the sum of exponentials along an axis, in f32.
static Value sumLogarithms(Deriving &d, Value x, int64_t axis) {
  Value most = d.reduce(ReduceKind::Max, x, axis);
  Value shifted = d.sub(x, d.repeat(most, getDims(getType(x)), axis));
  Value sum = d.reduce(ReduceKind::Sum, d.make<ExpOp>(x.getType(), shifted), axis);
  return d.add(most, d.make<LogOp>(sum.getType(), sum));
}

/// `g - exp(y) * sum(g)`, where y is computed again: of each row one number is kept.
Derived LogSoftmaxOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  SmallVector<AffineExpr> dims = getDims(getType());
  int64_t axis = getAxis();
  Value g = d.widen(gradients[0]), x = d.widen(getInput());
  Value sum = d.repeat(d.sum(g, axis), dims, axis);
  Value y = d.sub(x, d.repeat(sumLogarithms(d, x, axis), dims, axis));
  return {d.narrow(d.sub(g, d.mul(d.make<ExpOp>(y.getType(), y), sum)), getResult())};
}

} // namespace nnc::nn
