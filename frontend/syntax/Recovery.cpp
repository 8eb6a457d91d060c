//===- Recovery.cpp - Where a list ends, what is too deep, and where to go on ---------------===//

#include "frontend/syntax/ParserImpl.h"
#include "frontend/syntax/TokenKinds.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nnc::syntax {

//===----------------------------------------------------------------------------------------===//
// Nesting
//===----------------------------------------------------------------------------------------===//

bool Parser::Nesting::isTooDeep() {
  if (parser.nesting <= kMaxNesting)
    return false;
  parser.reportedEnd = true;
  if (std::exchange(parser.reportedDeep, true))
    return true;
  parser.diags
      .error("E0109", parser.here(), fmt::format("nested more than {} levels deep", kMaxNesting))
      .help("give inner parts names of their own");
  return true;
}

ExprPtr Parser::withHeight(ExprPtr expr, unsigned childHeight) {
  expr->height = childHeight + 1;
  if (expr->height <= kMaxHeight)
    return expr;
  diags.error("E0109", here(), fmt::format("this expression has more than {} levels", kMaxHeight))
      .help("give parts of it names of their own");
  return nullptr;
}

//===----------------------------------------------------------------------------------------===//
// Lists
//===----------------------------------------------------------------------------------------===//

bool Parser::startsElement() const {
  switch (kind()) {
  case Tok::Name:
  case Tok::Int:
  case Tok::Float:
  case Tok::String:
  case Tok::KwTrue:
  case Tok::KwFalse:
  case Tok::KwNone:
  case Tok::KwNot:
  case Tok::Ellipsis:
    return true;
  default:
    return isElementType(kind());
  }
}

bool Parser::parseList(Tok close, const ListWords &words, const std::function<bool()> &element) {
  Span open = here();
  std::string_view closing = close == Tok::RParen ? ")" : "]";
  if (!expect(close == Tok::RParen ? Tok::LParen : Tok::LBracket))
    return false;
  ++openBrackets;
  bool missingComma = false;
  auto parseElements = [&] {
    if (at(close))
      return true;
    while (true) {
      if (at(Tok::EndOfFile)) {
        reportUnclosed(open, closing);
        return false;
      }
      if (!element())
        return false;
      if (at(close))
        return true;
      if (consume(Tok::Comma)) {
        if (words.trailingComma && at(close))
          return true;
        continue;
      }
      Tok other = close == Tok::RParen ? Tok::RBracket : Tok::RParen;
      bool isEnd = at(other) || at(Tok::Newline) || at(Tok::EndOfFile) || at(Tok::RBrace) ||
                   at(Tok::LBrace) || startsDeclaration(kind());
      if (isEnd) {
        reportUnclosed(open, closing);
        return false;
      }
      if (missingComma)
        return false; // one error per list
      if (!startsElement() || reportSlashComment())
        return expected(fmt::format("`,` or `{}`", closing)) != nullptr;
      reportMissingComma(words, closing);
      missingComma = true;
    }
  };
  bool good = parseElements();
  --openBrackets;
  return good && consume(close);
}

//===----------------------------------------------------------------------------------------===//
// Recovery
//===----------------------------------------------------------------------------------------===//

unsigned Parser::indentOfLine(Span span) const {
  Span line = sources.lineSpan(span.file, sources.lineCol(span).line);
  std::string_view text = sources.text(line);
  return static_cast<unsigned>(std::min(text.find_first_not_of(" \t"), text.size()));
}

bool Parser::looksUnclosed(const BodyContext &context) const {
  bool isMember = kind() == Tok::KwFn || kind() == Tok::KwParam || kind() == Tok::KwBuffer ||
                  kind() == Tok::KwState || kind() == Tok::KwTie;
  bool isForeign = startsDeclaration(kind()) && (context.isFunction || !isMember);
  if (!context.head.isValid() || !peek().startsLine || !isForeign)
    return false;
  return indentOfLine(here()) <= indentOfLine(context.head);
}

void Parser::synchronize() {
  bool onlyLine = skipOnlyLine;
  skipOnlyLine = false;
  unsigned depth = 0;
  for (bool first = true; !at(Tok::EndOfFile); first = false, advance()) {
    const Token &token = peek();
    if (onlyLine && token.startsLine && !first)
      return;
    if (depth == 0 && (token.kind == Tok::Newline || token.kind == Tok::RBrace))
      return;
    if (depth == 0 && token.startsLine && startsDeclaration(token.kind))
      return;
    depth += token.kind == Tok::LBrace;
    depth -= token.kind == Tok::RBrace;
  }
}

bool Parser::skipToBody() {
  while (!at(Tok::LBrace)) {
    if (at(Tok::Newline) || at(Tok::RBrace) || at(Tok::EndOfFile))
      return false;
    advance();
  }
  return true;
}

} // namespace nnc::syntax
