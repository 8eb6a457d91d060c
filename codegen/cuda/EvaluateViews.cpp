//===- EvaluateViews.cpp - Elements of tensors that only move others --------------------------===//
#include "codegen/cuda/Evaluator.h"

#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace nnc::codegen;

/// The elements of `list` at the axes of `group`.
static IndexList pick(const IndexList &list, ArrayRef<int64_t> group) {
  IndexList result;
  for (int64_t axis : group)
    result.push_back(list[axis]);
  return result;
}

std::string Evaluator::expand(tensor::ExpandShapeOp op, const IndexList &indices) {
  IndexList dims = sizes.dimsOf(op.getResult()), source;
  if (llvm::is_contained(dims, AffineExpr()))
    return fail(op, "a size of the result is not known");
  for (const ReassociationIndices &group : op.getReassociationIndices())
    source.push_back(math.linearize(pick(indices, group), pick(dims, group)));
  return element(op.getSrc(), source);
}

std::string Evaluator::collapse(tensor::CollapseShapeOp op, const IndexList &indices) {
  IndexList dims = sizes.dimsOf(op.getSrc()), source(dims.size(), math.constant(0));
  if (llvm::is_contained(dims, AffineExpr()))
    return fail(op, "a size of the operand is not known");
  for (auto [index, group] : llvm::zip(indices, op.getReassociationIndices()))
    for (auto [axis, part] : llvm::zip(group, math.delinearize(index, pick(dims, group))))
      source[axis] = part;
  return element(op.getSrc(), source);
}

std::string Evaluator::slice(tensor::ExtractSliceOp op, const IndexList &indices) {
  llvm::SmallBitVector dropped = op.getDroppedDims();
  SmallVector<OpFoldResult> offsets = op.getMixedOffsets(), strides = op.getMixedStrides();
  IndexList source;
  unsigned next = 0;
  for (unsigned axis = 0; axis < offsets.size(); ++axis) {
    AffineExpr offset = sizes.indexOf(offsets[axis]), stride = sizes.indexOf(strides[axis]);
    if (!offset || !stride)
      return fail(op, "an offset or a stride is not known");
    source.push_back(dropped.test(axis) ? offset : offset + indices[next++] * stride);
  }
  return element(op.getSource(), source);
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
  IndexList dims = sizes.dimsOf(op.getSource()), source, zeros(indices.size(), math.constant(0));
  for (auto [index, low] : llvm::zip(indices, op.getMixedLowPad())) {
    AffineExpr amount = sizes.indexOf(low);
    if (!amount)
      return fail(op, "the padding is not known");
    source.push_back(math.simplify(index - amount));
  }
  if (llvm::is_contained(dims, AffineExpr()))
    return fail(op, "a size of the operand is not known");
  Value padding = op.getConstantPaddingValue();
  if (!padding)
    return fail(op, "the padding's value depends on its place");
  SmallVector<unsigned> variables;
  std::string condition = insideText(source, zeros, dims, variables);
  if (condition.empty())
    return element(op.getSource(), source);
  Frame outside;
  return choose(
      op, op.getType().getElementType(), condition, variables,
      [&] { return element(op.getSource(), source); }, nullptr,
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
