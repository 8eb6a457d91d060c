// `pad`: borders of one number, or of what is inside: mirrored, repeated, or from the other end, as
// torch.nn.functional.pad makes them. Widths may depend on dimensions; such borders are joined to
// the tensor.
#include "frontend/PrimitivesCall.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

/// Of one axis, before and after it.
struct Border {
  Dim low, high;
};

/// One width of each side.
std::optional<Dim> getWidth(PrimitiveCall &call, const Operand &side) {
  std::optional<int64_t> width = side.value.asInt();
  if (!side.value.isInt() || (width && (*width < 0 || *width > INT32_MAX)))
    return call.wrongKind(side, "a width of at least 0");
  const Dim &dim = side.value.get<Dim>();
  if (!requireNonNegative(call.context, side.span, "the width of a border", dim))
    return std::nullopt;
  return dim;
}

/// One width per axis: an int for both sides, or a pair (before, after).
std::optional<std::vector<Border>> getBorders(PrimitiveCall &call, size_t rank) {
  const Operand &given = call.operand("widths");
  if (!given.value.isSequence() || given.value.elements().size() != rank) {
    call.error("E0403", given.span,
               fmt::format("`pad` needs one width, or pair of widths, for each of {} axes", rank));
    return std::nullopt;
  }
  std::vector<Border> borders;
  for (const Operand &part : call.elementsOf(given)) {
    std::vector<Operand> sides = {part, part};
    if (part.value.isSequence())
      sides = call.elementsOf(part);
    if (sides.size() != 2)
      return call.wrongKind(part, "an int or a pair (before, after)");
    std::optional<Dim> low = getWidth(call, sides[0]);
    std::optional<Dim> high = low ? getWidth(call, sides[1]) : std::nullopt;
    if (!high)
      return std::nullopt;
    borders.push_back({*low, *high});
  }
  return borders;
}

//===- One number ----------------------------------------------------------------------------===//

/// Joins borders whose widths are known only at run time.
TensorValue join(Emitter &emit, TensorValue x, std::span<const Border> borders, double value) {
  for (size_t axis = 0; axis < borders.size(); ++axis) {
    const auto &[low, high] = borders[axis];
    Shape side = x.shape;
    std::vector<TensorValue> parts = {x};
    if (side[axis] = low; !(low == Dim(0)))
      parts.insert(parts.begin(), emit.full(value, x.element, side));
    if (side[axis] = high; !(high == Dim(0)))
      parts.push_back(emit.full(value, x.element, side));
    if (parts.size() > 1)
      x = emit.concat(parts, axis, low + x.shape[axis] + high);
  }
  return x;
}

std::optional<TensorValue> padWithNumber(PrimitiveCall &call, const TensorValue &x,
                                         std::span<const Border> borders) {
  std::optional<double> value = call.numberOr("value", 0);
  if (!value)
    return std::nullopt;
  // What the border is made of must fit the elements, as any number beside a tensor.
  if (call.has("value") && !isFloating(x.element) &&
      !numberToTensor(call.context, call.operand("value"), x.element, {}))
    return std::nullopt;
  std::vector<int64_t> low, high;
  for (const Border &border : borders) {
    if (!border.low.isConstant() || !border.high.isConstant())
      return join(call.emit, x, borders, *value);
    low.push_back(*border.low.getConstant());
    high.push_back(*border.high.getConstant());
  }
  return call.emit.pad(x, low, high, *value);
}

//===- What is inside ------------------------------------------------------------------------===//

enum class Mode { Constant, Reflect, Replicate, Circular };

std::optional<Mode> getMode(PrimitiveCall &call) {
  if (!call.has("mode"))
    return Mode::Constant;
  constexpr std::string_view names[] = {"constant", "reflect", "replicate", "circular"};
  const Operand &given = call.operand("mode");
  const StringValue *text = given.value.as<StringValue>();
  if (!text)
    return call.wrongKind(given, "a string");
  const auto *name = std::find(std::begin(names), std::end(names), text->text);
  if (name != std::end(names))
    return static_cast<Mode>(name - std::begin(names));
  call.error("E0507", given.span,
             fmt::format("the mode of `pad` is \"{}\", but must be \"constant\", \"reflect\", "
                         "\"replicate\" or \"circular\"",
                         text->text));
  return std::nullopt;
}

/// Whether every border comes from within one length of the axis, as its mode needs it.
bool fits(PrimitiveCall &call, const Dim &size, const Border &border, Mode mode) {
  Dim least = mode == Mode::Replicate ? Dim(1) : Dim(0);
  for (const Dim &width : {border.low, border.high}) {
    if (mode != Mode::Replicate)
      least = mode == Mode::Reflect ? width + 1 : width;
    if (!requireAtLeast(call.context, call.operand("widths").span,
                        "the size of an axis with a border", size, least))
      return false;
  }
  return true;
}

/// Where along an axis each element of the result comes from.
TensorValue sourcePlaces(Emitter &emit, const Dim &size, const Border &border, Mode mode) {
  Shape shape = {border.low + size + border.high};
  auto number = [&](const Dim &dim) { return emit.size(dim, Element::I32, shape); };
  TensorValue place = emit.binary("sub", emit.iota(Element::I32, shape, 0), number(border.low));
  if (mode == Mode::Circular)
    return emit.binary("mod", place, number(size));
  TensorValue last = number(size - 1);
  if (mode == Mode::Replicate)
    return emit.binary("min", emit.binary("max", place, number(0)), last);
  TensorValue inFront = emit.unary("abs", place);
  return emit.binary("sub", last, emit.unary("abs", emit.binary("sub", last, inFront)));
}

std::optional<TensorValue> padWithInside(PrimitiveCall &call, TensorValue x,
                                         std::span<const Border> borders, Mode mode) {
  for (size_t axis = 0; axis < borders.size(); ++axis) {
    const Border &border = borders[axis];
    if (border.low == Dim(0) && border.high == Dim(0))
      continue;
    if (!fits(call, x.shape[axis], border, mode))
      return std::nullopt;
    x = call.emit.gather(x, sourcePlaces(call.emit, x.shape[axis], border, mode), axis);
  }
  return x;
}

//===- The primitive -------------------------------------------------------------------------===//

std::optional<Value> pad(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x", Elements::Numbers);
  if (!x)
    return std::nullopt;
  std::optional<std::vector<Border>> borders = getBorders(call, x->rank());
  std::optional<Mode> mode = borders ? getMode(call) : std::nullopt;
  if (!mode)
    return std::nullopt;
  Shape shape = x->shape;
  for (size_t i = 0; i < shape.size(); ++i)
    shape[i] += (*borders)[i].low + (*borders)[i].high;
  if (!requireValidShape(call.context, call.span, shape))
    return std::nullopt;
  if (*mode != Mode::Constant && call.has("value")) {
    call.error("E0507", call.operand("value").span,
               "`value` is for borders of one number, which this mode does not make");
    return std::nullopt;
  }
  std::optional<TensorValue> result = *mode == Mode::Constant
                                          ? padWithNumber(call, *x, *borders)
                                          : padWithInside(call, *x, *borders, *mode);
  if (!result)
    return std::nullopt;
  return Value::tensor(*result);
}

constexpr PrimitiveRow rows[] = {{"pad", "x widths value? mode?", pad}};

} // namespace

std::span<const PrimitiveRow> padPrimitives() { return rows; }

} // namespace nnc::frontend
