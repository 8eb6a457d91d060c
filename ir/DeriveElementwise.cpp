//===- DeriveElementwise.cpp - Derivatives of elementwise operations --------------------------===//
//
// Each is `g` times the partial derivative, by the formulas of PyTorch (tools/autograd/
// derivatives.yaml), those of the places where there is none included. Where a derivative can be
// said by the result or by the operand, it is said by the result, which is in memory more often.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/DeriveUtils.h"

#include <cmath>

using namespace mlir;

namespace nnc::nn {

namespace {

/// One operation with its operands and result in f32, and the gradient of the result.
struct Pointwise : Deriving {
  Pointwise(OpBuilder &builder, Operation *op, ValueRange gradients)
      : Deriving(builder, op), op(op), g(widen(gradients[0])), x(widen(op->getOperand(0))),
        y(widen(op->getResult(0))) {}

  Value rhs() { return widen(op->getOperand(1)); }
  Value finish(Value gradient) { return narrow(gradient, op->getResult(0)); }
  Derived one(Value gradient) { return {finish(gradient)}; }
  Derived two(Value lhs, Value rhs) { return {finish(lhs), finish(rhs)}; }

  Operation *op;
  Value g, x, y;
};

} // namespace

//===- Unary ----------------------------------------------------------------------------------===//

Derived NegOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  return {Deriving(builder, *this).neg(gradients[0])};
}

/// 0 at 0.
Derived AbsOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  Value g = gradients[0], zero = d.zeros(g);
  Value isNegative = d.cmp(CmpPredicate::Lt, getInput(), zero);
  Value isZero = d.cmp(CmpPredicate::Eq, getInput(), zero);
  return {d.drop(isZero, d.select(isNegative, d.neg(g), g))};
}

/// Nothing of nothing even where the result is infinite, so that `1 / (1 + exp(-x))` has a
/// derivative for every x.
Derived ExpOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  Value isNothing = d.cmp(CmpPredicate::Eq, d.g, d.zeros(d.g));
  return d.one(d.drop(isNothing, d.mul(d.g, d.y)));
}

Derived LogOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  return d.one(d.div(d.g, d.x));
}

Derived SqrtOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  return d.one(d.div(d.g, d.mul(d.y, 2)));
}

Derived RsqrtOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  Value cube = d.mul(d.mul(d.y, d.y), d.y);
  return d.one(d.mul(d.mul(d.g, -0.5), cube));
}

Derived SinOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  return d.one(d.mul(d.g, d.make<CosOp>(d.x.getType(), d.x)));
}

Derived CosOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  return d.one(d.neg(d.mul(d.g, d.make<SinOp>(d.x.getType(), d.x))));
}

Derived AtanOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  return d.one(d.div(d.g, d.add(d.mul(d.x, d.x), 1)));
}

Derived TanhOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  return d.one(d.mul(d.g, d.add(d.neg(d.mul(d.y, d.y)), 1)));
}

Derived ErfOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  Value bell = d.make<ExpOp>(d.x.getType(), d.neg(d.mul(d.x, d.x)));
  return d.one(d.mul(d.mul(d.g, bell), 2 / std::sqrt(M_PI)));
}

/// 0 wherever there is one.
Derived FloorOp::buildDerivative(OpBuilder &, ValueRange) { return {Value()}; }
Derived RoundOp::buildDerivative(OpBuilder &, ValueRange) { return {Value()}; }

//===- Binary ---------------------------------------------------------------------------------===//

Derived AddOp::buildDerivative(OpBuilder &, ValueRange gradients) {
  return {gradients[0], gradients[0]};
}

Derived SubOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  return {gradients[0], Deriving(builder, *this).neg(gradients[0])};
}

Derived MulOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  return {d.mul(gradients[0], getRhs()), d.mul(gradients[0], getLhs())};
}

Derived DivOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  Value slope = d.div(d.div(d.x, d.rhs()), d.rhs());
  return d.two(d.div(d.g, d.rhs()), d.neg(d.mul(d.g, slope)));
}

/// 0 wherever there is one.
Derived FloorDivOp::buildDerivative(OpBuilder &, ValueRange) { return {Value(), Value()}; }

/// `x - y * floor(x / y)`.
Derived ModOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  Value quotient = d.make<FloorDivOp>(d.x.getType(), d.x, d.rhs());
  return d.two(d.g, d.neg(d.mul(d.g, quotient)));
}

/// `g * b * a**(b-1)` and `g * a**b * log(a)`; 0 for a where b is 0, 0 for b where a is 0 and b is
/// not negative.
Derived PowOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Pointwise d(builder, *this, gradients);
  Value base = d.x, exponent = d.rhs(), zero = d.zeros(base);
  Value power = d.make<PowOp>(base.getType(), base, d.add(exponent, -1));
  Value byBase = d.mul(d.g, d.mul(exponent, power));
  byBase = d.drop(d.cmp(CmpPredicate::Eq, exponent, zero), byBase);
  if (isNumber(getRhs()))
    return {d.finish(byBase), Value()};
  Value isFlat =
      d.both(d.cmp(CmpPredicate::Eq, base, zero), d.cmp(CmpPredicate::Ge, exponent, zero));
  Value byExponent = d.mul(d.g, d.mul(d.y, d.make<LogOp>(base.getType(), base)));
  return d.two(byBase, d.drop(isFlat, byExponent));
}

/// Of two values, half to each where they are equal; a number takes nothing, so that `max(x, 0)`
/// has the derivative of relu: 0 at 0.
static Derived deriveExtremum(Operation *op, OpBuilder &builder, Value g, CmpPredicate loses) {
  Deriving d(builder, op);
  Value lhs = op->getOperand(0), rhs = op->getOperand(1), y = op->getResult(0);
  auto besideNumber = [&](Value number) {
    // The result says as much as the operand: it is the number where the operand does not win.
    CmpPredicate isNumber = loses == CmpPredicate::Lt ? CmpPredicate::Le : CmpPredicate::Ge;
    return d.drop(d.cmp(isNumber, y, number), g);
  };
  if (isNumber(rhs))
    return {besideNumber(rhs), Value()};
  if (isNumber(lhs))
    return {Value(), besideNumber(lhs)};
  Value shared = d.select(d.cmp(CmpPredicate::Eq, lhs, rhs), d.mul(g, 0.5), g);
  return {d.drop(d.cmp(loses, lhs, rhs), shared), d.drop(d.cmp(loses, rhs, lhs), shared)};
}

Derived MaxOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  return deriveExtremum(*this, builder, gradients[0], CmpPredicate::Lt);
}
Derived MinOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  return deriveExtremum(*this, builder, gradients[0], CmpPredicate::Gt);
}

//===- Others ---------------------------------------------------------------------------------===//

Derived SelectOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Deriving d(builder, *this);
  return {Value(), d.keep(getCondition(), gradients[0]), d.drop(getCondition(), gradients[0])};
}

Derived CastOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  if (!hasFloats(getInput()))
    return {Value()};
  return {Deriving(builder, *this).narrow(gradients[0], getInput())};
}

} // namespace nnc::nn
