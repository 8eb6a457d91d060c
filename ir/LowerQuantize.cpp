//===- LowerQuantize.cpp - Dequantizing as linalg ---------------------------------------------===//

#include "ir/LoweringUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace nnc::nn {

/// Which element of `part` belongs to each of `whole`.
static AffineMap getRunMap(RankedTensorType whole, RankedTensorType part, uint64_t group) {
  MLIRContext *context = whole.getContext();
  SmallVector<AffineExpr> indices;
  for (int64_t axis = 0; axis < whole.getRank(); ++axis) {
    int64_t size = whole.getDimSize(axis), runs = part.getDimSize(axis);
    AffineExpr loop = getAffineDimExpr(axis, context);
    indices.push_back(runs == 1      ? getAffineConstantExpr(0, context)
                      : runs == size ? loop
                                     : loop.floorDiv(group));
  }
  return AffineMap::get(whole.getRank(), 0, indices, context);
}

/// The half of a byte that an index of the last axis says, with its sign.
static Value unpack(OpBuilder &b, Location loc, Value byte, int64_t lastAxis) {
  Type i32 = b.getI32Type();
  auto number = [&](int64_t value) {
    return b.create<arith::ConstantOp>(loc, b.getI32IntegerAttr(value));
  };
  Value index = b.create<arith::IndexCastOp>(loc, i32, b.create<linalg::IndexOp>(loc, lastAxis));
  Value isHigh = b.create<arith::AndIOp>(loc, index, number(1));
  Value up =
      b.create<arith::SubIOp>(loc, number(28), b.create<arith::ShLIOp>(loc, isHigh, number(2)));
  Value wide = b.create<arith::ExtSIOp>(loc, i32, byte);
  return b.create<arith::ShRSIOp>(loc, b.create<arith::ShLIOp>(loc, wide, up), number(28));
}

/// A stored value as f32.
static Value toFloat(OpBuilder &b, Location loc, Value stored) {
  if (isa<IntegerType>(stored.getType()))
    return b.create<arith::SIToFPOp>(loc, b.getF32Type(), stored);
  return widen(b, loc, stored);
}

Lowered DequantizeOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  RankedTensorType type = getType();
  int64_t last = type.getRank() - 1;
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<AffineMap> maps(operands.size(), identity);
  if (getPacked()) {
    SmallVector<AffineExpr> bytes(identity.getResults());
    bytes[last] = bytes[last].floorDiv(2);
    maps[0] = AffineMap::get(type.getRank(), 0, bytes, getContext());
  }
  for (unsigned i = 1; i < operands.size(); ++i)
    maps[i] =
        getRunMap(type, cast<RankedTensorType>(operands[i].getType()), getGroup().value_or(1));
  Type element = type.getElementType();
  Value result =
      lowering.map(type, operands, maps, [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
        Value value = getPacked() ? unpack(b, loc, x[0], last) : Value(x[0]);
        if (isa<IntegerType>(element))
          return value.getType() == element
                     ? value
                     : b.create<arith::TruncIOp>(loc, element, value).getResult();
        value = toFloat(b, loc, value);
        if (operands.size() > 2)
          value = b.create<arith::SubFOp>(loc, value, x[2]);
        if (operands.size() > 1)
          value = b.create<arith::MulFOp>(loc, value, x[1]);
        return narrow(b, loc, value, element);
      });
  return SmallVector<Value>{result};
}

} // namespace nnc::nn
