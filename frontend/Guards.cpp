// `requires`: what is known at build time is checked at once; conditions on run-time sizes are
// checked by the runtime on entry.
#include "frontend/Evaluator.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

using syntax::BinaryOp;

//===- What failed, in words ------------------------------------------------------------------===//

/// The names in an expression, each once, left to right.
static void collectNameExprs(const syntax::Expr &expr,
                             std::vector<const syntax::NameExpr *> &names) {
  if (auto *name = expr.as<syntax::NameExpr>()) {
    auto isSame = [&](const syntax::NameExpr *seen) { return seen->name == name->name; };
    if (std::none_of(names.begin(), names.end(), isSame))
      names.push_back(name);
  } else if (auto *binary = expr.as<syntax::BinaryExpr>()) {
    collectNameExprs(*binary->lhs, names);
    collectNameExprs(*binary->rhs, names);
  } else if (auto *unary = expr.as<syntax::UnaryExpr>()) {
    collectNameExprs(*unary->operand, names);
  } else if (auto *range = expr.as<syntax::RangeExpr>()) {
    collectNameExprs(*range->begin, names);
    collectNameExprs(*range->end, names);
  } else if (auto *index = expr.as<syntax::IndexExpr>()) {
    collectNameExprs(*index->base, names);
  } else if (auto *call = expr.as<syntax::CallExpr>()) {
    for (const syntax::Argument &argument : call->args)
      collectNameExprs(*argument.value, names);
  } else if (auto *list = expr.as<syntax::ListExpr>()) {
    for (const syntax::Value &element : list->elements)
      collectNameExprs(*element.expr, names);
  }
}

/// The source of an arithmetic expression with values for names: `768 % 10`.
std::string Evaluator::substituteNames(const syntax::Expr &expr) {
  if (auto *binary = expr.as<syntax::BinaryExpr>(); binary && !expr.parens)
    return fmt::format("{} {} {}", substituteNames(*binary->lhs), syntax::spelling(binary->op),
                       substituteNames(*binary->rhs));
  if (auto *name = expr.as<syntax::NameExpr>())
    if (std::optional<Value> value = quietLookup(name->name))
      return formatValue(*value);
  return std::string(context.sources.text(expr.span));
}

/// "768 % 10 is 8": the side of a comparison that is computed.
std::string Evaluator::explainFalse(const syntax::Expr &condition) {
  auto *binary = condition.as<syntax::BinaryExpr>();
  std::string text;
  if (!binary || binary->op == BinaryOp::And || binary->op == BinaryOp::Or)
    return fmt::format("`{}` is false", substituteNames(condition));
  for (const syntax::ExprPtr *side : {&binary->lhs, &binary->rhs}) {
    bool isComputed = (*side)->is<syntax::BinaryExpr>();
    if (!isComputed && !((*side)->is<syntax::NameExpr>() && !binary->lhs->is<syntax::BinaryExpr>()))
      continue;
    std::optional<Value> value = eval(**side);
    if (!value)
      continue;
    std::string shown =
        isComputed ? substituteNames(**side) : std::string(context.sources.text((*side)->span));
    text += fmt::format("{}{} is {}", text.empty() ? "" : " and ", shown, formatValue(*value));
  }
  return text.empty() ? fmt::format("`{}` is false", substituteNames(condition)) : text;
}

void Evaluator::reportGuard(const syntax::Guard &guard, const std::string &subject,
                            const CallSite &site) {
  std::string_view condition = context.sources.text(guard.condition->span);
  std::string values;
  std::vector<const syntax::NameExpr *> names;
  collectNameExprs(*guard.condition, names);
  const Hyperparameter *defaulted = nullptr, *given = nullptr;
  for (const syntax::NameExpr *name : names) {
    std::optional<Value> value = quietLookup(name->name);
    if (!value)
      continue;
    values += fmt::format("{}{} = {}", values.empty() ? "" : ", ", name->name, formatValue(*value));
    const Hyperparameter *origin = originOf(*name);
    if (origin && origin->isDefault)
      defaulted = origin;
    else if (origin && !origin->expr)
      given = origin;
  }
  std::string why = explainFalse(*guard.condition);
  bool isRepeated = guard.message && why == fmt::format("`{}` is false", condition);
  std::string text =
      fmt::format("`{}` requires `{}`{}{}{}", subject, condition, guard.message ? ": " : "",
                  guard.message ? guard.message->value : "", isRepeated ? "" : ", but " + why);
  syntax::Diagnostic &diag = error("E0501", site.callee, text);
  diag.primaryLabel(std::move(values));
  if (defaulted)
    diag.note(
        fmt::format("`{}` = {} is the default", defaulted->name, formatValue(defaulted->value)),
        defaulted->formal);
  if (given)
    diag.note(fmt::format("`{}` = {} is given", given->name, formatValue(given->value)),
              given->given);
  if (guard.span != site.callee)
    diag.note("required", guard.span);
}

/// The hyperparameter of that name or, where it was passed on under a name, that of the module
/// around the call.
const Hyperparameter *Evaluator::originOf(const syntax::NameExpr &name) {
  const Hyperparameter *here = frame->self ? frame->self->hyperparameter(name.name) : nullptr;
  auto *passed = here && here->expr ? here->expr->as<syntax::NameExpr>() : nullptr;
  const Hyperparameter *outer =
      passed && frame->caller ? frame->caller->hyperparameter(passed->name) : nullptr;
  return outer ? outer : here;
}

void Evaluator::requireOnEntry(const Dim &nonNegative, syntax::Span at) {
  RuntimeGuard guard{nonNegative.presented(), /*isEquality=*/false};
  guard.text = formatNonNegative(nonNegative);
  guard.line = context.sources.lineCol(at).line;
  recordGuard(std::move(guard));
}

//===- Checking -------------------------------------------------------------------------------===//

bool Evaluator::checkGuards(const std::vector<syntax::Guard> &guards, const std::string &subject,
                            const CallSite &site) {
  ScopedFlag scope(inGuard);
  for (const syntax::Guard &guard : guards) {
    std::optional<GuardResult> result = evalGuard(*guard.condition);
    if (!result)
      return false;
    if (result->isFalse) {
      reportGuard(guard, subject, site);
      return false;
    }
    for (RuntimeGuard &condition : result->runtime) {
      describeGuard(condition, guard);
      recordGuard(std::move(condition));
    }
  }
  return true;
}

void Evaluator::describeGuard(RuntimeGuard &condition, const syntax::Guard &guard) {
  condition.value = condition.value.presented();
  condition.text = context.sources.text(guard.condition->span);
  condition.message = guard.message ? guard.message->value : "";
  condition.line = context.sources.lineCol(guard.span).line;
}

void Evaluator::recordGuard(RuntimeGuard guard) {
  for (const RuntimeGuard &known : guards)
    if (known.isEquality == guard.isEquality && known.value == guard.value)
      return;
  if (!guard.isEquality)
    context.facts.nonNegative.push_back(guard.value);
  guards.push_back(std::move(guard));
}

//===- Conditions -----------------------------------------------------------------------------===//

/// `left op right` on sizes: decided, or a condition for run time.
std::optional<GuardResult> Evaluator::compareSizesLater(const syntax::Expr &expr, BinaryOp op,
                                                        const Dim &left, const Dim &right) {
  GuardResult result;
  Dim gap;
  switch (op) {
  case BinaryOp::Eq:
    gap = left - right;
    break;
  case BinaryOp::Le:
  case BinaryOp::Lt:
    gap = right - left - Dim(op == BinaryOp::Lt ? 1 : 0);
    break;
  case BinaryOp::Ge:
  case BinaryOp::Gt:
    gap = left - right - Dim(op == BinaryOp::Gt ? 1 : 0);
    break;
  default:
    return refuse(expr.span, fmt::format("`{}` on sizes known only at run time is not supported in "
                                         "`requires` yet",
                                         syntax::spelling(op)));
  }
  bool isEquality = op == BinaryOp::Eq;
  if (!gap.isValid()) {
    error("E0507", expr.span, "this condition divides by zero or does not fit 64 bits");
    return std::nullopt;
  }
  if (std::optional<int64_t> known = gap.getConstant())
    result.isFalse = isEquality ? *known != 0 : *known < 0;
  else if (isEquality || !provablyNonNegative(gap, context.facts))
    result.runtime.push_back({gap, isEquality});
  return result;
}

/// `B in 1..=64`.
std::optional<GuardResult> Evaluator::evalRangeGuard(const syntax::BinaryExpr &expr,
                                                     const syntax::RangeExpr &range) {
  std::optional<Value> item = eval(*expr.lhs), low = eval(*range.begin), high = eval(*range.end);
  if (!item || !low || !high)
    return std::nullopt;
  for (const Value *value : {&*item, &*low, &*high})
    if (!value->isInt()) {
      error("E0403", expr.span, "a range holds ints")
          .primaryLabel(fmt::format("{} is in it", describeKind(*value)));
      return std::nullopt;
    }
  const Dim &size = *item->as<Dim>();
  auto above = compareSizesLater(expr, BinaryOp::Ge, size, *low->as<Dim>());
  auto below = compareSizesLater(expr, range.inclusive ? BinaryOp::Le : BinaryOp::Lt, size,
                                 *high->as<Dim>());
  if (!above || !below)
    return std::nullopt;
  above->isFalse |= below->isFalse;
  above->runtime.insert(above->runtime.end(), below->runtime.begin(), below->runtime.end());
  return above;
}

std::optional<GuardResult> Evaluator::evalGuard(const syntax::Expr &expr) {
  ScopedFlag scope(inGuard);
  auto *binary = expr.as<syntax::BinaryExpr>();
  if (binary && binary->op == BinaryOp::And) {
    std::optional<GuardResult> left = evalGuard(*binary->lhs);
    if (!left || left->isFalse)
      return left;
    std::optional<GuardResult> right = evalGuard(*binary->rhs);
    if (right)
      right->runtime.insert(right->runtime.begin(), left->runtime.begin(), left->runtime.end());
    return right;
  }
  if (binary && binary->op == BinaryOp::In)
    if (auto *range = binary->rhs->as<syntax::RangeExpr>())
      return evalRangeGuard(*binary, *range);
  if (binary && binary->op >= BinaryOp::Eq && binary->op <= BinaryOp::Ge) {
    std::optional<Value> left = eval(*binary->lhs), right = eval(*binary->rhs);
    if (!left || !right)
      return std::nullopt;
    if (left->isInt() && right->isInt() && (!left->asInt() || !right->asInt()))
      return compareSizesLater(expr, binary->op, *left->as<Dim>(), *right->as<Dim>());
    if (left->isTensor() || right->isTensor())
      return refuse(expr.span, "`requires` on the values of tensors is not supported yet");
  }
  std::optional<bool> known = evalCondition(expr, "requires");
  if (!known)
    return std::nullopt;
  GuardResult result;
  result.isFalse = !*known;
  return result;
}

} // namespace nnc::frontend
