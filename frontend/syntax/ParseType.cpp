//===- ParseType.cpp - Types, shapes, targets -----------------------------------------------===//

#include "frontend/syntax/ParserImpl.h"
#include "frontend/syntax/Snippet.h"
#include "frontend/syntax/Suggest.h"

#include <fmt/format.h>

#include <algorithm>

namespace nnc::syntax {
TypePtr Parser::parseType() {
  Nesting nest(*this);
  if (nest.isTooDeep())
    return nullptr;
  TypePtr type;
  switch (kind()) {
  case Tok::KwInt:
    type = parseScalarType(ScalarKind::Int);
    break;
  case Tok::KwStr:
    type = parseScalarType(ScalarKind::Str);
    break;
  case Tok::KwDType:
    type = parseScalarType(ScalarKind::DType);
    break;
  case Tok::KwFn:
    type = parseScalarType(ScalarKind::Fn);
    break;
  case Tok::KwModule:
    type = parseScalarType(ScalarKind::Module);
    break;
  case Tok::LBracket:
    type = parseListType();
    break;
  case Tok::LParen:
    type = parseTupleType();
    break;
  default:
    if (!isElementType(kind())) {
      reportNoType();
      return nullptr;
    }
    return parseTensorType();
  }
  if (type && at(Tok::Question)) {
    diags.error("E0101", here(), "only a tensor type can be optional")
        .label(type->span, "this is no tensor type");
    return nullptr;
  }
  return type;
}

/// `float[B, 10]`; `float` and `bool` alone are build-time types.
TypePtr Parser::parseTensorType() {
  Tok elem = kind();
  if (kind(1) != Tok::LBracket) {
    if (elem == Tok::ElFloat)
      return parseScalarType(ScalarKind::Float);
    if (elem == Tok::ElBool)
      return parseScalarType(ScalarKind::Bool);
    diags.error("E0101", here(), fmt::format("`{}` needs a shape", textOf(peek())))
        .primaryLabel("the type of a tensor's elements")
        .fixIt("a single number on the device has the empty shape", {{here().after(), "[]"}});
    return nullptr;
  }
  auto node = std::make_unique<TensorType>(here());
  node->elem = static_cast<Elem>(static_cast<int>(elem) - static_cast<int>(Tok::ElFloat));
  node->elemSpan = here();
  advance();
  if (!parseList(Tok::RBracket, {"this shape", "dimension"}, [&] { return parseDim(node->dims); }))
    return nullptr;
  node->optional = consume(Tok::Question);
  node->span = since(node->span);
  return node;
}

TypePtr Parser::parseScalarType(ScalarKind scalar) {
  auto node = std::make_unique<ScalarType>(here());
  node->scalar = scalar;
  advance();
  if (at(Tok::LBracket) && scalar == ScalarKind::Int) {
    diags.error("E0101", node->span, "`int` is a build-time number and has no shape")
        .fixIt("tensors of integers are `i32` or `i64`", {{node->span, "i32"}});
    return nullptr;
  }
  return node;
}

TypePtr Parser::parseListType() {
  auto node = std::make_unique<ListType>(here());
  bool good = parseList(Tok::RBracket, {"this type", "type"}, [&] {
    if (node->element)
      return expected("`]`") != nullptr;
    return (node->element = parseType()) != nullptr;
  });
  node->span = since(node->span);
  if (good && !node->element)
    diags.error("E0101", node->span, "expected a type").primaryLabel("a list of what?");
  return good && node->element ? std::move(node) : nullptr;
}

TypePtr Parser::parseTupleType() {
  auto node = std::make_unique<TupleType>(here());
  bool good = parseList(Tok::RParen, {"this type", "type"}, [&] {
    node->elements.push_back(parseType());
    return node->elements.back() != nullptr;
  });
  node->span = since(node->span);
  if (good && node->elements.size() < 2) {
    diags.error("E0101", node->span, "a tuple type has two or more elements");
    return nullptr;
  }
  return good ? std::move(node) : nullptr;
}

bool Parser::parseDim(std::vector<Dim> &dims) {
  Dim dim;
  Span first = here();
  if (consume(Tok::Ellipsis)) {
    dim.isPack = true;
    if (at(Tok::Name) && !expectName(dim.packName, "the name of a pack"))
      return false;
    auto isPack = [](const Dim &d) { return d.isPack; };
    auto other = std::find_if(dims.begin(), dims.end(), isPack);
    if (other != dims.end())
      diags.error("E0115", since(first), "a shape has at most one `...`")
          .primaryLabel("the second one")
          .label(other->span, "the first one");
  } else if (at(Tok::Question)) {
    diags.error("E0101", here(), "expected a size")
        .primaryLabel("found `?`")
        .help("a size that varies has a capitalised name: `float[B, 10]`");
    return false;
  } else if (!(dim.expr = parseExpr())) {
    return false;
  }
  dim.span = since(first);
  dims.push_back(std::move(dim));
  return true;
}

void Parser::reportNoType() {
  std::string_view text = textOf(peek());
  std::optional<std::string_view> local = localTypeName(text);
  if (!at(Tok::Name)) {
    expected("a type");
    return;
  }
  Diagnostic &diag = diags.error("E0101", here(), "expected a type")
                         .primaryLabel(fmt::format("`{}` is no type", shorten(text)));
  if (!local)
    return;
  bool needsShape = *local == "float" && kind(1) != Tok::LBracket;
  std::string type = needsShape ? "float[...]" : std::string(*local);
  diag.fixIt(fmt::format("here it is called `{}`", type), {{here(), type}});
}

/// `a, (b, c): type` before `=` or `in`.
bool Parser::parseTargets(std::vector<Target> &targets) {
  do {
    Target target;
    if (!parseTarget(target))
      return false;
    targets.push_back(std::move(target));
  } while (consume(Tok::Comma));
  return true;
}

bool Parser::parseTarget(Target &target) {
  Nesting nest(*this);
  if (nest.isTooDeep())
    return false;
  Span first = here();
  if (at(Tok::LParen)) {
    bool good = parseList(Tok::RParen, {"these targets", "target"}, [&] {
      Target element;
      if (!parseTarget(element))
        return false;
      target.elements.push_back(std::move(element));
      return true;
    });
    if (good && target.elements.empty())
      return expected("a name between the parentheses") != nullptr;
    target.span = since(first);
    return good;
  }
  if (!expectName(target.name, "a name"))
    return false;
  if (consume(Tok::Colon) && !(target.type = parseType()))
    return false;
  target.span = since(first);
  return true;
}

} // namespace nnc::syntax
