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

/// The batch axes of the product: one-sided broadcasting, of all axes but the last two.
std::optional<Shape> broadcastBatches(Context &context, syntax::Span opSpan, const Operand &left,
                                      const TensorValue &a, const Operand &right,
                                      const TensorValue &b) {
  bool leftIsHigh = a.rank() >= b.rank();
  const TensorValue &high = leftIsHigh ? a : b, &low = leftIsHigh ? b : a;
  size_t missing = high.rank() - low.rank();
  Shape batch(high.shape.begin(), high.shape.end() - 2);
  SizeCheck check(context, opSpan, std::string(what));
  for (size_t i = 0; i + 2 < low.rank(); ++i) {
    const Dim &size = low.shape[i];
    if (missing == 0 && batch[i] == Dim(1))
      batch[i] = size;
    else if (!(size == Dim(1)))
      check.expectEqual(left, leftIsHigh ? i + missing : i, right, leftIsHigh ? i : i + missing);
  }
  return check.finish(/*withLabels=*/true) ? std::optional(batch) : std::nullopt;
}

TensorValue stretchBatch(Emitter &emit, const TensorValue &x, Shape batch) {
  batch.insert(batch.end(), x.shape.end() - 2, x.shape.end());
  return emit.broadcast(x, batch);
}

} // namespace

void readStored(Emitter &emit, Operand &left, Operand &right) {
  auto *a = left.value.as<TensorValue>(), *b = right.value.as<TensorValue>();
  if (!a || !b)
    return;
  bool isAStored = isStorageOnly(a->element), isBStored = isStorageOnly(b->element);
  Element target = isAStored ? b->element : a->element;
  if (isAStored && isBStored)
    target = isIntegral(a->element) && isIntegral(b->element) ? Element::I32 : Element::Float;
  if (target == Element::Bool)
    return;
  if (isAStored)
    left.value = Value::tensor(emit.cast(*a, target));
  if (isBStored)
    right.value = Value::tensor(emit.cast(*b, target));
}

std::optional<Value> multiplyMatrices(Context &context, syntax::Span opSpan, Operand left,
                                      Operand right) {
  Emitter emit(context, opSpan);
  readStored(emit, left, right);
  if (!requireMatrix(context, opSpan, left) || !requireMatrix(context, opSpan, right))
    return std::nullopt;
  Operand operands[] = {left, right};
  if (!commonElement(context, opSpan, what, operands))
    return std::nullopt;
  TensorValue a = left.value.get<TensorValue>(), b = right.value.get<TensorValue>();
  bool aIsVector = a.rank() == 1, bIsVector = b.rank() == 1;
  SizeCheck check(context, opSpan, std::string(what));
  check.expectEqual(left, a.rank() - 1, right, bIsVector ? 0 : b.rank() - 2);
  if (!bIsVector && a.shape.back() == b.shape.back())
    check.setFix({"swap the last two axes", postfixEdits(right, ".T")});
  if (!check.finish(/*withLabels=*/true))
    return std::nullopt;

  if (aIsVector)
    a = emit.reshape(a, {1, a.shape[0]});
  if (bIsVector)
    b = emit.reshape(b, {b.shape[0], 1});
  if (b.rank() > 2) {
    std::optional<Shape> batch = broadcastBatches(context, opSpan, left, a, right, b);
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
