//===- ParseStmt.cpp - Blocks and statements of functions -----------------------------------===//

#include "frontend/syntax/ParserImpl.h"

#include <fmt/format.h>

#include <charconv>

namespace nnc::syntax {

bool Parser::parseBlock(Block &block, Span head) {
  return parseBraced(block.span, {head, true, [this] { return parseStmt(); }}, block.stmts);
}

bool Parser::parseBraced(Span &span, const BodyContext &context, std::vector<StmtPtr> &body) {
  Nesting nest(*this);
  if (nest.isTooDeep())
    return false;
  Span open = here();
  if (at(Tok::Newline) && kind(1) == Tok::LBrace) {
    Span brace = spanOf(peek(1));
    diags.error("E0101", brace, "`{` belongs on the line before")
        .primaryLabel("a line break ends the declaration above");
    advance();
    open = brace;
  }
  if (!at(Tok::LBrace)) {
    expected("`{`");
    return false;
  }
  advance();
  parseBody(context, body);
  if (at(Tok::RBrace)) {
    bool isDoubtful = peek().startsLine && indentOfLine(here()) < indentOfLine(context.head);
    if (isDoubtful && !doubtfulBlock.isValid())
      doubtfulBlock = open;
    advance();
  } else {
    reportUnclosed(open, "}");
    assumedClosed += !at(Tok::EndOfFile);
  }
  span = since(open);
  return true;
}

void Parser::parseBody(const BodyContext &context, std::vector<StmtPtr> &body) {
  while (!at(Tok::RBrace) && !at(Tok::EndOfFile)) {
    if (consume(Tok::Newline))
      continue;
    if (looksUnclosed(context))
      return;
    size_t before = index;
    StmtPtr stmt = reportReservedTarget() ? nullptr : context.parse();
    // An unclosed block leaves the line break before what it cannot hold behind it.
    bool isComplete = at(Tok::Newline) || at(Tok::RBrace) || at(Tok::EndOfFile) ||
                      (index > 0 && stream.tokens[index - 1].kind == Tok::Newline);
    if (stmt && !isComplete)
      expected("the end of the statement");
    if (stmt && isComplete) {
      body.push_back(std::move(stmt));
      continue;
    }
    if (diags.isFull()) {
      index = stream.tokens.size() - 1;
      return;
    }
    synchronize();
    if (index == before)
      advance();
  }
}

StmtPtr Parser::parseStmt() {
  switch (kind()) {
  case Tok::KwReturn:
    return parseValues<ReturnStmt>();
  case Tok::KwYield:
    return parseValues<YieldStmt>();
  case Tok::KwFor:
    return parseFor();
  case Tok::KwIf:
    return parseIf();
  case Tok::KwScan:
    return parseScan();
  case Tok::KwParam:
  case Tok::KwBuffer:
  case Tok::KwState:
  case Tok::KwTie:
  case Tok::KwFn:
  case Tok::KwModule:
  case Tok::KwModel:
  case Tok::KwTrain:
  case Tok::KwImport:
    reportMisplaced("in a function");
    parseDeclaration([this] {
      return kind() == Tok::KwParam || kind() == Tok::KwBuffer || kind() == Tok::KwState ||
                     kind() == Tok::KwTie
                 ? parseMember()
                 : parseItem();
    });
    return nullptr;
  case Tok::At:
    diags.error("E0112", here(), "attributes belong to declarations")
        .primaryLabel("a statement takes none");
    return nullptr;
  default:
    return parseBindOrUpdate();
  }
}

/// Whether the tokens here are targets followed by `=`: `x = `, `x: f32[] = `, `x, y = `, `(x, y)
/// =`.
bool Parser::startsBinding() const {
  if (at(Tok::Name))
    return kind(1) == Tok::Assign || kind(1) == Tok::Colon || kind(1) == Tok::Comma;
  if (!at(Tok::LParen))
    return false;
  size_t depth = 0;
  for (size_t i = index; i < stream.tokens.size(); ++i) {
    Tok k = stream.tokens[i].kind;
    depth += k == Tok::LParen;
    depth -= k == Tok::RParen;
    if (depth == 0) {
      Tok next = stream.tokens[std::min(i + 1, stream.tokens.size() - 1)].kind;
      return next == Tok::Assign || next == Tok::Comma;
    }
    if (k == Tok::Newline || k == Tok::LBrace)
      return false;
  }
  return false;
}

StmtPtr Parser::parseBindOrUpdate() {
  if (startsBinding())
    return parseBind();
  if (atCompound())
    return parseCompound();
  if (reportForeignStatement())
    return nullptr;
  ExprPtr expr = parseExpr();
  if (!expr)
    return nullptr;
  if (at(Tok::LArrow))
    return parseUpdate(std::move(expr));
  if (at(Tok::Assign))
    return reportPlace(*expr);
  bool isWhole = at(Tok::Newline) || at(Tok::RBrace) || at(Tok::EndOfFile);
  if (isWhole)
    reportUnused(*expr);
  else
    expected("the end of the statement");
  return nullptr;
}

StmtPtr Parser::parseBind() {
  auto node = std::make_unique<BindStmt>(here());
  if (!parseTargets(node->targets))
    return nullptr;
  if (!consume(Tok::Assign))
    return expectedValue(node->targets);
  if (at(Tok::KwScan)) {
    if (!(node->scan = parseScan()))
      return nullptr;
    node->value.span = node->scan->span;
  } else if (!parseValue(node->value)) {
    return nullptr;
  }
  if (at(Tok::Comma) && node->targets.size() > 1)
    return reportBareTuple(node->value.span);
  node->span = since(node->span);
  return node;
}

/// `a, b = f(x), g(x)`: the values are a tuple, which is written with parentheses.
std::nullptr_t Parser::reportBareTuple(Span first) {
  Span comma = here();
  while (consume(Tok::Comma))
    if (!parseExpr())
      return nullptr;
  diags.error("E0101", comma, "several values are bound as a tuple, in parentheses")
      .primaryLabel("this starts another value")
      .fixIt("add parentheses", {{first.before(), "("}, {since(first).after(), ")"}});
  return nullptr;
}

StmtPtr Parser::parseUpdate(ExprPtr place) {
  bool isPlace = (place->is<NameExpr>() || place->is<IndexExpr>() || place->is<MemberExpr>()) &&
                 place->parens == 0;
  if (!isPlace) {
    diags.error("E0117", place->span, "only a buffer, a state or a part of one can be updated")
        .primaryLabel("this is a computed value");
    return nullptr;
  }
  auto node = std::make_unique<UpdateStmt>(place->span);
  node->place = std::move(place);
  node->opSpan = here();
  advance();
  if (!(node->value = parseExpr()))
    return nullptr;
  node->span = since(node->span);
  return node;
}

/// `a, b`
bool Parser::parseExprs(std::vector<ExprPtr> &list) {
  do {
    ExprPtr expr = parseExpr();
    if (!expr)
      return false;
    list.push_back(std::move(expr));
  } while (consume(Tok::Comma));
  return true;
}

/// `return a, b` and `yield a, b`.
template <typename T> StmtPtr Parser::parseValues() {
  auto node = std::make_unique<T>(here());
  advance();
  if (!parseExprs(node->values))
    return nullptr;
  node->span = since(node->span);
  return node;
}

StmtPtr Parser::parseFor() {
  auto node = std::make_unique<ForStmt>(here());
  advance();
  bool good = parseTargets(node->targets) && expect(Tok::KwIn) && (node->range = parseExpr());
  if (!good && !skipToBody())
    return nullptr;
  if (!parseBlock(node->body, node->span) || !good)
    return nullptr;
  node->span = since(node->span);
  return node;
}

StmtPtr Parser::parseIf() {
  auto node = std::make_unique<IfStmt>(here());
  bool allGood = true;
  while (consume(Tok::KwIf)) {
    IfStmt::Branch branch;
    branch.condition = parseExpr();
    if (branch.condition && at(Tok::Assign)) {
      diags.error("E0101", here(), "`=` binds a name and has no value")
          .fixIt("comparison is `==`", {{here(), "=="}});
      branch.condition = nullptr;
    }
    bool good = branch.condition != nullptr;
    if ((!good && !skipToBody()) || !parseBlock(branch.body, node->span))
      return nullptr;
    allGood &= good;
    node->branches.push_back(std::move(branch));
    if (!consume(Tok::KwElse))
      break;
    if (at(Tok::KwIf))
      continue;
    node->elseBody.emplace();
    if (!parseBlock(*node->elseBody, node->span))
      return nullptr;
    break;
  }
  node->span = since(node->span);
  return allGood ? std::move(node) : nullptr;
}

std::unique_ptr<ScanStmt> Parser::parseScan() {
  auto node = std::make_unique<ScanStmt>(here());
  node->keyword = here();
  advance();
  auto parseHead = [&] {
    if (!parseTargets(node->targets) || !expect(Tok::KwIn) || !parseExprs(node->sequences))
      return false;
    if (!atWord("axis"))
      return expectedAxis() != nullptr;
    advance();
    node->axisSpan = here();
    if (!at(Tok::Int))
      return expected("the number of an axis") != nullptr;
    ExprPtr axis = parseInt();
    if (!axis)
      return false;
    node->axis = axis->get<IntExpr>().value;
    if (atWord("reverse")) {
      node->reverse = true;
      advance();
    }
    return true;
  };
  bool good = parseHead();
  if (!good && !skipToBody())
    return nullptr;
  if (!parseBlock(node->body, node->span) || !good)
    return nullptr;
  node->span = since(node->span);
  return node;
}

} // namespace nnc::syntax
