//===- LowerElementwise.cpp - Elementwise operations as linalg --------------------------------===//
//
// Each operation is one linalg.generic with identity maps. Floats of 16 bits are extended, computed
// on as f32 and rounded once.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/LoweringUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace nnc::nn {

namespace {

/// Makes scalar operations at one place.
struct Scalars {
  template <typename Op, typename... Args> Value make(Args &&...args) {
    return builder.create<Op>(loc, std::forward<Args>(args)...);
  }
  Value constant(Type type, double value) {
    return make<arith::ConstantOp>(getScalarAttr(type, value));
  }
  Value compare(arith::CmpFPredicate predicate, Value a, Value b) {
    return make<arith::CmpFOp>(predicate, a, b);
  }
  Value compare(arith::CmpIPredicate predicate, Value a, Value b) {
    return make<arith::CmpIOp>(predicate, a, b);
  }
  Value select(Value condition, Value a, Value b) { return make<arith::SelectOp>(condition, a, b); }

  OpBuilder &builder;
  Location loc;
};

} // namespace

static bool isFloat(Value scalar) { return isa<FloatType>(scalar.getType()); }

/// One generic whose body is `body(scalars, elements)` on widened elements.
template <typename Op, typename Body>
static Lowered lowerPointwise(Op op, OpBuilder &builder, ValueRange operands, Body body) {
  Lowering lowering(builder, op.getLoc());
  Type element = op.getType().getElementType();
  Value result = lowering.map(op.getType(), operands,
                              [&](OpBuilder &nested, Location loc, ValueRange elements) {
                                Scalars scalars{nested, loc};
                                SmallVector<Value> wide;
                                for (Value scalar : elements.take_front(operands.size()))
                                  wide.push_back(widen(nested, loc, scalar));
                                return narrow(nested, loc, body(scalars, wide), element);
                              });
  return SmallVector<Value>{result};
}

//===- Operations with a counterpart ----------------------------------------------------------===//

/// The counterpart for floats, or for integers; arguments are the elements.
template <typename FloatOp, typename IntOp, typename Op>
static Lowered lowerToOne(Op op, OpBuilder &builder, ValueRange operands) {
  return lowerPointwise(op, builder, operands, [](Scalars &s, ArrayRef<Value> x) {
    return isFloat(x[0]) ? s.make<FloatOp>(x) : s.make<IntOp>(x);
  });
}

template <typename ScalarOp, typename Op>
static Lowered lowerToOne(Op op, OpBuilder &builder, ValueRange operands) {
  return lowerPointwise(op, builder, operands,
                        [](Scalars &s, ArrayRef<Value> x) { return s.make<ScalarOp>(x); });
}

Lowered ExpOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::ExpOp>(*this, builder, operands);
}
Lowered LogOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::LogOp>(*this, builder, operands);
}
Lowered SqrtOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::SqrtOp>(*this, builder, operands);
}
Lowered RsqrtOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::RsqrtOp>(*this, builder, operands);
}
Lowered SinOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::SinOp>(*this, builder, operands);
}
Lowered CosOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::CosOp>(*this, builder, operands);
}
Lowered AtanOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::AtanOp>(*this, builder, operands);
}
Lowered TanhOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::TanhOp>(*this, builder, operands);
}
Lowered ErfOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::ErfOp>(*this, builder, operands);
}
Lowered FloorOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::FloorOp>(*this, builder, operands);
}
Lowered RoundOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::RoundEvenOp>(*this, builder, operands);
}
Lowered AddOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<arith::AddFOp, arith::AddIOp>(*this, builder, operands);
}
Lowered SubOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<arith::SubFOp, arith::SubIOp>(*this, builder, operands);
}
Lowered MulOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<arith::MulFOp, arith::MulIOp>(*this, builder, operands);
}
Lowered DivOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<arith::DivFOp>(*this, builder, operands);
}
Lowered PowOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<math::PowFOp>(*this, builder, operands);
}
Lowered MaxOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<arith::MaximumFOp, arith::MaxSIOp>(*this, builder, operands);
}
Lowered MinOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<arith::MinimumFOp, arith::MinSIOp>(*this, builder, operands);
}
Lowered AndOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<arith::AndIOp>(*this, builder, operands);
}
Lowered OrOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerToOne<arith::OrIOp>(*this, builder, operands);
}

//===- Operations made of several -------------------------------------------------------------===//

Lowered NegOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerPointwise(*this, builder, operands, [](Scalars &s, ArrayRef<Value> x) {
    if (isFloat(x[0]))
      return s.make<arith::NegFOp>(x[0]);
    return s.make<arith::SubIOp>(s.constant(x[0].getType(), 0), x[0]);
  });
}

Lowered AbsOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerPointwise(*this, builder, operands, [](Scalars &s, ArrayRef<Value> x) {
    if (isFloat(x[0]))
      return s.make<math::AbsFOp>(x[0]);
    Value negated = s.make<arith::SubIOp>(s.constant(x[0].getType(), 0), x[0]);
    return s.make<arith::MaxSIOp>(x[0], negated);
  });
}

Lowered NotOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerPointwise(*this, builder, operands, [](Scalars &s, ArrayRef<Value> x) {
    return s.make<arith::XOrIOp>(x[0], s.constant(x[0].getType(), 1));
  });
}

/// A divisor that no integer division traps on: 1 instead of 0 and -1.
static Value getSafeDivisor(Scalars &s, Value divisor, Value isZero, Value isMinusOne) {
  Value isUnsafe = s.make<arith::OrIOp>(isZero, isMinusOne);
  return s.select(isUnsafe, s.constant(divisor.getType(), 1), divisor);
}

/// The quotient of integers rounded down; 0 if `b` is, -a (wrapping) if `b` is -1.
static Value floorDivide(Scalars &s, Value a, Value b) {
  Value zero = s.constant(b.getType(), 0);
  Value isZero = s.compare(arith::CmpIPredicate::eq, b, zero);
  Value isMinusOne = s.compare(arith::CmpIPredicate::eq, b, s.constant(b.getType(), -1));
  Value safe = getSafeDivisor(s, b, isZero, isMinusOne);
  Value quotient = s.make<arith::FloorDivSIOp>(a, safe);
  Value negated = s.make<arith::SubIOp>(zero, a);
  return s.select(isZero, zero, s.select(isMinusOne, negated, quotient));
}

/// The remainder of integers with the sign of `b`; 0 if `b` is 0 or -1.
static Value floorModulo(Scalars &s, Value a, Value b) {
  Value zero = s.constant(b.getType(), 0);
  Value isZero = s.compare(arith::CmpIPredicate::eq, b, zero);
  Value isMinusOne = s.compare(arith::CmpIPredicate::eq, b, s.constant(b.getType(), -1));
  Value safe = getSafeDivisor(s, b, isZero, isMinusOne); // by 1 the remainder is 0, as wanted
  Value remainder = s.make<arith::RemSIOp>(a, safe);
  Value isWhole = s.compare(arith::CmpIPredicate::eq, remainder, zero);
  Value signs = s.make<arith::XOrIOp>(remainder, safe);
  Value agree = s.compare(arith::CmpIPredicate::sge, signs, zero);
  Value shifted = s.make<arith::AddIOp>(remainder, safe);
  return s.select(s.make<arith::OrIOp>(isWhole, agree), remainder, shifted);
}

/// The remainder of floats with the sign of `b`, exact but for one addition.
static Value floorModuloOfFloats(Scalars &s, Value a, Value b) {
  Value zero = s.constant(b.getType(), 0);
  Value remainder = s.make<arith::RemFOp>(a, b);
  Value isRest = s.compare(arith::CmpFPredicate::UNE, remainder, zero);
  Value remainderIsNegative = s.compare(arith::CmpFPredicate::OLT, remainder, zero);
  Value divisorIsNegative = s.compare(arith::CmpFPredicate::OLT, b, zero);
  Value differ = s.make<arith::XOrIOp>(remainderIsNegative, divisorIsNegative);
  Value shifted = s.make<arith::AddFOp>(remainder, b);
  return s.select(s.make<arith::AndIOp>(isRest, differ), shifted, remainder);
}

Lowered FloorDivOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerPointwise(*this, builder, operands, [](Scalars &s, ArrayRef<Value> x) {
    if (isFloat(x[0]))
      return s.make<math::FloorOp>(s.make<arith::DivFOp>(x[0], x[1]));
    return floorDivide(s, x[0], x[1]);
  });
}

Lowered ModOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  return lowerPointwise(*this, builder, operands, [](Scalars &s, ArrayRef<Value> x) {
    return isFloat(x[0]) ? floorModuloOfFloats(s, x[0], x[1]) : floorModulo(s, x[0], x[1]);
  });
}

static arith::CmpFPredicate getFloatPredicate(CmpPredicate predicate) {
  switch (predicate) {
  case CmpPredicate::Eq:
    return arith::CmpFPredicate::OEQ;
  case CmpPredicate::Ne:
    return arith::CmpFPredicate::UNE;
  case CmpPredicate::Lt:
    return arith::CmpFPredicate::OLT;
  case CmpPredicate::Le:
    return arith::CmpFPredicate::OLE;
  case CmpPredicate::Gt:
    return arith::CmpFPredicate::OGT;
  case CmpPredicate::Ge:
    return arith::CmpFPredicate::OGE;
  }
  llvm_unreachable("a predicate without a counterpart");
}

/// Truth values compare as 0 and 1, integers with their sign.
static arith::CmpIPredicate getIntPredicate(CmpPredicate predicate, bool isBool) {
  switch (predicate) {
  case CmpPredicate::Eq:
    return arith::CmpIPredicate::eq;
  case CmpPredicate::Ne:
    return arith::CmpIPredicate::ne;
  case CmpPredicate::Lt:
    return isBool ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt;
  case CmpPredicate::Le:
    return isBool ? arith::CmpIPredicate::ule : arith::CmpIPredicate::sle;
  case CmpPredicate::Gt:
    return isBool ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt;
  case CmpPredicate::Ge:
    return isBool ? arith::CmpIPredicate::uge : arith::CmpIPredicate::sge;
  }
  llvm_unreachable("a predicate without a counterpart");
}

Lowered CmpOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  CmpPredicate predicate = getPredicate();
  return lowerPointwise(*this, builder, operands, [&](Scalars &s, ArrayRef<Value> x) {
    if (isFloat(x[0]))
      return s.compare(getFloatPredicate(predicate), x[0], x[1]);
    return s.compare(getIntPredicate(predicate, x[0].getType().isInteger(1)), x[0], x[1]);
  });
}

Lowered SelectOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  // Not widened: nothing is computed.
  Lowering lowering(builder, getLoc());
  Value result =
      lowering.map(getType(), operands, [](OpBuilder &nested, Location loc, ValueRange x) -> Value {
        return nested.create<arith::SelectOp>(loc, x[0], x[1], x[2]);
      });
  return SmallVector<Value>{result};
}

/// A scalar, 16-bit floats widened, as `to`; f32 instead of a 16-bit float, narrowed by the caller.
static Value castScalar(Scalars &s, Value x, Type to) {
  Type from = x.getType(), wide = getAccumulatorType(to);
  if (from == wide)
    return x;
  if (to.isInteger(1))
    return isFloat(x) ? s.compare(arith::CmpFPredicate::UNE, x, s.constant(from, 0))
                      : s.compare(arith::CmpIPredicate::ne, x, s.constant(from, 0));
  if (isFloat(x))
    return s.make<arith::FPToSIOp>(to, x);
  bool isBool = from.isInteger(1);
  if (isa<FloatType>(to))
    return isBool ? s.make<arith::UIToFPOp>(wide, x) : s.make<arith::SIToFPOp>(wide, x);
  if (isBool)
    return s.make<arith::ExtUIOp>(to, x);
  if (from.getIntOrFloatBitWidth() > to.getIntOrFloatBitWidth())
    return s.make<arith::TruncIOp>(to, x);
  return s.make<arith::ExtSIOp>(to, x);
}

Lowered CastOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Type to = getType().getElementType();
  return lowerPointwise(*this, builder, operands,
                        [&](Scalars &s, ArrayRef<Value> x) { return castScalar(s, x[0], to); });
}

} // namespace nnc::nn
