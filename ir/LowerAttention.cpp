//===- LowerAttention.cpp - Attention as linalg -----------------------------------------------===//
//
// The definition: products with a softmax between them and all scores held. Code generators write
// kernels of the operations themselves; this is what those are compared with.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/LoweringUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace nnc::nn {

namespace {

/// Loops of all products: batch, head of keys, query head within it, query, key, place in a head.
enum Loop { Batch, Head, Group, Query, Key, Place, LoopCount };

/// A tensor and the loops that index it.
struct Factor {
  Value value;
  SmallVector<int64_t> loops;
};

struct AttentionLowering {
  /// `mask` and `offset` may be null.
  template <class Op>
  AttentionLowering(Op op, OpBuilder &builder, Value mask, Value offset)
      : lowering(builder, op.getLoc()), query(op.getQuery().getType()), key(op.getKey().getType()),
        batch(getDim(query, 0)), heads(getDim(query, 1)), queries(getDim(query, 2)),
        headSize(getDim(query, 3)), keyHeads(getDim(key, 1)), keys(getDim(key, 2)),
        element(query.getElementType()), mask(mask), offset(offset), isCausal(op.getCausal()) {}

  RankedTensorType wide(ArrayRef<AffineExpr> dims) {
    return getTensorType(dims, lowering.builder.getF32Type());
  }
  /// The dimensions with query heads cut into key heads and groups.
  SmallVector<AffineExpr> grouped(AffineExpr last) {
    return {batch, keyHeads, heads.floorDiv(keyHeads), queries, last};
  }
  SmallVector<AffineExpr> together(AffineExpr last) { return {batch, heads, queries, last}; }
  RankedTensorType scoresType() { return wide(together(keys)); }

  /// A tensor of rows of all heads, by heads of keys.
  Factor group(Value value, AffineExpr last, Loop lastLoop) {
    Type type = getElementTypeOrSelf(value);
    return {lowering.reshape(getTensorType(together(last), type),
                             getTensorType(grouped(last), type), value),
            {Batch, Head, Group, Query, lastLoop}};
  }
  Factor queryRows(Value value) { return group(value, headSize, Place); }
  Factor pairs(Value value) { return group(value, keys, Key); }
  Factor keyRows(Value value) { return {value, {Batch, Head, Key, Place}}; }

  /// sum over `summed` of left * right.
  Value product(RankedTensorType result, ArrayRef<int64_t> resultLoops, const Factor &left,
                const Factor &right, ArrayRef<Loop> summed) {
    auto mapOf = [&](ArrayRef<int64_t> loops) {
      SmallVector<AffineExpr> exprs;
      for (int64_t loop : loops)
        exprs.push_back(lowering.builder.getAffineDimExpr(loop));
      return AffineMap::get(LoopCount, 0, exprs, lowering.builder.getContext());
    };
    SmallVector<bool> parallel(LoopCount, true);
    for (Loop loop : summed)
      parallel[loop] = false;
    return lowering.reduce(lowering.fill(result, 0.0), {left.value, right.value},
                           {mapOf(left.loops), mapOf(right.loops), mapOf(resultLoops)}, parallel,
                           [](OpBuilder &b, Location loc, ValueRange x) -> Value {
                             Value term = b.create<arith::MulFOp>(loc, widen(b, loc, x[0]),
                                                                  widen(b, loc, x[1]));
                             return b.create<arith::AddFOp>(loc, x[2], term);
                           });
  }

  /// A number for each query and key, of all heads.
  Value multiplyRows(Value rows, Value keyed) {
    Value product = this->product(wide(grouped(keys)), {Batch, Head, Group, Query, Key},
                                  queryRows(rows), keyRows(keyed), {Place});
    return lowering.reshape(wide(grouped(keys)), scoresType(), product);
  }
  /// Rows of all heads, summed over keys.
  Value sumOverKeys(Value weights, Value keyed) {
    RankedTensorType type = wide(grouped(headSize));
    Value sum =
        product(type, {Batch, Head, Group, Query, Place}, pairs(weights), keyRows(keyed), {Key});
    Value rows = lowering.reshape(type, wide(together(headSize)), sum);
    return lowering.convertTo(query, rows);
  }
  /// Rows of keys, summed over all queries that they serve.
  Value sumOverQueries(Value weights, Value rows) {
    Value sum = product(wide({batch, keyHeads, keys, headSize}), {Batch, Head, Key, Place},
                        pairs(weights), queryRows(rows), {Group, Query});
    return lowering.convertTo(key, sum);
  }

  /// For each query and key, of `inputs` with one number for each such pair, and then `rows` with
  /// one for each query: `body` gets those, and whether the query sees the key (null: all do).
  Value mapPairs(Type result, ValueRange inputs, ValueRange rows,
                 llvm::function_ref<Value(OpBuilder &, Location, ValueRange, Value)> body) {
    SmallVector<Value> all(inputs);
    SmallVector<AffineMap> maps(inputs.size(), lowering.builder.getMultiDimIdentityMap(4));
    all.append(rows.begin(), rows.end());
    maps.append(rows.size(), lowering.builder.getMultiDimIdentityMap(4).dropResult(3));
    unsigned own = all.size();
    if (mask) {
      all.push_back(mask);
      maps.push_back(lowering.builder.getMultiDimIdentityMap(4));
    }
    if (offset) {
      all.push_back(offset);
      maps.push_back(AffineMap::get(4, 0, lowering.builder.getContext()));
    }
    return lowering.map(withElementType(scoresType(), result), all, maps,
                        [&](OpBuilder &b, Location loc, ValueRange x) {
                          Value shown = mask ? x[own] : Value();
                          if (isCausal) {
                            Value seen = isSeen(b, loc, offset ? x[all.size() - 1] : Value());
                            shown = shown ? b.create<arith::AndIOp>(loc, shown, seen) : seen;
                          }
                          return body(b, loc, x.take_front(own), shown);
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

  Value number(OpBuilder &b, Location loc, double value) {
    return b.create<arith::ConstantOp>(loc, getScalarAttr(b.getF32Type(), value));
  }
  double scale() { return 1 / std::sqrt(static_cast<double>(*getConstant(headSize))); }

  /// Scaled, and -inf where they are hidden.
  Value scores(Value rows, Value keyed) {
    return mapPairs(lowering.builder.getF32Type(), multiplyRows(rows, keyed), {},
                    [&](OpBuilder &b, Location loc, ValueRange x, Value shown) -> Value {
                      Value score = b.create<arith::MulFOp>(loc, x[0], number(b, loc, scale()));
                      if (!shown)
                        return score;
                      Value least = number(b, loc, -std::numeric_limits<double>::infinity());
                      return b.create<arith::SelectOp>(loc, shown, score, least);
                    });
  }

  /// exp(score - lse), 0 where hidden; f32.
  Value weights(Value scores, Value lse) {
    return mapPairs(
        lowering.builder.getF32Type(), scores, lse,
        [&](OpBuilder &b, Location loc, ValueRange x, Value shown) -> Value {
          Value power = b.create<math::ExpOp>(loc, b.create<arith::SubFOp>(loc, x[0], x[1]));
          return shown ? b.create<arith::SelectOp>(loc, shown, power, number(b, loc, 0)) : power;
        });
  }

  /// weight * (product - delta) / sqrt(D), 0 where hidden; of the elements.
  Value errors(Value weights, Value products, Value delta) {
    return mapPairs(element, {weights, products}, delta,
                    [&](OpBuilder &b, Location loc, ValueRange x, Value shown) -> Value {
                      Value error = b.create<arith::SubFOp>(loc, x[1], x[2]);
                      error = b.create<arith::MulFOp>(loc, x[0], error);
                      error = b.create<arith::MulFOp>(loc, error, number(b, loc, scale()));
                      if (shown)
                        error = b.create<arith::SelectOp>(loc, shown, error, number(b, loc, 0));
                      return narrow(b, loc, error, element);
                    });
  }

  Lowering lowering;
  RankedTensorType query, key;
  AffineExpr batch, heads, queries, headSize, keyHeads, keys;
  Type element;
  Value mask, offset;
  bool isCausal;
};

} // namespace

Lowered AttentionOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  AttentionLowering lower(*this, builder, getMask() ? operands[3] : Value(),
                          getOffset() ? operands.back() : Value());
  Value scores = lower.scores(operands[0], operands[1]);
  RankedTensorType type = lower.scoresType();
  Value weights = lowerSoftmax(lower.lowering, withElementType(type, lower.element), 3, scores);
  SmallVector<Value> results = {lower.sumOverKeys(weights, operands[2])};
  if (getLse())
    results.push_back(lowerLogSumExp(lower.lowering, type, 3, scores));
  return results;
}

Lowered AttentionGradOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  AttentionLowering lower(*this, builder, getMask() ? operands[6] : Value(),
                          getOffset() ? operands.back() : Value());
  Value query = operands[0], key = operands[1], gradient = operands[3];
  Value weights = lower.weights(lower.scores(query, key), operands[4]);
  Value products = lower.multiplyRows(gradient, operands[2]);
  Value errors = lower.errors(weights, products, operands[5]);
  Value rounded =
      lower.lowering.convertTo(withElementType(lower.scoresType(), lower.element), weights);
  return SmallVector<Value>{lower.sumOverKeys(errors, key), lower.sumOverQueries(errors, query),
                            lower.sumOverQueries(rounded, gradient)};
}

} // namespace nnc::nn
