//===- EvaluateReductions.cpp - Loops that combine elements -----------------------------------===//
//
// By one thread, in order; or by the threads of a row together, each taking every n-th element,
// whose partial results are then combined in a fixed order.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Evaluator.h"

#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace nnc::codegen;

Operation *nnc::codegen::findCombiner(linalg::LinalgOp op) {
  if (op.getNumDpsInits() != 1)
    return nullptr;
  Block &block = op->getRegion(0).front();
  Operation *combiner = block.getTerminator()->getOperand(0).getDefiningOp();
  BlockArgument sum = block.getArgument(op.getNumDpsInputs());
  bool combines = combiner && combiner->getBlock() == &block && sum.hasOneUse() &&
                  *sum.user_begin() == combiner && combiner->getResult(0).hasOneUse() &&
                  identityText(combiner);
  return combines ? combiner : nullptr;
}

std::string Evaluator::reduce(linalg::LinalgOp op, unsigned result, const IndexList &indices,
                              Frame frame, const IndexList &extents) {
  if (row && findCombiner(op)) {
    std::optional<unsigned> depth = togetherDepth(indices);
    if (!depth)
      return fail(op, "its threads cannot work together where its result is needed");
    // Written before the code that each thread runs on its own.
    std::vector<std::string> text = out.suspend(*depth);
    std::vector<Scope> inner(std::make_move_iterator(scopes.begin() + *depth + 1),
                             std::make_move_iterator(scopes.end()));
    scopes.resize(*depth + 1);
    std::optional<VectorLane> outerLane = std::exchange(lane, std::nullopt);
    std::optional<std::string> known = findMemo(op->getResult(result), indices);
    std::string sum = known ? *known : reduceTogether(op, indices, frame, extents);
    if (!known)
      remember(op->getResult(result), indices, sum);
    lane = outerLane;
    out.resume(std::move(text));
    llvm::move(inner, std::back_inserter(scopes));
    return sum;
  }

  commentOn(op);
  std::vector<std::string> sums;
  for (unsigned i = 0; i < (unsigned)op.getNumDpsInits(); ++i) {
    OpOperand *init = op.getDpsInitOperand(i);
    std::optional<std::string> type = typeText(getElementTypeOrSelf(init->get().getType()));
    if (!type)
      return fail(op, "the element type is not supported");
    IndexList at;
    for (AffineExpr expr : op.getMatchingIndexingMap(init).getResults())
      at.push_back(frame.loops[cast<AffineDimExpr>(expr).getPosition()]);
    std::string initial = element(init->get(), at);
    sums.push_back(freshName("sum"));
    out.line(*type + " " + sums.back() + " = " + initial + ";");
  }
  reduceAlone(op, sums, frame, extents);
  return sums[result];
}

/// Binds the accumulators, runs the body once and assigns what it yields.
void Evaluator::accumulate(linalg::LinalgOp op, const std::vector<std::string> &sums,
                           Frame &frame) {
  Block &block = op->getRegion(0).front();
  for (auto [i, sum] : llvm::enumerate(sums))
    frame.values[block.getArgument(op.getNumDpsInputs() + i)] = {sum, {}};
  std::vector<std::string> next;
  for (Value yielded : block.getTerminator()->getOperands())
    next.push_back(textOf(scalar(yielded, frame), yielded.getType()));
  for (auto [sum, text] : llvm::zip(sums, next))
    out.line(sum + " = " + text + ";");
}

void Evaluator::accumulateAt(linalg::LinalgOp op, const std::vector<std::string> &sums,
                             const IndexList &loops) {
  commentOn(op);
  Frame frame;
  frame.op = op;
  frame.loops = loops;
  accumulate(op, sums, frame);
}

void Evaluator::reduceAlone(linalg::LinalgOp op, const std::vector<std::string> &sums, Frame &frame,
                            const IndexList &extents) {
  unsigned opened = 0;
  for (auto [loop, index] : llvm::enumerate(frame.loops)) {
    if (index)
      continue;
    if (math.constantOf(extents[loop]) == 1) {
      index = math.constant(0);
      continue;
    }
    bool isUniform = scopes.back().uniform;
    index = openLoop("k", extents[loop]);
    scopes.back().uniform = isUniform;
    ++opened;
  }
  accumulate(op, sums, frame);
  for (; opened > 0; --opened)
    closeScope();
}

/// The innermost depth at which all threads of a row still do the same; none if the place of the
/// reduction is not known there, or may be valid only under a condition inside of it.
std::optional<unsigned> Evaluator::togetherDepth(const IndexList &indices) const {
  unsigned depth = 0;
  while (depth + 1 < scopes.size() && scopes[depth + 1].uniform)
    ++depth;
  for (AffineExpr index : indices) {
    if (!isKnownAt(index, depth))
      return std::nullopt;
    for (unsigned i = depth + 1; i < scopes.size(); ++i)
      for (unsigned variable : math.variablesOf(index))
        if (llvm::is_contained(scopes[i].condition, variable))
          return std::nullopt;
  }
  return depth;
}

std::string Evaluator::reduceTogether(linalg::LinalgOp op, const IndexList &indices, Frame &frame,
                                      const IndexList &extents) {
  commented = nullptr;
  commentOn(op);
  Operation *combiner = findCombiner(op);
  Type elementType = getElementTypeOrSelf(op.getDpsInits()[0].getType());
  std::optional<std::string> type = typeText(elementType);
  if (!type)
    return fail(op, "the element type is not supported");
  std::string identity = *identityText(combiner);
  std::string partial = freshName("part");
  out.line(*type + " " + partial + " = " + identity + ";");

  IndexList reduced;
  for (auto [loop, index] : llvm::enumerate(frame.loops))
    if (!index)
      reduced.push_back(extents[loop]);
  AffineExpr total = math.product(reduced);
  int64_t width = rowVector(total);
  AffineExpr k = openRowLoop("k", math.simplify(total.floorDiv(width)));
  if (width > 1)
    k = k * width + openLanes(width);
  IndexList parts = math.delinearize(k, reduced);
  unsigned next = 0;
  for (AffineExpr &index : frame.loops)
    if (!index)
      index = parts[next++];
  accumulate(op, {partial}, frame);
  if (width > 1)
    closeLanes();
  closeScope();

  std::string combined = *scalarText(combiner, {std::string("a"), std::string("b")});
  std::string sum =
      define(*type, "sum",
             "rowReduce<" + std::to_string(row->threads) + ">(" + partial + ", [](" + *type +
                 " a, " + *type + " b) -> " + *type + " { return " + combined + "; })");
  std::string initial = element(op.getDpsInits()[0], indices);
  if (initial == identity || (identity == "0.0f" && initial == "-0.0f"))
    return sum;
  return define(*type, "sum", *scalarText(combiner, {initial, sum}));
}
