// `adaptive_avg_pool` and `adaptive_max_pool`: a number of parts of each axis whatever its size, as
// torch.nn.functional has them. Part p of P of n elements is floor(p * n / P) to ceil((p + 1) * n /
// P); where P divides n these are equal parts, else neighbours may share an element.
#include "frontend/PrimitivesWindow.h"

#include "ir/NNOps.h"

#include <cmath>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

/// An axis as [parts, elements of a part].
TensorValue splitEvenly(Emitter &emit, const TensorValue &x, size_t axis, int64_t parts,
                        const Dim &length) {
  Shape shape = x.shape;
  shape[axis] = parts;
  shape.insert(shape.begin() + axis + 1, length);
  return emit.reshape(x, shape);
}

/// The parts of one axis where they are not equal: which elements [parts, most elements] they may
/// have, which of these they do have, and how many that is.
class UnevenParts {
public:
  UnevenParts(Emitter &emit, const Dim &size, int64_t many)
      : emit(emit), parts{many}, table{many, longest(size, many)} {
    TensorValue part = emit.iota(Element::I32, parts, 0);
    TensorValue begin = emit.binary("floordiv", scaled(part, size), number(many));
    TensorValue next = scaled(emit.binary("add", part, number(1)), size);
    next = emit.binary("add", next, number(many - 1));
    TensorValue end = emit.binary("floordiv", next, number(many));
    count = emit.binary("sub", end, begin);
    places = emit.binary("add", spread(begin), emit.iota(Element::I32, table, 1));
    inside = emit.compare(nn::CmpPredicate::Lt, places, spread(end));
  }

  /// What is not inside becomes `otherwise`. Places behind the axis are not inside.
  TensorValue gather(const TensorValue &x, size_t axis, double otherwise) const {
    TensorValue all = emit.gather(x, places, axis);
    size_t axes[] = {axis, axis + 1};
    TensorValue mask = emit.broadcast(inside, all.shape, axes);
    return emit.select(mask, all, emit.full(otherwise, all.element, all.shape));
  }

  /// f32 sums along an axis of parts by the number of elements of each.
  TensorValue divide(const TensorValue &sums, size_t axis) const {
    TensorValue by = emit.cast(count, Element::F32);
    return emit.binary("div", sums, emit.broadcast(by, sums.shape, std::span(&axis, 1)));
  }

private:
  static Dim longest(const Dim &size, int64_t parts) {
    return size.floorDiv(parts) + (size.mod(parts) == Dim(1) ? 1 : 2);
  }
  TensorValue number(const Dim &value) const { return emit.size(value, Element::I32, parts); }
  TensorValue scaled(const TensorValue &x, const Dim &by) const {
    return emit.binary("mul", x, number(by));
  }
  TensorValue spread(const TensorValue &x) const {
    size_t axis = 0;
    return emit.broadcast(x, table, std::span(&axis, 1));
  }

  Emitter &emit;
  Shape parts, table;
  TensorValue count, places, inside;
};

TensorValue poolUnevenly(Emitter &emit, const TensorValue &x, size_t axis, int64_t parts,
                         bool isMax) {
  UnevenParts uneven(emit, x.shape[axis], parts);
  size_t within = axis + 1;
  if (isMax)
    return emit.reduce(nn::ReduceKind::Max, uneven.gather(x, axis, -INFINITY),
                       std::span(&within, 1));
  TensorValue sums =
      emit.reduce(nn::ReduceKind::Sum, uneven.gather(x, axis, 0), std::span(&within, 1));
  return uneven.divide(sums, axis);
}

std::optional<Value> pool(PrimitiveCall &call) {
  std::optional<TensorValue> x = getImage(call);
  if (!x)
    return std::nullopt;
  size_t axes = x->rank() - 2;
  std::optional<std::vector<int64_t>> parts = call.extents("size", axes, 1);
  if (!parts)
    return std::nullopt;
  bool isMax = call.name == "adaptive_max_pool";
  Emitter &emit = call.emit;
  TensorValue result = emit.cast(*x, Element::F32);
  std::vector<size_t> within;
  // From the last axis, so that those in front keep their places.
  for (size_t i = axes; i-- > 0;) {
    size_t axis = 2 + i;
    if (!requireAtLeast(call.context, call.callee, fmt::format("the size of axis {}", axis),
                        x->shape[axis], 1))
      return std::nullopt;
    for (size_t &other : within)
      ++other;
    if (std::optional<Dim> length = x->shape[axis].exactDiv((*parts)[i])) {
      result = splitEvenly(emit, result, axis, (*parts)[i], *length);
      within.insert(within.begin(), axis + 1);
    } else {
      result = poolUnevenly(emit, result, axis, (*parts)[i], isMax);
      for (size_t &other : within)
        --other;
    }
  }
  if (!within.empty())
    result = emit.reduce(isMax ? nn::ReduceKind::Max : nn::ReduceKind::Mean, result, within);
  return Value::tensor(emit.cast(result, x->element));
}

constexpr PrimitiveRow rows[] = {{"adaptive_avg_pool", "x size", pool},
                                 {"adaptive_max_pool", "x size", pool}};

} // namespace

std::span<const PrimitiveRow> adaptivePrimitives() { return rows; }

} // namespace nnc::frontend
