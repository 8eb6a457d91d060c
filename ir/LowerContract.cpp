//===- LowerContract.cpp - Matrix products as linalg ------------------------------------------===//

#include "ir/LoweringUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace nnc::nn {

/// Which loops (batch.., m, n, k) index an operand: its batch axes, then two, swapped by its flag.
static AffineMap getOperandMap(RankedTensorType type, int64_t loops, int64_t rows, int64_t columns,
                               bool isTransposed) {
  MLIRContext *context = type.getContext();
  SmallVector<AffineExpr> indices;
  for (int64_t axis = 0; axis < type.getRank() - 2; ++axis)
    indices.push_back(getAffineDimExpr(axis, context));
  indices.push_back(getAffineDimExpr(isTransposed ? columns : rows, context));
  indices.push_back(getAffineDimExpr(isTransposed ? rows : columns, context));
  return AffineMap::get(loops, 0, indices, context);
}

static Value multiplyAdd(OpBuilder &b, Location loc, Value x, Value y, Value sum) {
  if (isa<FloatType>(sum.getType()))
    return b.create<arith::AddFOp>(loc, sum, b.create<arith::MulFOp>(loc, x, y));
  return b.create<arith::AddIOp>(loc, sum, b.create<arith::MulIOp>(loc, x, y));
}

Lowered MatmulOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  RankedTensorType lhs = getLhs().getType(), rhs = getRhs().getType();
  int64_t k = lhs.getRank(), n = k - 1, m = k - 2, loops = k + 1;
  AffineMap left = getOperandMap(lhs, loops, m, k, getTransposeA());
  AffineMap right = getOperandMap(rhs, loops, k, n, getTransposeB());
  AffineMap out = getOperandMap(lhs, loops, m, n, /*isTransposed=*/false);
  SmallVector<bool> parallel(loops, true);
  parallel[k] = false;
  Type element = getAccumulatorType(getType().getElementType());
  Value init = lowering.fill(withElementType(getType(), element), 0.0);
  Value result = lowering.reduce(
      init, operands, {left, right, out}, parallel, [](OpBuilder &b, Location loc, ValueRange x) {
        return multiplyAdd(b, loc, widen(b, loc, x[0]), widen(b, loc, x[1]), x[2]);
      });
  return SmallVector<Value>{lowering.convertTo(getType(), result)};
}

} // namespace nnc::nn
