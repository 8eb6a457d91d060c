// What `requires` of an entry point says of its dimensions: their ranges, what they are multiples
// of, and conditions that are left for the call.
#include "frontend/DimBounds.h"
#include "frontend/Entries.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

/// What a body is proven for whose dimensions may turn out to have smaller ranges.
static constexpr int64_t kAdoptedHigh = 1 << 16;

/// Where fixes may add a guard.
void EntryEmitter::noteGuardPlace(const syntax::FnStmt &fn) {
  context.hasGuards = !fn.guards.empty();
  if (context.hasGuards)
    context.guardPlace = fn.guards.back().span.after();
  else if (!fn.results.empty())
    context.guardPlace = syntax::Span{};
  else
    context.guardPlace = fn.paramsSpan.after();
}

/// `B in 1..=64` for a dimension of the entry point.
bool EntryEmitter::takeRange(const syntax::Guard &guard) {
  auto *in = guard.condition->as<syntax::BinaryExpr>();
  if (!in || in->op != syntax::BinaryOp::In)
    return false;
  auto *range = in->rhs->as<syntax::RangeExpr>();
  auto *name = in->lhs->as<syntax::NameExpr>();
  if (!range || !name)
    return false;
  auto &names = context.dimNames;
  if (std::find(names.begin(), names.end(), name->name) == names.end())
    return false;
  std::optional<Value> low = evaluator.eval(*range->begin), high = evaluator.eval(*range->end);
  if (!low || !high || !low->asInt() || !high->asInt())
    return false;
  DimInterval interval{*low->asInt(), *high->asInt() - (range->inclusive ? 0 : 1)};
  if (interval.low < 0 || interval.low > interval.high) {
    evaluator.error("E0507", range->span, "this range holds no size")
        .primaryLabel(fmt::format("from {} to {}", interval.low, interval.high));
    interval = kDefaultRange;
  }
  context.facts.ranges[std::string(name->name)] = interval;
  return true;
}

/// `B <= 64` says as much as a range.
void EntryEmitter::narrowRange(const RuntimeGuard &condition) {
  std::optional<DimBound> bound = condition.isEquality ? std::nullopt : boundOf(condition.value);
  if (!bound)
    return;
  DimInterval &range =
      context.facts.ranges.try_emplace(bound->name, DimInterval{1, INT64_MAX}).first->second;
  range = intersect(range, bound->interval);
}

void EntryEmitter::substitute(const DimSubstitution &known) {
  for (const auto &[name, place] : evaluator.frame->boundAt) {
    auto binding = evaluator.frame->locals.find(name);
    if (binding && *binding && (*binding)->isInt())
      evaluator.frame->locals.assign(
          name, Value::integer((*binding)->as<Dim>()->substitute(known.variable, known.by)));
  }
}

bool EntryEmitter::mentionsScalar(const DimSubstitution &known) const {
  std::vector<DimVariable> variables = known.by.getVariables();
  variables.push_back(known.variable);
  return std::any_of(variables.begin(), variables.end(), [&](const DimVariable &variable) {
    return context.otherSymbols.count(variable.name) > 0;
  });
}

bool EntryEmitter::takeConditions(const syntax::FnStmt &fn, const syntax::Guard &guard) {
  std::optional<GuardResult> result = evaluator.evalGuard(*guard.condition);
  if (!result)
    return false;
  if (result->isFalse) {
    evaluator.reportGuard(guard, std::string(fn.name.text),
                          {guard.span, guard.span, std::string(fn.name.text)});
    return false;
  }
  for (RuntimeGuard &condition : result->runtime) {
    std::optional<DimSubstitution> known;
    if (condition.isEquality)
      known = solveEquation(condition.value, Dim(0));
    if (known && mentionsScalar(*known))
      known.reset(); // sizes are no run-time scalars, nor the reverse
    evaluator.describeGuard(condition, guard);
    narrowRange(condition);
    evaluator.recordGuard(std::move(condition));
    if (known)
      substitute(*known);
  }
  return true;
}

/// Run-time integers among the inputs. In guards their names are ints.
void EntryEmitter::takeScalars(const syntax::FnStmt &fn) {
  unsigned input = 0;
  for (const syntax::Formal &formal : fn.params) {
    auto *type = formal.type->as<syntax::TensorType>();
    if (!type || isAbsent(formal))
      continue;
    std::string name(formal.name.text);
    auto &dims = context.dimNames;
    bool isScalar =
        type->dims.empty() && (type->elem == Element::I32 || type->elem == Element::I64);
    if (isScalar && std::find(dims.begin(), dims.end(), name) == dims.end())
      scalars.emplace(formal.name.text,
                      context.runtimeScalar(name, {nn::SymbolKind::Scalar, input, {}}));
    ++input;
  }
}

bool EntryEmitter::takeGuards(const syntax::FnStmt &fn) {
  noteGuardPlace(fn);
  takeScalars(fn);
  Locals &locals = evaluator.frame->locals;
  size_t mark = locals.enterBlock();
  for (const auto &[name, scalar] : scalars)
    locals.define(name, Value::integer(scalar));
  bool ok = true;
  for (const syntax::Guard &guard : fn.guards)
    ok &= isAboutAbsent(guard) || takeRange(guard) || takeConditions(fn, guard);
  locals.leaveBlock(mark);
  return ok && checkRanges(fn);
}

/// What the dimensions of the signature mean from here on.
void EntryEmitter::noteDims() {
  for (const auto &[name, place] : evaluator.frame->boundAt)
    if (auto *value = evaluator.frame->locals.find(name); value && *value && (*value)->isInt())
      context.entryDims.emplace(name, (*value)->get<Dim>());
}

void EntryEmitter::warnAssumed(const syntax::FnStmt &fn, const std::string &dim,
                               syntax::Span named) {
  const DimInterval &range = context.facts.ranges[dim];
  if (quiet || isVariant)
    return;
  evaluator.diags
      .warning("W0901", named,
               fmt::format("`{}` of entry point `{}` has no range", dim, fn.name.text))
      .primaryLabel(fmt::format("{}..={} is assumed", range.low, range.high))
      .help(fmt::format("state one: `requires {} in 1..=64`", dim));
}

/// Once the body is evaluated: the ranges that what it calls requires.
void EntryEmitter::adoptRanges(const syntax::FnStmt &fn) {
  if (assumed.empty())
    return;
  for (const auto &[name, place] : assumed)
    context.facts.ranges[name].high = INT64_MAX;
  for (const RuntimeGuard &guard : evaluator.guards)
    narrowRange(guard);
  for (const auto &[name, place] : assumed) {
    DimInterval &range = context.facts.ranges[name];
    bool isOpen = range.high == INT64_MAX;
    range.high = std::min(isOpen ? std::max(range.low, kDefaultRange.high) : range.high,
                          std::max(range.low, kAdoptedHigh));
    if (isOpen)
      warnAssumed(fn, name, place);
  }
  assumed.clear();
}

bool EntryEmitter::checkRanges(const syntax::FnStmt &fn) {
  for (size_t i = 0; i < namedAt.size(); ++i) {
    const std::string &name = context.dimNames[context.dimNames.size() - namedAt.size() + i];
    DimInterval &range =
        context.facts.ranges.try_emplace(name, DimInterval{1, INT64_MAX}).first->second;
    bool isOpen = range.high == INT64_MAX;
    if (isOpen && role.adoptsRanges) {
      range.high = std::max(range.low, kAdoptedHigh);
      assumed.push_back({name, namedAt[i]});
    } else if (isOpen) {
      range = {std::max(range.low, kDefaultRange.low), std::max(range.low, kDefaultRange.high)};
      warnAssumed(fn, name, namedAt[i]);
    }
    if (range.low <= range.high)
      continue;
    evaluator.error("E0507", namedAt[i], fmt::format("no size of `{}` meets all guards", name));
    return false;
  }
  return true;
}

} // namespace nnc::frontend
