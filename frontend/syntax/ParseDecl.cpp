//===- ParseDecl.cpp - Files, modules, functions --------------------------------------------===//

#include "frontend/syntax/ParserImpl.h"

#include <fmt/format.h>

#include <algorithm>

namespace nnc::syntax {

std::unique_ptr<File> parseFile(const SourceManager &sources, FileId file, Diagnostics &diags) {
  return Parser(sources, lex(sources, file), diags).parseFile();
}

ExprPtr parseExpression(const SourceManager &sources, FileId file, Diagnostics &diags) {
  auto end = static_cast<uint32_t>(sources.text(file).size());
  return Parser(sources, lex(sources, Span{file, 0, end}), diags).parseOnlyExpr();
}

std::unique_ptr<File> Parser::parseFile() {
  auto result = std::make_unique<File>();
  result->id = stream.file;
  checkVersion();
  BodyContext context;
  context.parse = [this] { return parseDeclaration([this] { return parseItem(); }); };
  parseBody(context, result->items);
  while (!at(Tok::EndOfFile)) {
    if (assumedClosed > 0)
      --assumedClosed;
    else
      diags.error("E0103", here(), "this `}` closes nothing");
    advance();
    parseBody(context, result->items);
  }
  return result;
}

/// `#!nn 1` on the first line pins the version of the language.
void Parser::checkVersion() {
  constexpr std::string_view kMark = "#!nn";
  if (stream.comments.empty() || stream.comments.front().begin != 0)
    return;
  Span span = {stream.file, 0, stream.comments.front().end};
  std::string_view line = sources.text(span);
  if (!line.starts_with(kMark))
    return;
  std::string_view version = line.substr(kMark.size());
  size_t first = std::min(version.find_first_not_of(" \t"), version.size());
  if (first > 0 && version.substr(first) == "1")
    return;
  diags.error("E0113", span, "this file asks for another version of the language")
      .primaryLabel("this compiler knows version 1")
      .fixIt("pin version 1", {{span, "#!nn 1"}});
}

/// Attributes and the documentation before a declaration, then the declaration.
StmtPtr Parser::parseDeclaration(const std::function<StmtPtr()> &parseOne) {
  std::string doc = docBefore(here().begin);
  std::vector<Attribute> attributes;
  Span first = here();
  if (!parseAttributes(attributes))
    return nullptr;
  if (!attributes.empty() && (at(Tok::EndOfFile) || at(Tok::RBrace))) {
    diags.error("E0112", since(first), "attributes stand before a declaration")
        .primaryLabel("nothing follows these");
    return nullptr;
  }
  StmtPtr stmt = parseOne();
  if (stmt) {
    stmt->attributes = std::move(attributes);
    stmt->doc = std::move(doc);
  }
  return stmt;
}

bool Parser::parseAttributes(std::vector<Attribute> &attributes) {
  while (at(Tok::At)) {
    Attribute attribute;
    attribute.span = here();
    advance();
    if (!expectName(attribute.name, "the name of an attribute"))
      return false;
    attribute.hasArgs = at(Tok::LParen);
    if (attribute.hasArgs && !parseArgs(attribute.args))
      return false;
    attribute.span = since(attribute.span);
    attributes.push_back(std::move(attribute));
    consume(Tok::Newline);
  }
  return true;
}

/// The `##` lines that end directly above the line of `offset`.
std::string Parser::docBefore(uint32_t offset) const {
  auto end = std::lower_bound(stream.comments.begin(), stream.comments.end(), offset,
                              [](const Comment &c, uint32_t o) { return c.begin < o; });
  auto first = end;
  uint32_t below = offset;
  while (first != stream.comments.begin()) {
    const Comment &comment = *std::prev(first);
    std::string_view between = sources.text(Span{stream.file, comment.end, below});
    bool isAdjacent = std::count(between.begin(), between.end(), '\n') == 1 &&
                      between.find_first_not_of(" \t\r\n") == between.npos;
    if (!comment.doc || !comment.ownLine || !isAdjacent)
      break;
    below = comment.begin;
    --first;
  }
  std::string doc;
  for (; first != end; ++first) {
    std::string_view line = sources.text(Span{stream.file, first->begin + 2, first->end});
    if (line.starts_with(' '))
      line.remove_prefix(1);
    doc.append(doc.empty() ? "" : "\n").append(line);
  }
  return doc;
}

StmtPtr Parser::parseItem() {
  switch (kind()) {
  case Tok::KwImport:
    return parseImport();
  case Tok::KwModule:
  case Tok::KwModel:
    return parseModule();
  case Tok::KwTrain:
    return parseTrain();
  case Tok::KwFn:
    return parseFn();
  case Tok::KwParam:
  case Tok::KwBuffer:
  case Tok::KwState:
  case Tok::KwTie:
    reportMisplaced("outside of a module");
    parseMember();
    return nullptr;
  default:
    return parseBinding();
  }
}

/// A binding outside of functions, where nothing can be updated, and no other statement can stand.
StmtPtr Parser::parseBinding() {
  if (at(Tok::KwReturn) || at(Tok::KwYield) || at(Tok::KwFor) || at(Tok::KwIf) || at(Tok::KwScan)) {
    parseMisplacedStmt();
    return nullptr;
  }
  StmtPtr stmt = parseBindOrUpdate();
  if (!stmt || stmt->is<BindStmt>())
    return stmt;
  diags.error("E0108", stmt->get<UpdateStmt>().opSpan, "`<-` cannot stand outside of a function");
  return nullptr;
}

StmtPtr Parser::parseMember() {
  switch (kind()) {
  case Tok::KwParam:
  case Tok::KwBuffer:
  case Tok::KwState:
    return parseSlot();
  case Tok::KwTie:
    return parseTie();
  case Tok::KwFn:
    return parseFn();
  case Tok::KwModule:
  case Tok::KwModel:
  case Tok::KwTrain:
  case Tok::KwImport:
    reportMisplaced("in a module");
    parseItem();
    return nullptr;
  default:
    return parseBinding();
  }
}

/// `import "./blocks.nn" (Block)`, `import std.quant as q`.
StmtPtr Parser::parseImport() {
  auto node = std::make_unique<ImportStmt>(here());
  advance();
  if (at(Tok::String)) {
    node->path = parseString();
  } else {
    do {
      if (!expectName(node->package.emplace_back(), "a file name in quotes or a package"))
        return nullptr;
    } while (consume(Tok::Dot));
  }
  if (at(Tok::LParen)) {
    bool good = parseList(Tok::RParen, {"this import", "name"}, [&] {
      return expectName(node->names.emplace_back(), "a name to import");
    });
    if (!good || (node->names.empty() && !expected("a name to import")))
      return nullptr;
  } else if (consume(Tok::KwAs) && !expectName(node->alias, "a name")) {
    return nullptr;
  }
  node->span = since(node->span);
  return node;
}

bool Parser::parseMembers(Span &span, Span head, std::vector<StmtPtr> &body) {
  auto parseOne = [this] { return parseDeclaration([this] { return parseMember(); }); };
  return parseBraced(span, {head, false, parseOne}, body);
}

/// `module M(params) requires guards { body }` and `model A = M(...)`.
StmtPtr Parser::parseModule() {
  auto node = std::make_unique<ModuleStmt>(here());
  node->isModel = at(Tok::KwModel);
  advance();
  bool good =
      expectName(node->name, node->isModel ? "the name of a model" : "the name of a module");
  if (good && consume(Tok::Assign)) {
    if (!(node->instance = parseExpr()))
      return nullptr;
    node->span = since(node->span);
    return node;
  }
  node->hasParams = good && at(Tok::LParen);
  if (node->hasParams)
    good = parseFormals(node->params);
  good = good && parseOptionalGuards(node->guards);
  if (!good && !skipToBody())
    return nullptr;
  if (!parseMembers(node->bodySpan, node->span, node->body) || !good)
    return nullptr;
  node->span = since(node->span);
  return node;
}

/// `train net = Model(...) { optimizer = ...; fn loss ... }`.
StmtPtr Parser::parseTrain() {
  auto node = std::make_unique<TrainStmt>(here());
  node->block = std::make_unique<ModuleStmt>(here());
  advance();
  bool good = expectName(node->name, "the name of the trained model") &&
              (consume(Tok::Assign) || expectedInstance(node->name)) &&
              (node->instance = parseExpr());
  if (!good && !skipToBody())
    return nullptr;
  ModuleStmt &block = *node->block;
  block.name = node->name;
  if (!parseMembers(block.bodySpan, node->span, block.body) || !good)
    return nullptr;
  node->span = block.span = since(node->span);
  return node;
}

StmtPtr Parser::parseFn() {
  auto node = std::make_unique<FnStmt>(here());
  advance();
  bool good = parseFnHead(*node);
  if (good && consume(Tok::Assign)) {
    if (!(node->expr = parseExpr()))
      return nullptr;
    node->span = since(node->span);
    return node;
  }
  if (!good && !skipToBody())
    return nullptr;
  node->block.emplace();
  if (!parseBlock(*node->block, node->span) || !good)
    return nullptr;
  node->span = since(node->span);
  return node;
}

bool Parser::parseFnHead(FnStmt &fn) {
  if (!expectName(fn.name, "the name of a function"))
    return false;
  fn.paramsSpan = here();
  if (!at(Tok::LParen))
    return expected("`(`") != nullptr;
  if (!parseFormals(fn.params))
    return false;
  fn.paramsSpan = since(fn.paramsSpan);
  if (at(Tok::Colon) && isElementType(kind(1))) {
    diags.error("E0101", here(), "expected `->` or `{`")
        .primaryLabel("found `:`")
        .fixIt("the type of the result stands behind `->`", {{here(), " ->"}});
    return false;
  }
  if (consume(Tok::Arrow) && !parseResults(fn.results))
    return false;
  return parseOptionalGuards(fn.guards);
}

bool Parser::parseFormals(std::vector<Formal> &formals) {
  return parseList(Tok::RParen, {"these parameters", "parameter", true}, [&] {
    Formal formal;
    if (!parseFormal(formal))
      return false;
    auto isSame = [&](const Formal &other) { return other.name.text == formal.name.text; };
    auto first = std::find_if(formals.begin(), formals.end(), isSame);
    if (first != formals.end())
      diags.error("E0202", formal.name.span, fmt::format("`{}` is defined twice", formal.name.text))
          .primaryLabel("defined again here")
          .label(first->name.span, "first defined here");
    formals.push_back(std::move(formal));
    return true;
  });
}

/// `dim: int as "hidden_size" = 768`.
bool Parser::parseFormal(Formal &formal) {
  formal.span = here();
  if (!expectName(formal.name, "the name of a parameter"))
    return false;
  if (!at(Tok::Colon)) {
    if (at(Tok::Newline) || at(Tok::LBrace) || at(Tok::EndOfFile))
      return expected("`:` and a type") != nullptr;
    reportUntyped(formal.name);
    return false;
  }
  advance();
  if (!(formal.type = parseType()) || !parseOptionalKey(formal.key))
    return false;
  if (consume(Tok::Assign) && !(formal.defaultValue = parseExpr()))
    return false;
  formal.span = since(formal.span);
  return true;
}

/// `float[B]` or `(loss: f32[], accuracy: f32[])`.
bool Parser::parseResults(std::vector<Result> &results) {
  bool isNamed = at(Tok::LParen) && kind(1) == Tok::Name && kind(2) == Tok::Colon;
  if (!isNamed) {
    Result &result = results.emplace_back();
    result.span = here();
    result.type = parseType();
    result.span = since(result.span);
    return result.type != nullptr;
  }
  return parseList(Tok::RParen, {"these results", "result"}, [&] {
    Result result;
    result.span = here();
    if (!expectName(result.name, "the name of a result") || !expect(Tok::Colon))
      return false;
    if (!(result.type = parseType()))
      return false;
    result.span = since(result.span);
    results.push_back(std::move(result));
    return true;
  });
}

bool Parser::parseOptionalGuards(std::vector<Guard> &guards) {
  if (!consume(Tok::KwRequires))
    return true;
  do {
    Guard guard;
    guard.span = here();
    if (!(guard.condition = parseExpr()))
      return false;
    if (consume(Tok::Colon) && !(guard.message = parseString()))
      return false;
    guard.span = since(guard.span);
    guards.push_back(std::move(guard));
  } while (consume(Tok::Comma));
  return true;
}

/// `param b: float[d] as "bias" = 0 if bias`.
StmtPtr Parser::parseSlot() {
  auto node = std::make_unique<SlotStmt>(here());
  node->slot = at(Tok::KwParam)    ? SlotKind::Param
               : at(Tok::KwBuffer) ? SlotKind::Buffer
                                   : SlotKind::State;
  advance();
  if (!expectName(node->name, "a name") || !expect(Tok::Colon))
    return nullptr;
  if (!(node->type = parseType()) || !parseOptionalKey(node->key))
    return nullptr;
  if (consume(Tok::Assign) && !(node->init = parseExpr()))
    return nullptr;
  if (consume(Tok::KwIf) && !(node->condition = parseExpr()))
    return nullptr;
  node->span = since(node->span);
  return node;
}

/// `tie lm_head.weight = embed.weight if tied`.
StmtPtr Parser::parseTie() {
  auto node = std::make_unique<TieStmt>(here());
  advance();
  if (!(node->left = parsePostfix()) || !expect(Tok::Assign))
    return nullptr;
  if (!(node->right = parsePostfix()))
    return nullptr;
  if (consume(Tok::KwIf) && !(node->condition = parseExpr()))
    return nullptr;
  node->span = since(node->span);
  return node;
}

} // namespace nnc::syntax
