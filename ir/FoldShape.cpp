//===- FoldShape.cpp - Folding of sources and movements of elements ---------------------------===//
//
// Whatever moves the elements of a constant gives the same constant of another type; two movements
// in a row become one where the operation can express it; movements of nothing vanish.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/NNOps.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace nnc::nn {

static bool isIdentity(ArrayRef<int64_t> axes) {
  for (auto [index, axis] : llvm::enumerate(axes))
    if (axis != static_cast<int64_t>(index))
      return false;
  return true;
}

OpFoldResult FullOp::fold(FoldAdaptor) { return getValue(); }

OpFoldResult SizeOp::fold(FoldAdaptor) {
  std::optional<int64_t> value = getConstant(getSize().getResult(0));
  if (!value)
    return {};
  return IntegerAttr::get(getType().getElementType(), *value);
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  if (Attribute value = adaptor.getInput())
    return value;
  if (auto inner = getInput().getDefiningOp<ReshapeOp>()) {
    getInputMutable().assign(inner.getInput());
    return getResult();
  }
  return {};
}

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType() && isIdentity(getDims()))
    return getInput();
  if (Attribute value = adaptor.getInput())
    return value;
  auto inner = getInput().getDefiningOp<BroadcastOp>();
  if (!inner)
    return {};
  SmallVector<int64_t> composed;
  for (int64_t middle : inner.getDims())
    composed.push_back(getDims()[middle]);
  setDims(composed);
  getInputMutable().assign(inner.getInput());
  return getResult();
}

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType() && isIdentity(getPermutation()))
    return getInput();
  if (Attribute value = adaptor.getInput())
    return value;
  auto inner = getInput().getDefiningOp<TransposeOp>();
  if (!inner)
    return {};
  SmallVector<int64_t> composed;
  for (int64_t middle : getPermutation())
    composed.push_back(inner.getPermutation()[middle]);
  setPermutation(composed);
  getInputMutable().assign(inner.getInput());
  return getResult();
}

OpFoldResult ConcatOp::fold(FoldAdaptor adaptor) {
  if (getInputs().size() == 1 && getInputs().front().getType() == getType())
    return getInputs().front();
  Attribute first = adaptor.getInputs().front();
  if (first && llvm::all_equal(adaptor.getInputs()))
    return first;
  return {};
}

OpFoldResult SliceOp::fold(FoldAdaptor adaptor) {
  auto isOne = [](int64_t step) { return step == 1; };
  if (getInput().getType() == getType() && llvm::all_of(getStep(), isOne) &&
      llvm::all_of(getStart().getResults(), [](AffineExpr e) { return getConstant(e) == 0; }))
    return getInput();
  if (Attribute value = adaptor.getInput())
    return value;
  auto inner = getInput().getDefiningOp<SliceOp>();
  if (!inner)
    return {};
  SmallVector<AffineExpr> starts;
  SmallVector<int64_t> steps;
  for (unsigned axis = 0; axis < getStep().size(); ++axis) {
    int64_t step;
    if (llvm::MulOverflow(inner.getStep()[axis], getStep()[axis], step))
      return {};
    steps.push_back(step);
    starts.push_back(inner.getStart().getResult(axis) +
                     getStart().getResult(axis) * inner.getStep()[axis]);
  }
  setStart(getSymbolMap(starts, getContext()));
  setStep(steps);
  getInputMutable().assign(inner.getInput());
  return getResult();
}

OpFoldResult PadOp::fold(FoldAdaptor adaptor) {
  auto isZero = [](int64_t amount) { return amount == 0; };
  if (getInput().getType() == getType() && llvm::all_of(getLow(), isZero) &&
      llvm::all_of(getHigh(), isZero))
    return getInput();
  return adaptor.getInput() == getValue() ? OpFoldResult(getValue()) : OpFoldResult();
}

namespace {

/// A transpose that only moves axes of size 1 is a reshape.
struct TransposeToReshape : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    RankedTensorType input = op.getInput().getType();
    int64_t previous = -1;
    for (int64_t axis : op.getPermutation()) {
      if (getConstant(getDim(input, axis)) == 1)
        continue;
      if (axis < previous)
        return rewriter.notifyMatchFailure(op, "moves an axis that is not of size 1");
      previous = axis;
    }
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getInput());
    return success();
  }
};

/// A broadcast that repeats nothing is a reshape.
struct BroadcastToReshape : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    SmallVector<AffineExpr> sources(op.getType().getRank(), rewriter.getAffineConstantExpr(1));
    for (auto [axis, target] : llvm::enumerate(op.getDims()))
      sources[target] = getDim(op.getInput().getType(), axis);
    for (auto [axis, source] : llvm::enumerate(sources))
      if (!areEqual(source, getDim(op.getType(), axis)))
        return rewriter.notifyMatchFailure(op, "repeats an axis");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getInput());
    return success();
  }
};

/// Broadcasting what a reshape only gave axes of size 1 is broadcasting the original.
struct BroadcastOfReshape : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    auto reshape = op.getInput().getDefiningOp<ReshapeOp>();
    if (!reshape)
      return rewriter.notifyMatchFailure(op, "does not broadcast a reshape");
    SmallVector<AffineExpr> original = nn::getDims(reshape.getInput().getType());
    SmallVector<AffineExpr> reshaped = nn::getDims(reshape.getType());
    SmallVector<int64_t> dims;
    for (auto [axis, size] : llvm::enumerate(reshaped)) {
      if (dims.size() < original.size() && areEqual(original[dims.size()], size))
        dims.push_back(op.getDims()[axis]);
      else if (getConstant(size) != 1)
        return rewriter.notifyMatchFailure(op, "the reshape does more than insert axes");
    }
    if (dims.size() != original.size() || dims.size() == reshaped.size())
      return rewriter.notifyMatchFailure(op, "the reshape does not insert axes of size 1");
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), reshape.getInput(), dims);
    return success();
  }
};

/// The only axis along which `slice` takes a part, if it takes neighbours from a constant place of
/// an axis of constant size.
std::optional<int64_t> findSlicedAxis(SliceOp slice) {
  std::optional<int64_t> sliced;
  RankedTensorType from = slice.getInput().getType(), to = slice.getType();
  for (int64_t axis = 0; axis < from.getRank(); ++axis) {
    std::optional<int64_t> start = getConstant(slice.getStart().getResult(axis));
    if (start == 0 && areEqual(getDim(from, axis), getDim(to, axis)))
      continue;
    if (sliced || !start || slice.getStep()[axis] != 1 || from.isDynamicDim(axis))
      return std::nullopt;
    sliced = axis;
  }
  return sliced;
}

/// Cutting an axis of a slice into several is slicing the cut axis: then the reshape renames the
/// memory of the whole, and the slice is a view that readers take along (the thirds of a fused
/// projection, cut into heads).
struct ReshapeOfSlice : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto slice = op.getInput().getDefiningOp<SliceOp>();
    std::optional<int64_t> axis = slice ? findSlicedAxis(slice) : std::nullopt;
    if (!axis)
      return rewriter.notifyMatchFailure(op, "does not reshape a slice along one axis");
    SmallVector<AffineExpr> from = nn::getDims(slice.getType()), to = nn::getDims(op.getType());
    int64_t added = static_cast<int64_t>(to.size() - from.size());
    int64_t inner = 1;
    if (added < 1 || !cutsOnly(from, to, *axis, added, inner))
      return rewriter.notifyMatchFailure(op, "does more than cut that axis");
    RankedTensorType whole = slice.getInput().getType();
    int64_t size = whole.getDimSize(*axis);
    int64_t start = *getConstant(slice.getStart().getResult(*axis));
    if (inner == 0 || size % inner != 0 || start % inner != 0)
      return rewriter.notifyMatchFailure(op, "the parts do not line up with the whole");
    SmallVector<AffineExpr> dims = to, starts(to.size(), rewriter.getAffineConstantExpr(0));
    dims[*axis] = rewriter.getAffineConstantExpr(size / inner);
    starts[*axis] = rewriter.getAffineConstantExpr(start / inner);
    Value cut = rewriter.create<ReshapeOp>(op.getLoc(), getTensorType(dims, whole.getElementType()),
                                           slice.getInput());
    AffineMap map = getSymbolMap(starts, rewriter.getContext());
    rewriter.replaceOpWithNewOp<SliceOp>(op, op.getType(), cut, map,
                                         SmallVector<int64_t>(to.size(), 1));
    return success();
  }

  /// Whether `to` is `from` with `axis` cut into `added` + 1 axes of constant size; `inner` is the
  /// product of all of them but the first.
  static bool cutsOnly(ArrayRef<AffineExpr> from, ArrayRef<AffineExpr> to, int64_t axis,
                       int64_t added, int64_t &inner) {
    auto agree = [](auto pair) { return areEqual(std::get<0>(pair), std::get<1>(pair)); };
    if (!llvm::all_of(llvm::zip(from.take_front(axis), to.take_front(axis)), agree) ||
        !llvm::all_of(llvm::zip_equal(from.drop_front(axis + 1), to.drop_front(axis + added + 1)),
                      agree))
      return false;
    for (AffineExpr part : to.slice(axis + 1, added)) {
      std::optional<int64_t> size = getConstant(part);
      if (!size)
        return false;
      inner *= *size;
    }
    return true;
  }
};

/// Readers widen floats for nothing, but what is reshaped lies in memory: better in 16 bits.
struct ReshapeOfWidened : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto widening = op.getInput().getDefiningOp<CastOp>();
    bool isOnlyUse = widening && widening->hasOneUse();
    if (!isOnlyUse || !op.getType().getElementType().isF32() ||
        !is16BitFloat(widening.getInput().getType().getElementType()))
      return rewriter.notifyMatchFailure(op, "its operand is not widened for it alone");
    Value input = widening.getInput();
    RankedTensorType type = withElementType(op.getType(), getElementTypeOrSelf(input));
    Value reshape = rewriter.create<ReshapeOp>(op.getLoc(), type, input);
    rewriter.replaceOpWithNewOp<CastOp>(op, op.getType(), reshape);
    return success();
  }
};

/// Gathering from a constant is that constant.
struct GatherOfFull : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GatherOp op, PatternRewriter &rewriter) const override {
    auto full = op.getTable().getDefiningOp<FullOp>();
    if (!full)
      return rewriter.notifyMatchFailure(op, "the table is no constant");
    rewriter.replaceOpWithNewOp<FullOp>(op, op.getType(), full.getValue());
    return success();
  }
};

} // namespace

void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ReshapeOfSlice, ReshapeOfWidened>(context);
}

void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<TransposeToReshape>(context);
}

void BroadcastOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<BroadcastToReshape, BroadcastOfReshape>(context);
}

void GatherOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<GatherOfFull>(context);
}

} // namespace nnc::nn
