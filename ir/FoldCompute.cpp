//===- FoldCompute.cpp - Folding of reductions and contractions -------------------------------===//

#include "ir/NNOps.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace nnc::nn {

OpFoldResult ReduceOp::fold(FoldAdaptor) {
  return getAxes().empty() && getInput().getType() == getType() ? OpFoldResult(getInput())
                                                                : OpFoldResult();
}

/// If `value` is a transpose that moves the last axis to the last but one: the same elements with
/// these two swapped, so that the last axis stays the last. Null otherwise.
static Value swapBack(Value value, PatternRewriter &rewriter) {
  auto transpose = value.getDefiningOp<TransposeOp>();
  if (!transpose)
    return {};
  SmallVector<int64_t> permutation(transpose.getPermutation());
  int64_t rank = permutation.size();
  if (rank < 2 || permutation[rank - 2] != rank - 1)
    return {};
  std::swap(permutation[rank - 2], permutation[rank - 1]);
  if (llvm::is_sorted(permutation))
    return transpose.getInput();
  RankedTensorType type = transpose.getType();
  SmallVector<AffineExpr> dims = nn::getDims(type);
  std::swap(dims[rank - 2], dims[rank - 1]);
  return rewriter.create<TransposeOp>(transpose.getLoc(),
                                      getTensorType(dims, type.getElementType()),
                                      transpose.getInput(), permutation);
}

namespace {

/// An operand with its last two axes swapped is the operand with its flag flipped.
struct TransposeIntoMatmul : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    Value lhs = swapBack(op.getLhs(), rewriter), rhs = swapBack(op.getRhs(), rewriter);
    if (!lhs && !rhs)
      return rewriter.notifyMatchFailure(op, "no operand has its last axis before the last");
    auto attributes = llvm::to_vector(op->getDiscardableAttrs());
    auto product = rewriter.replaceOpWithNewOp<MatmulOp>(
        op, op.getType(), lhs ? lhs : op.getLhs(), rhs ? rhs : op.getRhs(),
        op.getTransposeA() != !!lhs, op.getTransposeB() != !!rhs);
    product->setDiscardableAttrs(attributes);
    return success();
  }
};

/// No offset is an offset of 0.
template <class Op> struct AttentionWithoutOffset : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto full = op.getOffset() ? op.getOffset().template getDefiningOp<FullOp>() : FullOp();
    auto number = full ? dyn_cast<IntegerAttr>(full.getValue()) : IntegerAttr();
    if (!number || !number.getValue().isZero())
      return rewriter.notifyMatchFailure(op, "has no offset that is the constant 0");
    rewriter.modifyOpInPlace(op, [&] { op.getOffsetMutable().clear(); });
    return success();
  }
};

/// A mask that hides nothing is none.
template <class Op> struct AttentionWithoutMask : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto full = op.getMask() ? op.getMask().template getDefiningOp<FullOp>() : FullOp();
    auto number = full ? dyn_cast<IntegerAttr>(full.getValue()) : IntegerAttr();
    if (!number || number.getValue().isZero())
      return rewriter.notifyMatchFailure(op, "has no mask that is true everywhere");
    rewriter.modifyOpInPlace(op, [&] { op.getMaskMutable().clear(); });
    return success();
  }
};

} // namespace

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<AttentionWithoutOffset<AttentionOp>, AttentionWithoutMask<AttentionOp>>(context);
}

void AttentionGradOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                  MLIRContext *context) {
  patterns.add<AttentionWithoutOffset<AttentionGradOp>, AttentionWithoutMask<AttentionGradOp>>(
      context);
}

void MatmulOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<TransposeIntoMatmul>(context);
}

} // namespace nnc::nn
