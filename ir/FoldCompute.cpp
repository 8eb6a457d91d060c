//===- FoldCompute.cpp - Folding of reductions and contractions -------------------------------===//

#include "ir/NNOps.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace nnc::nn {

OpFoldResult ReduceOp::fold(FoldAdaptor) {
  return getAxes().empty() && getInput().getType() == getType() ? OpFoldResult(getInput())
                                                                : OpFoldResult();
}

/// The operand of a transpose that swaps the last two axes and nothing else; null otherwise.
static Value getSwapped(Value value) {
  auto transpose = value.getDefiningOp<TransposeOp>();
  if (!transpose)
    return {};
  ArrayRef<int64_t> permutation = transpose.getPermutation();
  int64_t rank = permutation.size();
  if (rank < 2 || permutation[rank - 1] != rank - 2 || permutation[rank - 2] != rank - 1)
    return {};
  for (int64_t axis = 0; axis < rank - 2; ++axis)
    if (permutation[axis] != axis)
      return {};
  return transpose.getInput();
}

namespace {

/// A transposed operand is the operand with its flag flipped.
struct TransposeIntoMatmul : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    Value lhs = getSwapped(op.getLhs()), rhs = getSwapped(op.getRhs());
    if (!lhs && !rhs)
      return rewriter.notifyMatchFailure(op, "no operand is transposed in its last two axes");
    rewriter.replaceOpWithNewOp<MatmulOp>(op, op.getType(), lhs ? lhs : op.getLhs(),
                                          rhs ? rhs : op.getRhs(), op.getTransposeA() != !!lhs,
                                          op.getTransposeB() != !!rhs);
    return success();
  }
};

/// No offset is an offset of 0.
struct AttentionWithoutOffset : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AttentionOp op, PatternRewriter &rewriter) const override {
    auto full = op.getOffset() ? op.getOffset().getDefiningOp<FullOp>() : FullOp();
    auto number = full ? dyn_cast<IntegerAttr>(full.getValue()) : IntegerAttr();
    if (!number || !number.getValue().isZero())
      return rewriter.notifyMatchFailure(op, "has no offset that is the constant 0");
    rewriter.modifyOpInPlace(op, [&] { op.getOffsetMutable().clear(); });
    return success();
  }
};

/// A mask that hides nothing is none.
struct AttentionWithoutMask : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AttentionOp op, PatternRewriter &rewriter) const override {
    auto full = op.getMask() ? op.getMask().getDefiningOp<FullOp>() : FullOp();
    auto number = full ? dyn_cast<IntegerAttr>(full.getValue()) : IntegerAttr();
    if (!number || number.getValue().isZero())
      return rewriter.notifyMatchFailure(op, "has no mask that is true everywhere");
    rewriter.modifyOpInPlace(op, [&] { op.getMaskMutable().clear(); });
    return success();
  }
};

} // namespace

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<AttentionWithoutOffset, AttentionWithoutMask>(context);
}

void MatmulOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<TransposeIntoMatmul>(context);
}

} // namespace nnc::nn
