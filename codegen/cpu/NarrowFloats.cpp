//===- NarrowFloats.cpp - small floats as integers ------------------------===//

#include "codegen/cpu/NarrowFloats.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/APFloat.h"

using namespace mlir;
using namespace nnc;

namespace {

/// How a type is laid out, as far as conversions care.
struct Format {
  explicit Format(FloatType type)
      : width(type.getWidth()), fraction(type.getFPMantissaWidth() - 1),
        bias(type.isBF16() ? 127 : (1 << (width - fraction - 2)) - 1),
        hasInfinity(!type.isFloat8E4M3FN()) {}

  unsigned width, fraction, bias;
  bool hasInfinity;

  unsigned dropped() const { return 23 - fraction; }
  int64_t sign() const { return int64_t(1) << (width - 1); }
  int64_t magnitudes() const { return sign() - 1; }
  /// The exponent's bits all set, which is infinity where there is one.
  int64_t infinity() const { return magnitudes() >> fraction << fraction; }
  /// The bits of the largest magnitude that is no NaN.
  int64_t largest() const { return hasInfinity ? infinity() : magnitudes() - 1; }
  /// The bits of the f32 from which on nothing finite is near.
  int64_t tooLarge() const {
    int64_t first = hasInfinity ? infinity() : magnitudes();
    return (first << dropped()) + (int64_t(127 - bias) << 23);
  }
  int64_t overflow() const { return hasInfinity ? infinity() : magnitudes(); }
};

/// Makes integer and f32 operations of the shape of one conversion.
struct Bits {
  Bits(Operation *op) : builder(op), loc(op->getLoc()), shape(op->getResult(0).getType()) {}

  Type of(Type element) const {
    auto vector = dyn_cast<VectorType>(shape);
    return vector ? Type(VectorType::get(vector.getShape(), element)) : element;
  }
  Value constant(Type type, int64_t number) {
    TypedAttr value = builder.getIntegerAttr(getElementTypeOrSelf(type), number);
    if (auto vector = dyn_cast<VectorType>(type))
      value = DenseElementsAttr::get(vector, Attribute(value));
    return builder.create<arith::ConstantOp>(loc, value);
  }
  Value number(int64_t value) { return constant(of(builder.getI32Type()), value); }
  template <typename Op> Value make(Value a, Value b) { return builder.create<Op>(loc, a, b); }
  Value toFloat(Value bits) {
    return builder.create<arith::BitcastOp>(loc, of(builder.getF32Type()), bits);
  }
  Value toBits(Value value) {
    return builder.create<arith::BitcastOp>(loc, of(builder.getI32Type()), value);
  }
  Value compare(arith::CmpIPredicate predicate, Value a, int64_t b) {
    return builder.create<arith::CmpIOp>(loc, predicate, a, number(b));
  }
  Value select(Value condition, Value a, Value b) {
    return builder.create<arith::SelectOp>(loc, condition, a, b);
  }

  OpBuilder builder;
  Location loc;
  Type shape;
};

} // namespace

/// f32 from the upper half of its bits.
static Value expandBf16(Bits &b, Value wide) {
  return b.toFloat(b.make<arith::ShLIOp>(wide, b.number(16)));
}

/// The magnitude at its place in an f32, scaled by a power of two, which is exact for subnormal
/// numbers too; infinity and NaN are put in after.
static Value expand(Bits &b, Value wide, const Format &format) {
  Value magnitude = b.make<arith::AndIOp>(wide, b.number(format.magnitudes()));
  Value sign = b.make<arith::XOrIOp>(wide, magnitude);
  sign = b.make<arith::ShLIOp>(sign, b.number(32 - format.width));
  Value placed = b.make<arith::ShLIOp>(magnitude, b.number(format.dropped()));
  Value scale = b.toFloat(b.number(int64_t(254 - format.bias) << 23));
  Value finite = b.toBits(b.make<arith::MulFOp>(b.toFloat(placed), scale));
  Value special = format.hasInfinity ? b.make<arith::OrIOp>(placed, b.number(0x7f800000))
                                     : b.number(0x7fc00000);
  int64_t firstSpecial = format.hasInfinity ? format.infinity() : format.largest() + 1;
  Value isSpecial = b.compare(arith::CmpIPredicate::uge, magnitude, firstSpecial);
  return b.toFloat(b.make<arith::OrIOp>(b.select(isSpecial, special, finite), sign));
}

/// The operand may be an integer already.
static void replaceExtension(arith::ExtFOp op, FloatType type) {
  Bits b(op);
  Value wide = b.builder.create<arith::ExtUIOp>(b.loc, b.of(b.builder.getI32Type()), op.getIn());
  op.replaceAllUsesWith(type.isBF16() ? expandBf16(b, wide) : expand(b, wide, Format(type)));
  op.erase();
}

/// Adds just below half a unit, and the last bit kept, so that ties go to even. NaN stays NaN.
static Value roundToBf16(Bits &b, Value value) {
  Value bits = b.toBits(value);
  Value last = b.make<arith::AndIOp>(b.make<arith::ShRUIOp>(bits, b.number(16)), b.number(1));
  Value bias = b.make<arith::AddIOp>(last, b.number(0x7fff));
  Value rounded = b.make<arith::AddIOp>(bits, bias);
  Value isNan = b.builder.create<arith::CmpFOp>(b.loc, arith::CmpFPredicate::UNO, value, value);
  Value quiet = b.make<arith::OrIOp>(bits, b.number(0x400000));
  return b.make<arith::ShRUIOp>(b.select(isNan, quiet, rounded), b.number(16));
}

/// Normal numbers as above; an addition rounds subnormal ones to their units.
static Value roundTo(Bits &b, Value value, const Format &format) {
  Value bits = b.toBits(value);
  Value magnitude = b.make<arith::AndIOp>(bits, b.number(0x7fffffff));
  Value sign =
      b.make<arith::ShRUIOp>(b.make<arith::XOrIOp>(bits, magnitude), b.number(32 - format.width));
  int64_t dropped = format.dropped(), rebias = int64_t(127 - format.bias) << 23;
  Value unit = b.number(int64_t(127 - format.bias + dropped + 1) << 23);
  Value small = b.make<arith::AddFOp>(b.toFloat(magnitude), b.toFloat(unit));
  small = b.make<arith::SubIOp>(b.toBits(small), unit);
  Value last =
      b.make<arith::AndIOp>(b.make<arith::ShRUIOp>(magnitude, b.number(dropped)), b.number(1));
  int64_t below = (int64_t(1) << (dropped - 1)) - 1 - rebias;
  Value normal = b.make<arith::AddIOp>(b.make<arith::AddIOp>(magnitude, b.number(below)), last);
  normal = b.make<arith::ShRUIOp>(normal, b.number(dropped));
  using Predicate = arith::CmpIPredicate;
  Value isSmall = b.compare(Predicate::ult, magnitude, rebias + (1 << 23));
  Value result = b.select(isSmall, small, normal);
  Value isLarge = b.compare(Predicate::uge, magnitude, format.tooLarge());
  result = b.select(isLarge, b.number(format.overflow()), result);
  Value isNan = b.compare(Predicate::ugt, magnitude, 0x7f800000);
  result = b.select(isNan, b.number(format.magnitudes()), result);
  return b.make<arith::OrIOp>(result, sign);
}

static void replaceTruncation(arith::TruncFOp op, FloatType type) {
  Bits b(op);
  Value rounded = type.isBF16() ? roundToBf16(b, op.getIn()) : roundTo(b, op.getIn(), Format(type));
  Type narrow = b.of(b.builder.getIntegerType(type.getWidth()));
  op.replaceAllUsesWith(b.builder.create<arith::TruncIOp>(b.loc, narrow, rounded).getResult());
  op.erase();
}

static void replaceConstant(arith::ConstantOp op) {
  auto bitsOf = [](Attribute value) {
    return cast<FloatAttr>(value).getValue().bitcastToAPInt().getZExtValue();
  };
  Bits b(op);
  Attribute value = op.getValue();
  if (auto dense = dyn_cast<DenseElementsAttr>(value))
    value = dense.getSplatValue<Attribute>();
  unsigned width = getElementTypeOrSelf(op.getType()).getIntOrFloatBitWidth();
  Type type = b.of(b.builder.getIntegerType(width));
  op.replaceAllUsesWith(b.constant(type, int64_t(bitsOf(value))));
  op.erase();
}

void codegen::replaceNarrowFloats(ModuleOp module, bool hasF16) {
  auto isReplaced = [hasF16](Type type) {
    auto element = dyn_cast<FloatType>(getElementTypeOrSelf(type));
    return element && element.getWidth() <= 16 && !(element.isF16() && hasF16);
  };
  auto narrowed = [](Type element) -> Type {
    return IntegerType::get(element.getContext(), element.getIntOrFloatBitWidth());
  };
  SmallVector<std::pair<Operation *, FloatType>> conversions;
  module.walk([&](Operation *op) {
    bool reads = llvm::any_of(op->getOperandTypes(), isReplaced);
    bool makes = llvm::any_of(op->getResultTypes(), isReplaced);
    bool extends = isa<arith::ExtFOp>(op) && reads;
    if (extends || (isa<arith::TruncFOp, arith::ConstantOp>(op) && makes)) {
      Type narrow = extends ? op->getOperand(0).getType() : op->getResult(0).getType();
      conversions.push_back({op, cast<FloatType>(getElementTypeOrSelf(narrow))});
    }
    if (auto address = dyn_cast<LLVM::GEPOp>(op); address && isReplaced(address.getElemType()))
      address.setElemType(narrowed(address.getElemType()));
    if (auto buffer = dyn_cast<LLVM::AllocaOp>(op); buffer && isReplaced(buffer.getElemType()))
      buffer.setElemType(narrowed(buffer.getElemType()));
  });
  for (auto [op, type] : conversions) {
    if (auto extension = dyn_cast<arith::ExtFOp>(op))
      replaceExtension(extension, type);
    else if (auto truncation = dyn_cast<arith::TruncFOp>(op))
      replaceTruncation(truncation, type);
    else
      replaceConstant(cast<arith::ConstantOp>(op));
  }
  auto retype = [&](Value value) {
    if (!isReplaced(value.getType()))
      return;
    Type element = narrowed(getElementTypeOrSelf(value.getType()));
    auto vector = dyn_cast<VectorType>(value.getType());
    value.setType(vector ? Type(VectorType::get(vector.getShape(), element)) : element);
  };
  module.walk([&](Operation *op) {
    llvm::for_each(op->getResults(), retype);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        llvm::for_each(block.getArguments(), retype);
  });
}
