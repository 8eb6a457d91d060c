//===- Pattern.cpp - The little language inside `rearrange("b c h w -> b (c h w)")` ---------===//

#include "frontend/syntax/Pattern.h"

#include "frontend/syntax/Utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace nnc::syntax {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class PatternParser {
public:
  PatternParser(const StringExpr &literal, Diagnostics &diags)
      : literal(literal), text(literal.raw), diags(diags) {}
  std::optional<Pattern> run();

private:
  bool parseSide(PatternSide &side);
  bool parseAxis(PatternAxis &axis);
  bool parseGroup(PatternAxis &axis);
  bool parseAtom(PatternAxis &axis);
  bool fail(std::string message, size_t begin, size_t end);
  bool failHere(std::string message);
  void skipSpaces() { pos = std::min(text.find_first_not_of(" \t", pos), text.size()); }
  bool nextIs(std::string_view what) const { return text.substr(pos, what.size()) == what; }
  bool atEnd() const { return pos == text.size(); }
  Span since(size_t begin) const { return literal.spanOf(begin, pos); }

  const StringExpr &literal;
  std::string_view text;
  Diagnostics &diags;
  size_t pos = 0;
};

bool PatternParser::fail(std::string message, size_t begin, size_t end) {
  diags.error("E0118", literal.spanOf(begin, end), std::move(message));
  return false;
}

/// Points at one character, or behind the text.
bool PatternParser::failHere(std::string message) {
  size_t size = atEnd() ? 0 : utf8::decode(text, pos).size;
  return fail(std::move(message), pos, pos + size);
}

std::optional<Pattern> PatternParser::run() {
  Pattern pattern;
  do {
    if (!parseSide(pattern.left.emplace_back()))
      return std::nullopt;
  } while (nextIs(",") && ++pos);
  if (!nextIs("->")) {
    failHere("expected `->` in this pattern");
    return std::nullopt;
  }
  pos += 2;
  pattern.arrow = since(pos - 2);
  if (!parseSide(pattern.right))
    return std::nullopt;
  if (!atEnd()) {
    failHere(nextIs("->") ? "a pattern has one `->`" : "a pattern has one result");
    return std::nullopt;
  }
  return pattern;
}

/// Axes up to `,`, `->` or the end.
bool PatternParser::parseSide(PatternSide &side) {
  skipSpaces();
  size_t begin = pos;
  size_t end = pos;
  bool hasEllipsis = false;
  for (; !atEnd() && !nextIs(",") && !nextIs("->"); skipSpaces()) {
    size_t first = pos;
    if (!parseAxis(side.axes.emplace_back()))
      return false;
    bool isEllipsis = side.axes.back().kind == PatternAxis::Ellipsis;
    if (isEllipsis && hasEllipsis)
      return fail("a side has at most one `...`", first, pos);
    hasEllipsis |= isEllipsis;
    end = pos;
  }
  side.span = literal.spanOf(begin, end);
  return true;
}

bool PatternParser::parseAxis(PatternAxis &axis) {
  size_t begin = pos;
  bool good = true;
  if (nextIs("...")) {
    axis.kind = PatternAxis::Ellipsis;
    pos += 3;
  } else if (nextIs("(")) {
    good = parseGroup(axis);
  } else {
    good = parseAtom(axis);
  }
  axis.span = since(begin);
  return good;
}

bool PatternParser::parseGroup(PatternAxis &axis) {
  axis.kind = PatternAxis::Group;
  size_t open = pos++;
  for (skipSpaces(); !nextIs(")"); skipSpaces()) {
    if (atEnd() || nextIs("->") || nextIs(","))
      return fail("this `(` is never closed", open, open + 1);
    if (nextIs("("))
      return failHere("groups do not nest");
    if (!parseAtom(axis))
      return false;
  }
  ++pos;
  return true;
}

bool PatternParser::parseAtom(PatternAxis &axis) {
  size_t begin = pos;
  while (!atEnd() && (isLetter(text[pos]) || isDigit(text[pos])))
    ++pos;
  if (pos == begin)
    return failHere("expected an axis: a name, a number, `...` or a group in parentheses");
  PatternAtom atom;
  atom.name = {text.substr(begin, pos - begin), since(begin)};
  atom.isNumber = isDigit(text[begin]);
  if (atom.isNumber) {
    const char *last = text.data() + pos;
    auto [end, error] = std::from_chars(text.data() + begin, last, atom.number);
    if (error != std::errc() || end != last)
      return fail(fmt::format("`{}` is neither a name nor a size", atom.name.text), begin, pos);
  }
  axis.atoms.push_back(atom);
  return true;
}

void print(const PatternSide &side, std::string &out) {
  bool first = true;
  for (const PatternAxis &axis : side.axes) {
    out += first ? "" : " ";
    first = false;
    if (axis.kind == PatternAxis::Ellipsis)
      out += "...";
    else if (axis.kind == PatternAxis::Group)
      out += "(";
    for (size_t i = 0; i < axis.atoms.size(); ++i)
      out.append(i == 0 ? "" : " ").append(axis.atoms[i].name.text);
    if (axis.kind == PatternAxis::Group)
      out += ")";
  }
}

} // namespace

std::optional<Pattern> parsePattern(const StringExpr &literal, Diagnostics &diags) {
  return PatternParser(literal, diags).run();
}

std::string printPattern(const Pattern &pattern) {
  std::string out;
  for (size_t i = 0; i < pattern.left.size(); ++i) {
    out += i == 0 ? "" : ", ";
    print(pattern.left[i], out);
  }
  out += out.empty() ? "->" : " ->";
  if (!pattern.right.axes.empty())
    out += " ";
  print(pattern.right, out);
  return out;
}

bool takesPattern(std::string_view callee) {
  return callee == "rearrange" || callee == "reduce" || callee == "repeat" || callee == "einsum";
}

} // namespace nnc::syntax
