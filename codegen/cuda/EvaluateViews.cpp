//===- EvaluateViews.cpp - Elements of tensors that only move others --------------------------===//
#include "codegen/cuda/Evaluator.h"

#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nnc::codegen;

/// The elements of `list` at the axes of `group`.
static IndexList pick(const IndexList &list, ArrayRef<int64_t> group) {
  IndexList result;
  for (int64_t axis : group)
    result.push_back(list[axis]);
  return result;
}

std::optional<IndexList> Evaluator::sourceOf(Operation *view, const IndexList &indices) {
  IndexList source;
  if (auto op = dyn_cast<tensor::ExpandShapeOp>(view)) {
    IndexList dims = sizes.dimsOf(op.getResult());
    if (llvm::is_contained(dims, AffineExpr()))
      return std::nullopt;
    for (const ReassociationIndices &group : op.getReassociationIndices())
      source.push_back(math.linearize(pick(indices, group), pick(dims, group)));
    return source;
  }
  if (auto op = dyn_cast<tensor::CollapseShapeOp>(view)) {
    IndexList dims = sizes.dimsOf(op.getSrc());
    if (llvm::is_contained(dims, AffineExpr()))
      return std::nullopt;
    source.assign(dims.size(), math.constant(0));
    for (auto [index, group] : llvm::zip(indices, op.getReassociationIndices()))
      for (auto [axis, part] : llvm::zip(group, math.delinearize(index, pick(dims, group))))
        source[axis] = part;
    return source;
  }
  if (auto op = dyn_cast<tensor::ExtractSliceOp>(view)) {
    llvm::SmallBitVector dropped = op.getDroppedDims();
    SmallVector<OpFoldResult> offsets = op.getMixedOffsets(), strides = op.getMixedStrides();
    unsigned next = 0;
    for (unsigned axis = 0; axis < offsets.size(); ++axis) {
      AffineExpr offset = sizes.indexOf(offsets[axis]), stride = sizes.indexOf(strides[axis]);
      if (!offset || !stride)
        return std::nullopt;
      source.push_back(dropped.test(axis) ? offset : offset + indices[next++] * stride);
    }
    return source;
  }
  if (auto op = dyn_cast<tensor::PadOp>(view)) {
    for (auto [index, low] : llvm::zip(indices, op.getMixedLowPad())) {
      AffineExpr amount = sizes.indexOf(low);
      if (!amount)
        return std::nullopt;
      source.push_back(math.simplify(index - amount));
    }
    if (llvm::is_contained(sizes.dimsOf(op.getSource()), AffineExpr()))
      return std::nullopt;
    return source;
  }
  return isa<tensor::CastOp>(view) ? std::optional(indices) : std::nullopt;
}

std::string Evaluator::view(Operation *op, const IndexList &indices) {
  std::optional<IndexList> source = sourceOf(op, indices);
  return source ? element(op->getOperand(0), *source)
                : fail(op, "a size, an offset or a stride is not known");
}

std::optional<Evaluator::Address> Evaluator::addressOf(Value tensor, IndexList indices) {
  std::string condition;
  while (Operation *op = tensor.getDefiningOp()) {
    std::optional<IndexList> source = sourceOf(op, indices);
    if (!source)
      return std::nullopt;
    if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      Value padding = pad.getConstantPaddingValue();
      SmallVector<unsigned> variables;
      IndexList zeros(indices.size(), math.constant(0));
      if (!padding || !matchPattern(padding, m_AnyZeroFloat()))
        return std::nullopt;
      std::string inside = insideText(*source, zeros, sizes.dimsOf(pad.getSource()), variables);
      condition += (condition.empty() || inside.empty() ? "" : " && ") + inside;
    }
    tensor = op->getOperand(0);
    indices = std::move(*source);
  }
  auto argument = dyn_cast<BlockArgument>(tensor);
  if (!argument || argument.getOwner() != body.block)
    return std::nullopt;
  IndexList dims = sizes.dimsOf(argument);
  if (llvm::is_contained(dims, AffineExpr()))
    return std::nullopt;
  return Address{"in" + std::to_string(argument.getArgNumber()), math.linearize(indices, dims),
                 std::move(condition)};
}

std::string Evaluator::insideText(const IndexList &indices, const IndexList &low,
                                  const IndexList &high,
                                  SmallVectorImpl<unsigned> &variables) const {
  std::string condition;
  auto require = [&](const std::string &text, AffineExpr index) {
    condition += (condition.empty() ? "" : " && ") + text;
    llvm::append_range(variables, math.variablesOf(index));
  };
  for (auto [index, from, to] : llvm::zip(indices, low, high)) {
    if (!math.isNonNegative(math.simplify(index - from)))
      require(math.text(index) + " >= " + math.text(from), index);
    if (!math.isLess(index, to))
      require(math.text(index) + " < " + math.text(to), index);
  }
  return condition;
}

std::string Evaluator::choose(Operation *op, Type elementType, const std::string &condition,
                              ArrayRef<unsigned> variables, llvm::function_ref<std::string()> yes,
                              llvm::function_ref<std::string()> no, const std::string &initial) {
  std::optional<std::string> type = typeText(elementType);
  if (!type)
    return fail(op, "the element type is not supported");
  commentOn(op);
  std::string name = freshName(nameStem(op));
  bool isBuiltin = *type != "f16" && *type != "bf16";
  out.line(*type + " " + name + " = " + (isBuiltin ? initial : *type + "(" + initial + ")") + ";");
  auto branch = [&](const std::string &header, llvm::function_ref<std::string()> value,
                    const std::string &closing) {
    bool isUniform = scopes.back().uniform;
    openBlock(header);
    scopes.back().condition.assign(variables.begin(), variables.end());
    scopes.back().uniform = isUniform;
    std::string text = value();
    out.line(name + " = " + text + ";");
    closeScope(closing);
  };
  branch("if (" + condition + ")", yes, "}");
  if (no)
    branch("else", no, "}");
  return name;
}

std::string Evaluator::pad(tensor::PadOp op, const IndexList &indices) {
  std::optional<IndexList> source = sourceOf(op, indices);
  Value padding = op.getConstantPaddingValue();
  if (!source)
    return fail(op, "the padding or a size of the operand is not known");
  if (!padding)
    return fail(op, "the padding's value depends on its place");
  IndexList zeros(indices.size(), math.constant(0));
  SmallVector<unsigned> variables;
  std::string condition = insideText(*source, zeros, sizes.dimsOf(op.getSource()), variables);
  if (condition.empty())
    return element(op.getSource(), *source);
  Frame outside;
  return choose(
      op, op.getType().getElementType(), condition, variables,
      [&] { return element(op.getSource(), *source); }, nullptr,
      textOf(scalar(padding, outside), padding.getType()));
}

std::string Evaluator::insert(tensor::InsertSliceOp op, const IndexList &indices) {
  IndexList low, high, source;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [axis, index] : llvm::enumerate(indices)) {
    AffineExpr offset = sizes.indexOf(op.getMixedOffsets()[axis]);
    AffineExpr size = sizes.indexOf(op.getMixedSizes()[axis]);
    if (!offset || !size || getConstantIntValue(op.getMixedStrides()[axis]) != 1)
      return fail(op, "only slices with unit strides and known places can be inserted");
    low.push_back(offset);
    high.push_back(math.simplify(offset + size));
    if (!dropped.test(axis))
      source.push_back(math.simplify(index - offset));
  }
  SmallVector<unsigned> variables;
  std::string condition = insideText(indices, low, high, variables);
  auto inserted = [&] { return element(op.getSource(), source); };
  auto around = [&] { return element(op.getDest(), indices); };
  if (condition.empty())
    return inserted();
  Type type = op.getType().getElementType();
  if (op.getDest().getDefiningOp<tensor::EmptyOp>())
    return choose(op, type, condition, variables, inserted, nullptr, "0");
  return choose(op, type, condition, variables, inserted, around, "0");
}
