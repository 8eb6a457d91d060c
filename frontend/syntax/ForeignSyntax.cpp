//===- ForeignSyntax.cpp - What people of other languages write -----------------------------===//

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

} // namespace

//===----------------------------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------------------------===//

/// What people of other languages write at the end of a statement, or where a block should start.
bool Parser::reportForeignContinuation(std::string_view what) {
  bool isEnd = what == "the end of the statement";
  if (isEnd && at(Tok::KwIf)) {
    diags.error("E0101", here(), "expected the end of the statement")
        .primaryLabel("found `if`")
        .help("a choice is written `if condition then a else b`; a layer that may be missing is "
              "`[]`");
    return true;
  }
  if (what == spelling(Tok::KwThen) && at(Tok::Colon)) {
    diags.error("E0101", here(), "expected `then`")
        .primaryLabel("found `:`")
        .fixIt("a choice is written `if condition then a else b`", {{here(), " then"}});
    return true;
  }
  if (what == "an expression" && at(Tok::LBrace)) {
    diags.error("E0101", here(), "expected an expression")
        .primaryLabel("found `{`")
        .help("there are no dictionaries and sets: a list holds many values, members have names");
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

bool Parser::atCompound() const {
  const Token &op = peek(1), &equals = peek(2);
  bool isOperator = op.kind == Tok::Plus || op.kind == Tok::Minus || op.kind == Tok::Star ||
                    op.kind == Tok::Slash;
  return at(Tok::Name) && isOperator && equals.kind == Tok::Assign && equals.begin == op.end;
}

/// `x += 1`: an error, and the binding that was meant, so that what follows is judged by it.
StmtPtr Parser::parseCompound() {
  auto node = std::make_unique<BindStmt>(here());
  auto sum = std::make_unique<BinaryExpr>(here());
  auto name = std::make_unique<NameExpr>(here());
  name->name = textOf(peek());
  Target target;
  target.name = {name->name, here()};
  target.span = here();
  node->targets.push_back(std::move(target));
  advance();
  Token op = peek();
  Span span = spanOf(op).to(spanOf(peek(1)));
  diags.error("E0110", span, fmt::format("there is no operator `{}=`", textOf(op)))
      .fixIt("bind the name again", {{span, fmt::format("= {} {}", name->name, textOf(op))}})
      .note(fmt::format("a buffer or a state is updated by `<-`: `{} <- {} {} ...`", name->name,
                        name->name, textOf(op)));
  advance();
  advance();
  sum->op = op.kind == Tok::Plus    ? BinaryOp::Add
            : op.kind == Tok::Minus ? BinaryOp::Sub
            : op.kind == Tok::Star  ? BinaryOp::Mul
                                    : BinaryOp::Div;
  sum->opSpan = spanOf(op);
  sum->lhs = std::move(name);
  if (!(sum->rhs = parseExpr()))
    return nullptr;
  unsigned height = std::max(sum->lhs->height, sum->rhs->height);
  sum->span = node->span = since(node->span);
  if (!(node->value.expr = withHeight(std::move(sum), height)))
    return nullptr;
  return node;
}

/// `let x = 1`, `def f(x):`.
bool Parser::reportForeignStatement() {
  if (!at(Tok::Name))
    return false;
  std::string_view word = textOf(peek());
  const Token &next = peek(1);
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

} // namespace nnc::syntax
