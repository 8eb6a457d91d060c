//===- FormatExpr.cpp - Layout of expressions -----------------------------------------------===//

#include "frontend/syntax/FormatImpl.h"
#include "frontend/syntax/Pattern.h"

namespace nnc::syntax {
namespace {

/// Operands that need no spaces around `..` and `:`: `0..depth`, `x[1:]`.
bool isSimple(const ExprPtr &expr) {
  if (!expr || expr->parens > 0)
    return true;
  if (const auto *unary = expr->as<UnaryExpr>())
    return unary->op == UnaryOp::Neg && isSimple(unary->operand);
  return !expr->is<BinaryExpr>() && !expr->is<RangeExpr>() && !expr->is<IfExpr>() &&
         !expr->is<PipeExpr>();
}

/// Chains of operators of one level are laid out as one.
int chainLevel(BinaryOp op) {
  switch (op) {
  case BinaryOp::Add:
  case BinaryOp::Sub:
    return 1;
  case BinaryOp::Mul:
  case BinaryOp::Div:
  case BinaryOp::FloorDiv:
  case BinaryOp::Mod:
  case BinaryOp::MatMul:
    return 2;
  case BinaryOp::And:
    return 3;
  case BinaryOp::Or:
    return 4;
  default:
    return 0;
  }
}

} // namespace

Doc Formatter::expr(const Expr &expr) {
  if (expr.parens == 0)
    return withoutParens(expr);
  // Of several pairs of parentheses one is kept.
  std::vector<Doc> open, close;
  for (unsigned i = 0; i + 1 < expr.parens; ++i)
    open.push_back(skip());
  open.push_back(take());
  Doc inner = withoutParens(expr);
  skipNewlines();
  // `(x,)` is a tuple, so a comma here cannot be.
  close.push_back(take());
  for (unsigned i = 0; i + 1 < expr.parens; ++i)
    close.push_back(skip());
  return b.concat({b.concat(std::move(open)), b.align(b.concat({inner, b.concat(close)}))});
}

Doc Formatter::withoutParens(const Expr &expr) {
  switch (expr.kind()) {
  case ExprKind::Int:
  case ExprKind::Float:
  case ExprKind::String:
  case ExprKind::Bool:
  case ExprKind::None:
  case ExprKind::Name:
  case ExprKind::Elem:
    return take();
  case ExprKind::List:
    return list(expr.get<ListExpr>());
  case ExprKind::ListComp:
    return listComp(expr.get<ListCompExpr>());
  case ExprKind::Tuple:
    return tuple(expr.get<TupleExpr>());
  case ExprKind::Unary:
    return unary(expr.get<UnaryExpr>());
  case ExprKind::Binary:
    return binary(expr.get<BinaryExpr>());
  case ExprKind::Range:
    return range(expr.get<RangeExpr>());
  case ExprKind::If:
    return choice(expr.get<IfExpr>());
  case ExprKind::Pipe:
    return pipe(expr.get<PipeExpr>());
  case ExprKind::Call:
    return call(expr.get<CallExpr>());
  case ExprKind::Index:
    return access(expr.get<IndexExpr>());
  case ExprKind::Member: {
    Doc base = this->expr(*expr.get<MemberExpr>().base);
    Doc dot = take();
    return b.concat({base, dot, take()});
  }
  }
  return b.empty();
}

/// On one line, or one element per line with a comma behind the last.
Doc Formatter::list(const ListExpr &list) {
  Doc open = take();
  bool mustBreak = endedWithComment;
  if (list.elements.empty()) {
    Doc line = mustBreak ? b.hardLine() : b.empty();
    return b.concat({open, line, take()});
  }
  std::vector<Doc> inner = {mustBreak ? b.hardLine() : b.softLine()};
  for (size_t i = 0; i < list.elements.size(); ++i) {
    skipNewlines();
    inner.push_back(leadingComments());
    inner.push_back(value(list.elements[i]));
    skipNewlines();
    if (i + 1 < list.elements.size()) {
      inner.push_back(take());
      inner.push_back(lineAfterComma());
      continue;
    }
    mustBreak = endedWithComment;
    inner.push_back(b.ifBroken(","));
    if (at(Tok::Comma)) {
      inner.push_back(skip());
      mustBreak |= endedWithComment;
    }
  }
  skipNewlines();
  mustBreak |= hasCommentBefore(token().begin);
  inner.push_back(closingComments());
  Doc closing = mustBreak ? b.hardLine() : b.softLine();
  return b.group(b.concat({open, b.indent(b.concat(std::move(inner))), closing, take()}));
}

Doc Formatter::listComp(const ListCompExpr &comp) {
  Doc open = take();
  Doc element = value(comp.value);
  Doc forWord = takeWord();
  Doc names = targets(comp.targets);
  Doc inWord = takeWord();
  std::vector<Doc> parts = {element,     b.line(), forWord,          names,
                            b.text(" "), inWord,   expr(*comp.range)};
  if (comp.condition) {
    parts.push_back(b.line());
    parts.push_back(takeWord());
    parts.push_back(expr(*comp.condition));
  }
  skipNewlines();
  Doc comma = at(Tok::Comma) ? skip() : b.empty();
  Doc inner = b.concat({b.softLine(), b.group(b.concat(std::move(parts))), comma});
  return b.group(b.concat({open, b.indent(inner), b.softLine(), take()}));
}

Doc Formatter::tuple(const TupleExpr &tuple) {
  auto element = [&](size_t i) { return expr(*tuple.elements[i]); };
  if (tuple.elements.size() > 1)
    return b.group(filled(tuple.elements.size(), element));
  Doc open = take();
  Doc only = element(0);
  Doc comma = take();
  return b.concat({open, only, comma, take()});
}

Doc Formatter::unary(const UnaryExpr &unary) {
  Doc op = unary.op == UnaryOp::Not ? takeWord() : take();
  return b.concat({op, expr(*unary.operand)});
}

void Formatter::flatten(const BinaryExpr &binary, std::vector<Doc> &parts) {
  const auto *left = binary.lhs->as<BinaryExpr>();
  bool isChain = left && left->parens == 0 && chainLevel(binary.op) != 0 &&
                 chainLevel(left->op) == chainLevel(binary.op);
  if (isChain)
    flatten(*left, parts);
  else
    parts.push_back(expr(*binary.lhs));
  parts.push_back(b.line());
  parts.push_back(takeWord());
  parts.push_back(expr(*binary.rhs));
}

Doc Formatter::binary(const BinaryExpr &binary) {
  std::vector<Doc> parts;
  flatten(binary, parts);
  Doc first = parts.front();
  parts.erase(parts.begin());
  return b.group(b.concat({first, b.indent(b.concat(std::move(parts)))}));
}

Doc Formatter::range(const RangeExpr &range) {
  bool isTight = isSimple(range.begin) && isSimple(range.end);
  Doc space = isTight ? b.empty() : b.text(" ");
  Doc begin = expr(*range.begin);
  Doc op = take();
  return b.concat({begin, space, op, space, expr(*range.end)});
}

/// `else` goes below `if` when the line is full, and then `then` if it must.
Doc Formatter::choice(const IfExpr &choice) {
  Doc ifWord = takeWord();
  Doc condition = expr(*choice.condition);
  Doc thenWord = takeWord();
  Doc thenValue = expr(*choice.thenValue);
  Doc first =
      b.group(b.concat({ifWord, condition, b.indent(b.concat({b.line(), thenWord, thenValue}))}));
  Doc elseWord = takeWord();
  Doc second = b.concat({elseWord, expr(*choice.elseValue)});
  return b.group(b.align(b.concat({first, b.line(), second})));
}

Doc Formatter::pipe(const PipeExpr &pipe) {
  Doc head = expr(*pipe.head);
  std::vector<Doc> stages;
  for (const PipeExpr::Stage &stage : pipe.stages) {
    stages.push_back(b.line());
    stages.push_back(takeWord());
    stages.push_back(expr(*stage.expr));
  }
  return b.group(b.concat({head, b.indent(b.concat(std::move(stages)))}));
}

Doc Formatter::call(const CallExpr &call) {
  Doc callee = expr(*call.callee);
  const auto *name = call.callee->as<NameExpr>();
  return b.concat({callee, arguments(call.args, name && takesPattern(name->name))});
}

Doc Formatter::arguments(const std::vector<Argument> &args, bool mayBePattern) {
  return b.group(filled(args.size(), [&](size_t i) { return argument(args[i], mayBePattern); }));
}

Doc Formatter::argument(const Argument &arg, bool mayBePattern) {
  if (!arg.isNamed())
    return mayBePattern ? patternOr(*arg.value) : expr(*arg.value);
  Doc name = take();
  Doc assign = take();
  return b.concat({name, assign, expr(*arg.value)});
}

/// Patterns are single-spaced; a string that is none stays as it is.
Doc Formatter::patternOr(const Expr &value) {
  const auto *literal = value.as<StringExpr>();
  if (!literal || literal->parens > 0)
    return expr(value);
  Diagnostics ignored;
  std::optional<Pattern> pattern = parsePattern(*literal, ignored);
  return pattern ? takeAs("\"" + printPattern(*pattern) + "\"") : expr(value);
}

Doc Formatter::access(const IndexExpr &access) {
  Doc base = expr(*access.base);
  return b.concat({base, b.group(filled(access.items.size(),
                                        [&](size_t i) { return indexItem(access.items[i]); }))});
}

/// `1:`, `::2`, `pos : pos + T`.
Doc Formatter::indexItem(const IndexItem &item) {
  if (item.kind == IndexItem::Ellipsis)
    return take();
  if (item.kind == IndexItem::Value)
    return expr(*item.value);
  bool isTight = isSimple(item.begin) && isSimple(item.end) && isSimple(item.step);
  Doc space = isTight ? b.empty() : b.text(" ");
  std::vector<Doc> parts;
  auto bound = [&](const ExprPtr &value) {
    if (!value)
      return;
    if (!parts.empty())
      parts.push_back(space);
    parts.push_back(expr(*value));
  };
  auto colon = [&](bool follows) {
    if (follows)
      parts.push_back(space);
    parts.push_back(take());
  };
  bound(item.begin);
  colon(item.begin != nullptr);
  bound(item.end);
  skipNewlines();
  if (at(Tok::Colon)) {
    colon(item.end != nullptr);
    bound(item.step);
  }
  return b.concat(std::move(parts));
}

Doc Formatter::value(const Value &value) {
  Doc inner = expr(*value.expr);
  return value.key ? b.concat({inner, b.text(" "), key()}) : inner;
}

/// `as "weight" | "gamma"`.
Doc Formatter::key() {
  std::vector<Doc> parts = {takeWord(), take()};
  while (at(Tok::Bar)) {
    parts.push_back(b.text(" "));
    parts.push_back(takeWord());
    parts.push_back(take());
  }
  return b.concat(std::move(parts));
}

} // namespace nnc::syntax
