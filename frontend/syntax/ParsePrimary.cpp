//===- ParsePrimary.cpp - Literals, names, lists, keys --------------------------------------===//

#include "frontend/syntax/ParserImpl.h"
#include "frontend/syntax/Snippet.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace nnc::syntax {
namespace {

std::string withoutUnderscores(std::string_view text) {
  std::string digits(text);
  std::erase(digits, '_');
  return digits;
}

std::string resolveEscapes(std::string_view raw) {
  std::string value;
  value.reserve(raw.size());
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '\\' && i + 1 < raw.size())
      value += raw[++i] == 'n' ? '\n' : raw[i];
    else
      value += raw[i];
  }
  return value;
}

unsigned heightOf(const Value &value) {
  unsigned height = value.expr->height;
  if (value.key)
    for (const Key::Alternative &alternative : value.key->alternatives)
      for (const Key::Part &part : alternative.parts)
        if (part.expr)
          height = std::max(height, part.expr->height);
  return height;
}

} // namespace

ExprPtr Parser::parsePrimary() {
  Span span = here();
  switch (kind()) {
  case Tok::Int:
    return parseInt();
  case Tok::Float:
    return parseFloat();
  case Tok::String:
    return parseString();
  case Tok::KwTrue:
  case Tok::KwFalse: {
    auto node = std::make_unique<BoolExpr>(span);
    node->value = at(Tok::KwTrue);
    advance();
    return node;
  }
  case Tok::KwNone:
    advance();
    return std::make_unique<NoneExpr>(span);
  case Tok::KwInt:
    if (kind(1) != Tok::LParen)
      return expected("an expression");
    [[fallthrough]]; // `int(x)` is a function
  case Tok::Name: {
    auto node = std::make_unique<NameExpr>(span);
    node->name = textOf(peek());
    advance();
    return node;
  }
  case Tok::LParen:
    return parseParens();
  case Tok::LBracket:
    return parseListExpr();
  default:
    break;
  }
  if (!isElementType(kind()))
    return expected("an expression");
  auto node = std::make_unique<ElemExpr>(span);
  node->elem = static_cast<Elem>(static_cast<int>(kind()) - static_cast<int>(Tok::ElFloat));
  advance();
  return node;
}

ExprPtr Parser::parseInt() {
  auto node = std::make_unique<IntExpr>(here());
  std::string digits = withoutUnderscores(textOf(peek()));
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), node->value);
  if (error != std::errc()) {
    diags.error("E0106", here(), "this integer is too large").primaryLabel("integers have 64 bits");
    return nullptr;
  }
  advance();
  return node;
}

ExprPtr Parser::parseFloat() {
  auto node = std::make_unique<FloatExpr>(here());
  std::string digits = withoutUnderscores(textOf(peek()));
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), node->value);
  if (error != std::errc()) {
    diags.error("E0106", here(), "this number is out of range")
        .primaryLabel("numbers have the range of a 64-bit float");
    return nullptr;
  }
  advance();
  return node;
}

std::unique_ptr<StringExpr> Parser::parseString() {
  if (at(Tok::Name)) {
    diags.error("E0101", here(), "expected a string")
        .primaryLabel(fmt::format("found {}", describe(peek())))
        .fixIt("put it in quotes", {{here(), fmt::format("\"{}\"", textOf(peek()))}});
    return nullptr;
  }
  if (!at(Tok::String)) {
    expected("a string");
    return nullptr;
  }
  auto node = std::make_unique<StringExpr>(here());
  std::string_view text = textOf(peek());
  node->raw = text.substr(1, text.size() - 2);
  node->rawBegin = here().begin + 1;
  node->value = resolveEscapes(node->raw);
  advance();
  return node;
}

/// `(expr)`, `(a, b)`, `(a,)`.
ExprPtr Parser::parseParens() {
  Span open = here();
  std::vector<ExprPtr> elements;
  bool isTuple = false;
  bool good = parseList(Tok::RParen, {"these parentheses", "value", true}, [&] {
    ExprPtr element = parseExpr();
    isTuple |= at(Tok::Comma);
    elements.push_back(std::move(element));
    return elements.back() != nullptr;
  });
  if (!good)
    return nullptr;
  Span span = since(open);
  if (elements.empty()) {
    diags.error("E0101", span, "expected an expression").primaryLabel("nothing between these");
    return nullptr;
  }
  if (!isTuple && elements.size() == 1) {
    ExprPtr inner = std::move(elements.front());
    ++inner->parens;
    inner->span = span;
    return inner;
  }
  auto node = std::make_unique<TupleExpr>(span);
  unsigned height = 0;
  for (const ExprPtr &element : elements)
    height = std::max(height, element->height);
  node->elements = std::move(elements);
  return withHeight(std::move(node), height);
}

/// `[a, b as "key"]` and `[value for x in range if condition]`.
ExprPtr Parser::parseListExpr() {
  auto node = std::make_unique<ListExpr>(here());
  Span open = here();
  unsigned height = 0;
  ExprPtr comprehension;
  bool good = parseList(Tok::RBracket, {"this list", "element", true}, [&] {
    Value value;
    if (!parseValue(value))
      return false;
    height = std::max(height, heightOf(value));
    if (at(Tok::KwFor) && node->elements.empty())
      return (comprehension = parseListComp(open, std::move(value))) != nullptr;
    node->elements.push_back(std::move(value));
    return true;
  });
  if (!good)
    return nullptr;
  if (comprehension) {
    comprehension->span = since(open);
    return comprehension;
  }
  node->span = since(open);
  return withHeight(std::move(node), height);
}

/// The rest of a comprehension, up to its bracket.
ExprPtr Parser::parseListComp(Span open, Value first) {
  auto node = std::make_unique<ListCompExpr>(open);
  node->value = std::move(first);
  advance();
  if (!parseTargets(node->targets) || !expect(Tok::KwIn) || !(node->range = parseExpr()))
    return nullptr;
  if (consume(Tok::KwIf) && !(node->condition = parseExpr()))
    return nullptr;
  if (!at(Tok::RBracket)) {
    if (at(Tok::Newline) || at(Tok::RBrace) || at(Tok::EndOfFile)) {
      reportUnclosed(open, "]");
      return nullptr;
    }
    return expected("`]`");
  }
  unsigned height = std::max(heightOf(node->value), node->range->height);
  if (node->condition)
    height = std::max(height, node->condition->height);
  return withHeight(std::move(node), height);
}

bool Parser::parseValue(Value &value) {
  Span first = here();
  if (!(value.expr = parseExpr()) || !parseOptionalKey(value.key))
    return false;
  value.span = since(first);
  return true;
}

bool Parser::parseOptionalKey(std::optional<Key> &key) {
  if (!at(Tok::KwAs))
    return true;
  Span first = here();
  advance();
  key.emplace();
  do {
    Key::Alternative alternative;
    if (!parseKeyAlternative(alternative))
      return false;
    key->alternatives.push_back(std::move(alternative));
  } while (consume(Tok::Bar));
  key->span = since(first);
  return true;
}

/// `"encoder_layer_{i}"`: text and expressions in braces.
bool Parser::parseKeyAlternative(Key::Alternative &alternative) {
  std::unique_ptr<StringExpr> literal = parseString();
  if (!literal)
    return false;
  alternative.span = literal->span;
  std::string_view raw = literal->raw;
  for (size_t pos = 0; pos < raw.size();) {
    size_t brace = std::min(raw.find_first_of("{}", pos), raw.size());
    if (brace > pos)
      alternative.parts.push_back({resolveEscapes(raw.substr(pos, brace - pos)), nullptr});
    if (brace == raw.size())
      break;
    size_t close = raw.find('}', brace);
    if (raw[brace] == '}' || close == raw.npos) {
      diags.error("E0114", literal->spanOf(brace, brace + 1), "unmatched brace in this key")
          .primaryLabel("a value is inserted as `{name}`");
      return false;
    }
    Parser inner(*this, lex(sources, literal->spanOf(brace + 1, close)));
    ExprPtr expr = inner.parseOnlyExpr();
    if (!expr)
      return false;
    alternative.parts.push_back({{}, std::move(expr)});
    pos = close + 1;
  }
  return true;
}

} // namespace nnc::syntax
