//===- FoldElementwise.cpp - Folding of elementwise operations --------------------------------===//
//
// A constant operand appears here as its scalar, since all constants are nn.full. Only folds that
// leave every bit of the result as it was: x + 0.0 is not x, for x = -0.0.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/NNOps.h"

#include "llvm/ADT/APSInt.h"

#include <cmath>

using namespace mlir;

namespace nnc::nn {

//===- Helpers --------------------------------------------------------------------------------===//

static bool isFloat(Attribute operand, double value) {
  auto scalar = dyn_cast_or_null<FloatAttr>(operand);
  return scalar && scalar.getValue().bitwiseIsEqual(
                       cast<FloatAttr>(getScalarAttr(scalar.getType(), value)).getValue());
}

static bool isInt(Attribute operand, int64_t value) {
  auto scalar = dyn_cast_or_null<IntegerAttr>(operand);
  return scalar && scalar.getValue().getSExtValue() == value;
}

static bool isTrue(Attribute operand) { return isInt(operand, -1); }
static bool isFalse(Attribute operand) { return isInt(operand, 0); }

/// Replaces `op(op(x))` by `op(x)`.
template <typename Op> static OpFoldResult foldIdempotent(Op op) {
  return op.getInput().template getDefiningOp<Op>() ? OpFoldResult(op.getInput()) : OpFoldResult();
}

/// Replaces `op(op(x))` by `x`.
template <typename Op> static OpFoldResult foldInvolution(Op op) {
  auto inner = op.getInput().template getDefiningOp<Op>();
  return inner ? OpFoldResult(inner.getInput()) : OpFoldResult();
}

template <typename Function> static Attribute foldFloat(Attribute operand, Function function) {
  auto scalar = dyn_cast_or_null<FloatAttr>(operand);
  return scalar ? FloatAttr::get(scalar.getType(), function(scalar.getValue())) : Attribute();
}

/// Combines two floats or two integers; functions return the scalar's new value.
template <typename FloatFunction, typename IntFunction>
static Attribute foldBoth(Attribute lhs, Attribute rhs, FloatFunction onFloats,
                          IntFunction onInts) {
  if (auto left = dyn_cast_or_null<FloatAttr>(lhs))
    if (auto right = dyn_cast_or_null<FloatAttr>(rhs))
      return FloatAttr::get(left.getType(), onFloats(left.getValue(), right.getValue()));
  if (auto left = dyn_cast_or_null<IntegerAttr>(lhs))
    if (auto right = dyn_cast_or_null<IntegerAttr>(rhs))
      return IntegerAttr::get(left.getType(), onInts(left.getValue(), right.getValue()));
  return {};
}

static APFloat roundTo(APFloat value, APFloat::roundingMode mode) {
  value.roundToIntegral(mode);
  return value;
}

//===- Unary ----------------------------------------------------------------------------------===//

OpFoldResult NegOp::fold(FoldAdaptor adaptor) {
  if (auto scalar = dyn_cast_or_null<IntegerAttr>(adaptor.getInput()))
    return IntegerAttr::get(scalar.getType(), -scalar.getValue());
  if (Attribute value = foldFloat(adaptor.getInput(), [](APFloat x) { return llvm::neg(x); }))
    return value;
  return foldInvolution(*this);
}

OpFoldResult AbsOp::fold(FoldAdaptor adaptor) {
  if (auto scalar = dyn_cast_or_null<IntegerAttr>(adaptor.getInput()))
    return IntegerAttr::get(scalar.getType(), scalar.getValue().abs());
  if (Attribute value = foldFloat(adaptor.getInput(), [](APFloat x) { return llvm::abs(x); }))
    return value;
  if (auto negation = getInput().getDefiningOp<NegOp>()) {
    getInputMutable().assign(negation.getInput());
    return getResult();
  }
  return foldIdempotent(*this);
}

OpFoldResult SqrtOp::fold(FoldAdaptor adaptor) {
  // The square root is correctly rounded on every target, so it may be taken here.
  return foldFloat(adaptor.getInput(), [](APFloat x) {
    const llvm::fltSemantics &semantics = x.getSemantics();
    bool loses = false;
    x.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &loses);
    APFloat root(std::sqrt(x.convertToFloat()));
    root.convert(semantics, APFloat::rmNearestTiesToEven, &loses);
    return root;
  });
}

OpFoldResult FloorOp::fold(FoldAdaptor adaptor) {
  auto floor = [](APFloat x) { return roundTo(x, APFloat::rmTowardNegative); };
  if (Attribute value = foldFloat(adaptor.getInput(), floor))
    return value;
  return foldIdempotent(*this);
}

OpFoldResult RoundOp::fold(FoldAdaptor adaptor) {
  auto round = [](APFloat x) { return roundTo(x, APFloat::rmNearestTiesToEven); };
  if (Attribute value = foldFloat(adaptor.getInput(), round))
    return value;
  return foldIdempotent(*this);
}

OpFoldResult NotOp::fold(FoldAdaptor adaptor) {
  if (auto scalar = dyn_cast_or_null<IntegerAttr>(adaptor.getInput()))
    return IntegerAttr::get(scalar.getType(), ~scalar.getValue());
  return foldInvolution(*this);
}

//===- Binary ---------------------------------------------------------------------------------===//

OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (isFloat(adaptor.getRhs(), -0.0) || isInt(adaptor.getRhs(), 0))
    return getLhs();
  return foldBoth(
      adaptor.getLhs(), adaptor.getRhs(), [](APFloat a, APFloat b) { return a + b; },
      [](APInt a, APInt b) { return a + b; });
}

OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  if (isFloat(adaptor.getRhs(), 0.0) || isInt(adaptor.getRhs(), 0))
    return getLhs();
  if (getLhs() == getRhs() && isa<IntegerType>(getType().getElementType()))
    return getScalarAttr(getType().getElementType(), 0);
  return foldBoth(
      adaptor.getLhs(), adaptor.getRhs(), [](APFloat a, APFloat b) { return a - b; },
      [](APInt a, APInt b) { return a - b; });
}

OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  if (isFloat(adaptor.getRhs(), 1.0) || isInt(adaptor.getRhs(), 1))
    return getLhs();
  if (isInt(adaptor.getRhs(), 0))
    return adaptor.getRhs();
  return foldBoth(
      adaptor.getLhs(), adaptor.getRhs(), [](APFloat a, APFloat b) { return a * b; },
      [](APInt a, APInt b) { return a * b; });
}

OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  if (isFloat(adaptor.getRhs(), 1.0))
    return getLhs();
  return foldBoth(
      adaptor.getLhs(), adaptor.getRhs(), [](APFloat a, APFloat b) { return a / b; },
      [](APInt a, APInt) { return a; });
}

/// The quotient rounded down; 0 if the divisor is 0.
static APInt floorDivide(APInt a, APInt b) {
  if (b.isZero())
    return b;
  if (b.isAllOnes())
    return -a;
  return llvm::APIntOps::RoundingSDiv(a, b, APInt::Rounding::DOWN);
}

OpFoldResult FloorDivOp::fold(FoldAdaptor adaptor) {
  if (isInt(adaptor.getRhs(), 1))
    return getLhs();
  if (isa<FloatType>(getType().getElementType()))
    return {};
  return foldBoth(
      adaptor.getLhs(), adaptor.getRhs(), [](APFloat a, APFloat) { return a; }, floorDivide);
}

OpFoldResult ModOp::fold(FoldAdaptor adaptor) {
  if (isa<FloatType>(getType().getElementType()))
    return {};
  if (isInt(adaptor.getRhs(), 1))
    return getScalarAttr(getType().getElementType(), 0);
  return foldBoth(
      adaptor.getLhs(), adaptor.getRhs(), [](APFloat a, APFloat) { return a; },
      [](APInt a, APInt b) { return b.isZero() ? b : a - floorDivide(a, b) * b; });
}

OpFoldResult PowOp::fold(FoldAdaptor adaptor) {
  return isFloat(adaptor.getRhs(), 1.0) ? OpFoldResult(getLhs()) : OpFoldResult();
}

OpFoldResult MaxOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs())
    return getLhs();
  return foldBoth(
      adaptor.getLhs(), adaptor.getRhs(), [](APFloat a, APFloat b) { return maximum(a, b); },
      [](APInt a, APInt b) { return a.sgt(b) ? a : b; });
}

OpFoldResult MinOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs())
    return getLhs();
  return foldBoth(
      adaptor.getLhs(), adaptor.getRhs(), [](APFloat a, APFloat b) { return minimum(a, b); },
      [](APInt a, APInt b) { return a.slt(b) ? a : b; });
}

OpFoldResult AndOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs() || isTrue(adaptor.getRhs()))
    return getLhs();
  return isFalse(adaptor.getRhs()) ? OpFoldResult(adaptor.getRhs()) : OpFoldResult();
}

OpFoldResult OrOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs() || isFalse(adaptor.getRhs()))
    return getLhs();
  return isTrue(adaptor.getRhs()) ? OpFoldResult(adaptor.getRhs()) : OpFoldResult();
}

//===- Comparison, choice, conversion ---------------------------------------------------------===//

static bool holds(CmpPredicate predicate, bool less, bool equal, bool greater) {
  switch (predicate) {
  case CmpPredicate::Eq:
    return equal;
  case CmpPredicate::Ne:
    return !equal;
  case CmpPredicate::Lt:
    return less;
  case CmpPredicate::Le:
    return less || equal;
  case CmpPredicate::Gt:
    return greater;
  case CmpPredicate::Ge:
    return greater || equal;
  }
  llvm_unreachable("a predicate without a meaning");
}

OpFoldResult CmpOp::fold(FoldAdaptor adaptor) {
  Type truth = getType().getElementType();
  if (auto left = dyn_cast_or_null<FloatAttr>(adaptor.getLhs()))
    if (auto right = dyn_cast_or_null<FloatAttr>(adaptor.getRhs())) {
      APFloat::cmpResult order = left.getValue().compare(right.getValue());
      return getScalarAttr(truth,
                           holds(getPredicate(), order == APFloat::cmpLessThan,
                                 order == APFloat::cmpEqual, order == APFloat::cmpGreaterThan));
    }
  if (auto left = dyn_cast_or_null<IntegerAttr>(adaptor.getLhs()))
    if (auto right = dyn_cast_or_null<IntegerAttr>(adaptor.getRhs())) {
      bool isBool = left.getType().isInteger(1);
      APInt a = left.getValue(), b = right.getValue();
      return getScalarAttr(truth, holds(getPredicate(), isBool ? a.ult(b) : a.slt(b), a == b,
                                        isBool ? a.ugt(b) : a.sgt(b)));
    }
  return {};
}

OpFoldResult SelectOp::fold(FoldAdaptor adaptor) {
  if (getOnTrue() == getOnFalse() || isTrue(adaptor.getCondition()))
    return getOnTrue();
  return isFalse(adaptor.getCondition()) ? OpFoldResult(getOnFalse()) : OpFoldResult();
}

/// True if every value of `from` is a value of `to`.
static bool isWidening(Type from, Type to) {
  if (from.isInteger(1))
    return true;
  if (isa<FloatType>(from))
    return from == to || to.isF32();
  // Floats hold the integers that their significand holds.
  if (auto wide = dyn_cast<FloatType>(to))
    return wide.getFPMantissaWidth() >= from.getIntOrFloatBitWidth();
  return to.getIntOrFloatBitWidth() >= from.getIntOrFloatBitWidth();
}

/// The scalar of a constant as one of type `to`, where that is the same on every target.
static Attribute castScalar(Attribute operand, Type to) {
  if (auto scalar = dyn_cast<FloatAttr>(operand)) {
    APFloat value = scalar.getValue();
    if (to.isInteger(1))
      return getScalarAttr(to, !value.isZero());
    bool inexact = false;
    if (auto type = dyn_cast<FloatType>(to)) {
      value.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &inexact);
      return FloatAttr::get(to, value);
    }
    llvm::APSInt integer(to.getIntOrFloatBitWidth(), /*isUnsigned=*/false);
    bool fits =
        value.convertToInteger(integer, APFloat::rmTowardZero, &inexact) != APFloat::opInvalidOp;
    return fits ? IntegerAttr::get(to, integer) : Attribute();
  }
  auto scalar = cast<IntegerAttr>(operand);
  bool isBool = scalar.getType().isInteger(1);
  APInt value = scalar.getValue();
  if (to.isInteger(1))
    return getScalarAttr(to, !value.isZero());
  if (!isa<FloatType>(to)) {
    unsigned width = to.getIntOrFloatBitWidth();
    return IntegerAttr::get(to, isBool ? value.zextOrTrunc(width) : value.sextOrTrunc(width));
  }
  // As at run time: to f32 first, then to the 16 bits.
  APFloat number(APFloat::IEEEsingle());
  number.convertFromAPInt(value, /*IsSigned=*/!isBool, APFloat::rmNearestTiesToEven);
  bool inexact = false;
  number.convert(cast<FloatType>(to).getFloatSemantics(), APFloat::rmNearestTiesToEven, &inexact);
  return FloatAttr::get(to, number);
}

OpFoldResult CastOp::fold(FoldAdaptor adaptor) {
  Type to = getType().getElementType();
  if (getInput().getType() == getType())
    return getInput();
  if (Attribute operand = adaptor.getInput())
    return castScalar(operand, to);
  auto inner = getInput().getDefiningOp<CastOp>();
  if (!inner)
    return {};
  Type from = inner.getInput().getType().getElementType();
  Type between = inner.getType().getElementType();
  if (!isWidening(from, between))
    return {};
  if (from == to)
    return inner.getInput();
  // Through a wider type of the same kind, or widened twice: one cast does.
  bool isSameKind = isa<FloatType>(from) == isa<FloatType>(between);
  if (!isSameKind && !isWidening(between, to))
    return {};
  getInputMutable().assign(inner.getInput());
  return getResult();
}

} // namespace nnc::nn
