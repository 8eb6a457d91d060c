// `x[i, a:b:c, ..., none, ids]`: one slice, at most one gather, and a reshape that drops and adds
// axes; and `x[...] <- value`. Every index is proved to be inside its axis: nothing is clamped and
// nothing wraps. Positions may hold run-time scalars, lengths may not.
#include "frontend/PrimitivesEmit.h"
#include "frontend/PrimitivesErrors.h"

#include <algorithm>
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
    if (!applyAll())
      return std::nullopt;
    return Value::tensor(emit());
  }

  std::optional<TensorValue> update(const Operand &value, syntax::Span at) {
    writes = true;
    if (!applyAll())
      return std::nullopt;
    TensorValue part;
    part.element = x.element;
    part.shape = shape;
    std::optional<TensorValue> stored =
        exactTensor(context, at, {Value::tensor(part), whole}, value);
    if (!stored)
      return std::nullopt;
    Emitter emitter(context, at);
    TensorValue reshaped = emitter.reshape(*stored, lengths);
    bool isWhole = std::all_of(steps.begin(), steps.end(), [](int64_t s) { return s == 1; }) &&
                   lengths == x.shape;
    return isWhole ? reshaped : emitter.update(x, reshaped, starts, steps);
  }

private:
  bool applyAll() {
    if (!checkCount())
      return false;
    for (const IndexItem &item : items)
      if (!apply(item))
        return false;
    keepAxes(x.rank() - axis());
    return true;
  }

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
      if (writes)
        return refusePlace(item, "`none` adds an axis to a value");
      shape.push_back(1);
      return true;
    case Kind::Ellipsis:
      keepAxes(x.rank() - used);
      return true;
    case Kind::Slice:
      return applySlice(item);
    case Kind::Value:
      if (writes && item.value.value.isTensor() && !scalarOf(item.value))
        return refusePlace(item, describeOperand(context, item.value) + " is a tensor");
      return item.value.value.isTensor() && !writes ? applyGather(item) : applyIndex(item);
    }
    return false;
  }

  bool refusePlace(const IndexItem &item, std::string why) {
    context.error("E0611", item.span, "`<-` writes to a slice or an element")
        .primaryLabel(std::move(why))
        .help("to write to places that a tensor names, use `scatter`");
    return false;
  }

  //===- Run-time scalars --------------------------------------------------------------------===//

  /// The number that a tensor of rank 0 is known to be.
  static std::optional<Dim> scalarOf(const Operand &operand) {
    const TensorValue *tensor = operand.value.as<TensorValue>();
    return tensor ? tensor->scalar : std::nullopt;
  }

  bool mentions(const Dim &dim, bool loops) const {
    std::vector<DimVariable> variables = dim.getVariables();
    return std::any_of(variables.begin(), variables.end(), [&](const DimVariable &variable) {
      auto other = context.otherSymbols.find(variable.name);
      return other != context.otherSymbols.end() &&
             (loops || other->second.kind == nn::SymbolKind::Scalar);
    });
  }

  /// Whether a value of it exists only when a call begins: what cannot be proved is checked then.
  bool isCheckedOnEntry(const Dim &dim) const {
    std::vector<DimVariable> variables = dim.getVariables();
    return mentions(dim, /*loops=*/false) &&
           std::none_of(variables.begin(), variables.end(), [&](const DimVariable &variable) {
             auto other = context.otherSymbols.find(variable.name);
             return other != context.otherSymbols.end() &&
                    other->second.kind == nn::SymbolKind::Loop;
           });
  }

  /// As the user wrote it.
  std::string textOf(const std::optional<Operand> &bound) const {
    if (!bound)
      return "";
    return bound->value.isTensor() ? std::string(context.sources.text(bound->span))
                                   : formatValue(bound->value);
  }

  std::optional<Dim> positionOf(const Operand &operand) {
    if (operand.value.isInt())
      return operand.value.get<Dim>();
    if (std::optional<Dim> scalar = scalarOf(operand))
      return scalar;
    if (operand.value.isTensor())
      context.error("E0305", operand.span, "this position is computed at run time")
          .primaryLabel(describeOperand(context, operand) + " is a tensor")
          .note("a position is made of sizes, ints, and `i32[]` or `i64[]` inputs and states by "
                "`+`, `-` and `*`");
    else
      refuseIndex(operand);
    return std::nullopt;
  }

  void refuseIndex(const Operand &operand) {
    syntax::Diagnostic &diag =
        context.error("E0403", operand.span,
                      fmt::format("an index is an int or a tensor of ints, found {}",
                                  describeKind(operand.value)));
    if (operand.value.isSequence())
      diag.help("places are gathered one by one: `stack([x[:, i] for i in [0, 2]], axis=1)`");
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
    std::optional<Dim> position = positionOf(operand);
    if (!position)
      return std::nullopt;
    const Dim &bound = *position;
    DimInterval range = bound.bounds(context.facts);
    if (range.low >= 0 || provablyNonNegative(bound, context.facts))
      return bound;
    if (range.high < 0)
      return x.shape[axis()] + bound;
    if (isCheckedOnEntry(bound)) {
      context.checkOnEntry(bound, operand.span);
      return bound;
    }
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
    std::string what = "index " + textOf(item.value);
    if (!requireRoom(*index, item.span, what) ||
        !requireRoom(x.shape[axis()] - 1 - *index, item.span, what))
      return false;
    addAxis(*index, 1, 1);
    return true;
  }

  bool applyGather(const IndexItem &item) {
    if (item.value.value.get<TensorValue>().element == Element::Bool) {
      context.error("E0403", item.span, "an index needs i32 or i64, found bool")
          .primaryLabel(formatTensorType(item.value.value.get<TensorValue>()))
          .note("how many elements a mask chooses is known only at run time")
          .help("to keep the shape, use `where(mask, x, 0)`");
      return false;
    }
    if (!requireElements(context, Elements::Indices, "an index", item.value, item.span))
      return false;
    if (ids) {
      context.error("E0307", item.span, "at most one tensor can be an index")
          .label(ids->span, "the first one")
          .help("join the axes, and gather once: `rearrange(x, \"a b -> (a b)\")[i * n + j]`");
      return false;
    }
    if (!requireElementsAlong(context, item.span, x, axis()))
      return false;
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

  /// Reports a length with a run-time value in it.
  bool checkLength(const IndexItem &item, const Dim &length) {
    if (!mentions(length, /*loops=*/true))
      return true;
    bool start = item.start && item.start->value.isTensor();
    const Operand &bound = start || !item.stop ? *item.start : *item.stop;
    context.error("E0305", item.span, "the length of this slice is known only at run time")
        .primaryLabel(describeOperand(context, bound) + " is a tensor")
        .help("a length is made of build-time ints and dimensions");
    return false;
  }

  bool applySlice(const IndexItem &item) {
    std::optional<int64_t> step = stepOf(item);
    if (!step)
      return false;
    const Dim &size = x.shape[axis()];
    std::optional<Dim> start = item.start ? fromStart(*item.start) : Dim(0);
    std::optional<Dim> stop = item.stop ? fromStart(*item.stop) : size;
    if (!start || !stop || !checkLength(item, *stop - *start))
      return false;
    std::string what = fmt::format("slice {}:{}", textOf(item.start), textOf(item.stop));
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
  bool writes = false;   ///< for `<-`
  size_t used = 0;       ///< axes that items index
  Shape starts, lengths; ///< of the slice, per axis of x
  std::vector<int64_t> steps;
  Shape shape;                ///< of the result
  std::optional<Operand> ids; ///< the index that is a tensor
  size_t gatherAxis = 0;
};

} // namespace

std::optional<TensorValue> exactTensor(Context &context, syntax::Span at, const Operand &target,
                                       const Operand &value) {
  const TensorValue &wanted = target.value.get<TensorValue>();
  if (value.value.isNumber() || value.value.is<bool>()) {
    std::optional<Value> number = numberToTensor(context, value, wanted.element, wanted.shape);
    return number ? std::optional(number->get<TensorValue>()) : std::nullopt;
  }
  if (!value.value.isTensor()) {
    context.error(
        "E0403", at,
        fmt::format("`<-` stores a tensor or a number, found {}", describeKind(value.value)));
    return std::nullopt;
  }
  const TensorValue &given = value.value.get<TensorValue>();
  if (given.element != wanted.element) {
    std::string element(syntax::spelling(wanted.element));
    syntax::Diagnostic &diag = context.error(
        "E0401", at, fmt::format("`<-` stores {} in {}", syntax::spelling(given.element), element));
    labelTypes(diag, {target, value});
    if (value.span.isValid())
      diag.fixIt(fmt::format("cast to {}", element), wrapEdits(value, element + "(", ")"));
    return std::nullopt;
  }
  if (given.rank() != wanted.rank()) {
    syntax::Diagnostic &diag =
        context.error("E0306", at,
                      fmt::format("`<-` stores a tensor of rank {} in one of rank {}", given.rank(),
                                  wanted.rank()));
    labelTypes(diag, {target, value});
    return std::nullopt;
  }
  SizeCheck check(context, at, "`<-`");
  for (size_t axis = 0; axis < wanted.rank(); ++axis)
    check.expectEqual(target, axis, value, axis);
  return check.finish(/*withLabels=*/true) ? std::optional(given) : std::nullopt;
}

std::optional<TensorValue> updateTensor(Context &context, const Operand &base,
                                        std::span<const IndexItem> items, const Operand &value,
                                        syntax::Span at, syntax::Span place) {
  return Indexer(context, base, items, place).update(value, at);
}

std::optional<Value> indexTensor(Context &context, const Operand &base,
                                 std::span<const IndexItem> items, syntax::Span whole) {
  return Indexer(context, base, items, whole).run();
}

} // namespace nnc::frontend
