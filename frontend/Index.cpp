// `x[...]`: of tensors by the primitives, of lists and tuples here.
#include "frontend/Evaluator.h"

#include <fmt/format.h>

namespace nnc::frontend {

std::optional<Value> Evaluator::evalIndex(const syntax::IndexExpr &expr) {
  std::optional<Value> base = eval(*expr.base);
  if (!base)
    return std::nullopt;
  if (base->isTensor())
    return tensorIndex(*base, expr);
  if (base->isSequence() && expr.items.size() == 1)
    return sequenceItem(*base, expr.items.front());
  error("E0403", expr.base->span,
        base->isSequence() ? "a list has one axis" : "only tensors and lists can be indexed")
      .primaryLabel(fmt::format("this is {}", describeKind(*base)));
  return std::nullopt;
}

//===- Tensors --------------------------------------------------------------------------------===//

bool Evaluator::evalOperand(const syntax::ExprPtr &expr, std::optional<Operand> &operand) {
  if (!expr)
    return true;
  std::optional<Value> value = eval(*expr);
  if (!value)
    return false;
  operand = Operand{std::move(*value), expr->span, expr.get()};
  return true;
}

std::optional<std::vector<IndexItem>> Evaluator::evalIndexItems(const syntax::IndexExpr &expr) {
  std::vector<IndexItem> items;
  bool ok = true;
  for (const syntax::IndexItem &written : expr.items) {
    IndexItem &item = items.emplace_back();
    item.span = written.span;
    item.kind = IndexItem::Kind::Ellipsis;
    if (written.kind == syntax::IndexItem::Slice) {
      item.kind = IndexItem::Kind::Slice;
      ok &= evalOperand(written.begin, item.start) && evalOperand(written.end, item.stop) &&
            evalOperand(written.step, item.step);
    } else if (written.kind == syntax::IndexItem::Value) {
      std::optional<Operand> operand;
      ok &= evalOperand(written.value, operand);
      item.kind =
          operand && operand->value.isNone() ? IndexItem::Kind::None : IndexItem::Kind::Value;
      if (operand)
        item.value = std::move(*operand);
    }
  }
  if (!ok)
    return std::nullopt;
  return items;
}

std::optional<Value> Evaluator::tensorIndex(const Value &base, const syntax::IndexExpr &expr) {
  std::optional<std::vector<IndexItem>> items = evalIndexItems(expr);
  if (!items || !startOperation("index", expr.span))
    return std::nullopt;
  return indexTensor(context, {base, expr.base->span, expr.base.get()}, *items, expr.span);
}

//===- Lists ----------------------------------------------------------------------------------===//

std::optional<int64_t> Evaluator::evalInt(const syntax::Expr &expr) {
  std::optional<Value> value = eval(expr);
  if (!value)
    return std::nullopt;
  if (std::optional<int64_t> number = value->asInt())
    return number;
  error(value->isInt() ? "E0502" : "E0403", expr.span, "a build-time int is needed here")
      .primaryLabel(fmt::format("this is {}", describeKind(*value)));
  return std::nullopt;
}

/// A bound of a slice as Python reads it: negative from the end, cut to the list.
static int64_t clampBound(int64_t bound, int64_t size) {
  if (bound < 0)
    bound = bound < -size ? 0 : bound + size;
  return std::min(bound, size);
}

std::optional<Value> Evaluator::sequenceItem(const Value &sequence, const syntax::IndexItem &item) {
  std::span<const Value> elements = sequence.elements();
  int64_t size = static_cast<int64_t>(elements.size());
  if (item.kind == syntax::IndexItem::Value) {
    std::optional<int64_t> index = evalInt(*item.value);
    if (!index)
      return std::nullopt;
    if (*index >= -size && *index < size)
      return elements[*index < 0 ? *index + size : *index];
    error("E0507", item.span, fmt::format("this list has {} elements", size))
        .primaryLabel(fmt::format("the index is {}", *index));
    return std::nullopt;
  }
  if (item.kind != syntax::IndexItem::Slice || item.step)
    return refuse(item.span, "lists are sliced as `list[a:b]` only");
  std::optional<int64_t> begin = item.begin ? evalInt(*item.begin) : 0;
  std::optional<int64_t> end = item.end ? evalInt(*item.end) : size;
  if (!begin || !end)
    return std::nullopt;
  int64_t first = clampBound(*begin, size), last = std::max(first, clampBound(*end, size));
  steps += last - first;
  std::span<const KeyRef> keys = sequence.elementKeys();
  if (!keys.empty())
    keys = keys.subspan(first, last - first);
  return Value::list({elements.begin() + first, elements.begin() + last},
                     {keys.begin(), keys.end()});
}

} // namespace nnc::frontend
