//===- ParseExpr.cpp - Expressions ----------------------------------------------------------===//
//
// Binary operators are parsed by precedence climbing: parseBinary(p) takes all operators that bind
// at least as tightly as p. From loose to tight: or, and, not, comparisons, ranges, sums, products.
//
//===----------------------------------------------------------------------------------------===//

#include "frontend/syntax/ParserImpl.h"

#include <fmt/format.h>

#include <algorithm>

namespace nnc::syntax {
namespace {

enum Precedence : int { kOr = 1, kAnd, kNot, kComparison, kRange, kSum, kProduct };

struct Operator {
  int precedence = 0; // 0: no binary operator
  BinaryOp op = BinaryOp::Add;
};

Operator binaryOperator(Tok kind) {
  switch (kind) {
  case Tok::KwOr:
    return {kOr, BinaryOp::Or};
  case Tok::KwAnd:
    return {kAnd, BinaryOp::And};
  case Tok::EqEq:
    return {kComparison, BinaryOp::Eq};
  case Tok::NotEq:
    return {kComparison, BinaryOp::Ne};
  case Tok::Less:
    return {kComparison, BinaryOp::Lt};
  case Tok::LessEq:
    return {kComparison, BinaryOp::Le};
  case Tok::Greater:
    return {kComparison, BinaryOp::Gt};
  case Tok::GreaterEq:
    return {kComparison, BinaryOp::Ge};
  case Tok::KwIn:
    return {kComparison, BinaryOp::In};
  case Tok::DotDot:
  case Tok::DotDotEq:
    return {kRange, BinaryOp::Add};
  case Tok::Plus:
    return {kSum, BinaryOp::Add};
  case Tok::Minus:
    return {kSum, BinaryOp::Sub};
  case Tok::Star:
    return {kProduct, BinaryOp::Mul};
  case Tok::Slash:
    return {kProduct, BinaryOp::Div};
  case Tok::SlashSlash:
    return {kProduct, BinaryOp::FloorDiv};
  case Tok::Percent:
    return {kProduct, BinaryOp::Mod};
  case Tok::At:
    return {kProduct, BinaryOp::MatMul};
  default:
    return {};
  }
}

unsigned heightOf(const ExprPtr &expr) { return expr ? expr->height : 0; }

} // namespace

ExprPtr Parser::parseOnlyExpr() {
  ExprPtr expr = parseExpr();
  if (expr && !at(Tok::EndOfFile))
    return expected("the end of the expression");
  return expr;
}

ExprPtr Parser::parseExpr() {
  Nesting nest(*this);
  if (nest.isTooDeep())
    return nullptr;
  if (at(Tok::KwIf))
    return parseIfExpr();
  ExprPtr head = parseBinary(kOr);
  return head && at(Tok::Pipe) ? parsePipeStages(std::move(head)) : std::move(head);
}

ExprPtr Parser::parseIfExpr() {
  auto node = std::make_unique<IfExpr>(here());
  advance();
  if (!(node->condition = parseExpr()) || !expect(Tok::KwThen))
    return nullptr;
  if (!(node->thenValue = parseExpr()) || !expect(Tok::KwElse))
    return nullptr;
  if (!(node->elseValue = parseExpr()))
    return nullptr;
  node->span = since(node->span);
  unsigned height =
      std::max({heightOf(node->condition), heightOf(node->thenValue), heightOf(node->elseValue)});
  return withHeight(std::move(node), height);
}

ExprPtr Parser::parsePipeStages(ExprPtr head) {
  auto node = std::make_unique<PipeExpr>(head->span);
  unsigned height = head->height;
  node->head = std::move(head);
  while (at(Tok::Pipe)) {
    PipeExpr::Stage stage;
    stage.opSpan = here();
    advance();
    if (!(stage.expr = parsePostfix()))
      return nullptr;
    height = std::max(height, stage.expr->height);
    node->stages.push_back(std::move(stage));
    node->span = since(node->span);
    if (reportOperatorAfterPipe(*node))
      return nullptr;
  }
  return withHeight(std::move(node), height);
}

/// `x |> f + y`: the pipe binds loosest, so nothing but another stage may follow.
bool Parser::reportOperatorAfterPipe(const PipeExpr &pipe) {
  if (binaryOperator(kind()).precedence == 0 && !at(Tok::StarStar))
    return false;
  std::string_view op = textOf(peek());
  diags.error("E0101", here(), fmt::format("`{}` cannot follow a pipeline", op))
      .primaryLabel("the right side of `|>` is a name or a call")
      .fixIt("put the pipeline in parentheses",
             {{pipe.span.before(), "("}, {pipe.span.after(), ")"}});
  return true;
}

ExprPtr Parser::parseBinary(int minPrecedence) {
  ExprPtr lhs = at(Tok::KwNot) && minPrecedence <= kNot ? parseNot() : parseUnary();
  return lhs ? parseBinaryTail(std::move(lhs), minPrecedence) : nullptr;
}

ExprPtr Parser::parseBinaryTail(ExprPtr lhs, int minPrecedence) {
  while (lhs) {
    Operator op = binaryOperator(kind());
    if (op.precedence == 0 || op.precedence < minPrecedence)
      return lhs;
    bool isRange = op.precedence == kRange, inclusive = at(Tok::DotDotEq);
    Span opSpan = here();
    advance();
    ExprPtr rhs = parseBinary(op.precedence + 1);
    if (!rhs || reportChain(*rhs, op.precedence))
      return nullptr;
    unsigned height = std::max(lhs->height, rhs->height);
    Span span = since(lhs->span);
    if (isRange) {
      auto node = std::make_unique<RangeExpr>(span);
      node->begin = std::move(lhs);
      node->end = std::move(rhs);
      node->inclusive = inclusive;
      node->opSpan = opSpan;
      lhs = withHeight(std::move(node), height);
    } else {
      auto node = std::make_unique<BinaryExpr>(span);
      node->op = op.op;
      node->opSpan = opSpan;
      node->lhs = std::move(lhs);
      node->rhs = std::move(rhs);
      lhs = withHeight(std::move(node), height);
    }
  }
  return lhs;
}

/// Comparisons and ranges do not chain: `a < b < c`.
bool Parser::reportChain(const Expr &middle, int precedence) {
  if (binaryOperator(kind()).precedence != precedence ||
      (precedence != kComparison && precedence != kRange))
    return false;
  if (precedence == kRange) {
    diags.error("E0111", here(), "ranges do not chain").primaryLabel("a second range operator");
    return true;
  }
  Diagnostic &diag =
      diags.error("E0111", here(), "comparisons do not chain").primaryLabel("a second comparison");
  bool isShort = middle.span.size() <= 80;
  if (isShort)
    diag.fixIt("compare twice",
               {{middle.span.after(), fmt::format(" and {}", sources.text(middle.span))}});
  return true;
}

ExprPtr Parser::parseNot() {
  Nesting nest(*this);
  if (nest.isTooDeep())
    return nullptr;
  auto node = std::make_unique<UnaryExpr>(here());
  node->op = UnaryOp::Not;
  node->opSpan = here();
  advance();
  if (!(node->operand = parseBinary(kNot)))
    return nullptr;
  node->span = since(node->span);
  unsigned height = node->operand->height;
  return withHeight(std::move(node), height);
}

/// `-x`, and `x ** y`, which binds tighter than the sign on its left but not on its right.
ExprPtr Parser::parseUnary() {
  if (at(Tok::Minus)) {
    Nesting nest(*this);
    if (nest.isTooDeep())
      return nullptr;
    auto node = std::make_unique<UnaryExpr>(here());
    node->opSpan = here();
    advance();
    if (!(node->operand = parseUnary()))
      return nullptr;
    node->span = since(node->span);
    unsigned height = node->operand->height;
    return withHeight(std::move(node), height);
  }
  ExprPtr base = parsePostfix();
  if (!base || !at(Tok::StarStar))
    return base;
  Nesting nest(*this);
  if (nest.isTooDeep())
    return nullptr;
  auto node = std::make_unique<BinaryExpr>(base->span);
  node->op = BinaryOp::Pow;
  node->opSpan = here();
  advance();
  node->lhs = std::move(base);
  if (!(node->rhs = parseUnary()))
    return nullptr;
  node->span = since(node->span);
  unsigned height = std::max(node->lhs->height, node->rhs->height);
  return withHeight(std::move(node), height);
}

ExprPtr Parser::parsePostfix() {
  ExprPtr expr = parsePrimary();
  while (expr) {
    if (at(Tok::LParen))
      expr = parseCall(std::move(expr));
    else if (at(Tok::LBracket))
      expr = parseIndex(std::move(expr));
    else if (at(Tok::Dot))
      expr = parseMember(std::move(expr));
    else
      break;
  }
  return expr;
}

ExprPtr Parser::parseCall(ExprPtr callee) {
  auto node = std::make_unique<CallExpr>(callee->span);
  Span open = here();
  unsigned height = callee->height;
  node->callee = std::move(callee);
  if (!parseArgs(node->args))
    return nullptr;
  node->parensSpan = since(open);
  node->span = since(node->span);
  for (const Argument &arg : node->args)
    height = std::max(height, arg.value->height);
  return withHeight(std::move(node), height);
}

bool Parser::parseArgs(std::vector<Argument> &args) {
  return parseList(Tok::RParen, {"this call", "argument", true}, [&] { return parseArg(args); });
}

bool Parser::parseArg(std::vector<Argument> &args) {
  Argument arg;
  Span first = here();
  if (kind(1) == Tok::Assign && (at(Tok::Name) || isReserved(kind()))) {
    if (!expectName(arg.name, "the name of an argument"))
      return false;
    advance();
  } else if (!args.empty() && args.back().isNamed()) {
    diags.error("E0116", first, "a positional argument after a named one")
        .label(args.back().span, "named arguments come last");
  }
  if (!(arg.value = parseExpr()))
    return false;
  arg.span = since(first);
  args.push_back(std::move(arg));
  return true;
}

ExprPtr Parser::parseIndex(ExprPtr base) {
  auto node = std::make_unique<IndexExpr>(base->span);
  unsigned height = base->height;
  node->base = std::move(base);
  Span open = here();
  bool good = parseList(Tok::RBracket, {"this index", "index"}, [&] {
    IndexItem item;
    if (!parseIndexItem(item))
      return false;
    node->items.push_back(std::move(item));
    return true;
  });
  if (!good)
    return nullptr;
  node->span = since(node->span);
  if (node->items.empty()) {
    diags.error("E0101", since(open), "expected an index").primaryLabel("nothing between these");
    return nullptr;
  }
  for (const IndexItem &item : node->items)
    height = std::max({height, heightOf(item.value), heightOf(item.begin), heightOf(item.end),
                       heightOf(item.step)});
  return withHeight(std::move(node), height);
}

bool Parser::parseIndexItem(IndexItem &item) {
  Span first = here();
  auto finish = [&] {
    item.span = since(first);
    return true;
  };
  auto atBound = [&] { return !at(Tok::Colon) && !at(Tok::Comma) && !at(Tok::RBracket); };
  if (consume(Tok::Ellipsis)) {
    item.kind = IndexItem::Ellipsis;
    return finish();
  }
  if (!at(Tok::Colon) && !(item.value = parseExpr()))
    return false;
  if (!consume(Tok::Colon))
    return finish();
  item.kind = IndexItem::Slice;
  item.begin = std::move(item.value);
  if (atBound() && !(item.end = parseExpr()))
    return false;
  if (consume(Tok::Colon) && atBound() && !(item.step = parseExpr()))
    return false;
  return finish();
}

ExprPtr Parser::parseMember(ExprPtr base) {
  auto node = std::make_unique<MemberExpr>(base->span);
  advance();
  if (!expectName(node->name, "the name of a member"))
    return nullptr;
  node->base = std::move(base);
  node->span = since(node->span);
  unsigned height = node->base->height;
  return withHeight(std::move(node), height);
}

} // namespace nnc::syntax
