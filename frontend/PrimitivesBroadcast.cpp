#include "frontend/PrimitivesBroadcast.h"

#include "frontend/Library.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numeric>

namespace nnc::frontend {
namespace {

const Dim one = 1;

/// What NumPy would make of two shapes; nothing where it would refuse them too.
std::optional<Shape> broadcastBothWays(const Shape &a, const Shape &b) {
  const Shape &high = a.size() >= b.size() ? a : b, &low = a.size() >= b.size() ? b : a;
  Shape result = high;
  for (size_t i = 0; i < low.size(); ++i) {
    Dim &size = result[high.size() - low.size() + i];
    if (size == one)
      size = low[i];
    else if (!(low[i] == size || low[i] == one))
      return std::nullopt;
  }
  return result;
}

/// The axes of `high` that are 1 where `low` has another size: these must not stretch.
std::vector<size_t> stretchedAxes(const Shape &high, const Shape &low) {
  std::vector<size_t> axes;
  for (size_t i = 0; i < low.size(); ++i) {
    size_t axis = high.size() - low.size() + i;
    if (high[axis] == one && !(low[i] == one))
      axes.push_back(axis);
  }
  return axes;
}

Shape withoutAxes(Shape shape, const std::vector<size_t> &axes) {
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis)
    shape.erase(shape.begin() + *axis);
  return shape;
}

/// `[:, 0]`: index 0 on the axes to drop.
std::string dropIndex(const std::vector<size_t> &axes) {
  std::string text = "[";
  for (size_t i = 0; i <= axes.back(); ++i)
    text += std::string(i ? ", " : "") +
            (std::find(axes.begin(), axes.end(), i) != axes.end() ? "0" : ":");
  return text + "]";
}

/// `[none, :, :]`: the missing axes in front of the ones there are.
std::string writeOutIndex(size_t missing, size_t rank) {
  std::string text = "[";
  for (size_t i = 0; i < missing + rank; ++i)
    text += std::string(i ? ", " : "") + (i < missing ? "none" : ":");
  return text + "]";
}

struct Pair {
  const Operand &left, &right;
  const TensorValue &a() const { return left.value.get<TensorValue>(); }
  const TensorValue &b() const { return right.value.get<TensorValue>(); }
};

void reportBothStretch(Context &context, syntax::Span at, std::string_view what, const Pair &pair,
                       const Shape &stretched, const std::vector<size_t> &axes) {
  bool leftIsHigh = pair.a().rank() > pair.b().rank();
  const Operand &high = leftIsHigh ? pair.left : pair.right;
  const Operand &low = leftIsHigh ? pair.right : pair.left;
  const Shape &highShape = high.value.get<TensorValue>().shape;
  const Shape &lowShape = low.value.get<TensorValue>().shape;
  syntax::Diagnostic &diag =
      context.error("E0302", at, fmt::format("{} would stretch both operands", what));
  labelTypes(diag, {pair.left, pair.right});
  diag.note("NumPy rules would give " + formatTensorType(pair.a().element, stretched));
  if (!high.span.isValid() || !low.span.isValid())
    return;
  if (withoutAxes(highShape, axes) == lowShape)
    diag.fixIt(axes.size() == 1 ? "drop the extra axis" : "drop the extra axes",
               postfixEdits(high, dropIndex(axes)));
  else
    diag.fixIt(
        "write the axis out",
        postfixEdits(low, writeOutIndex(highShape.size() - lowShape.size(), lowShape.size())));
}

/// Which axes of `high` those of `few` are, if they are there in their order: the first ones, else
/// each as far behind as may be, where a mask of keys has them. Nothing if that is where they stand
/// anyway.
std::optional<std::vector<size_t>> findAxes(const Shape &high, const Shape &few) {
  std::vector<size_t> axes(few.size());
  if (few.empty() || few.size() >= high.size())
    return std::nullopt;
  if (std::equal(few.begin(), few.end(), high.begin())) {
    std::iota(axes.begin(), axes.end(), 0);
    return axes;
  }
  size_t end = high.size();
  for (size_t i = few.size(); i-- > 0;) {
    while (end > 0 && !(high[end - 1] == few[i]))
      --end;
    if (end == 0)
      return std::nullopt;
    axes[i] = --end;
  }
  return axes.front() + few.size() == high.size() ? std::nullopt : std::optional(axes);
}

/// `[:, none, none, :]` behind what has some axes of the other operand, where it was meant to have
/// them. In the library that is for who called it.
void offerAxes(const Context &context, SizeCheck &check, const Pair &pair) {
  bool leftIsHigh = pair.a().rank() > pair.b().rank();
  const Operand &low = leftIsHigh ? pair.right : pair.left;
  const Shape &high = leftIsHigh ? pair.a().shape : pair.b().shape;
  std::optional<std::vector<size_t>> axes =
      findAxes(high, leftIsHigh ? pair.b().shape : pair.a().shape);
  if (!axes || !low.span.isValid())
    return;
  std::string index = "[";
  for (size_t i = 0; i < high.size(); ++i)
    index += std::string(i ? ", " : "") +
             (std::find(axes->begin(), axes->end(), i) != axes->end() ? ":" : "none");
  index += "]";
  if (!isLibrary(low.span.file))
    check.setFix({"write the missing axes out", postfixEdits(low, index)});
  else if (low.expr && low.expr->is<syntax::NameExpr>())
    check.setFix(
        {fmt::format("write the missing axes out: `{}{}`", context.sources.text(low.span), index),
         {}});
}

std::optional<Shape> broadcastPair(Context &context, syntax::Span at, std::string_view what,
                                   const Pair &pair) {
  const Shape &a = pair.a().shape, &b = pair.b().shape;
  if (std::optional<Shape> result = broadcastBothWays(a, b)) {
    std::vector<size_t> axes = a.size() == b.size()  ? std::vector<size_t>()
                               : a.size() > b.size() ? stretchedAxes(a, b)
                                                     : stretchedAxes(b, a);
    if (axes.empty())
      return result;
    reportBothStretch(context, at, what, pair, *result, axes);
    return std::nullopt;
  }
  SizeCheck check(context, at, std::string(what));
  size_t common = std::min(a.size(), b.size());
  for (size_t i = 0; i < common; ++i) {
    size_t axisOfA = a.size() - common + i, axisOfB = b.size() - common + i;
    if (!(a[axisOfA] == one) && !(b[axisOfB] == one))
      check.expectEqual(pair.left, axisOfA, pair.right, axisOfB);
  }
  offerAxes(context, check, pair);
  check.finish(/*withLabels=*/true);
  return std::nullopt;
}

} // namespace

std::optional<Shape> broadcastShapes(Context &context, syntax::Span at, std::string_view what,
                                     std::span<const Operand> operands) {
  std::optional<Operand> widest;
  for (const Operand &operand : operands) {
    if (!operand.value.isTensor())
      continue;
    if (!widest) {
      widest = operand;
      continue;
    }
    std::optional<Shape> shape = broadcastPair(context, at, what, {*widest, operand});
    if (!shape)
      return std::nullopt;
    // What came before stands for all of it in later messages.
    widest->value.as<TensorValue>()->shape = *shape;
  }
  return widest ? widest->value.get<TensorValue>().shape : Shape();
}

std::optional<Element> commonElement(Context &context, syntax::Span at, std::string_view what,
                                     std::span<const Operand> operands) {
  const Operand *first = nullptr;
  for (const Operand &operand : operands) {
    if (!operand.value.isTensor())
      continue;
    if (first &&
        operand.value.get<TensorValue>().element != first->value.get<TensorValue>().element) {
      reportMixedElements(context, at, what, *first, operand);
      return std::nullopt;
    }
    first = first ? first : &operand;
  }
  return first->value.get<TensorValue>().element;
}

//===- Numbers -------------------------------------------------------------------------------===//

static unsigned bitWidth(Element element) {
  return element == Element::I64 ? 64 : element == Element::I32 ? 32 : 8;
}

static bool fits(int64_t value, Element element) {
  unsigned bits = bitWidth(element);
  return bits == 64 || (value >= -(int64_t(1) << (bits - 1)) && value < (int64_t(1) << (bits - 1)));
}

std::optional<int64_t> toInteger(const Value &value, Element element) {
  std::optional<int64_t> number = value.asInt();
  if (const double *fraction = value.as<double>())
    if (*fraction == std::floor(*fraction) && std::abs(*fraction) < 0x1p62)
      number = static_cast<int64_t>(*fraction);
  return number && fits(*number, element) ? number : std::nullopt;
}

static void reportUnfitNumber(Context &context, const Operand &number, Element element) {
  const double *fraction = number.value.as<double>();
  bool isFraction = fraction && *fraction != std::floor(*fraction);
  std::string text = formatValue(number.value);
  std::string_view type = syntax::spelling(element);
  syntax::Diagnostic &diag =
      context.error("E0402", number.span,
                    isFraction ? fmt::format("the fraction {} stands beside {} numbers", text, type)
                               : fmt::format("{} does not fit into {}", text, type));
  if (isFraction)
    diag.help("cast the integers, as in `f32(x)`, or use a whole number");
}

std::optional<Value> numberToTensor(Context &context, const Operand &number, Element element,
                                    std::span<const Dim> shapeSpan) {
  Emitter emit(context, number.span);
  Shape shape(shapeSpan.begin(), shapeSpan.end());
  const Value &value = number.value;
  if (const bool *truth = value.as<bool>(); truth && element == Element::Bool)
    return Value::tensor(emit.full(*truth ? 1 : 0, element, shape));
  if (!value.isNumber() || !accepts(Elements::Numbers, element)) {
    context.error(
        "E0403", number.span,
        fmt::format("expected {}, found {}", syntax::spelling(element), describeKind(value)));
    return std::nullopt;
  }
  if (value.isInt() && !value.asInt()) {
    if (!requireValidShape(context, number.span, std::span(value.as<Dim>(), 1)))
      return std::nullopt;
    return Value::tensor(emit.size(value.get<Dim>(), element, shape));
  }
  if (isFloating(element))
    return Value::tensor(emit.full(*value.asFloat(), element, shape));
  std::optional<int64_t> integer = toInteger(value, element);
  if (!integer) {
    reportUnfitNumber(context, number, element);
    return std::nullopt;
  }
  return Value::tensor(emit.fullInt(*integer, element, shape));
}

std::optional<TensorValue> toTensor(Context &context, const Operand &operand, Element element,
                                    const Shape &shape) {
  if (operand.value.isTensor())
    return Emitter(context, operand.span).broadcast(operand.value.get<TensorValue>(), shape);
  std::optional<Value> number = numberToTensor(context, operand, element, shape);
  return number ? std::optional(number->get<TensorValue>()) : std::nullopt;
}

std::optional<std::vector<TensorValue>> matchOperands(Context &context, syntax::Span at,
                                                      std::string_view what, Elements accepted,
                                                      std::span<const Operand> operands) {
  for (const Operand &operand : operands)
    if (operand.value.isTensor() && !requireElements(context, accepted, what, operand, at))
      return std::nullopt;
  std::optional<Element> element = commonElement(context, at, what, operands);
  if (!element)
    return std::nullopt;
  std::optional<Shape> shape = broadcastShapes(context, at, what, operands);
  if (!shape)
    return std::nullopt;
  std::vector<TensorValue> tensors;
  for (const Operand &operand : operands) {
    std::optional<TensorValue> tensor = toTensor(context, operand, *element, *shape);
    if (!tensor)
      return std::nullopt;
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

} // namespace nnc::frontend
