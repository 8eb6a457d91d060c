//===- LowerRandom.cpp - A counter-based generator as integer arithmetic ----------------------===//
//
// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3, SC
// 2011), and normal numbers from its words by the method of Box and Muller. Floats appear only
// where one operation rounds as IEEE 754 says, so that all targets give the same bits.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/LoweringUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <array>
#include <cmath>

using namespace mlir;

namespace nnc::nn {

namespace {

using Words = std::array<Value, 4>; ///< i32

class Generator {
public:
  Generator(OpBuilder &builder, Location loc)
      : builder(builder), loc(loc), i32(builder.getI32Type()), i64(builder.getI64Type()) {}

  /// The four words of the counter (`counter`, `call` mod 2**32, `stream` mod 2**32) under the key
  /// `seed`.
  Words philox(Value counter, Value seed, Value call, Value stream);
  /// The upper 24 bits of a word.
  Value upperBits(Value word) { return make<arith::ShRUIOp>(word, number(i32, 8)); }
  /// Of two words, a standard normal f32.
  Value normal(Value first, Value second);

private:
  template <typename Op, typename... Args> Value make(Args &&...args) {
    return builder.create<Op>(loc, std::forward<Args>(args)...);
  }
  Value number(Type type, int64_t value) {
    return make<arith::ConstantOp>(builder.getIntegerAttr(
        type, APInt(type.getIntOrFloatBitWidth(), static_cast<uint64_t>(value))));
  }
  Value low(Value wide) { return make<arith::TruncIOp>(i32, wide); }
  Value high(Value wide) { return low(make<arith::ShRUIOp>(wide, number(i64, 32))); }
  Value unsignedWide(Value word) { return make<arith::ExtUIOp>(i64, word); }
  Value multiplyWide(Value word, int64_t factor) {
    return make<arith::MulIOp>(unsignedWide(word), number(i64, factor));
  }
  /// a * b of fixed-point numbers that both have `bits` bits behind the point.
  Value multiplyFixed(Value a, Value b, int64_t bits) {
    return make<arith::ShRSIOp>(make<arith::MulIOp>(a, b), number(i64, bits));
  }
  Value evaluate(ArrayRef<int64_t> coefficients, Value x, int64_t bits);
  Value minusTwoLog(Value word);
  struct Cosine {
    Value isNegative;
    Value size; ///< fixed point
  };
  Cosine cosine(Value word);
  /// An i32 times a power of two, as f32; rounded once.
  Value toFloat(Value fixed, int64_t bits);

  OpBuilder &builder;
  Location loc;
  Type i32, i64;
};

} // namespace

Words Generator::philox(Value counter, Value seed, Value call, Value stream) {
  Words c = {low(counter), high(counter), low(call), low(stream)};
  Value key0 = low(seed), key1 = high(seed);
  for (unsigned round = 0; round < 10; ++round) {
    Value product0 = multiplyWide(c[0], 0xD2511F53), product1 = multiplyWide(c[2], 0xCD9E8D57);
    Value first = make<arith::XOrIOp>(make<arith::XOrIOp>(high(product1), c[1]), key0);
    Value third = make<arith::XOrIOp>(make<arith::XOrIOp>(high(product0), c[3]), key1);
    c = {first, low(product1), third, low(product0)};
    key0 = make<arith::AddIOp>(key0, number(i32, 0x9E3779B9));
    key1 = make<arith::AddIOp>(key1, number(i32, 0xBB67AE85));
  }
  return c;
}

/// Horner's scheme; the lowest power comes first.
Value Generator::evaluate(ArrayRef<int64_t> coefficients, Value x, int64_t bits) {
  Value sum = number(i64, coefficients.back());
  for (int64_t coefficient : llvm::reverse(coefficients.drop_back()))
    sum = make<arith::AddIOp>(multiplyFixed(sum, x, bits), number(i64, coefficient));
  return sum;
}

/// -2 log((2 w + 1) / 2**33), with 24 bits behind the point.
Value Generator::minusTwoLog(Value word) {
  // Chebyshev approximation of log(1 + f) / f in 0..1, times 2**31; wrong by less than 1e-9.
  static constexpr int64_t Logarithm[] = {2147483646, -1073741432, 715811473, -536600173,
                                          427167515,  -345930237,  266827054, -177243277,
                                          89244315,   -28872555,   4375907};
  constexpr int64_t TwoLog2 = 2977044472; // 2 log(2), times 2**31
  Value one = number(i64, 1);
  Value x = make<arith::AddIOp>(make<arith::ShLIOp>(unsignedWide(word), one), one);
  Value halvings = one; // x / 2**(32 + halvings) is what the logarithm is taken of
  for (int64_t shift : {16, 8, 4, 2, 1, 1}) {
    Value isSmall =
        make<arith::CmpIOp>(arith::CmpIPredicate::slt, x, number(i64, int64_t(1) << (33 - shift)));
    Value by = make<arith::SelectOp>(isSmall, number(i64, shift), number(i64, 0));
    x = make<arith::ShLIOp>(x, by);
    halvings = make<arith::AddIOp>(halvings, by);
  }
  Value fraction = make<arith::SubIOp>(x, number(i64, int64_t(1) << 32));
  fraction = make<arith::ShRSIOp>(fraction, one);
  Value logarithm = multiplyFixed(evaluate(Logarithm, fraction, 31), fraction, 31);
  logarithm = make<arith::ShLIOp>(logarithm, one);
  Value whole = make<arith::MulIOp>(halvings, number(i64, TwoLog2));
  Value result = make<arith::SubIOp>(whole, logarithm);
  result = make<arith::MaxSIOp>(result, number(i64, 0));
  return low(make<arith::ShRSIOp>(result, number(i64, 7)));
}

/// cos(2 pi w / 2**32), with 30 bits behind the point.
Generator::Cosine Generator::cosine(Value word) {
  // Chebyshev approximation of cos(pi/2 sqrt(y)) in 0..1, times 2**30; wrong by less than 1e-9.
  static constexpr int64_t Coefficients[] = {1073741824, -1324675862, 272375361,
                                             -22401140,  985399,      -25581};
  constexpr int64_t One = int64_t(1) << 30;
  Value quarter = make<arith::ShRUIOp>(word, number(i32, 30));
  Value angle = unsignedWide(make<arith::AndIOp>(word, number(i32, One - 1)));
  auto isSet = [&](Value bits, int64_t mask) -> Value {
    return make<arith::CmpIOp>(arith::CmpIPredicate::ne,
                               make<arith::AndIOp>(bits, number(i32, mask)), number(i32, 0));
  };
  // In the second and fourth quarter the angle runs back, in the second and third the sign is -.
  Value isBackward = isSet(quarter, 1);
  Value isNegative = isSet(make<arith::AddIOp>(quarter, number(i32, 1)), 2);
  Value back = make<arith::SubIOp>(number(i64, One), angle);
  angle = make<arith::SelectOp>(isBackward, back, angle);
  return {isNegative, low(evaluate(Coefficients, multiplyFixed(angle, angle, 30), 30))};
}

Value Generator::toFloat(Value fixed, int64_t bits) {
  Type f32 = builder.getF32Type();
  Value scale =
      make<arith::ConstantOp>(builder.getF32FloatAttr(std::ldexp(1.0f, static_cast<int>(-bits))));
  return make<arith::MulFOp>(make<arith::SIToFPOp>(f32, fixed), scale);
}

Value Generator::normal(Value first, Value second) {
  Value radius = make<math::SqrtOp>(toFloat(minusTwoLog(first), 24));
  auto [isNegative, cosineSize] = cosine(second);
  // The choice comes last: a product would be fused with a sum that follows on some targets only.
  Value size = make<arith::MulFOp>(radius, toFloat(cosineSize, 30));
  return make<arith::SelectOp>(isNegative, make<arith::NegFOp>(size), size);
}

Lowered RandomOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  Value result = lowering.map(
      getType(), operands, [&](OpBuilder &nested, Location loc, ValueRange elements) -> Value {
        Generator generator(nested, loc);
        Words words = generator.philox(elements[0], elements[1], elements[2], elements[3]);
        if (getKind() == RandomKind::Bits)
          return generator.upperBits(words[0]);
        return generator.normal(words[0], words[1]);
      });
  return SmallVector<Value>{result};
}

} // namespace nnc::nn
