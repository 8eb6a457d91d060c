// What depends on the order of elements along an axis: running sums, the greatest elements, and
// elements put at given places, where the last one wins. All are made of comparisons of positions
// and of reductions, so that results do not depend on which thread comes first.
#include "frontend/PrimitivesCall.h"

#include "ir/NNOps.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

using nn::CmpPredicate;
using nn::ReduceKind;

Dim productOf(std::span<const Dim> sizes) {
  Dim result = 1;
  for (const Dim &size : sizes)
    result *= size;
  return result;
}

TensorValue zeros(Emitter &emit, Element element, const Shape &shape) {
  return isFloating(element) ? emit.full(0, element, shape) : emit.fullInt(0, element, shape);
}

/// [before the axis, the axis, behind it].
TensorValue aroundAxis(Emitter &emit, const TensorValue &x, size_t axis) {
  std::span<const Dim> sizes = x.shape;
  return emit.reshape(
      x, {productOf(sizes.first(axis)), sizes[axis], productOf(sizes.subspan(axis + 1))});
}

//===- cumsum --------------------------------------------------------------------------------===//

/// In blocks of this many elements, every sum is formed anew; the sums of blocks are carried.
constexpr int64_t sumBlock = 32;
/// Levels of blocks: more elements than 32**4 are not expected.
constexpr int mostLevels = 4;

/// Running sums along axis 1 of [before, n, behind] by n * n additions.
TensorValue sumDirectly(Emitter &emit, const TensorValue &x) {
  Shape pairs = {x.shape[0], x.shape[1], x.shape[1], x.shape[2]};
  size_t axes[] = {0, 2, 3}, summed = 2;
  TensorValue counts = emit.compare(CmpPredicate::Le, emit.iota(Element::I32, pairs, 2),
                                    emit.iota(Element::I32, pairs, 1));
  TensorValue terms =
      emit.select(counts, emit.broadcast(x, pairs, axes), zeros(emit, x.element, pairs));
  return emit.reduce(ReduceKind::Sum, terms, std::span(&summed, 1));
}

TensorValue sumBefore(Emitter &emit, const TensorValue &x, const DimFacts &facts, int level) {
  const Dim &size = x.shape[1];
  if (level == mostLevels || size.bounds(facts).high <= sumBlock)
    return sumDirectly(emit, x);
  const int64_t steps[] = {1, 1, 1}, none[] = {0, 0, 0}, block[] = {0, sumBlock - 1, 0},
                one[] = {0, 1, 0};
  Dim blocks = size.ceilDiv(sumBlock);
  TensorValue padded = emit.slice(emit.pad(x, none, block, 0), {0, 0, 0},
                                  {x.shape[0], blocks * sumBlock, x.shape[2]}, steps);
  TensorValue inside =
      sumDirectly(emit, emit.reshape(padded, {x.shape[0] * blocks, sumBlock, x.shape[2]}));
  Shape totalShape = {x.shape[0], blocks, x.shape[2]};
  TensorValue totals = emit.reshape(
      emit.slice(inside, {0, sumBlock - 1, 0}, {x.shape[0] * blocks, 1, x.shape[2]}, steps),
      totalShape);
  TensorValue carried = sumBefore(emit, totals, facts, level + 1);
  carried = emit.slice(emit.pad(carried, one, none, 0), {0, 0, 0}, totalShape, steps);
  Shape blocked = {x.shape[0], blocks, sumBlock, x.shape[2]};
  size_t axes[] = {0, 1, 3};
  TensorValue sums =
      emit.binary("add", emit.reshape(inside, blocked), emit.broadcast(carried, blocked, axes));
  return emit.slice(emit.reshape(sums, {x.shape[0], blocks * sumBlock, x.shape[2]}), {0, 0, 0},
                    x.shape, steps);
}

std::optional<Value> cumsum(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x", Elements::Numbers);
  std::optional<size_t> axis = x ? call.axis("axis", x->rank()) : std::nullopt;
  if (!axis)
    return std::nullopt;
  Emitter &emit = call.emit;
  bool isNarrow = isFloating(x->element) && !call.context.elementType(x->element).isF32();
  TensorValue wide = isNarrow ? emit.cast(*x, Element::F32) : *x;
  TensorValue sums = sumBefore(emit, aroundAxis(emit, wide, *axis), call.context.facts, 0);
  return Value::tensor(emit.cast(emit.reshape(sums, x->shape), x->element));
}

//===- topk ----------------------------------------------------------------------------------===//

/// Values and places, along axis 1 of [before, k, behind].
struct Greatest {
  TensorValue values, places;
};

/// Less than every number, or as little as any.
TensorValue lowest(Emitter &emit, Element element, const Shape &shape) {
  if (isFloating(element))
    return emit.full(-std::numeric_limits<double>::infinity(), element, shape);
  int64_t least = element == Element::I64  ? -INT64_MAX - 1
                  : element == Element::I8 ? INT8_MIN
                                           : INT32_MIN;
  return emit.fullInt(least, element, shape);
}

/// The number of elements that come before each one: the greater ones, NaN being the greatest of
/// all, and of equal ones those in front.
TensorValue rankAll(Emitter &emit, const TensorValue &x) {
  Shape pairs = {x.shape[0], x.shape[1], x.shape[1], x.shape[2]};
  const size_t own[] = {0, 1, 3}, others[] = {0, 2, 3};
  size_t last = 2;
  TensorValue each = emit.broadcast(x, pairs, own), other = emit.broadcast(x, pairs, others);
  TensorValue greater = emit.compare(CmpPredicate::Gt, other, each);
  TensorValue equal = emit.compare(CmpPredicate::Eq, other, each);
  if (isFloating(x.element)) {
    TensorValue isNan = emit.compare(CmpPredicate::Ne, each, each);
    TensorValue otherIsNan = emit.compare(CmpPredicate::Ne, other, other);
    TensorValue above = emit.binary("and", otherIsNan, emit.unary("not", isNan));
    greater = emit.binary("or", greater, above);
    equal = emit.binary("or", equal, emit.binary("and", otherIsNan, isNan));
  }
  TensorValue earlier = emit.compare(CmpPredicate::Lt, emit.iota(Element::I32, pairs, 2),
                                     emit.iota(Element::I32, pairs, 1));
  TensorValue before = emit.binary("or", greater, emit.binary("and", equal, earlier));
  return emit.reduce(ReduceKind::Sum, emit.cast(before, Element::I32), std::span(&last, 1));
}

/// The greatest of all elements in order; `x.places` says where they come from.
Greatest rankGreatest(Emitter &emit, const Greatest &x, const Dim &count) {
  const Shape &shape = x.values.shape;
  Shape wanted = {shape[0], count, shape[1], shape[2]};
  const size_t axes[] = {0, 2, 3};
  size_t last = 2;
  auto spread = [&](const TensorValue &t) { return emit.broadcast(t, wanted, axes); };
  TensorValue hit = emit.compare(CmpPredicate::Eq, spread(rankAll(emit, x.values)),
                                 emit.iota(Element::I32, wanted, 1));
  TensorValue values = emit.select(hit, spread(x.values), lowest(emit, x.values.element, wanted));
  TensorValue places =
      emit.select(hit, spread(x.places), emit.fullInt(INT32_MAX, Element::I32, wanted));
  return {emit.reduce(ReduceKind::Max, values, std::span(&last, 1)),
          emit.reduce(ReduceKind::Min, places, std::span(&last, 1))};
}

/// Filled up to whole blocks by elements that come last, and cut into them.
TensorValue cutIntoBlocks(Emitter &emit, const TensorValue &x, const Dim &blocks, int64_t block,
                          const TensorValue &filling) {
  const int64_t steps[] = {1, 1, 1};
  Dim size = x.shape[1] + block - 1;
  const TensorValue parts[] = {x, filling};
  TensorValue whole = emit.slice(emit.concat(parts, 1, size), {0, 0, 0},
                                 {x.shape[0], blocks * block, x.shape[2]}, steps);
  return emit.reshape(whole, {x.shape[0] * blocks, block, x.shape[2]});
}

/// Of many elements, first the greatest of every block. Equal ones keep their order, so that the
/// first ones win in the end too.
Greatest findGreatest(Emitter &emit, Greatest x, int64_t count, const DimFacts &facts) {
  int64_t block = std::max<int64_t>(128, 4 * count);
  for (int level = 0; level < mostLevels; ++level) {
    const Shape shape = x.values.shape;
    if (shape[1].bounds(facts).high <= 2 * block)
      break;
    Dim blocks = shape[1].ceilDiv(block);
    Shape border = {shape[0], block - 1, shape[2]}, kept = {shape[0], blocks * count, shape[2]};
    Greatest cut = {
        cutIntoBlocks(emit, x.values, blocks, block, lowest(emit, x.values.element, border)),
        cutIntoBlocks(emit, x.places, blocks, block,
                      emit.fullInt(INT32_MAX, Element::I32, border))};
    cut = rankGreatest(emit, cut, count);
    x = {emit.reshape(cut.values, kept), emit.reshape(cut.places, kept)};
  }
  return rankGreatest(emit, x, count);
}

/// 0 <= k <= n, for all sizes.
bool checkCount(PrimitiveCall &call, const Dim &count, const Dim &size, size_t axis) {
  syntax::Span at = call.operand("k").span;
  std::string what =
      fmt::format("axis {} of {}", axis, describeOperand(call.context, call.operand("x")));
  return requireNonNegative(call.context, at, "`k` of `topk`", count) &&
         requireAtLeast(call.context, at, what, size, count);
}

std::optional<Value> topk(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x", Elements::Numbers);
  std::optional<Dim> count = x ? call.dim("k") : std::nullopt;
  if (!count)
    return std::nullopt;
  if (x->rank() == 0) {
    call.error("E0306", call.callee, "`topk` needs at least 1 axis, this value has none");
    return std::nullopt;
  }
  std::optional<size_t> axis = x->rank() - 1;
  if (call.has("axis"))
    axis = call.axis("axis", x->rank());
  if (!axis || !checkCount(call, *count, x->shape[*axis], *axis))
    return std::nullopt;
  Shape shape = x->shape;
  shape[*axis] = *count;
  TensorValue rows = aroundAxis(call.emit, *x, *axis);
  Greatest all = {rows, call.emit.iota(Element::I32, rows.shape, 1)};
  std::optional<int64_t> known = count->getConstant();
  bool cuts = known && *known >= 1 && *known <= INT16_MAX;
  Greatest found = cuts ? findGreatest(call.emit, all, *known, call.context.facts)
                        : rankGreatest(call.emit, all, *count);
  return Value::tuple({Value::tensor(call.emit.reshape(found.values, shape)),
                       Value::tensor(call.emit.reshape(found.places, shape))});
}

//===- scatter -------------------------------------------------------------------------------===//

/// The shape that `gather` would give.
Shape gatheredShape(const TensorValue &x, const TensorValue &ids, size_t axis) {
  Shape shape = x.shape;
  shape.erase(shape.begin() + axis);
  shape.insert(shape.begin() + axis, ids.shape.begin(), ids.shape.end());
  return shape;
}

/// Of `values`: the axes of `x`, with those of `ids` in place of one.
bool checkValues(PrimitiveCall &call, const Shape &expected, size_t axis) {
  const Operand &values = call.operand("values"), &ids = call.operand("ids");
  size_t idAxes = ids.value.get<TensorValue>().rank();
  if (!requireRank(call.context, values.span, "`values` of `scatter`", values, expected.size(),
                   formatShape(expected)))
    return false;
  SizeCheck check(call.context, values.span, "`values` of `scatter`");
  for (size_t i = 0; i < expected.size(); ++i) {
    bool isId = i >= axis && i < axis + idAxes;
    size_t from = isId ? i - axis : i < axis ? i : i + 1 - idAxes;
    check.expectEqual(values, i, isId ? ids : call.operand("x"), from);
  }
  return check.finish();
}

/// [size of the axis, number of ids]: whether an id is the place.
TensorValue isPlaceOf(Emitter &emit, const TensorValue &ids, const Dim &size) {
  Shape pairs = {size, ids.shape[0]};
  size_t columns = 1;
  return emit.compare(CmpPredicate::Eq, emit.broadcast(ids, pairs, std::span(&columns, 1)),
                      emit.iota(ids.element, pairs, 0));
}

/// For every place the number of the last id that names it, -1 for none.
TensorValue lastHit(Emitter &emit, const TensorValue &ids, const Dim &size) {
  Shape pairs = {size, ids.shape[0]};
  size_t columns = 1;
  TensorValue number = emit.select(isPlaceOf(emit, ids, size), emit.iota(Element::I32, pairs, 1),
                                   emit.fullInt(-1, Element::I32, pairs));
  return emit.reduce(ReduceKind::Max, number, std::span(&columns, 1));
}

TensorValue scatterLast(Emitter &emit, const TensorValue &x, const TensorValue &ids,
                        const TensorValue &values) {
  size_t axis = 1;
  TensorValue last = lastHit(emit, ids, x.shape[1]);
  TensorValue isHit =
      emit.compare(CmpPredicate::Ge, last, emit.fullInt(0, Element::I32, last.shape));
  TensorValue taken = emit.gather(values, last, axis);
  return emit.select(emit.broadcast(isHit, x.shape, std::span(&axis, 1)), taken, x);
}

/// Adds in the order of the ids.
TensorValue scatterAdd(Emitter &emit, const TensorValue &x, const TensorValue &ids,
                       const TensorValue &values) {
  Shape pairs = {x.shape[0], x.shape[1], ids.shape[0], x.shape[2]};
  const size_t hitAxes[] = {1, 2}, valueAxes[] = {0, 2, 3};
  size_t summed = 2;
  TensorValue isHit = emit.broadcast(isPlaceOf(emit, ids, x.shape[1]), pairs, hitAxes);
  TensorValue terms =
      emit.select(isHit, emit.broadcast(values, pairs, valueAxes), zeros(emit, x.element, pairs));
  return emit.binary("add", x, emit.reduce(ReduceKind::Sum, terms, std::span(&summed, 1)));
}

std::optional<Value> scatter(PrimitiveCall &call) {
  std::optional<bool> add = call.booleanOr("add", false);
  if (!add)
    return std::nullopt;
  std::optional<TensorValue> x = call.tensor("x", *add ? Elements::Numbers : Elements::Any);
  std::optional<TensorValue> ids = x ? call.tensor("ids", Elements::Indices) : std::nullopt;
  std::optional<size_t> axis = ids ? call.axis("axis", x->rank()) : std::nullopt;
  std::optional<TensorValue> values = axis ? call.tensor("values") : std::nullopt;
  if (!values)
    return std::nullopt;
  Operand both[] = {call.operand("x"), call.operand("values")};
  if (!commonElement(call.context, call.callee, call.quotedName(), both) ||
      !checkValues(call, gatheredShape(*x, *ids, *axis), *axis))
    return std::nullopt;
  Emitter &emit = call.emit;
  TensorValue rows = aroundAxis(emit, *x, *axis);
  TensorValue list = emit.reshape(*ids, {productOf(ids->shape)});
  TensorValue parts = emit.reshape(*values, {rows.shape[0], list.shape[0], rows.shape[2]});
  TensorValue result =
      *add ? scatterAdd(emit, rows, list, parts) : scatterLast(emit, rows, list, parts);
  return Value::tensor(emit.reshape(result, x->shape));
}

constexpr PrimitiveRow rows[] = {
    {"cumsum", "x axis", cumsum},
    {"topk", "x k axis?", topk},
    {"scatter", "x ids values axis add?", scatter},
};

} // namespace

std::span<const PrimitiveRow> orderPrimitives() { return rows; }

} // namespace nnc::frontend
