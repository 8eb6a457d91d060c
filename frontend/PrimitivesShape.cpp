// Elements moved, not computed: other shapes, joined and split tensors, borders, gathers.
#include "frontend/PrimitivesCall.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

Dim product(std::span<const Dim> shape) {
  Dim result = 1;
  for (const Dim &size : shape)
    result *= size;
  return result;
}

//===- reshape, broadcast --------------------------------------------------------------------===//

/// Puts the size in that makes the products equal, for the one -1 of a shape.
bool inferSize(PrimitiveCall &call, const TensorValue &x, Shape &shape) {
  auto wanted = std::find(shape.begin(), shape.end(), Dim(-1));
  if (wanted == shape.end())
    return true;
  *wanted = 1;
  std::optional<Dim> size = product(x.shape).exactDiv(product(shape));
  if (size && std::find(shape.begin(), shape.end(), Dim(-1)) == shape.end()) {
    *wanted = *size;
    return true;
  }
  call.error("E0301", call.operand("shape").span, "the size for -1 cannot be found")
      .primaryLabel(fmt::format("{} has {} elements", formatTensorType(x), product(x.shape).str()));
  return false;
}

std::optional<Value> reshape(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x");
  std::optional<Shape> shape = call.shape("shape");
  if (!x || !shape || !inferSize(call, *x, *shape) ||
      !requireValidShape(call.context, call.operand("shape").span, *shape))
    return std::nullopt;
  Dim before = product(x->shape), after = product(*shape);
  if (before == after)
    return Value::tensor(call.emit.reshape(*x, *shape));
  bool different = provablyDifferent(before, after, call.context.facts);
  syntax::Diagnostic &diag =
      call.error(different ? "E0301" : "E0304", call.operand("shape").span,
                 different ? "`reshape` keeps the number of elements"
                           : "cannot prove that `reshape` keeps the number of elements");
  diag.primaryLabel(
      fmt::format("{} elements, {} has {}", after.str(), formatTensorType(*x), before.str()));
  if (different)
    return std::nullopt;
  if (auto sizes = findDifference(before, after, call.context.facts))
    diag.note("they differ when " + formatSizes(*sizes));
  addGuardFix(call.context, diag, suggestGuards(before, after));
  return std::nullopt;
}

std::optional<Value> broadcast(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x");
  std::optional<Shape> shape = call.shape("shape");
  if (!x || !shape || !requireValidShape(call.context, call.operand("shape").span, *shape))
    return std::nullopt;
  if (shape->size() < x->rank()) {
    call.error("E0306", call.operand("shape").span,
               fmt::format("`broadcast` cannot drop axes of {}", formatTensorType(*x)));
    return std::nullopt;
  }
  TensorValue target = *x;
  target.shape = *shape;
  Operand wanted{Value::tensor(target), call.operand("shape").span, nullptr};
  SizeCheck check(call.context, call.callee, call.quotedName());
  for (size_t axis = 0; axis < x->rank(); ++axis)
    if (!(x->shape[axis] == Dim(1)))
      check.expectEqual(call.operand("x"), axis, wanted, axis + shape->size() - x->rank());
  if (!check.finish())
    return std::nullopt;
  return Value::tensor(call.emit.broadcast(*x, *shape));
}

//===- concat, stack, split ------------------------------------------------------------------===//

/// The parts agree in element and rank, and in all sizes but those along `axis` (if any).
bool checkParts(PrimitiveCall &call, std::span<const Operand> parts, std::optional<size_t> axis) {
  if (!commonElement(call.context, call.callee, call.quotedName(), parts))
    return false;
  const TensorValue &first = parts[0].value.get<TensorValue>();
  std::string what = call.quotedName() + (axis ? fmt::format(" along axis {}", *axis) : "");
  SizeCheck check(call.context, call.callee, what);
  for (const Operand &part : parts.subspan(1)) {
    const TensorValue &tensor = part.value.get<TensorValue>();
    if (tensor.rank() != first.rank()) {
      syntax::Diagnostic &diag =
          call.error("E0306", call.callee,
                     fmt::format("{} needs tensors with equally many axes", call.quotedName()));
      labelTypes(diag, {parts[0], part});
      return false;
    }
    for (size_t i = 0; i < first.rank(); ++i)
      if (i != axis)
        check.expectEqual(parts[0], i, part, i);
  }
  return check.finish();
}

std::optional<Value> concat(PrimitiveCall &call) {
  std::optional<std::vector<Operand>> parts = call.tensors("tensors");
  if (!parts)
    return std::nullopt;
  std::optional<size_t> axis = call.axis("axis", parts->front().value.get<TensorValue>().rank());
  if (!axis || !checkParts(call, *parts, axis))
    return std::nullopt;
  std::vector<TensorValue> tensors;
  Dim size = 0;
  for (const Operand &part : *parts) {
    tensors.push_back(part.value.get<TensorValue>());
    size += tensors.back().shape[*axis];
  }
  if (!requireNonNegative(call.context, call.span, fmt::format("the size of axis {}", *axis), size))
    return std::nullopt;
  return Value::tensor(call.emit.concat(tensors, *axis, size));
}

std::optional<Value> stack(PrimitiveCall &call) {
  std::optional<std::vector<Operand>> parts = call.tensors("tensors");
  if (!parts)
    return std::nullopt;
  Shape shape = parts->front().value.get<TensorValue>().shape;
  std::optional<size_t> axis = call.axis("axis", shape.size() + 1);
  if (!axis || !checkParts(call, *parts, std::nullopt))
    return std::nullopt;
  shape.insert(shape.begin() + *axis, 1);
  std::vector<TensorValue> tensors;
  for (const Operand &part : *parts)
    tensors.push_back(call.emit.reshape(part.value.get<TensorValue>(), shape));
  return Value::tensor(call.emit.concat(tensors, *axis, static_cast<int64_t>(tensors.size())));
}

/// The sizes of the parts: `parts` is their number, or lists them.
std::optional<Shape> partSizes(PrimitiveCall &call, const Dim &whole) {
  const Operand &parts = call.operand("parts");
  if (parts.value.isSequence()) {
    std::optional<Shape> sizes = call.shape("parts");
    if (!sizes || !requireValidShape(call.context, parts.span, *sizes))
      return std::nullopt;
    Dim sum = 0;
    for (const Dim &size : *sizes)
      sum += size;
    if (sum == whole)
      return sizes;
    call.error(
        "E0301", parts.span,
        fmt::format("the parts of `split` add up to {}, the axis has {}", sum.str(), whole.str()));
    return std::nullopt;
  }
  std::optional<int64_t> count = call.integer("parts");
  if (!count)
    return std::nullopt;
  constexpr int64_t mostParts = 10'000;
  if (*count < 1 || *count > mostParts) {
    call.error("E0507", parts.span, fmt::format("`split` makes 1 to {} parts", mostParts));
    return std::nullopt;
  }
  if (std::optional<Dim> size = whole.exactDiv(*count))
    return Shape(static_cast<size_t>(*count), *size);
  bool never = whole.isConstant();
  syntax::Diagnostic &diag = call.error(
      never ? "E0301" : "E0304", parts.span,
      never ? fmt::format("{} cannot be split into {} equal parts", whole.str(), *count)
            : fmt::format("cannot prove that {} splits into {} equal parts", whole.str(), *count));
  if (!never)
    addGuardFix(call.context, diag, suggestGuards(whole.floorDiv(*count) * *count, whole));
  return std::nullopt;
}

std::optional<Value> split(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x");
  if (!x)
    return std::nullopt;
  std::optional<size_t> axis = call.axis("axis", x->rank());
  if (!axis)
    return std::nullopt;
  std::optional<Shape> sizes = partSizes(call, x->shape[*axis]);
  if (!sizes)
    return std::nullopt;
  std::vector<Value> parts;
  Shape starts(x->rank(), 0), lengths = x->shape;
  std::vector<int64_t> steps(x->rank(), 1);
  for (const Dim &size : *sizes) {
    lengths[*axis] = size;
    parts.push_back(Value::tensor(call.emit.slice(*x, starts, lengths, steps)));
    starts[*axis] += size;
  }
  return Value::tuple(std::move(parts));
}

//===- flip, roll, gather --------------------------------------------------------------===//

std::optional<Value> flip(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x");
  if (!x)
    return std::nullopt;
  std::optional<std::vector<size_t>> axes = call.axesOrAll("axis", x->rank());
  if (!axes)
    return std::nullopt;
  TensorValue result = *x;
  for (size_t axis : *axes)
    result = call.emit.flip(result, axis);
  return Value::tensor(result);
}

/// What leaves at the end of an axis comes back at its beginning.
TensorValue rollAxis(Emitter &emit, const TensorValue &x, size_t axis, const Dim &shift) {
  const Dim size = x.shape[axis];
  if (!size.isConstant() || !shift.isConstant()) {
    Shape places = {size};
    TensorValue from = emit.binary("sub", emit.iota(Element::I32, places, 0),
                                   emit.size(shift, Element::I32, places));
    return emit.gather(x, emit.binary("mod", from, emit.size(size, Element::I32, places)), axis);
  }
  if (size == Dim(0) || shift.mod(size) == Dim(0))
    return x;
  std::vector<TensorValue> parts;
  std::vector<int64_t> steps(x.rank(), 1);
  Shape starts(x.rank(), 0), lengths = x.shape;
  starts[axis] = size - shift.mod(size);
  lengths[axis] = shift.mod(size);
  parts.push_back(emit.slice(x, starts, lengths, steps));
  lengths[axis] = starts[axis];
  starts[axis] = 0;
  parts.push_back(emit.slice(x, starts, lengths, steps));
  return emit.concat(parts, axis, size);
}

std::optional<Value> roll(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x");
  if (!x)
    return std::nullopt;
  std::optional<size_t> axis = call.axis("axis", x->rank());
  std::optional<Dim> shift = call.dim("shift");
  if (!axis || !shift)
    return std::nullopt;
  return Value::tensor(rollAxis(call.emit, *x, *axis, *shift));
}

std::optional<Value> gather(PrimitiveCall &call) {
  std::optional<TensorValue> table = call.tensor("x");
  std::optional<TensorValue> ids = call.tensor("ids", Elements::Indices);
  if (!table || !ids)
    return std::nullopt;
  std::optional<size_t> axis = call.axis("axis", table->rank());
  if (!axis || !requireElementsAlong(call.context, call.callee, *table, *axis))
    return std::nullopt;
  return Value::tensor(call.emit.gather(*table, *ids, *axis));
}

constexpr PrimitiveRow rows[] = {
    {"reshape", "x shape", reshape},    {"broadcast", "x shape", broadcast},
    {"concat", "tensors axis", concat}, {"stack", "tensors axis", stack},
    {"split", "x parts axis", split},   {"roll", "x shift axis", roll},
    {"flip", "x axis?", flip},          {"gather", "x ids axis", gather},
};

} // namespace

std::span<const PrimitiveRow> shapePrimitives() { return rows; }

} // namespace nnc::frontend
