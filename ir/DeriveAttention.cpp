//===- DeriveAttention.cpp - The derivative of attention --------------------------------------===//
//
// The weights are computed again from queries and keys, as in Dao et al., "FlashAttention",
// 2022, section B.4: with `P = softmax(S)`, `dV = P^T G`, `dP = G V^T`,
// `dS = P (dP - rowsum(G O))`, `dQ = dS K / sqrt(D)`, `dK = dS^T Q / sqrt(D)`. That is
// `nn.attention_grad`, which needs the logarithms of the sums of the softmax; the attention in the
// forward pass gets that result here.
//
// Heads that its kernels have no room for get the operations one by one, and all scores are held.
// There S and dP are f32; with 16-bit elements their operands are exact in TF32, and P and dS are
// rounded to the elements for the other three products, so that all run on tensor cores.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/DeriveUtils.h"
#include "ir/Unsupported.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace nnc::nn {

namespace {

constexpr int64_t LargestHead = 128; ///< two sums of which a thread has registers for

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

  /// The result and the logarithms of the sums, of one operation instead of `op`.
  AttentionOp withSums() {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(op);
    SmallVector<AffineExpr> rows(ArrayRef(query).drop_back());
    auto made = builder.create<AttentionOp>(
        op.getLoc(), op.getType(), getTensorType(rows, builder.getF32Type()), op.getQuery(),
        op.getKey(), op.getValue(), op.getMask(), op.getOffset(), op.getCausal());
    made->setLoc(op.getLoc()); // it is no part of the backward pass, whatever the builder thinks
    made->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    op.getResult().replaceAllUsesWith(made.getResult());
    return made;
  }

  Derived runFused(Value g) {
    AttentionOp forward = op.getLse() ? op : withSums();
    Value delta = sum(mul(widen(g), widen(forward.getResult())), 3);
    auto made = builder.create<AttentionGradOp>(
        loc, TypeRange{op.getQuery().getType(), op.getKey().getType(), op.getValue().getType()},
        op.getQuery(), op.getKey(), op.getValue(), g, forward.getLse(), delta, op.getMask(),
        op.getOffset(), op.getCausal());
    Derived result(op->getNumOperands());
    llvm::copy(made.getResults(), result.begin());
    return result;
  }

  Derived run(Value g) {
    if (*getConstant(query[3]) <= LargestHead)
      return runFused(g);
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
  if (gradients.size() > 1 && gradients[1]) {
    emitUnsupported(*this) << "the sums of attention's softmax have no gradient";
    return {};
  }
  return Attention(builder, *this).run(gradients[0]);
}

} // namespace nnc::nn
