#include "frontend/PrimitivesErrors.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

std::string describeOperand(const Context &context, const Operand &operand) {
  if (operand.span.isValid()) {
    std::string_view text = context.sources.text(operand.span);
    if (!text.empty() && text.size() <= 40 && text.find('\n') == std::string_view::npos)
      return fmt::format("`{}`", text);
  }
  return operand.value.isTensor() ? formatTensorType(operand.value.get<TensorValue>())
                                  : describeKind(operand.value);
}

/// Whether `[...]` after the expression applies to all of it.
static bool isPostfix(const Operand &operand) {
  if (!operand.expr)
    return true;
  if (operand.expr->parens > 0)
    return true;
  switch (operand.expr->kind()) {
  case syntax::ExprKind::Unary:
  case syntax::ExprKind::Binary:
  case syntax::ExprKind::Range:
  case syntax::ExprKind::If:
  case syntax::ExprKind::Pipe:
    return false;
  default:
    return true;
  }
}

std::vector<syntax::Edit> wrapEdits(const Operand &operand, std::string before, std::string after) {
  return {{operand.span.before(), std::move(before)}, {operand.span.after(), std::move(after)}};
}

std::vector<syntax::Edit> postfixEdits(const Operand &operand, std::string postfix) {
  if (isPostfix(operand))
    return {{operand.span.after(), std::move(postfix)}};
  return wrapEdits(operand, "(", ")" + postfix);
}

void labelTypes(syntax::Diagnostic &diag, std::initializer_list<Operand> operands) {
  for (const Operand &operand : operands)
    if (operand.span.isValid())
      diag.label(operand.span, operand.value.isTensor()
                                   ? formatTensorType(operand.value.get<TensorValue>())
                                   : describeKind(operand.value));
}

//===- Sizes ---------------------------------------------------------------------------------===//

void SizeCheck::expectEqual(const SizedOperand &a, const SizedOperand &b) {
  if (!(a.size == b.size))
    failures.push_back({a, b});
}

void SizeCheck::expectEqual(const Operand &a, size_t axisOfA, const Operand &b, size_t axisOfB) {
  expectEqual({a, axisOfA, a.value.get<TensorValue>().shape[axisOfA]},
              {b, axisOfB, b.value.get<TensorValue>().shape[axisOfB]});
}

std::string SizeCheck::describe(const SizedOperand &side) const {
  return fmt::format("of {} is {}", describeOperand(context, side.operand), side.size.str());
}

void addGuardFix(const Context &context, syntax::Diagnostic &diag,
                 const std::vector<std::string> &guards) {
  if (guards.empty())
    return;
  std::string text = fmt::format("{}", fmt::join(guards, ", "));
  if (context.guardPlace.isValid())
    diag.fixIt("require what the network relies on",
               {{context.guardPlace, (context.hasGuards ? ", " : " requires ") + text}});
  else
    diag.help(fmt::format("require what the network relies on: `{}`", text));
}

void SizeCheck::addGuards(syntax::Diagnostic &diag) const {
  std::vector<std::string> guards;
  for (const Failure &failure : failures)
    for (std::string &guard : suggestGuards(failure.a.size, failure.b.size))
      if (std::find(guards.begin(), guards.end(), guard) == guards.end())
        guards.push_back(std::move(guard));
  addGuardFix(context, diag, guards);
}

bool SizeCheck::finish(bool withLabels) {
  if (failures.empty())
    return true;
  // What is certainly wrong comes before what may be.
  auto certain = std::find_if(failures.begin(), failures.end(), [&](const Failure &failure) {
    return provablyDifferent(failure.a.size, failure.b.size, context.facts);
  });
  bool different = certain != failures.end();
  const Failure &failure = different ? *certain : failures.front();
  const auto &[a, b] = failure;
  std::string sizes = fmt::format("axis {} {}, ", a.axis, describe(a)) +
                      (a.axis == b.axis ? "" : fmt::format("axis {} ", b.axis)) + describe(b);
  syntax::Diagnostic &diag =
      different ? context.error("E0301", at, fmt::format("sizes differ in {}", what))
                : context.error("E0304", at,
                                fmt::format("cannot prove that these sizes are equal in {}", what));
  if (withLabels)
    labelTypes(diag, {a.operand, b.operand});
  if (!different)
    if (auto example = findDifference(a.size, b.size, context.facts))
      sizes += fmt::format("; they differ when {}", formatSizes(*example));
  diag.note(std::move(sizes));
  if (offered)
    diag.fixIt(offered->title, offered->edits);
  else if (!different)
    addGuards(diag);
  return false;
}

/// E0304: the claim that `value` is at least `least`, with sizes at which it is not.
static void reportUnproved(Context &context, syntax::Span at, std::string_view claim,
                           const Dim &value, const Dim &least) {
  syntax::Diagnostic &diag = context.error("E0304", at, fmt::format("cannot prove that {}", claim));
  diag.primaryLabel("it is " + value.str());
  if (std::optional<DimSizes> sizes = findNegative(value - least, context.facts))
    diag.note(fmt::format("it is {} when {}", *value.evaluate(*sizes), formatSizes(*sizes)));
  addGuardFix(context, diag, {formatNonNegative(value - least)});
}

bool requireNonNegative(Context &context, syntax::Span at, std::string_view what,
                        const Dim &value) {
  if (!value.isValid()) {
    context.error("E0308", at, fmt::format("{} is out of range", what))
        .note("sizes are 64-bit integers, and formulas of reasonable length");
    return false;
  }
  if (provablyNonNegative(value, context.facts))
    return true;
  if (value.bounds(context.facts).high < 0) {
    context.error("E0308", at, fmt::format("{} would be {}", what, value.str()));
    return false;
  }
  reportUnproved(context, at, fmt::format("{} is not negative", what), value, 0);
  return false;
}

bool requireElementsAlong(Context &context, syntax::Span at, const TensorValue &x, size_t axis) {
  if (x.shape[axis].bounds(context.facts).high >= 1)
    return true;
  context.error("E0308", at, "an axis without elements has none to choose")
      .primaryLabel("of " + formatTensorType(x));
  return false;
}

bool requireAtLeast(Context &context, syntax::Span at, std::string_view what, const Dim &value,
                    const Dim &least) {
  Dim room = value - least;
  if (provablyNonNegative(room, context.facts))
    return true;
  if (!room.isValid() || room.bounds(context.facts).high < 0)
    context.error("E0308", at,
                  fmt::format("{} is {}, but must be at least {}", what, value.str(), least.str()));
  else
    reportUnproved(context, at, fmt::format("{} is at least {}", what, least.str()), value, least);
  return false;
}

bool requireValidShape(Context &context, syntax::Span at, std::span<const Dim> shape) {
  for (size_t axis = 0; axis < shape.size(); ++axis)
    if (!requireNonNegative(context, at, fmt::format("the size of axis {}", axis), shape[axis]))
      return false;
  Dim elements = 1;
  for (const Dim &size : shape)
    elements *= size;
  if (!elements.isValid())
    context.error("E0308", at, "a tensor of this shape has too many elements");
  return elements.isValid();
}

bool requireRank(Context &context, syntax::Span at, std::string_view what, const Operand &operand,
                 size_t rank, std::string_view axes) {
  const TensorValue &tensor = operand.value.get<TensorValue>();
  if (tensor.rank() == rank)
    return true;
  context
      .error(
          "E0306", at,
          fmt::format("{} needs {} axes, {}, this value has {}", what, rank, axes, tensor.rank()))
      .primaryLabel("found " + formatTensorType(tensor));
  return false;
}

//===- Elements ------------------------------------------------------------------------------===//

void reportMixedElements(Context &context, syntax::Span at, std::string_view what,
                         const Operand &left, const Operand &right) {
  Element a = left.value.get<TensorValue>().element, b = right.value.get<TensorValue>().element;
  syntax::Diagnostic &diag = context.error(
      "E0401", at,
      fmt::format("{} mixes {} and {}", what, syntax::spelling(a), syntax::spelling(b)));
  labelTypes(diag, {left, right});
  bool hasWorking = a == Element::Float || b == Element::Float;
  if (hasWorking && isFloating(a) && isFloating(b))
    diag.note("`float` is the working precision; it differs from f32 under `@precision(bf16)`");
  // An integer becomes a float, a float the working float, anything else the left side's type.
  bool castLeft = b == Element::Float || (isFloating(b) && !isFloating(a));
  const Operand &operand = castLeft ? left : right;
  std::string target(syntax::spelling(castLeft ? b : a));
  std::string title = hasWorking && isFloating(a) && isFloating(b)
                          ? "cast back to the working precision"
                          : fmt::format("cast to {}", target);
  if (operand.span.isValid())
    diag.fixIt(std::move(title), wrapEdits(operand, target + "(", ")"));
}

bool accepts(Elements accepted, Element element) {
  switch (accepted) {
  case Elements::Any:
    return true;
  case Elements::Numbers:
    return element != Element::Bool && !isStorageOnly(element);
  case Elements::Floats:
    return isFloating(element) && !isStorageOnly(element);
  case Elements::Integers:
    return isIntegral(element) && !isStorageOnly(element);
  case Elements::Indices:
    return element == Element::I32 || element == Element::I64;
  case Elements::Bools:
    return element == Element::Bool;
  }
  return false;
}

static std::string_view describe(Elements elements) {
  switch (elements) {
  case Elements::Any:
    return "a tensor";
  case Elements::Numbers:
    return "numbers";
  case Elements::Floats:
    return "floats";
  case Elements::Integers:
    return "integers";
  case Elements::Indices:
    return "i32 or i64";
  case Elements::Bools:
    return "bools";
  }
  return "";
}

/// The cast that turns an element into an accepted one; empty where none is natural.
static std::string_view castFor(Elements accepted, Element element) {
  switch (accepted) {
  case Elements::Floats:
    return isFloating(element) ? "float" : "f32";
  case Elements::Numbers:
    return isFloating(element) ? "float" : element == Element::Bool ? "f32" : "i32";
  case Elements::Indices:
  case Elements::Integers:
    return "i32";
  default:
    return "";
  }
}

bool requireElements(Context &context, Elements accepted, std::string_view what,
                     const Operand &operand, syntax::Span at) {
  const TensorValue &tensor = operand.value.get<TensorValue>();
  if (accepts(accepted, tensor.element))
    return true;
  syntax::Diagnostic &diag =
      context.error("E0403", at,
                    fmt::format("{} needs {}, found {}", what, describe(accepted),
                                syntax::spelling(tensor.element)));
  if (operand.span == at)
    diag.primaryLabel(formatTensorType(tensor));
  else
    labelTypes(diag, {operand});
  std::string cast(castFor(accepted, tensor.element));
  if (!cast.empty() && operand.span.isValid())
    diag.fixIt(fmt::format("cast it to {}", cast), wrapEdits(operand, cast + "(", ")"));
  return false;
}

} // namespace nnc::frontend
