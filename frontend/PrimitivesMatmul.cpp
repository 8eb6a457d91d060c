// The matrix product: `[..., K] @ [K, N]`, equal batches, or a vector on the right.
#include "frontend/PrimitivesBroadcast.h"

#include <fmt/format.h>

namespace nnc::frontend {
namespace {

constexpr std::string_view what = "`@`";

bool requireMatrix(Context &context, syntax::Span opSpan, const Operand &operand) {
  if (!operand.value.isTensor()) {
    syntax::Diagnostic &diag =
        context.error("E0403", opSpan,
                      fmt::format("{} needs tensors, found {}", what, describeKind(operand.value)));
    labelTypes(diag, {operand});
    return false;
  }
  if (operand.value.get<TensorValue>().rank() > 0)
    return requireElements(context, Elements::Numbers, what, operand, opSpan);
  syntax::Diagnostic &diag =
      context.error("E0306", opSpan, fmt::format("{} needs at least one axis on each side", what));
  labelTypes(diag, {operand});
  diag.help("to scale by a number, use `*`");
  return false;
}

Shape batchOf(const TensorValue &x) { return Shape(x.shape.begin(), x.shape.end() - 2); }

/// The operand with its batch axes alone, to broadcast those.
Operand batchOperand(const Operand &operand, const TensorValue &x) {
  Operand result = operand;
  result.value.as<TensorValue>()->shape = batchOf(x);
  return result;
}

TensorValue stretchBatch(Emitter &emit, const TensorValue &x, Shape batch) {
  batch.insert(batch.end(), x.shape.end() - 2, x.shape.end());
  return emit.broadcast(x, batch);
}

} // namespace

std::optional<Value> multiplyMatrices(Context &context, syntax::Span opSpan, const Operand &left,
                                      const Operand &right) {
  if (!requireMatrix(context, opSpan, left) || !requireMatrix(context, opSpan, right))
    return std::nullopt;
  Operand operands[] = {left, right};
  if (!commonElement(context, opSpan, what, operands))
    return std::nullopt;
  TensorValue a = left.value.get<TensorValue>(), b = right.value.get<TensorValue>();
  bool aIsVector = a.rank() == 1, bIsVector = b.rank() == 1;
  SizeCheck check(context, opSpan, std::string(what));
  check.expectEqual(left, a.rank() - 1, right, bIsVector ? 0 : b.rank() - 2);
  if (!check.finish(/*withLabels=*/true))
    return std::nullopt;

  Emitter emit(context, opSpan);
  if (aIsVector)
    a = emit.reshape(a, {1, a.shape[0]});
  if (bIsVector)
    b = emit.reshape(b, {b.shape[0], 1});
  if (b.rank() > 2) {
    Operand batches[] = {batchOperand(left, a), batchOperand(right, b)};
    std::optional<Shape> batch = broadcastShapes(context, opSpan, what, batches);
    if (!batch)
      return std::nullopt;
    a = stretchBatch(emit, a, *batch);
    b = stretchBatch(emit, b, *batch);
  }
  TensorValue product = emit.matmul(a, b);
  Shape shape = product.shape;
  if (bIsVector)
    shape.pop_back();
  if (aIsVector)
    shape.erase(shape.end() - (bIsVector ? 1 : 2));
  return Value::tensor(emit.reshape(product, shape));
}

} // namespace nnc::frontend
