// `upsample`: images and signals of another size, with the arithmetic of
// torch.nn.functional.interpolate.
#include "frontend/PrimitivesWindow.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

struct Resize {
  TensorValue x;
  size_t axes;
  Shape sizes; ///< wanted, one per axis
  bool isLinear, alignsCorners;
};

//===- Arguments -----------------------------------------------------------------------------===//

std::optional<Shape> getSizes(PrimitiveCall &call, const TensorValue &x) {
  size_t axes = x.rank() - 2;
  if (call.has("scale") == call.has("size")) {
    call.error("E0205", call.callee, fmt::format("{} needs `scale` or `size`", call.quotedName()))
        .primaryLabel(call.has("scale") ? "has both" : "has neither");
    return std::nullopt;
  }
  Shape sizes;
  if (call.has("scale")) {
    std::optional<std::vector<int64_t>> scale = call.extents("scale", axes, 1);
    for (size_t i = 0; scale && i < axes; ++i)
      sizes.push_back(x.shape[2 + i] * (*scale)[i]);
  } else if (const Operand &size = call.operand("size"); !size.value.isSequence()) {
    if (std::optional<Dim> all = call.dim("size"))
      sizes.assign(axes, *all);
  } else if (std::optional<Shape> shape = call.shape("size")) {
    if (shape->size() != axes)
      return call.wrongKind(size, axes == 1 ? "an int" : "an int or a pair of ints");
    sizes = *shape;
  }
  if (sizes.empty())
    return std::nullopt;
  for (size_t i = 0; i < axes; ++i) {
    std::string what =
        fmt::format("the {} of the result of {}", sideName(axes, i), call.quotedName());
    if (!requireAtLeast(call.context, call.callee, what, sizes[i], 1))
      return std::nullopt;
  }
  return sizes;
}

/// Whether the elements are interpolated; nothing after an error.
std::optional<bool> getMode(PrimitiveCall &call, size_t axes) {
  if (!call.has("mode"))
    return false;
  const Operand &given = call.operand("mode");
  const StringValue *mode = given.value.as<StringValue>();
  std::string_view linear = axes == 1 ? "linear" : "bilinear";
  if (mode && (mode->text == "nearest" || mode->text == linear))
    return mode->text == linear;
  if (!mode)
    return call.wrongKind(given, "a string");
  call.error("E0507", given.span,
             fmt::format("the mode of {} is \"{}\", but must be \"nearest\" or \"{}\"",
                         call.quotedName(), mode->text, linear));
  return std::nullopt;
}

//===- Nearest -------------------------------------------------------------------------------===//

/// Every element `scale` times.
TensorValue repeatElements(Emitter &emit, const TensorValue &x, size_t axis, int64_t scale) {
  Shape repeated = x.shape, result = x.shape;
  repeated.insert(repeated.begin() + axis + 1, scale);
  result[axis] = result[axis] * scale;
  std::vector<size_t> axes;
  for (size_t i = 0; i < x.rank(); ++i)
    axes.push_back(i > axis ? i + 1 : i);
  return emit.reshape(emit.broadcast(x, repeated, axes), result);
}

TensorValue number(Emitter &emit, const Dim &value, const Shape &shape) {
  return emit.size(value, Element::F32, shape);
}

/// `floor(place * (size / wanted))`.
TensorValue nearestPlaces(Emitter &emit, const Dim &size, const Dim &wanted) {
  Shape shape = {wanted};
  TensorValue scale = emit.binary("div", number(emit, size, shape), number(emit, wanted, shape));
  TensorValue place = emit.cast(emit.iota(Element::I32, shape, 0), Element::F32);
  TensorValue source =
      emit.cast(emit.unary("floor", emit.binary("mul", place, scale)), Element::I32);
  return emit.binary("min", source, emit.size(size - 1, Element::I32, shape));
}

TensorValue nearest(Emitter &emit, const Resize &it) {
  TensorValue result = it.x;
  for (size_t i = 0; i < it.axes; ++i) {
    const Dim size = it.x.shape[2 + i], &wanted = it.sizes[i];
    std::optional<Dim> ratio = wanted.exactDiv(size);
    if (std::optional<int64_t> scale = ratio ? ratio->getConstant() : std::nullopt)
      result = repeatElements(emit, result, 2 + i, *scale);
    else
      result = emit.gather(result, nearestPlaces(emit, size, wanted), 2 + i);
  }
  return result;
}

//===- Linear --------------------------------------------------------------------------------===//

/// The two neighbours of every place along one axis, and how much of the second is taken.
struct Neighbours {
  TensorValue first, second; ///< i32
  TensorValue weight;        ///< f32
};

/// Where every place lies among the elements, as f32.
TensorValue sourcePlaces(Emitter &emit, const Dim &size, const Dim &wanted, bool alignsCorners) {
  Shape shape = {wanted};
  TensorValue place = emit.cast(emit.iota(Element::I32, shape, 0), Element::F32);
  if (alignsCorners) {
    // Of one place, the first element; the divisor must not be 0 then.
    TensorValue steps = emit.binary("max", number(emit, wanted - 1, shape), number(emit, 1, shape));
    TensorValue scale = emit.binary("div", number(emit, size - 1, shape), steps);
    return emit.binary("mul", place, scale);
  }
  TensorValue half = emit.full(0.5, Element::F32, shape);
  TensorValue scale = emit.binary("div", number(emit, size, shape), number(emit, wanted, shape));
  TensorValue source = emit.binary("mul", emit.binary("add", place, half), scale);
  source = emit.binary("sub", source, half);
  return emit.binary("max", source, emit.full(0, Element::F32, shape));
}

Neighbours neighbours(Emitter &emit, const Dim &size, const Dim &wanted, bool alignsCorners) {
  Shape shape = {wanted};
  TensorValue source = sourcePlaces(emit, size, wanted, alignsCorners);
  TensorValue last = emit.size(size - 1, Element::I32, shape);
  TensorValue first = emit.binary("min", emit.cast(source, Element::I32), last);
  TensorValue one = emit.fullInt(1, Element::I32, shape);
  TensorValue second = emit.binary("min", emit.binary("add", first, one), last);
  return {first, second, emit.binary("sub", source, emit.cast(first, Element::F32))};
}

/// `a + weight * (b - a)`, in the form that is exact at both ends: `(1 - weight) * a + weight * b`.
TensorValue blend(Emitter &emit, const TensorValue &a, const TensorValue &b,
                  const TensorValue &weight, size_t axis) {
  TensorValue rest = emit.binary("sub", emit.full(1, Element::F32, weight.shape), weight);
  TensorValue left = emit.binary("mul", emit.broadcast(rest, a.shape, std::span(&axis, 1)), a);
  TensorValue right = emit.binary("mul", emit.broadcast(weight, a.shape, std::span(&axis, 1)), b);
  return emit.binary("add", left, right);
}

/// Rows are gathered by their number, and all of an image at once: row * width + column.
TensorValue bilinear(Emitter &emit, const TensorValue &x, const Neighbours &rows,
                     const Neighbours &columns) {
  const Dim &height = x.shape[2], &width = x.shape[3];
  TensorValue flat = emit.reshape(x, {x.shape[0], x.shape[1], height * width});
  Shape places = {rows.first.shape[0], columns.first.shape[0]};
  size_t zero = 0, one = 1;
  auto take = [&](const TensorValue &row, const TensorValue &column) {
    TensorValue begin = emit.binary("mul", emit.broadcast(row, places, std::span(&zero, 1)),
                                    emit.size(width, Element::I32, places));
    TensorValue at = emit.binary("add", begin, emit.broadcast(column, places, std::span(&one, 1)));
    return emit.gather(flat, at, 2);
  };
  auto takeRow = [&](const TensorValue &row) {
    return blend(emit, take(row, columns.first), take(row, columns.second), columns.weight, 3);
  };
  return blend(emit, takeRow(rows.first), takeRow(rows.second), rows.weight, 2);
}

TensorValue linear(Emitter &emit, const Resize &it) {
  TensorValue x = emit.cast(it.x, Element::F32), result;
  auto along = [&](size_t i) {
    return neighbours(emit, it.x.shape[2 + i], it.sizes[i], it.alignsCorners);
  };
  if (it.axes == 2) {
    result = bilinear(emit, x, along(0), along(1));
  } else {
    Neighbours places = along(0);
    result = blend(emit, emit.gather(x, places.first, 2), emit.gather(x, places.second, 2),
                   places.weight, 2);
  }
  return emit.cast(result, it.x.element);
}

std::optional<Value> upsample(PrimitiveCall &call) {
  std::optional<TensorValue> x = getImage(call);
  std::optional<Shape> sizes = x ? getSizes(call, *x) : std::nullopt;
  std::optional<bool> isLinear = sizes ? getMode(call, x->rank() - 2) : std::nullopt;
  if (!isLinear)
    return std::nullopt;
  std::optional<bool> aligns = call.booleanOr("align_corners", false);
  if (!aligns)
    return std::nullopt;
  if (*aligns && !*isLinear) {
    call.error("E0507", call.operand("align_corners").span,
               fmt::format("`align_corners` of {} is for interpolation only", call.quotedName()))
        .primaryLabel("the mode is \"nearest\"");
    return std::nullopt;
  }
  Resize resize{*x, x->rank() - 2, *sizes, *isLinear, *aligns};
  return Value::tensor(*isLinear ? linear(call.emit, resize) : nearest(call.emit, resize));
}

constexpr PrimitiveRow rows[] = {
    {"upsample", "x scale? mode? align_corners? size?", upsample},
};

} // namespace

std::span<const PrimitiveRow> resizePrimitives() { return rows; }

} // namespace nnc::frontend
