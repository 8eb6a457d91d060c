//===- NNScan.cpp - The loop at run time: verifier and canonicalization -----------------------===//

#include "ir/NNOps.h"
#include "ir/Verify.h"

#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace nnc::nn {

YieldOp ScanOp::getYield() { return cast<YieldOp>(getBody()->getTerminator()); }

llvm::SetVector<Value> ScanOp::getCaptured() {
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(getBodyRegion(), captured);
  return captured;
}

bool ScanOp::isCounterUsedBy(Operation *op) {
  unsigned counter = getCounter();
  bool found = false;
  op->walk([&](Operation *inner) {
    if (auto symbol = dyn_cast<SymbolOp>(inner))
      found |= symbol.getPosition() == counter;
    inner->getAttrDictionary().walk([&](AffineMapAttr map) {
      for (AffineExpr expr : map.getValue().getResults())
        found |= expr.isFunctionOfSymbol(counter);
    });
  });
  return found;
}

//===- Verification ---------------------------------------------------------------------------===//

LogicalResult ScanOp::verify() {
  AffineMap length = getLength();
  if (length.getNumDims() != 0 || length.getNumResults() != 1 ||
      getLengthExpr().isFunctionOfSymbol(getCounter())) // (C1)
    return emitOpError() << "expected a length without dims, with one result and without the "
                            "counter, found "
                         << getLengthAttr();
  if (getNumResults() < getNumCarried()) // (C2)
    return emitOpError() << "expected at least " << getNumCarried() << " results, found "
                         << getNumResults();
  for (auto [init, result] : llvm::zip(getInits(), getCarried()))
    if (init.getType() != result.getType()) // (C2)
      return emitOpError() << "expected a carried result of type " << init.getType() << ", found "
                           << result.getType();
  return success();
}

/// (C3): `stacked` is `length` times `step`.
static LogicalResult verifyStacked(ScanOp op, Type stacked, Type step) {
  auto whole = cast<RankedTensorType>(stacked);
  auto part = dyn_cast<RankedTensorType>(step);
  if (part && part.getElementType() == whole.getElementType()) {
    SmallVector<AffineExpr> expected = getDims(part);
    expected.insert(expected.begin(), op.getLengthExpr());
    if (mayBeEqual(expected, getDims(whole)))
      return success();
  }
  return op.emitOpError() << "expected a stacked result of " << toString(op.getLengthExpr())
                          << " times " << step << ", found " << stacked;
}

LogicalResult ScanOp::verifyRegions() {
  Block &body = *getBody();
  if (body.getArgumentTypes() != TypeRange(getInits())) // (C2)
    return emitOpError() << "expected block arguments of the types of the initial values";
  auto yield = dyn_cast<YieldOp>(body.back());
  if (!yield || yield.getNumOperands() != getNumResults())
    return emitOpError() << "expected a body that ends in an nn.yield of " << getNumResults()
                         << " values";
  for (auto [index, value] : llvm::enumerate(yield.getOperands())) {
    Type type = getResult(index).getType();
    if (index >= getNumCarried()) {
      if (failed(verifyStacked(*this, type, value.getType())))
        return failure();
    } else if (value.getType() != type) { // (C2)
      return yield.emitOpError() << "expected value " << index << " of type " << type << ", found "
                                 << value.getType();
    }
  }
  return success();
}

//===- Canonicalization -----------------------------------------------------------------------===//

namespace {

/// A carried value that no iteration changes is its initial value; one that nothing reads is
/// dropped, as are stacked values that nothing reads.
struct DropValues : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ScanOp op, PatternRewriter &rewriter) const override {
    YieldOp yield = op.getYield();
    llvm::BitVector drop(op.getNumResults());
    for (unsigned i = 0; i < op.getNumResults(); ++i) {
      bool isCarried = i < op.getNumCarried();
      bool unchanged = isCarried && yield.getOperand(i) == op.getBody()->getArgument(i);
      bool unread =
          op.getResult(i).use_empty() && (!isCarried || op.getBody()->getArgument(i).use_empty());
      if (unchanged || unread)
        drop.set(i);
    }
    if (drop.none())
      return rewriter.notifyMatchFailure(op, "every value changes and is read");
    SmallVector<Value> inits;
    SmallVector<Type> types;
    for (unsigned i = 0; i < op.getNumResults(); ++i) {
      if (drop[i])
        continue;
      types.push_back(op.getResult(i).getType());
      if (i < op.getNumCarried())
        inits.push_back(op.getInits()[i]);
    }
    auto replacement = rewriter.create<ScanOp>(op.getLoc(), types, op.getCounterAttr(),
                                               op.getLengthAttr(), inits, op.getReverseAttr());
    replacement->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.inlineRegionBefore(op.getBodyRegion(), replacement.getBodyRegion(),
                                replacement.getBodyRegion().end());
    Block &body = *replacement.getBody();
    unsigned numCarried = op.getNumCarried();
    for (unsigned i = numCarried; i-- > 0;)
      if (drop[i])
        rewriter.replaceAllUsesWith(body.getArgument(i), op.getInits()[i]);
    rewriter.modifyOpInPlace(replacement, [&] {
      for (unsigned i = numCarried; i-- > 0;)
        if (drop[i])
          body.eraseArgument(i);
    });
    rewriter.modifyOpInPlace(yield, [&] { yield->eraseOperands(drop); });
    SmallVector<Value> values;
    for (unsigned i = 0, next = 0; i < op.getNumResults(); ++i) {
      if (!drop[i])
        values.push_back(replacement.getResult(next++));
      else
        values.push_back(i < numCarried ? op.getInits()[i] : Value());
    }
    rewriter.replaceOp(op, values);
    return success();
  }
};

/// Replaces the counter by a number in everything that mentions it.
void fixCounter(ScanOp op, int64_t value) {
  unsigned counter = op.getCounter();
  MLIRContext *context = op.getContext();
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](AffineMapAttr attr) -> std::optional<Attribute> {
    AffineMap map = attr.getValue();
    if (map.getNumSymbols() <= counter)
      return std::nullopt;
    SmallVector<AffineExpr> results;
    for (AffineExpr expr : map.getResults())
      results.push_back(expr.replace(getAffineSymbolExpr(counter, context),
                                     getAffineConstantExpr(value, context)));
    return AffineMapAttr::get(getSymbolMap(results, context));
  });
  op.getBody()->walk([&](Operation *inner) { replacer.replaceElementsIn(inner); });
}

/// No iteration: the initial values, and stacks without elements. One: the body.
struct FoldShortScan : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ScanOp op, PatternRewriter &rewriter) const override {
    std::optional<int64_t> length = nn::getConstant(op.getLengthExpr());
    if (!length || *length > 1)
      return rewriter.notifyMatchFailure(op, "it may run more than once");
    SmallVector<Value> values(op.getInits());
    if (*length == 1) {
      fixCounter(op, 0);
      YieldOp yield = op.getYield();
      values = llvm::to_vector(yield.getOperands());
      SmallVector<Value> inits(op.getInits());
      for (Value &value : values) // an argument yielded as it is
        if (auto argument = dyn_cast<BlockArgument>(value);
            argument && argument.getOwner() == op.getBody())
          value = inits[argument.getArgNumber()];
      rewriter.eraseOp(yield);
      rewriter.inlineBlockBefore(op.getBody(), op, inits);
    }
    for (auto [index, result] : llvm::enumerate(op.getStacked())) {
      auto type = cast<RankedTensorType>(result.getType());
      if (*length == 1)
        values[op.getNumCarried() + index] =
            rewriter.create<ReshapeOp>(op.getLoc(), type, values[op.getNumCarried() + index]);
      else
        values.push_back(
            rewriter.create<FullOp>(op.getLoc(), type, getScalarAttr(type.getElementType(), 0)));
    }
    rewriter.replaceOp(op, values);
    return success();
  }
};

} // namespace

void ScanOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropValues, FoldShortScan>(context);
}

} // namespace nnc::nn
