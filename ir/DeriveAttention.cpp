//===- DeriveAttention.cpp - The derivative of attention --------------------------------------===//
//
// The weights are computed again from queries and keys, in f32, as in Dao et al., "FlashAttention",
// 2022, section B.4: with `P = softmax(S)`, `dV = P^T G`, `dP = G V^T`,
// `dS = P (dP - rowsum(G O))`, `dQ = dS K / sqrt(D)`, `dK = dS^T Q / sqrt(D)`. All scores are held.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/DeriveUtils.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace nnc::nn {

namespace {

struct Attention : Deriving {
  Attention(OpBuilder &builder, AttentionOp op)
      : Deriving(builder, op), op(op), query(getDims(op.getQuery().getType())),
        key(getDims(op.getKey().getType())) {}

  /// The queries of all heads that share keys below each other.
  Value group(Value value) {
    RankedTensorType type = getType(value);
    return reshape(value,
                   {query[0], key[1], query[1].floorDiv(key[1]) * query[2], getDim(type, 3)});
  }
  Value ungroup(Value value) {
    return reshape(value, {query[0], query[1], query[2], getDim(getType(value), 3)});
  }

  Value multiply(Value a, Value b, bool transposeA, bool transposeB) {
    RankedTensorType left = getType(a), right = getType(b);
    auto type = getTensorType(
        {query[0], key[1], getDim(left, transposeA ? 3 : 2), getDim(right, transposeB ? 2 : 3)},
        left.getElementType());
    auto product = builder.create<MatmulOp>(loc, type, a, b, transposeA, transposeB);
    product->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    return product;
  }

  Value weights(Value q, Value k) {
    Value scores = ungroup(mul(multiply(group(q), k, false, true), scale()));
    RankedTensorType type = getType(scores);
    Value hidden = full(type, -std::numeric_limits<double>::infinity());
    if (op.getMask())
      scores = select(op.getMask(), scores, hidden);
    if (op.getCausal())
      scores = select(isSeen(getDims(type)), scores, hidden);
    return make<SoftmaxOp>(type, scores, 3);
  }

  /// query + offset >= key
  Value isSeen(ArrayRef<AffineExpr> dims) {
    Type i64 = builder.getI64Type();
    auto places = [&](int64_t axis) {
      return broadcast(make<IotaOp>(getTensorType(dims[axis], i64), 0), dims, axis);
    };
    Value place = places(2);
    if (op.getOffset())
      place = add(place, broadcast(cast(op.getOffset(), i64), dims, {}));
    return cmp(CmpPredicate::Ge, place, places(3));
  }

  double scale() { return 1 / std::sqrt(static_cast<double>(*getConstant(query[3]))); }

  Derived run(Value gradient) {
    Value q = widen(op.getQuery()), k = widen(op.getKey()), v = widen(op.getValue());
    Value g = widen(gradient), p = weights(q, k);
    Value byWeights = ungroup(multiply(group(g), v, false, true));
    Value rows = repeat(sum(mul(g, widen(op.getResult())), 3), getDims(getType(p)), 3);
    Value byScores = group(mul(mul(p, sub(byWeights, rows)), scale()));
    Derived result(op->getNumOperands());
    result[0] = narrow(ungroup(multiply(byScores, k, false, false)), op.getQuery());
    result[1] = narrow(multiply(byScores, group(q), true, false), op.getKey());
    result[2] = narrow(multiply(group(p), group(g), true, false), op.getValue());
    return result;
  }

  AttentionOp op;
  SmallVector<AffineExpr> query, key;
};

} // namespace

Derived AttentionOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  return Attention(builder, *this).run(gradients[0]);
}

} // namespace nnc::nn
