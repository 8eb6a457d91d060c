// Operators where build-time values take part. What touches a tensor goes to the primitives;
// arithmetic of numbers is theirs too (foldNumbers); comparing, combining and ranges are here.
#include "frontend/Evaluator.h"

#include <fmt/format.h>

namespace nnc::frontend {

using syntax::BinaryOp;

/// What operations of an operator are called in locations.
static const char *operationName(BinaryOp op) {
  switch (op) {
  case BinaryOp::Add:
    return "add";
  case BinaryOp::Sub:
    return "sub";
  case BinaryOp::Mul:
    return "mul";
  case BinaryOp::Div:
    return "div";
  case BinaryOp::FloorDiv:
    return "floordiv";
  case BinaryOp::Mod:
    return "mod";
  case BinaryOp::MatMul:
    return "matmul";
  case BinaryOp::Pow:
    return "pow";
  case BinaryOp::And:
    return "and";
  case BinaryOp::Or:
    return "or";
  default:
    return "cmp";
  }
}

static bool isComparison(BinaryOp op) {
  return op == BinaryOp::Eq || op == BinaryOp::Ne || op == BinaryOp::Lt || op == BinaryOp::Le ||
         op == BinaryOp::Gt || op == BinaryOp::Ge;
}

//===- Comparing ------------------------------------------------------------------------------===//

std::optional<bool> Evaluator::equalValues(const Value &a, const Value &b) {
  if (a.isSequence() && b.isSequence()) {
    if (a.is<ListValue>() != b.is<ListValue>() || a.elements().size() != b.elements().size())
      return false;
    for (size_t i = 0; i < a.elements().size(); ++i) {
      std::optional<bool> same = equalValues(a.elements()[i], b.elements()[i]);
      if (!same || !*same)
        return same;
    }
    return true;
  }
  if (a.isNumber() && b.isNumber()) {
    if (auto x = a.asFloat(), y = b.asFloat(); x && y)
      return a.isInt() && b.isInt() ? *a.asInt() == *b.asInt() : *x == *y;
    if (!a.isInt() || !b.isInt())
      return std::nullopt;
    if (*a.as<Dim>() == *b.as<Dim>())
      return true;
    if (provablyDifferent(*a.as<Dim>(), *b.as<Dim>(), context.facts))
      return false;
    return std::nullopt;
  }
  if (a.getStorage().index() != b.getStorage().index())
    return false;
  if (a.is<InstanceRef>())
    return a.get<InstanceRef>() == b.get<InstanceRef>();
  std::string left, right;
  if (auto *text = a.as<StringValue>())
    return text->text == b.get<StringValue>().text;
  structures.append(a, left);
  structures.append(b, right);
  return left == right;
}

/// a < b, a <= b, ... of two numbers; nothing if it depends on run-time sizes.
static std::optional<bool> orderNumbers(BinaryOp op, const Value &a, const Value &b,
                                        const DimFacts &facts) {
  if (op == BinaryOp::Gt || op == BinaryOp::Ge)
    return orderNumbers(op == BinaryOp::Gt ? BinaryOp::Lt : BinaryOp::Le, b, a, facts);
  bool strict = op == BinaryOp::Lt;
  if (auto x = a.asInt(), y = b.asInt(); x && y)
    return strict ? *x < *y : *x <= *y;
  if (auto x = a.asFloat(), y = b.asFloat(); x && y)
    return strict ? *x < *y : *x <= *y;
  if (!a.isInt() || !b.isInt())
    return std::nullopt;
  Dim gap = *b.as<Dim>() - *a.as<Dim>() - Dim(strict ? 1 : 0);
  if (provablyNonNegative(gap, facts))
    return true;
  if (provablyNonNegative(-gap - Dim(1), facts))
    return false;
  return std::nullopt;
}

std::optional<Value> Evaluator::compare(const syntax::BinaryExpr &expr, const Value &left,
                                        const Value &right) {
  std::optional<bool> holds;
  if (expr.op == BinaryOp::Eq || expr.op == BinaryOp::Ne) {
    holds = equalValues(left, right);
    if (holds && expr.op == BinaryOp::Ne)
      holds = !*holds;
  } else if (left.isNumber() && right.isNumber()) {
    holds = orderNumbers(expr.op, left, right, context.facts);
  } else {
    return mismatch(expr, left, right);
  }
  if (holds)
    return Value::boolean(*holds);
  error("E0502", expr.span, "this comparison is not decided at build time")
      .primaryLabel(fmt::format("compares {} with {}", formatValue(left), formatValue(right)))
      .help("sizes that are known only at run time can be restricted by `requires`");
  return std::nullopt;
}

std::optional<Value> Evaluator::mismatch(const syntax::BinaryExpr &expr, const Value &left,
                                         const Value &right) {
  syntax::Diagnostic &diag =
      error("E0403", expr.opSpan,
            fmt::format("`{}` does not work on {} and {}", syntax::spelling(expr.op),
                        describeKind(left), describeKind(right)))
          .label(expr.lhs->span, describeKind(left))
          .label(expr.rhs->span, describeKind(right));
  if (expr.op == BinaryOp::In && right.isInt())
    diag.help("a range is written `1..=64`, with its end, or `1..64`, without");
  return std::nullopt;
}

std::optional<Value> Evaluator::contains(const syntax::BinaryExpr &expr, const Value &item,
                                         const Value &list) {
  if (!list.isSequence())
    return mismatch(expr, item, list);
  for (const Value &element : list.elements()) {
    std::optional<bool> same = equalValues(item, element);
    if (!same) {
      error("E0502", expr.span, "this comparison is not decided at build time");
      return std::nullopt;
    }
    if (*same)
      return Value::boolean(true);
  }
  return Value::boolean(false);
}

//===- Operators ------------------------------------------------------------------------------===//

/// `and`, `or`: decided by the left side where that is known.
std::optional<Value> Evaluator::evalLogic(const syntax::BinaryExpr &expr) {
  std::optional<Value> left = eval(*expr.lhs);
  if (!left)
    return std::nullopt;
  if (const bool *known = left->as<bool>(); known && *known == (expr.op == BinaryOp::Or))
    return left;
  std::optional<Value> right = eval(*expr.rhs);
  if (!right)
    return std::nullopt;
  if (left->isTensor() || right->isTensor())
    return emitBinary(expr, *left, *right);
  if (left->is<bool>() && right->is<bool>())
    return right;
  return mismatch(expr, *left, *right);
}

std::optional<Value> Evaluator::emitBinary(const syntax::BinaryExpr &expr, const Value &left,
                                           const Value &right) {
  if (!startOperation(operationName(expr.op), expr.opSpan))
    return std::nullopt;
  return binaryOperator(context, expr.op, expr.opSpan, {left, expr.lhs->span, expr.lhs.get()},
                        {right, expr.rhs->span, expr.rhs.get()});
}

std::optional<Value> Evaluator::evalBinary(const syntax::BinaryExpr &expr) {
  if (expr.op == BinaryOp::And || expr.op == BinaryOp::Or)
    return evalLogic(expr);
  std::optional<Value> left = eval(*expr.lhs);
  std::optional<Value> right = eval(*expr.rhs);
  if (!left || !right)
    return std::nullopt;
  bool isEquality = expr.op == BinaryOp::Eq || expr.op == BinaryOp::Ne;
  if (isEquality && (left->isNone() || right->isNone()))
    return Value::boolean((left->isNone() && right->isNone()) == (expr.op == BinaryOp::Eq));
  if (left->isTensor() || right->isTensor())
    return emitBinary(expr, *left, *right);
  if (isComparison(expr.op))
    return compare(expr, *left, *right);
  if (expr.op == BinaryOp::In)
    return contains(expr, *left, *right);
  if (left->isNumber() && right->isNumber())
    return foldNumbers(context, expr.op, expr.opSpan, {*left, expr.lhs->span, expr.lhs.get()},
                       {*right, expr.rhs->span, expr.rhs.get()});
  if (expr.op == BinaryOp::Add && left->is<ListValue>() && right->is<ListValue>())
    return concatLists(expr, *left, *right);
  return mismatch(expr, *left, *right);
}

std::optional<Value> Evaluator::concatLists(const syntax::BinaryExpr &expr, const Value &left,
                                            const Value &right) {
  if (!checkWeight(left.weight() + right.weight(), expr.span))
    return std::nullopt;
  steps += left.elements().size() + right.elements().size();
  std::vector<Value> elements(left.elements().begin(), left.elements().end());
  elements.insert(elements.end(), right.elements().begin(), right.elements().end());
  std::vector<KeyRef> keys;
  if (!left.elementKeys().empty() || !right.elementKeys().empty()) {
    keys.assign(left.elementKeys().begin(), left.elementKeys().end());
    keys.resize(left.elements().size());
    keys.insert(keys.end(), right.elementKeys().begin(), right.elementKeys().end());
    keys.resize(elements.size());
  }
  return Value::list(std::move(elements), std::move(keys));
}

std::optional<Value> Evaluator::evalUnary(const syntax::UnaryExpr &expr) {
  std::optional<Value> operand = eval(*expr.operand);
  if (!operand)
    return std::nullopt;
  bool isNot = expr.op == syntax::UnaryOp::Not;
  if (operand->isTensor()) {
    if (!startOperation(isNot ? "not" : "neg", expr.opSpan))
      return std::nullopt;
    return unaryOperator(context, expr.op, expr.opSpan,
                         {*operand, expr.operand->span, expr.operand.get()});
  }
  if (const bool *known = operand->as<bool>(); known && isNot)
    return Value::boolean(!*known);
  if (const double *number = operand->as<double>(); number && !isNot)
    return Value::floating(-*number);
  if (operand->isInt() && !isNot)
    return foldNumbers(context, BinaryOp::Sub, expr.opSpan, {Value::integer(0), expr.opSpan},
                       {*operand, expr.operand->span, expr.operand.get()});
  error("E0403", expr.opSpan,
        fmt::format("`{}` does not work on {}", syntax::spelling(expr.op), describeKind(*operand)));
  return std::nullopt;
}

std::optional<Value> Evaluator::evalRange(const syntax::RangeExpr &expr) {
  std::optional<Value> begin = eval(*expr.begin), end = eval(*expr.end);
  if (!begin || !end)
    return std::nullopt;
  std::optional<int64_t> first = begin->asInt(), last = end->asInt();
  if (!first || !last) {
    bool symbolic = begin->isInt() && end->isInt();
    const syntax::Expr &bad = first ? *expr.end : *expr.begin;
    const Value &found = first ? *end : *begin;
    syntax::Diagnostic &diag =
        error(symbolic ? "E0502" : "E0403", bad.span,
              symbolic ? "a range needs build-time bounds" : "a range goes from int to int");
    diag.primaryLabel(symbolic ? fmt::format("`{}` is known only at run time", formatValue(found))
                               : fmt::format("this is {}", describeKind(found)));
    if (symbolic && frame->emission)
      diag.help("over an axis of a tensor walks `scan`: `scan xt in x axis 1 { ... }`");
    return std::nullopt;
  }
  __int128 count = static_cast<__int128>(*last) - *first + (expr.inclusive ? 1 : 0);
  if (count > static_cast<__int128>(kMaxWeight)) {
    checkWeight(kMaxWeight + 1, expr.span);
    return std::nullopt;
  }
  steps += count > 0 ? static_cast<size_t>(count) : 0;
  std::vector<Value> elements;
  for (int64_t i = 0; i < static_cast<int64_t>(count); ++i)
    elements.push_back(Value::integer(*first + i));
  return Value::list(std::move(elements));
}

} // namespace nnc::frontend
