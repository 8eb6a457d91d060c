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

bool isPaddedWithZeros(Operation *op) {
  auto pad = dyn_cast_or_null<PadOp>(op);
  auto number = pad ? dyn_cast<FloatAttr>(pad.getValue()) : FloatAttr();
  return number && number.getValue().isZero();
}

/// The 16 bits from which `value` was widened, before views of it were taken; null if it was not.
Type narrowElement(Value value) {
  Operation *op = value.getDefiningOp();
  while (isa_and_nonnull<TransposeOp, BroadcastOp, ReshapeOp, SliceOp>(op) || isPaddedWithZeros(op))
    op = op->getOperand(0).getDefiningOp();
  auto widening = dyn_cast_or_null<CastOp>(op);
  if (!widening || !widening.getType().getElementType().isF32())
    return {};
  Type element = widening.getInput().getType().getElementType();
  return is16BitFloat(element) ? element : Type();
}

/// The same views of what was widened to `value`.
Value narrowed(Value value, PatternRewriter &rewriter) {
  Operation *op = value.getDefiningOp();
  if (isa<CastOp>(op))
    return op->getOperand(0);
  Value input = narrowed(op->getOperand(0), rewriter);
  Operation *view = rewriter.clone(*op);
  Type element = getElementTypeOrSelf(input);
  view->setOperand(0, input);
  view->getResult(0).setType(withElementType(cast<RankedTensorType>(value.getType()), element));
  if (auto pad = dyn_cast<PadOp>(view))
    pad.setValueAttr(getScalarAttr(element, 0));
  return view->getResult(0);
}

/// A product of what was 16 bits wide is one of 16 bits, with the same numbers.
struct MatmulOfWidened : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    Type element = narrowElement(op.getLhs());
    if (!element || narrowElement(op.getRhs()) != element)
      return rewriter.notifyMatchFailure(op, "its operands were not both 16 bits wide");
    Value lhs = narrowed(op.getLhs(), rewriter), rhs = narrowed(op.getRhs(), rewriter);
    auto attributes = llvm::to_vector(op->getDiscardableAttrs());
    llvm::erase_if(attributes, [](NamedAttribute a) { return a.getName() == kTf32Attr; });
    auto product = rewriter.replaceOpWithNewOp<MatmulOp>(op, op.getType(), lhs, rhs,
                                                         op.getTransposeA(), op.getTransposeB());
    product->setDiscardableAttrs(attributes);
    return success();
  }
};

/// What is rounded at once to the type of its operands is a product that rounds.
struct RoundedMatmul : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(CastOp op, PatternRewriter &rewriter) const override {
    auto product = op.getInput().getDefiningOp<MatmulOp>();
    bool rounds = product && product.isWide() && product->hasOneUse() &&
                  op.getType().getElementType() == product.getLhs().getType().getElementType();
    if (!rounds)
      return rewriter.notifyMatchFailure(op, "does not round a product of its own type");
    auto attributes = llvm::to_vector(product->getDiscardableAttrs());
    auto rounded =
        rewriter.replaceOpWithNewOp<MatmulOp>(op, op.getType(), product.getLhs(), product.getRhs(),
                                              product.getTransposeA(), product.getTransposeB());
    rounded->setDiscardableAttrs(attributes);
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
  patterns.add<TransposeIntoMatmul, MatmulOfWidened, RoundedMatmul>(context);
}

} // namespace nnc::nn
