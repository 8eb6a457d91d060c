//===- EvaluateBodies.cpp - Scalar code of structured operations ------------------------------===//
#include "codegen/cuda/Evaluator.h"

#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nnc::codegen;

/// The loop indices at which `op` makes the element of its result at `indices`; null where the loop
/// is a reduction. Empty if the result's map is not a projected permutation.
static IndexList loopsOf(linalg::LinalgOp op, unsigned result, const IndexList &indices) {
  IndexList loops(op.getNumLoops());
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
  for (auto [expr, index] : llvm::zip(map.getResults(), indices)) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop)
      return {};
    loops[loop.getPosition()] = index;
  }
  return loops;
}

std::string Evaluator::structured(linalg::LinalgOp op, unsigned result, const IndexList &indices) {
  Frame frame;
  frame.op = op;
  frame.loops = loopsOf(op, result, indices);
  if (frame.loops.size() != op.getNumLoops())
    return fail(op, "its result is not indexed by its loops alone");
  IndexList extents = sizes.extentsOf(op);
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (kind == utils::IteratorType::parallel && !frame.loops[loop])
      return fail(op, "its result does not depend on all parallel loops");
    if (!extents[loop])
      return fail(op, "the extent of a loop is not known");
  }
  if (op.getNumReductionLoops() > 0)
    return reduce(op, result, indices, std::move(frame), extents);
  Block &block = op->getRegion(0).front();
  Value yielded = block.getTerminator()->getOperand(result);
  return textOf(scalar(yielded, frame), yielded.getType());
}

std::string Evaluator::bodyValue(linalg::LinalgOp op, Value value, const IndexList &loops) {
  Frame frame;
  frame.op = op;
  frame.loops = loops;
  return textOf(scalar(value, frame), value.getType());
}

Evaluator::Scalar Evaluator::scalar(Value value, Frame &frame) {
  auto place = frame.values.find(value);
  if (place != frame.values.end())
    return place->second;
  Scalar result;
  if (auto argument = dyn_cast<BlockArgument>(value))
    result = input(argument, frame);
  else
    result = computeScalar(value.getDefiningOp(), frame);
  frame.values[value] = result;
  return result;
}

/// The element of an operand that a body reads through its block argument.
Evaluator::Scalar Evaluator::input(BlockArgument argument, Frame &frame) {
  Operation *owner = argument.getOwner()->getParentOp();
  auto op = dyn_cast_or_null<linalg::LinalgOp>(frame.op);
  if (!op || owner != frame.op)
    return {fail(owner, "a value comes from an inner block"), {}};
  OpOperand &operand = owner->getOpOperand(argument.getArgNumber());
  if (!isa<RankedTensorType>(operand.get().getType())) {
    Frame outside;
    return scalar(operand.get(), outside);
  }
  AffineMap map = op.getMatchingIndexingMap(&operand);
  IndexList indices;
  for (AffineExpr expr : map.getResults()) {
    bool isKnown = true;
    expr.walk([&](AffineExpr part) {
      if (auto loop = dyn_cast<AffineDimExpr>(part))
        isKnown = isKnown && frame.loops[loop.getPosition()];
    });
    indices.push_back(isKnown ? expr.replaceDims(frame.loops) : AffineExpr());
  }
  return {element(operand.get(), indices), {}};
}

/// The 16-bit type that the op's result is rounded to wherever it is used; null if none.
static Type roundedTo(Operation *op) {
  Type type;
  for (Operation *user : op->getUsers()) {
    auto rounding = dyn_cast<arith::TruncFOp>(user);
    if (!rounding || (type && rounding.getType() != type))
      return {};
    type = rounding.getType();
  }
  return type && (type.isF16() || type.isBF16()) ? type : Type();
}

/// Whether the type has the value, an f32.
static bool holds(Type type, Value value) {
  if (auto extension = value.getDefiningOp<arith::ExtFOp>())
    return extension.getIn().getType() == type;
  APFloat number(0.0f);
  bool losesDigits = true;
  if (matchPattern(value, m_ConstantFloat(&number)))
    number.convert(cast<FloatType>(type).getFloatSemantics(), APFloat::rmNearestTiesToEven,
                   &losesDigits);
  return !losesDigits;
}

/// What `op` may take instead of its operand: a maximum or minimum that is rounded to a type keeps
/// its bits if operands are not rounded to it before, for rounding keeps the order.
static Value operandBeforeRounding(Operation *op, Value operand) {
  if (!isa<arith::MaximumFOp, arith::MinimumFOp>(op) || !operand.getType().isF32())
    return operand;
  Type type = roundedTo(op);
  if (!type || !llvm::all_of(op->getOperands(), [&](Value each) { return holds(type, each); }))
    return operand;
  auto extension = operand.getDefiningOp<arith::ExtFOp>();
  auto rounding = extension ? extension.getIn().getDefiningOp<arith::TruncFOp>() : nullptr;
  return rounding && rounding.getIn().getType().isF32() ? rounding.getIn() : operand;
}

Evaluator::Scalar Evaluator::computeScalar(Operation *op, Frame &frame) {
  if (auto index = dyn_cast<linalg::IndexOp>(op))
    return {"", frame.loops[index.getDim()]};
  if (std::optional<unsigned> symbol = symbolOf(op))
    return {"", getAffineSymbolExpr(*symbol, op->getContext())};
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    std::optional<std::string> text = constantText(constant.getValue());
    AffineExpr index;
    if (op->getResult(0).getType().isIndex())
      index = math.constant(cast<IntegerAttr>(constant.getValue()).getInt());
    return {text ? *text : fail(op, "the constant is not a number"), index};
  }
  if (std::optional<CombinedForm> form = combinedForm(op))
    return {define("float", nameStem(op),
                   form->function + "(" +
                       textOf(scalar(form->operand, frame), form->operand.getType()) + ")"),
            {}};
  SmallVector<Scalar> operands;
  SmallVector<AffineExpr> indices;
  bool isExtract = isa<tensor::ExtractOp>(op);
  for (Value operand : isExtract ? op->getOperands().drop_front() : op->getOperands()) {
    operands.push_back(scalar(operandBeforeRounding(op, operand), frame));
    indices.push_back(isExtract ? indexOf(operands.back()) : operands.back().index);
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(op))
    return {element(extract.getTensor(), indices), {}};
  if (op->getNumResults() == 1 && op->getResult(0).getType().isIndex())
    if (AffineExpr index = combineIndices(op, indices))
      return {"", math.simplify(index)};

  SmallVector<std::string> texts;
  for (auto [operand, value] : llvm::zip(operands, op->getOperands()))
    texts.push_back(textOf(operand, value.getType()));
  std::optional<std::string> text = scalarText(op, texts);
  if (!text)
    return {fail(op, "the operation is not supported"), {}};
  commentOn(frame.op ? frame.op : op);
  return {define(*typeText(op->getResult(0).getType()), nameStem(op), *text), {}};
}

std::string Evaluator::textOf(const Scalar &scalar, Type) {
  return scalar.text.empty() && scalar.index ? math.operandText(scalar.index) : scalar.text;
}

/// Index values that are not affine become variables, of which nothing is known.
AffineExpr Evaluator::indexOf(const Scalar &scalar) {
  if (scalar.index)
    return scalar.index;
  std::string name = freshName("at");
  out.line("const Index " + name + " = " + scalar.text + ";");
  return declare(name, {});
}
