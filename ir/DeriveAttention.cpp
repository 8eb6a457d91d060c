//===- DeriveAttention.cpp - The derivative of attention --------------------------------------===//
//
// The weights are computed again from queries and keys, as in Dao et al., "FlashAttention",
// 2022, section B.4: with `P = softmax(S)`, `dV = P^T G`, `dP = G V^T`,
// `dS = P (dP - rowsum(G O))`, `dQ = dS K / sqrt(D)`, `dK = dS^T Q / sqrt(D)`. All scores are held.
// S and dP are f32; with 16-bit elements their operands are exact in TF32, and P and dS are rounded
// to the elements for the other three products, so that all run on tensor cores.
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

  /// In f32; the operands have no more bits than `op`'s elements.
  Value multiplyWide(Value a, Value b) {
    Value product = multiply(widen(a), widen(b), false, true);
    if (getType(op.getQuery()).getElementTypeBitWidth() == 16)
      product.getDefiningOp()->setAttr(kTf32Attr, builder.getUnitAttr());
    return product;
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

  Value weights() {
    Value scores = ungroup(mul(multiplyWide(group(op.getQuery()), op.getKey()), scale()));
    RankedTensorType type = getType(scores);
    Value hidden = full(type, -std::numeric_limits<double>::infinity());
    if (op.getMask())
      scores = select(op.getMask(), scores, hidden);
    if (op.getCausal())
      scores = select(isSeen(getDims(type)), scores, hidden);
    return make<SoftmaxOp>(type, scores, 3);
  }

  /// query + offset >= key: one number for all heads of all batches, so that little is stored.
  Value isSeen(ArrayRef<AffineExpr> dims) {
    Type i64 = builder.getI64Type();
    SmallVector<AffineExpr> pairs = {dims[2], dims[3]};
    auto places = [&](int64_t axis) {
      return broadcast(make<IotaOp>(getTensorType(pairs[axis], i64), 0), pairs, axis);
    };
    Value place = places(0);
    if (op.getOffset())
      place = add(place, broadcast(cast(op.getOffset(), i64), pairs, {}));
    return broadcast(cmp(CmpPredicate::Ge, place, places(1)), dims, {2, 3});
  }

  double scale() { return 1 / std::sqrt(static_cast<double>(*getConstant(query[3]))); }

  Derived run(Value g) {
    Value q = op.getQuery(), k = op.getKey(), p = weights();
    Value byWeights = ungroup(multiplyWide(group(g), op.getValue()));
    Value rows = repeat(sum(mul(widen(g), widen(op.getResult())), 3), getDims(getType(p)), 3);
    Value byScores = group(narrow(mul(mul(p, sub(byWeights, rows)), scale()), q));
    Derived result(op->getNumOperands());
    result[0] = ungroup(multiply(byScores, k, false, false));
    result[1] = multiply(byScores, group(q), true, false);
    result[2] = multiply(group(narrow(p, q)), group(g), true, false);
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
