//===- LowerShape.cpp - Sources and movements of elements as linalg and tensor ----------------===//

#include "ir/LoweringUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace nnc::nn {

static SmallVector<OpFoldResult> materializeDims(Lowering &lowering, ArrayRef<AffineExpr> dims) {
  SmallVector<OpFoldResult> values;
  for (AffineExpr dim : dims)
    values.push_back(materializeDim(lowering.builder, lowering.loc, dim));
  return values;
}

/// A generic that reads its input through `map` and yields it.
static Value moveElements(Lowering &lowering, RankedTensorType type, Value input, AffineMap map) {
  return lowering.map(type, input, map, [](OpBuilder &, Location, ValueRange x) { return x[0]; });
}

//===- Sources --------------------------------------------------------------------------------===//

Lowered FullOp::lowerToLinalg(OpBuilder &builder, ValueRange) {
  Lowering lowering(builder, getLoc());
  Value scalar = builder.create<arith::ConstantOp>(getLoc(), getValue());
  return SmallVector<Value>{lowering.fill(getType(), scalar)};
}

Lowered IotaOp::lowerToLinalg(OpBuilder &builder, ValueRange) {
  Lowering lowering(builder, getLoc());
  Type element = getType().getElementType();
  bool countAll = static_cast<int64_t>(getAxis()) < 0;
  SmallVector<Value> sizes;
  for (AffineExpr dim : countAll ? getDims(getType()) : SmallVector<AffineExpr>())
    sizes.push_back(builder.create<arith::IndexCastOp>(getLoc(), element, lowering.size(dim)));
  Value result =
      lowering.map(getType(), ValueRange(), [&](OpBuilder &b, Location loc, ValueRange) -> Value {
        auto place = [&](int64_t axis) -> Value {
          return b.create<arith::IndexCastOp>(loc, element, b.create<linalg::IndexOp>(loc, axis));
        };
        if (!countAll)
          return place(static_cast<int64_t>(getAxis()));
        if (sizes.empty())
          return b.create<arith::ConstantOp>(loc, b.getIntegerAttr(element, 0));
        Value count = place(0);
        for (size_t axis = 1; axis < sizes.size(); ++axis) {
          Value before = b.create<arith::MulIOp>(loc, count, sizes[axis]);
          count = b.create<arith::AddIOp>(loc, before, place(static_cast<int64_t>(axis)));
        }
        return count;
      });
  return SmallVector<Value>{result};
}

Lowered SizeOp::lowerToLinalg(OpBuilder &builder, ValueRange) {
  Lowering lowering(builder, getLoc());
  Value size = lowering.size(getSize().getResult(0));
  Value scalar = builder.create<arith::IndexCastOp>(getLoc(), getType().getElementType(), size);
  return SmallVector<Value>{lowering.fill(getType(), scalar)};
}

//===- Movements ------------------------------------------------------------------------------===//

Lowered ReshapeOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  return SmallVector<Value>{lowering.reshape(getInput().getType(), getType(), operands[0])};
}

Lowered TransposeOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  // Axis permutation[i] of the operand is indexed by loop i.
  SmallVector<AffineExpr> indices(getType().getRank());
  for (auto [loop, axis] : llvm::enumerate(getPermutation()))
    indices[axis] = builder.getAffineDimExpr(loop);
  AffineMap map = AffineMap::get(indices.size(), 0, indices, getContext());
  return SmallVector<Value>{moveElements(lowering, getType(), operands[0], map)};
}

Lowered BroadcastOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  SmallVector<AffineExpr> indices;
  for (auto [axis, target] : llvm::enumerate(getDims())) {
    bool isRepeated = getConstant(nn::getDim(getInput().getType(), axis)) == 1 &&
                      getConstant(nn::getDim(getType(), target)) != 1;
    indices.push_back(isRepeated ? builder.getAffineConstantExpr(0)
                                 : builder.getAffineDimExpr(target));
  }
  AffineMap map = AffineMap::get(getType().getRank(), 0, indices, getContext());
  return SmallVector<Value>{moveElements(lowering, getType(), operands[0], map)};
}

Lowered ConcatOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  int64_t rank = getType().getRank();
  SmallVector<OpFoldResult> steps(rank, builder.getIndexAttr(1));
  SmallVector<AffineExpr> offsets(rank, builder.getAffineConstantExpr(0));
  Value result = lowering.empty(getType());
  for (auto [input, value] : llvm::zip_equal(getInputs(), operands)) {
    SmallVector<AffineExpr> dims = nn::getDims(cast<RankedTensorType>(input.getType()));
    result = builder.create<tensor::InsertSliceOp>(getLoc(), value, result,
                                                   materializeDims(lowering, offsets),
                                                   materializeDims(lowering, dims), steps);
    offsets[getAxis()] = offsets[getAxis()] + dims[getAxis()];
  }
  return SmallVector<Value>{result};
}

Lowered SliceOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  Value result =
      builder.create<tensor::ExtractSliceOp>(getLoc(), stripDims(getType()), operands[0],
                                             materializeDims(lowering, getStart().getResults()),
                                             materializeDims(lowering, nn::getDims(getType())),
                                             getAsIndexOpFoldResult(getContext(), getStep()));
  return SmallVector<Value>{result};
}

Lowered UpdateOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  Value result = builder.create<tensor::InsertSliceOp>(
      getLoc(), operands[1], operands[0], materializeDims(lowering, getStart().getResults()),
      materializeDims(lowering, nn::getDims(getValue().getType())),
      getAsIndexOpFoldResult(getContext(), getStep()));
  return SmallVector<Value>{result};
}

Lowered PadOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  return SmallVector<Value>{lowering.pad(getType(), operands[0], getLow(), getHigh(), getValue())};
}

/// `id` moved into `0 .. size-1`, as an index.
static Value clampId(OpBuilder &b, Location loc, Value id, Value zero, Value last) {
  Value index = b.create<arith::IndexCastOp>(loc, b.getIndexType(), id);
  return b.create<arith::MinSIOp>(loc, b.create<arith::MaxSIOp>(loc, index, zero), last);
}

Lowered GatherOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  RankedTensorType table = getTable().getType();
  int64_t axis = getAxis(), idsRank = getIds().getType().getRank(), rank = getType().getRank();
  Value zero = lowering.size(builder.getAffineConstantExpr(0));
  Value last = lowering.size(nn::getDim(table, axis) - 1);
  SmallVector<AffineExpr> idsLoops;
  for (int64_t loop = axis; loop < axis + idsRank; ++loop)
    idsLoops.push_back(builder.getAffineDimExpr(loop));
  AffineMap idsMap = AffineMap::get(rank, 0, idsLoops, getContext());
  Value result = lowering.map(
      getType(), operands[1], idsMap, [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
        SmallVector<Value> indices;
        for (int64_t from = 0; from < table.getRank(); ++from) {
          int64_t loop = from < axis ? from : from + idsRank - 1;
          indices.push_back(from == axis ? clampId(b, loc, x[0], zero, last)
                                         : b.create<linalg::IndexOp>(loc, loop).getResult());
        }
        return b.create<tensor::ExtractOp>(loc, operands[0], indices);
      });
  return SmallVector<Value>{result};
}

} // namespace nnc::nn
