//===- ParseErrors.cpp - What is wrong, and where to go on ----------------------------------===//

#include "frontend/syntax/ParserImpl.h"
#include "frontend/syntax/Snippet.h"
#include "frontend/syntax/Suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nnc::syntax {
namespace {

/// Words with which statements start elsewhere.
struct ForeignWord {
  std::string_view word, instead;
  enum Kind { Dropped, Replaced, Advice } kind; // what the fix does
};
constexpr ForeignWord kForeignWords[] = {
    {"let", "a name is bound with `=` alone", ForeignWord::Dropped},
    {"var", "a name is bound with `=` alone", ForeignWord::Dropped},
    {"const", "a name is bound with `=` alone", ForeignWord::Dropped},
    {"def", "fn", ForeignWord::Replaced},
    {"func", "fn", ForeignWord::Replaced},
    {"function", "fn", ForeignWord::Replaced},
    {"class", "module", ForeignWord::Replaced},
    {"struct", "module", ForeignWord::Replaced},
    {"elif", "else if", ForeignWord::Replaced},
    {"from", "import", ForeignWord::Replaced},
    {"while", "`for i in 0..n` repeats when compiling, `scan` walks over a tensor",
     ForeignWord::Advice},
    {"assert", "what must hold is a guard of the function: `requires B <= 64`",
     ForeignWord::Advice}};

/// Words with which statements start here.
const std::vector<std::string_view> kStatementWords = {
    "import", "module", "model", "train", "fn", "param", "buffer",
    "state",  "return", "yield", "for",   "if", "scan",  "tie"};

/// Characters that word processors and keyboards put where another one is meant.
struct LookAlike {
  std::string_view character, meant, name;
};
constexpr LookAlike kLookAlikes[] = {
    {"\u00a0", " ", "a no-break space"},
    {"\u200b", "", "a space of no width"},
    {"\ufeff", "", "a byte-order mark"},
    {"\u3000", " ", "a wide space"},
    {"\u201c", "\"", "a curly quote"},
    {"\u201d", "\"", "a curly quote"},
    {"\u2018", "\"", "a curly quote"},
    {"\u2019", "\"", "a curly quote"},
    {"\u00ab", "\"", "a guillemet"},
    {"\u00bb", "\"", "a guillemet"},
    {"\u2212", "-", "a minus sign beyond ASCII"},
    {"\u2013", "-", "a dash"},
    {"\u2014", "-", "a dash"},
    {"\u00d7", "*", "a multiplication sign"},
    {"\u00b7", "*", "a dot"},
    {"\u00f7", "/", "a division sign"},
    {"\u2192", "->", "an arrow"},
    {"\u2190", "<-", "an arrow"},
    {"\u2264", "<=", "a sign beyond ASCII"},
    {"\u2265", ">=", "a sign beyond ASCII"},
    {"\u2260", "!=", "a sign beyond ASCII"},
    {"\u2026", "...", "an ellipsis"},
    {"\uff08", "(", "a wide parenthesis"},
    {"\uff09", ")", "a wide parenthesis"},
    {"\uff0c", ",", "a wide comma"},
    {"\uff1a", ":", "a wide colon"},
    {"\uff1d", "=", "a wide equals sign"},
};

bool startsDeclaration(Tok kind) {
  switch (kind) {
  case Tok::KwImport:
  case Tok::KwFn:
  case Tok::KwModule:
  case Tok::KwModel:
  case Tok::KwTrain:
  case Tok::KwParam:
  case Tok::KwBuffer:
  case Tok::KwState:
  case Tok::KwTie:
    return true;
  default:
    return false;
  }
}

} // namespace

//===----------------------------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------------------------===//

bool Parser::consume(Tok k) {
  if (!at(k))
    return false;
  advance();
  return true;
}

Span Parser::here() const {
  const Token &token = peek();
  if ((token.kind == Tok::Newline || token.kind == Tok::EndOfFile) && index > 0)
    return previous().after();
  return spanOf(token);
}

Span Parser::previous() const {
  for (size_t i = index; i-- > 0;)
    if (stream.tokens[i].kind != Tok::Newline)
      return spanOf(stream.tokens[i]);
  return spanOf(stream.tokens.front()).before();
}

bool Parser::expect(Tok k) {
  if (consume(k))
    return true;
  expected(spelling(k));
  return false;
}

bool Parser::expectName(Ident &name, std::string_view what) {
  if (at(Tok::Name)) {
    name = {textOf(peek()), here()};
    advance();
    return true;
  }
  if (!isReserved(kind())) {
    expected(what);
    return false;
  }
  std::string_view word = textOf(peek());
  Diagnostic &diag = diags.error("E0107", here(), fmt::format("`{}` is a reserved word", word))
                         .primaryLabel(fmt::format("expected {}", what));
  if (isElementType(kind()) && index > 0 && stream.tokens[index - 1].kind == Tok::Dot)
    diag.help(fmt::format("types cast: `{}(x)`", word));
  else
    diag.fixIt("choose another name", {{here(), fmt::format("{}_", word)}});
  return false;
}

//===----------------------------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------------------------===//

std::string Parser::describe(const Token &token) const {
  switch (token.kind) {
  case Tok::EndOfFile:
    if (isPartOfString)
      return "the end of the braces";
    [[fallthrough]];
  case Tok::Newline:
    return std::string(spelling(token.kind));
  case Tok::String:
    return "a string";
  default:
    return fmt::format("`{}`", shorten(textOf(token), 40));
  }
}

std::nullptr_t Parser::expected(std::string_view what) {
  skipOnlyLine = false;
  if (reportSlashComment() || reportBadToken() || reportForeignContinuation(what))
    return nullptr;
  Diagnostic &diag = diags.error("E0101", here(), fmt::format("expected {}", what));
  diag.primaryLabel(fmt::format("found {}", describe(peek())));
  if (at(Tok::KwScan) && what == "an expression")
    diag.help("what a scan yields is bound to a name first: `ys = scan x in xs axis 1 { ... }`");
  return nullptr;
}

/// `scan x in xs {`: which axis?
std::nullptr_t Parser::expectedAxis() {
  if (!at(Tok::LBrace))
    return expected("`axis`");
  diags.error("E0101", here(), "expected `axis`")
      .primaryLabel("found `{`")
      .fixIt("say along which axis it walks", {{previous().after(), " axis 1"}});
  return nullptr;
}

/// `train Net {`: how is the model made, and what is it called?
std::nullptr_t Parser::expectedInstance(const Ident &name) {
  if (!at(Tok::LBrace))
    return expected("`=`");
  bool isClass = std::isupper(static_cast<unsigned char>(name.text.front()));
  diags.error("E0101", here(), "expected `=`")
      .primaryLabel("found `{`")
      .fixIt("name the model that is trained, and make it",
             {isClass ? Edit{name.span, fmt::format("net = {}()", name.text)}
                      : Edit{name.span.after(), " = Net()"}});
  return nullptr;
}

/// An error on a line with a `//` outside of brackets: somebody wrote a comment.
bool Parser::reportSlashComment() {
  if (at(Tok::Star) && index > 0 && stream.tokens[index - 1].kind == Tok::Slash &&
      previous().end == here().begin) {
    Span span = previous().to(here());
    diags.error("E0102", span, "`/*` does not start a comment")
        .primaryLabel("this is a division and a product")
        .fixIt("comments start with `#`, line by line", {{span, "#"}});
    skipOnlyLine = openBrackets == 0;
    return true;
  }
  size_t slash = index;
  if (slash > 0 && (at(Tok::Newline) || at(Tok::EndOfFile)))
    --slash;
  while (!(stream.tokens[slash].kind == Tok::SlashSlash) && slash > 0 &&
         !stream.tokens[slash].startsLine)
    --slash;
  const Token &token = stream.tokens[slash];
  bool isStart = slash == index || token.startsLine || openBrackets == 0;
  if (token.kind != Tok::SlashSlash || !isStart)
    return false;
  Span span = spanOf(token);
  diags.error("E0102", span, "`//` does not start a comment")
      .primaryLabel("this is floor division")
      .fixIt("comments start with `#`", {{span, "#"}});
  skipOnlyLine = openBrackets == 0;
  return true;
}

bool Parser::reportBadToken() {
  switch (kind()) {
  case Tok::BadString:
    reportBadString();
    return true;
  case Tok::BadNumber:
    diags.error("E0106", here(), fmt::format("`{}` is not a number", shorten(textOf(peek()), 40)))
        .help("numbers look like `20_000`, `0.5` or `1e-5`; names do not start with a digit");
    return true;
  case Tok::BadCharacter:
    reportBadCharacter();
    return true;
  default:
    return false;
  }
}

void Parser::reportBadString() {
  std::string_view text = textOf(peek());
  char quote = text.front();
  bool isClosed = text.size() > 1 && text.back() == quote;
  if (!isClosed) {
    reportedEnd = true; // the string may have taken in what closes the brackets around it
    diags.error("E0104", here(), "this string is never closed")
        .primaryLabel(fmt::format("expected `{}` before the end of the line", quote));
    return;
  }
  if (quote == '\'') {
    std::string_view inner = text.substr(1, text.size() - 2);
    Diagnostic &diag = diags.error("E0104", here(), "strings stand in double quotes");
    if (inner.find('"') == inner.npos && inner.size() <= 80)
      diag.fixIt("use double quotes", {{here(), fmt::format("\"{}\"", inner)}});
    return;
  }
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] != '\\')
      continue;
    char escaped = text[++i];
    if (escaped == '"' || escaped == '\\' || escaped == 'n')
      continue;
    auto at = here().begin + static_cast<uint32_t>(i) - 1;
    diags.error("E0104", Span{stream.file, at, at + 2}, "unknown escape in this string")
        .primaryLabel("only `\\\"`, `\\\\` and `\\n` are known")
        .fixIt("a backslash is written twice", {{Span{stream.file, at, at}, "\\"}});
    return;
  }
}

void Parser::reportBadCharacter() {
  struct Operator {
    std::string_view foreign, ours;
  };
  constexpr Operator kOperators[] = {{"&&", "and"}, {"||", "or"}, {"!", "not "},
                                     {"&", "and"},  {"::", "."},  {"^", "**"}};
  std::string_view text = textOf(peek());
  for (const Operator &op : kOperators) {
    if (text != op.foreign)
      continue;
    std::string_view name = op.ours.substr(0, op.ours.find(' '));
    diags.error("E0110", here(), fmt::format("there is no operator `{}`", text))
        .fixIt(fmt::format("it is written `{}`", name), {{here(), std::string(op.ours)}});
    return;
  }
  if (text == ";") {
    diags.error("E0105", here(), "`;` inside brackets")
        .primaryLabel("it ends a statement, and this one is not complete");
    return;
  }
  Diagnostic &diag = diags.error("E0105", here(), "unexpected character");
  for (const LookAlike &alike : kLookAlikes)
    if (text == alike.character) {
      diag.primaryLabel(fmt::format("this is {}", alike.name))
          .fixIt(alike.meant == " " ? std::string("use a space")
                                    : fmt::format("use `{}`", alike.meant),
                 {{here(), std::string(alike.meant)}});
      return;
    }
  bool isWide = static_cast<unsigned char>(text.front()) >= 0x80;
  diag.primaryLabel(isWide ? "outside of strings and comments, all is ASCII"
                           : "this character has no meaning here");
}

/// What people of other languages write at the end of a statement, or where a block should start.
bool Parser::reportForeignContinuation(std::string_view what) {
  bool isEnd = what == "the end of the statement";
  if (isEnd && at(Tok::KwIf)) {
    diags.error("E0101", here(), "expected the end of the statement")
        .primaryLabel("found `if`")
        .help("a choice is written `if condition then a else b`");
    return true;
  }
  if (isEnd && at(Tok::Name) && textOf(peek()) == "elif") {
    diags.error("E0110", here(), "there is no `elif`")
        .fixIt("use `else if`", {{here(), "else if"}});
    return true;
  }
  bool isAfterName = index > 0 && stream.tokens[index - 1].kind == Tok::Name;
  if (isEnd && isAfterName && textOf(stream.tokens[index - 1]) == "lambda") {
    diags.error("E0110", spanOf(stream.tokens[index - 1]), "there is no `lambda`")
        .help("functions have names: `fn f(x: float[...]) = ...`");
    return true;
  }
  if (what == spelling(Tok::LBrace) && at(Tok::Colon)) {
    std::vector<Edit> edits = {{here(), " {"}};
    size_t last = index;
    while (!stream.tokens[last + 1].startsLine && stream.tokens[last + 1].kind != Tok::Newline &&
           stream.tokens[last + 1].kind != Tok::EndOfFile)
      ++last;
    if (last > index)
      edits.push_back({spanOf(stream.tokens[last]).after(), " }"});
    diags.error("E0101", here(), "expected `{`")
        .primaryLabel("found `:`")
        .fixIt("what belongs together stands in braces", std::move(edits));
    return true;
  }
  if (!isEnd || !isAfterName || !at(Tok::Name) || !stream.tokens[index - 1].startsLine)
    return false;
  Span word = spanOf(stream.tokens[index - 1]);
  std::optional<std::string_view> similar = closestName(sources.text(word), kStatementWords);
  if (!similar)
    return false;
  diags.error("E0101", word, fmt::format("no statement starts with `{}`", sources.text(word)))
      .fixIt(fmt::format("did you mean `{}`?", *similar), {{word, std::string(*similar)}});
  return true;
}

/// `let x = 1`, `def f(x):`, `x += 1`.
bool Parser::reportForeignStatement() {
  if (!at(Tok::Name))
    return false;
  std::string_view word = textOf(peek());
  const Token &next = peek(1);
  const Token &second = peek(2);
  bool isCompound = (next.kind == Tok::Plus || next.kind == Tok::Minus || next.kind == Tok::Star ||
                     next.kind == Tok::Slash) &&
                    second.kind == Tok::Assign && second.begin == next.end;
  if (isCompound) {
    std::string_view op = textOf(next);
    Span span = spanOf(next).to(spanOf(second));
    diags.error("E0110", span, fmt::format("there is no operator `{}=`", op))
        .fixIt("bind the name again", {{span, fmt::format("= {} {}", word, op)}})
        .note(fmt::format("a buffer or a state is updated by `<-`: `{} <- {} {} ...`", word, word,
                          op));
    return true;
  }
  auto foreign = std::find_if(std::begin(kForeignWords), std::end(kForeignWords),
                              [&](const ForeignWord &f) { return f.word == word; });
  if (foreign == std::end(kForeignWords) || next.startsLine || next.kind == Tok::LArrow)
    return false;
  Diagnostic &diag = diags.error("E0110", here(), fmt::format("there is no `{}`", word));
  if (foreign->kind == ForeignWord::Advice)
    diag.help(std::string(foreign->instead));
  else if (foreign->kind == ForeignWord::Dropped)
    diag.fixIt(std::string(foreign->instead), {{Span{stream.file, here().begin, next.begin}, ""}});
  else
    diag.fixIt(fmt::format("use `{}`", foreign->instead),
               {{here(), std::string(foreign->instead)}});
  return true;
}

void Parser::reportUnclosed(Span open, std::string_view closing) {
  skipOnlyLine = false;
  if (at(Tok::EndOfFile) && std::exchange(reportedEnd, true))
    return;
  if (at(Tok::EndOfFile) && closing == "}" && doubtfulBlock.isValid())
    open = doubtfulBlock;
  std::string_view bracket = sources.text(open).substr(0, 1);
  Diagnostic &diag = diags.error("E0103", Span{open.file, open.begin, open.begin + 1},
                                 fmt::format("this `{}` is never closed", bracket));
  bool isBlock = closing == "}";
  if (at(Tok::EndOfFile))
    diag.label(here(), fmt::format("the file ends without `{}`", closing));
  else
    diag.label(isBlock ? here() : previous().after(), fmt::format("expected `{}` here", closing));
  if (!isBlock)
    diag.fixIt("close it", {{previous().after(), std::string(closing)}});
}

void Parser::reportMissingComma(const ListWords &words, std::string_view closing) {
  bool isAdjacent = previous().end == here().begin;
  diags.error("E0101", here(), fmt::format("expected `,` or `{}` in {}", closing, words.where))
      .primaryLabel(fmt::format("this starts another {}", words.element))
      .fixIt("add a comma", {{previous().after(), isAdjacent ? ", " : ","}});
}

Diagnostic &Parser::reportMisplaced(std::string_view where) {
  return diags.error("E0108", here(), fmt::format("`{}` cannot stand {}", textOf(peek()), where));
}

/// A statement outside of functions; what it binds is lost with it.
void Parser::parseMisplacedStmt() {
  Span first = here();
  Diagnostic &diag = reportMisplaced("outside of a function");
  if (at(Tok::KwFor))
    diag.help("a list holds many modules: `[Linear(8, 8) for i in 0..3]`");
  else if (at(Tok::KwIf))
    diag.help("a binding chooses: `fc = if wide then Linear(8, 64) else Linear(8, 8)`");
  parseStmt();
  diag.lost = since(first);
}

void Parser::reportUntyped(const Ident &formal) {
  Diagnostic &diag =
      diags.error("E0101", formal.span, fmt::format("parameter `{}` has no type", formal.text));
  Tok value = at(Tok::Assign) ? kind(1) : Tok::EndOfFile;
  bool isBool = value == Tok::KwTrue || value == Tok::KwFalse;
  std::string_view type = value == Tok::Int      ? "int"
                          : value == Tok::Float  ? "float"
                          : value == Tok::String ? "str"
                          : isBool               ? "bool"
                                                 : "";
  if (formal.text == "self")
    diag.help("functions name members without it: `fc`, not `self.fc`");
  else if (!type.empty())
    diag.fixIt("write its type behind it", {{formal.span.after(), fmt::format(": {}", type)}});
  else
    diag.help("write its type behind it, e.g. `float[B, 10]` or `int`");
}

/// `state = 3`: a reserved word where a name is bound.
bool Parser::reportReservedTarget() {
  if (!isReserved(kind()) || kind(1) != Tok::Assign)
    return false;
  Ident ignored;
  expectName(ignored, "a name");
  return true;
}

/// An expression as a statement.
void Parser::reportUnused(const Expr &value) {
  Diagnostic &diag = diags.error("E0117", value.span, "nothing is done with this value");
  auto *call = value.as<CallExpr>();
  auto *callee = call ? call->callee->as<NameExpr>() : nullptr;
  if (callee && callee->name == "print") {
    diag.help("`nnc shapes` prints the shape of every value");
    return;
  }
  auto *method = call ? call->callee->as<MemberExpr>() : nullptr;
  if (method && (method->name.text == "backward" || method->name.text == "step" ||
                 method->name.text == "zero_grad")) {
    diag.help("leave it out: a train block makes the gradients and the update of its `loss`");
    return;
  }
  bool isLast = at(Tok::RBrace);
  diag.fixIt(isLast ? "return it" : "bind it to a name",
             {{value.span.before(), isLast ? "return " : "result = "}});
}

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
