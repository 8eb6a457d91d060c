//===- MathFunctions.cpp - exp, log, atan, tanh and erf by polynomials ----===//
//
// exp, log, atan and tanh follow Cephes (S. Moshier, public domain); erf follows the minimax
// polynomials of N. Juffa. Products and sums are written so that the code generator forms fused
// operations.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/MathFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc;

namespace {

/// Writes arithmetic on f32 or vectors of it as expressions.
class Formula {
public:
  Formula(OpBuilder &builder, Location loc, Type type) : builder(builder), loc(loc), type(type) {
    bits = builder.getI32Type();
    if (auto vector = dyn_cast<VectorType>(type))
      bits = VectorType::get(vector.getShape(), bits);
  }

  Value number(double value) { return constant(type, builder.getF32FloatAttr(float(value))); }
  Value integer(int32_t value) { return constant(bits, builder.getI32IntegerAttr(value)); }
  Value add(Value a, Value b) { return builder.create<arith::AddFOp>(loc, a, b); }
  Value sub(Value a, Value b) { return builder.create<arith::SubFOp>(loc, a, b); }
  Value mul(Value a, Value b) { return builder.create<arith::MulFOp>(loc, a, b); }
  Value div(Value a, Value b) { return builder.create<arith::DivFOp>(loc, a, b); }
  Value fma(Value a, Value b, Value c) { return add(mul(a, b), c); }
  Value abs(Value a) { return builder.create<math::AbsFOp>(loc, a); }
  Value copySign(Value a, Value sign) { return builder.create<math::CopySignOp>(loc, a, sign); }
  Value addInt(Value a, Value b) { return builder.create<arith::AddIOp>(loc, a, b); }
  Value subInt(Value a, Value b) { return builder.create<arith::SubIOp>(loc, a, b); }
  Value andInt(Value a, Value b) { return builder.create<arith::AndIOp>(loc, a, b); }
  Value orInt(Value a, Value b) { return builder.create<arith::OrIOp>(loc, a, b); }
  Value shiftLeft(Value a, int32_t n) { return builder.create<arith::ShLIOp>(loc, a, integer(n)); }
  Value shiftRight(Value a, int32_t n) {
    return builder.create<arith::ShRSIOp>(loc, a, integer(n));
  }
  Value asBits(Value a) { return builder.create<arith::BitcastOp>(loc, bits, a); }
  Value asFloat(Value a) { return builder.create<arith::BitcastOp>(loc, type, a); }
  Value toFloat(Value a) { return builder.create<arith::SIToFPOp>(loc, type, a); }
  /// False where an operand is NaN.
  Value less(Value a, Value b) {
    return builder.create<arith::CmpFOp>(loc, arith::CmpFPredicate::OLT, a, b);
  }
  Value equal(Value a, Value b) {
    return builder.create<arith::CmpFOp>(loc, arith::CmpFPredicate::OEQ, a, b);
  }
  Value isNan(Value a) {
    return builder.create<arith::CmpFOp>(loc, arith::CmpFPredicate::UNO, a, a);
  }
  Value select(Value c, Value a, Value b) { return builder.create<arith::SelectOp>(loc, c, a, b); }
  /// factors[0] * x**n + ... + factors[n]
  Value polynomial(Value x, ArrayRef<double> factors) {
    Value sum = number(factors.front());
    for (double factor : factors.drop_front())
      sum = fma(sum, x, number(factor));
    return sum;
  }

  Value exp(Value x);
  Value log(Value x);
  Value atan(Value x);
  Value tanh(Value x);
  Value erf(Value x);

private:
  Value constant(Type of, TypedAttr value) {
    if (auto vector = dyn_cast<VectorType>(of))
      value = DenseElementsAttr::get(vector, Attribute(value));
    return builder.create<arith::ConstantOp>(loc, value);
  }
  /// 2**n for n in -126..127.
  Value powerOfTwo(Value n) { return asFloat(shiftLeft(addInt(n, integer(127)), 23)); }

  OpBuilder &builder;
  Location loc;
  Type type, bits;
};

} // namespace

/// x = n * log(2) + r; e**r by a polynomial, times 2**n in two steps, so that results that are
/// infinite or denormal come out right.
Value Formula::exp(Value x) {
  Value low = number(-104.0), high = number(89.0);
  x = select(less(x, low), low, select(less(high, x), high, x));
  // Adding 1.5 * 2**23 rounds to an integer, which is then in the low bits.
  Value magic = number(12582912.0);
  Value shifted = fma(x, number(1.44269504088896341), magic);
  Value n = subInt(asBits(shifted), integer(0x4B400000));
  Value rounded = sub(shifted, magic);
  Value r = fma(rounded, number(-0.693359375), x);
  r = fma(rounded, number(2.12194440e-4), r);
  Value p = polynomial(r, {1.9875691500E-4, 1.3981999507E-3, 8.3334519073E-3, 4.1665795894E-2,
                           1.6666665459E-1, 5.0000001201E-1});
  Value y = add(fma(mul(r, r), p, r), number(1.0));
  Value half = shiftRight(n, 1);
  return mul(mul(y, powerOfTwo(half)), powerOfTwo(subInt(n, half)));
}

/// x = m * 2**e with m in sqrt(1/2)..sqrt(2); log(m) by a polynomial.
Value Formula::log(Value x) {
  Value zero = number(0.0), least = number(1.17549435e-38);
  Value isDenormal = less(x, least);
  Value scaled = select(isDenormal, mul(x, number(8388608.0)), x);
  Value raw = asBits(scaled);
  Value e = subInt(andInt(shiftRight(raw, 23), integer(0xFF)), integer(126));
  e = subInt(e, select(isDenormal, integer(23), integer(0)));
  Value m = asFloat(orInt(andInt(raw, integer(0x007FFFFF)), integer(0x3F000000)));
  Value isSmall = less(m, number(0.707106781186547524));
  Value exponent = toFloat(subInt(e, select(isSmall, integer(1), integer(0))));
  Value f = sub(select(isSmall, add(m, m), m), number(1.0));
  Value p = polynomial(f, {7.0376836292E-2, -1.1514610310E-1, 1.1676998740E-1, -1.2420140846E-1,
                           1.4249322787E-1, -1.6668057665E-1, 2.0000714765E-1, -2.4999993993E-1,
                           3.3333331174E-1});
  Value square = mul(f, f);
  Value y = mul(mul(p, f), square);
  y = fma(exponent, number(-2.12194440e-4), y);
  y = fma(square, number(-0.5), y);
  y = fma(exponent, number(0.693359375), add(f, y));
  Value infinity = number(std::numeric_limits<double>::infinity());
  y = select(equal(x, infinity), infinity, y);
  y = select(equal(x, zero), number(-std::numeric_limits<double>::infinity()), y);
  y = select(less(x, zero), number(std::numeric_limits<double>::quiet_NaN()), y);
  return select(isNan(x), x, y);
}

/// atan(x) is 90 degrees less atan(1 / x), and 45 degrees more than atan((x - 1) / (x + 1)).
Value Formula::atan(Value x) {
  Value size = abs(x), zero = number(0.0), one = number(1.0);
  Value isLarge = less(number(2.414213562373095), size);
  Value isSmall = less(size, number(0.414213562373095));
  Value above = select(isLarge, number(-1.0), select(isSmall, size, sub(size, one)));
  Value below = select(isLarge, size, select(isSmall, one, add(size, one)));
  Value start = select(isLarge, number(M_PI_2), select(isSmall, zero, number(M_PI_4)));
  Value t = div(above, below), square = mul(t, t);
  Value p = polynomial(square,
                       {8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1});
  return copySign(add(start, fma(mul(p, square), t, t)), x);
}

Value Formula::tanh(Value x) {
  Value size = abs(x), square = mul(x, x);
  Value p = polynomial(square, {-5.70498872745E-3, 2.06390887954E-2, -5.37397155531E-2,
                                1.33314422036E-1, -3.33332819422E-1});
  Value inner = fma(mul(p, square), x, x);
  Value one = number(1.0);
  Value outer = sub(one, div(number(2.0), add(exp(add(size, size)), one)));
  return select(less(size, number(0.625)), inner, copySign(outer, x));
}

Value Formula::erf(Value x) {
  Value size = abs(x), square = mul(x, x);
  Value p = polynomial(square, {-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1,
                                -3.76125336e-1, 1.28379166e-1});
  Value inner = fma(p, x, x);
  Value r = fma(number(-1.72853470e-5), size, number(3.83197126e-4));
  Value u = fma(number(-3.88396438e-3), size, number(2.42546219e-2));
  r = fma(r, square, u);
  for (double factor : {-1.06777877e-1, -6.34846687e-1, -1.28717512e-1})
    r = fma(r, size, number(factor));
  r = sub(mul(r, size), size);
  Value outer = copySign(sub(number(1.0), exp(r)), x);
  return select(less(size, number(0.927734375)), inner, select(isNan(x), x, outer));
}

void codegen::expandMathFunctions(ModuleOp module) {
  module.walk([](Operation *op) {
    if (op->getNumResults() != 1 || !getElementTypeOrSelf(op->getResult(0)).isF32())
      return;
    OpBuilder builder(op);
    Formula formula(builder, op->getLoc(), op->getResult(0).getType());
    Value result = TypeSwitch<Operation *, Value>(op)
                       .Case([&](math::ExpOp) { return formula.exp(op->getOperand(0)); })
                       .Case([&](math::LogOp) { return formula.log(op->getOperand(0)); })
                       .Case([&](math::AtanOp) { return formula.atan(op->getOperand(0)); })
                       .Case([&](math::TanhOp) { return formula.tanh(op->getOperand(0)); })
                       .Case([&](math::ErfOp) { return formula.erf(op->getOperand(0)); })
                       .Default([](Operation *) { return Value(); });
    if (!result)
      return;
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  });
}
