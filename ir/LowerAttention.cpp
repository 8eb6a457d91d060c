//===- LowerAttention.cpp - Attention as linalg -----------------------------------------------===//
//
// The definition: two products with a softmax between them and all scores held. Code generators
// write kernels of the operation itself; this is what those are compared with.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/LoweringUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace nnc::nn {

namespace {

/// Loops of both products: batch, head of keys, query head within it, query, key, place in a head.
enum Loop { Batch, Head, Group, Query, Key, Place, LoopCount };

struct AttentionLowering {
  AttentionLowering(AttentionOp op, OpBuilder &builder)
      : op(op), lowering(builder, op.getLoc()), query(op.getQuery().getType()),
        key(op.getKey().getType()), batch(getDim(query, 0)), heads(getDim(query, 1)),
        queries(getDim(query, 2)), headSize(getDim(query, 3)), keyHeads(getDim(key, 1)),
        keys(getDim(key, 2)) {}

  RankedTensorType type(ArrayRef<AffineExpr> dims, Type element) {
    return getTensorType(dims, element);
  }
  RankedTensorType wide(ArrayRef<AffineExpr> dims) {
    return type(dims, lowering.builder.getF32Type());
  }
  /// The dimensions with query heads cut into key heads and groups.
  SmallVector<AffineExpr> grouped(AffineExpr last) {
    return {batch, keyHeads, heads.floorDiv(keyHeads), queries, last};
  }
  SmallVector<AffineExpr> together(AffineExpr last) { return {batch, heads, queries, last}; }

  /// sum over `summed` of left * right; operands and result are indexed by these loops.
  Value product(RankedTensorType result, Value left, ArrayRef<int64_t> leftLoops, Value right,
                ArrayRef<int64_t> rightLoops, ArrayRef<int64_t> resultLoops, Loop summed) {
    auto mapOf = [&](ArrayRef<int64_t> loops) {
      SmallVector<AffineExpr> exprs;
      for (int64_t loop : loops)
        exprs.push_back(lowering.builder.getAffineDimExpr(loop));
      return AffineMap::get(LoopCount, 0, exprs, lowering.builder.getContext());
    };
    SmallVector<bool> parallel(LoopCount, true);
    parallel[summed] = false;
    return lowering.reduce(lowering.fill(result, 0.0), {left, right},
                           {mapOf(leftLoops), mapOf(rightLoops), mapOf(resultLoops)}, parallel,
                           [](OpBuilder &b, Location loc, ValueRange x) -> Value {
                             Value term = b.create<arith::MulFOp>(loc, widen(b, loc, x[0]),
                                                                  widen(b, loc, x[1]));
                             return b.create<arith::AddFOp>(loc, x[2], term);
                           });
  }

  /// Scores scaled, and -inf where they are hidden.
  Value hide(Value scores, Value mask, Value offset) {
    SmallVector<Value> inputs = {scores};
    SmallVector<AffineMap> maps = {lowering.builder.getMultiDimIdentityMap(4)};
    if (mask) {
      inputs.push_back(mask);
      maps.push_back(maps[0]);
    }
    if (offset) {
      inputs.push_back(offset);
      maps.push_back(AffineMap::get(4, 0, lowering.builder.getContext()));
    }
    double scale = 1 / std::sqrt(static_cast<double>(*getConstant(headSize)));
    return lowering.map(
        wide(together(keys)), inputs, maps, [&](OpBuilder &b, Location loc, ValueRange x) {
          Type f32 = b.getF32Type();
          Value factor = b.create<arith::ConstantOp>(loc, getScalarAttr(f32, scale));
          Value hidden = b.create<arith::ConstantOp>(
              loc, getScalarAttr(f32, -std::numeric_limits<double>::infinity()));
          Value score = b.create<arith::MulFOp>(loc, x[0], factor);
          if (mask)
            score = b.create<arith::SelectOp>(loc, x[1], score, hidden);
          if (op.getCausal())
            score = b.create<arith::SelectOp>(
                loc, isSeen(b, loc, offset ? x[inputs.size() - 1] : Value()), score, hidden);
          return score;
        });
  }

  /// query + offset >= key
  static Value isSeen(OpBuilder &b, Location loc, Value offset) {
    Type i64 = b.getI64Type();
    Value place = b.create<arith::IndexCastOp>(loc, i64, b.create<linalg::IndexOp>(loc, 2));
    Value other = b.create<arith::IndexCastOp>(loc, i64, b.create<linalg::IndexOp>(loc, 3));
    if (offset) {
      if (offset.getType() != i64)
        offset = b.create<arith::ExtSIOp>(loc, i64, offset);
      place = b.create<arith::AddIOp>(loc, place, offset);
    }
    return b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::sge, place, other);
  }

  AttentionOp op;
  Lowering lowering;
  RankedTensorType query, key;
  AffineExpr batch, heads, queries, headSize, keyHeads, keys;
};

} // namespace

Lowered AttentionOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  AttentionLowering lower(*this, builder);
  Type element = getType().getElementType();
  Value mask = getMask() ? operands[3] : Value();
  Value offset = getOffset() ? operands.back() : Value();

  Value query = lower.lowering.reshape(
      lower.query, lower.type(lower.grouped(lower.headSize), element), operands[0]);
  Value scores = lower.product(lower.wide(lower.grouped(lower.keys)), query,
                               {Batch, Head, Group, Query, Place}, operands[1],
                               {Batch, Head, Key, Place}, {Batch, Head, Group, Query, Key}, Place);
  RankedTensorType all = lower.wide(lower.together(lower.keys));
  scores = lower.lowering.reshape(lower.wide(lower.grouped(lower.keys)), all, scores);
  Value weights = lowerSoftmax(lower.lowering, withElementType(all, element), 3,
                               lower.hide(scores, mask, offset));
  RankedTensorType groupedWeights = lower.type(lower.grouped(lower.keys), element);
  weights = lower.lowering.reshape(withElementType(all, element), groupedWeights, weights);
  RankedTensorType groupedResult = lower.wide(lower.grouped(lower.headSize));
  Value result =
      lower.product(groupedResult, weights, {Batch, Head, Group, Query, Key}, operands[2],
                    {Batch, Head, Key, Place}, {Batch, Head, Group, Query, Place}, Key);
  RankedTensorType wide = withElementType(getType(), builder.getF32Type());
  result = lower.lowering.reshape(groupedResult, wide, result);
  return SmallVector<Value>{lower.lowering.convertTo(getType(), result)};
}

} // namespace nnc::nn
