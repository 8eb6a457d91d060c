//===- ParseErrors.cpp - What is wrong ------------------------------------------------------===//

#include "frontend/syntax/ParserImpl.h"
#include "frontend/syntax/Snippet.h"

#include <fmt/format.h>

#include <utility>

namespace nnc::syntax {

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
  if (at(Tok::KwDType) && what == "the name of an argument")
    diag.fixIt("here it is called `element`", {{here(), "element"}});
  else if (at(Tok::KwDType) && what == "the name of a member")
    diag.help("the type of an argument is written: `x: f32[B, T]`; types cast: `f32(x)`");
  else if (isElementType(kind()) && index > 0 && stream.tokens[index - 1].kind == Tok::Dot)
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

/// `w: float[4, 4]`: a tensor without a value.
std::nullptr_t Parser::expectedValue(const std::vector<Target> &targets) {
  bool isTyped = targets.size() == 1 && targets.front().type;
  if (!isTyped || !(at(Tok::Newline) || at(Tok::RBrace) || at(Tok::EndOfFile)))
    return expected("`=`");
  diags.error("E0101", here(), "expected `=`")
      .primaryLabel(fmt::format("found {}", describe(peek())))
      .help("a tensor that a module keeps is declared as a `param`, a `buffer` or a `state`");
  return nullptr;
}

/// `x[0] = 1`, `self.fc = Linear(4, 2)`.
std::nullptr_t Parser::reportPlace(const Expr &place) {
  Diagnostic &diag = diags.error("E0117", place.span, "only names can be bound");
  auto *member = place.as<MemberExpr>();
  auto *base = member ? member->base->as<NameExpr>() : nullptr;
  if (base && base->name == "self") {
    diag.primaryLabel("members are bound in the module itself, by their names")
        .fixIt("leave `self` out", {{base->span.to(member->name.span.before()), ""}});
    return nullptr;
  }
  diag.primaryLabel("a place of a value");
  if (place.is<IndexExpr>())
    diag.note("parts of other values stay: `where(mask, a, x)` and `concat([a, b], axis=0)` make "
              "new ones");
  diag.fixIt("buffers and states are updated with `<-`", {{here(), "<-"}});
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

} // namespace nnc::syntax
