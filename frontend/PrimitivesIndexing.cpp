// `x[i, a:b:c, ..., none, ids]`: one slice, at most one gather, and a reshape that drops and adds
// axes. Every index is proved to be inside its axis: nothing is clamped and nothing wraps.
#include "frontend/PrimitivesEmit.h"
#include "frontend/PrimitivesErrors.h"

#include <fmt/format.h>

namespace nnc::frontend {
namespace {

using Kind = IndexItem::Kind;

class Indexer {
public:
  Indexer(Context &context, const Operand &base, std::span<const IndexItem> items,
          syntax::Span whole)
      : context(context), x(base.value.get<TensorValue>()), items(items), whole(whole) {}

  std::optional<Value> run() {
    if (!checkCount())
      return std::nullopt;
    for (const IndexItem &item : items)
      if (!apply(item))
        return std::nullopt;
    keepAxes(x.rank() - axis());
    return Value::tensor(emit());
  }

private:
  /// The axis of x that the next item is about.
  size_t axis() const { return starts.size(); }

  bool checkCount() {
    size_t ellipses = 0;
    for (const IndexItem &item : items) {
      ellipses += item.kind == Kind::Ellipsis;
      used += item.kind == Kind::Value || item.kind == Kind::Slice;
    }
    if (ellipses > 1) {
      context.error("E0307", whole, "`...` stands twice in this index");
      return false;
    }
    if (used <= x.rank())
      return true;
    context
        .error("E0306", whole,
               fmt::format("{} indices for {} {}", used, x.rank(), x.rank() == 1 ? "axis" : "axes"))
        .primaryLabel("the tensor is " + formatTensorType(x));
    return false;
  }

  bool apply(const IndexItem &item) {
    switch (item.kind) {
    case Kind::None:
      shape.push_back(1);
      return true;
    case Kind::Ellipsis:
      keepAxes(x.rank() - used);
      return true;
    case Kind::Slice:
      return applySlice(item);
    case Kind::Value:
      return item.value.value.isTensor() ? applyGather(item) : applyIndex(item);
    }
    return false;
  }

  void addAxis(Dim start, Dim length, int64_t step) {
    starts.push_back(std::move(start));
    lengths.push_back(std::move(length));
    steps.push_back(step);
  }

  void keepAxes(size_t count) {
    for (; count > 0; --count) {
      shape.push_back(x.shape[axis()]);
      addAxis(0, shape.back(), 1);
    }
  }

  //===- Proofs ------------------------------------------------------------------------------===//

  /// True if `room` is at least 0; reports E0307 if it never is, else E0304. `what` is inside the
  /// axis then ("index 3").
  bool requireRoom(const Dim &room, syntax::Span at, const std::string &what) {
    if (provablyNonNegative(room, context.facts))
      return true;
    std::string size = fmt::format("axis {} has {}", axis(), x.shape[axis()].str());
    if (!room.isValid() || room.bounds(context.facts).high < 0) {
      context.error("E0307", at, fmt::format("{} is outside axis {}", what, axis()))
          .primaryLabel(std::move(size));
      return false;
    }
    syntax::Diagnostic &diag = context.error(
        "E0304", at, fmt::format("cannot prove that {} is inside axis {}", what, axis()));
    diag.primaryLabel(std::move(size));
    if (std::optional<DimSizes> sizes = findNegative(room, context.facts))
      diag.note("it is outside when " + formatSizes(*sizes));
    addGuardFix(context, diag, {formatNonNegative(room)});
    return false;
  }

  /// True if a slice does not end before it starts.
  bool requireOrder(const Dim &length, syntax::Span at, const std::string &what) {
    if (length.bounds(context.facts).high >= 0)
      return requireNonNegative(context, at, "the length of " + what, length);
    context.error("E0307", at, what + " ends before it starts");
    return false;
  }

  /// A bound counted from the start; negative ones count from the end.
  std::optional<Dim> fromStart(const Operand &operand) {
    if (!operand.value.isInt()) {
      context.error("E0403", operand.span,
                    fmt::format("an index is an int or a tensor of ints, found {}",
                                describeKind(operand.value)));
      return std::nullopt;
    }
    const Dim &bound = operand.value.get<Dim>();
    DimInterval range = bound.bounds(context.facts);
    if (range.low >= 0 || provablyNonNegative(bound, context.facts))
      return bound;
    if (range.high < 0)
      return x.shape[axis()] + bound;
    syntax::Diagnostic &diag = context.error(
        "E0304", operand.span,
        fmt::format("cannot tell whether {} counts from the start or from the end", bound.str()));
    if (std::optional<DimSizes> sizes = findNegative(bound, context.facts))
      diag.primaryLabel(fmt::format("negative when {}", formatSizes(*sizes)));
    addGuardFix(context, diag, {formatNonNegative(bound)});
    return std::nullopt;
  }

  //===- Items -------------------------------------------------------------------------------===//

  bool applyIndex(const IndexItem &item) {
    std::optional<Dim> index = fromStart(item.value);
    if (!index)
      return false;
    std::string what = "index " + formatValue(item.value.value);
    if (!requireRoom(*index, item.span, what) ||
        !requireRoom(x.shape[axis()] - 1 - *index, item.span, what))
      return false;
    addAxis(*index, 1, 1);
    return true;
  }

  bool applyGather(const IndexItem &item) {
    if (!requireElements(context, Elements::Indices, "an index", item.value, item.span))
      return false;
    if (ids) {
      context.error("E0307", item.span, "at most one tensor can be an index")
          .label(ids->span, "the first one");
      return false;
    }
    ids = item.value;
    gatherAxis = axis();
    const Shape &idShape = ids->value.get<TensorValue>().shape;
    shape.insert(shape.end(), idShape.begin(), idShape.end());
    addAxis(0, x.shape[axis()], 1);
    return true;
  }

  std::optional<int64_t> stepOf(const IndexItem &item) {
    if (!item.step)
      return 1;
    std::optional<int64_t> step = item.step->value.asInt();
    if (step && *step >= 1)
      return step;
    context
        .error("E0307", item.step->span,
               step ? fmt::format("the step of a slice is {}, but must be at least 1", *step)
                    : "the step of a slice must be an int that is known when compiling")
        .help("to reverse an axis, use `flip`");
    return std::nullopt;
  }

  /// Reports slices whose ends are tensors. True if this one has none.
  bool checkBuildTime(const IndexItem &item) {
    bool start = item.start && item.start->value.isTensor();
    bool stop = item.stop && item.stop->value.isTensor();
    if (!start && !stop)
      return true;
    const Operand &bound = start ? *item.start : *item.stop;
    if (start && stop) {
      context.error("E0590", item.span, "a slice at a run-time position is not supported yet")
          .primaryLabel(describeOperand(context, bound) + " is known only at run time");
      return false;
    }
    context.error("E0305", item.span, "the length of this slice is known only at run time")
        .primaryLabel(describeOperand(context, bound) + " is a tensor")
        .help("a length is made of build-time ints and dimensions");
    return false;
  }

  bool applySlice(const IndexItem &item) {
    std::optional<int64_t> step = stepOf(item);
    if (!step || !checkBuildTime(item))
      return false;
    const Dim &size = x.shape[axis()];
    std::optional<Dim> start = item.start ? fromStart(*item.start) : Dim(0);
    std::optional<Dim> stop = item.stop ? fromStart(*item.stop) : size;
    if (!start || !stop)
      return false;
    std::string what = fmt::format("slice {}:{}", item.start ? formatValue(item.start->value) : "",
                                   item.stop ? formatValue(item.stop->value) : "");
    if (!requireRoom(*start, item.span, what) || !requireRoom(size - *stop, item.span, what) ||
        !requireOrder(*stop - *start, item.span, what))
      return false;
    shape.push_back((*stop - *start).ceilDiv(*step));
    addAxis(*start, shape.back(), *step);
    return true;
  }

  TensorValue emit() {
    Emitter emitter(context, whole);
    TensorValue result = emitter.slice(x, starts, lengths, steps);
    if (ids)
      result = emitter.gather(result, ids->value.get<TensorValue>(), gatherAxis);
    return emitter.reshape(result, shape);
  }

  Context &context;
  const TensorValue &x;
  std::span<const IndexItem> items;
  syntax::Span whole;
  size_t used = 0;       ///< axes that items index
  Shape starts, lengths; ///< of the slice, per axis of x
  std::vector<int64_t> steps;
  Shape shape;                ///< of the result
  std::optional<Operand> ids; ///< the index that is a tensor
  size_t gatherAxis = 0;
};

} // namespace

std::optional<Value> indexTensor(Context &context, const Operand &base,
                                 std::span<const IndexItem> items, syntax::Span whole) {
  return Indexer(context, base, items, whole).run();
}

} // namespace nnc::frontend
