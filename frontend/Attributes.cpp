// Attributes never change meaning, so those that only make things faster or concern training are
// accepted everywhere; those that set a precision or a storage are refused until they work.
#include "frontend/Attributes.h"

#include "frontend/Suggest.h"

#include <fmt/format.h>

namespace nnc::frontend {

static const std::vector<std::string_view> kAttributes = {"precision", "quant", "weights",
                                                          "frozen",    "remat", "kernel"};

/// `@precision(f32)` says what holds anyway.
static bool isDefaultPrecision(const syntax::Attribute &attribute) {
  for (const syntax::Argument &argument : attribute.args) {
    auto *element = argument.value->as<syntax::ElemExpr>();
    if (!element || element->elem != Element::F32)
      return false;
  }
  return true;
}

static bool stringOf(Evaluator &evaluator, const syntax::Expr &expr, std::string &text) {
  std::optional<Value> value = evaluator.eval(expr);
  if (!value)
    return false;
  if (auto *string = value->as<StringValue>()) {
    text = string->text;
    return true;
  }
  evaluator.error("E0403", expr.span, "a str is needed here")
      .primaryLabel(fmt::format("this is {}", describeKind(*value)));
  return false;
}

static bool readIgnore(Evaluator &evaluator, const syntax::Expr &expr,
                       std::vector<std::string> &patterns) {
  std::optional<Value> value = evaluator.eval(expr);
  if (!value)
    return false;
  if (value->isSequence())
    for (const Value &element : value->elements())
      if (auto *string = element.as<StringValue>())
        patterns.push_back(string->text);
  if (value->isSequence() && patterns.size() == value->elements().size())
    return true;
  evaluator.error("E0403", expr.span, "a list of str is needed here");
  return false;
}

static bool readWeights(Evaluator &evaluator, const syntax::Attribute &attribute,
                        DefaultWeights &weights) {
  weights.location = attribute.span;
  weights.name = {attribute.span.file, attribute.span.begin, attribute.name.span.end};
  if (attribute.args.size() > 1)
    weights.afterFile = attribute.args[1].span.before();
  bool hasFile = false;
  for (const syntax::Argument &argument : attribute.args) {
    bool ok = true;
    if (!argument.isNamed() && !hasFile) {
      ok = stringOf(evaluator, *argument.value, weights.file);
      hasFile = true;
    } else if (argument.name.text == "prefix") {
      ok = stringOf(evaluator, *argument.value, weights.prefix);
      weights.prefixValue = argument.value->span;
    } else if (argument.name.text == "ignore") {
      ok = readIgnore(evaluator, *argument.value, weights.ignore);
    } else {
      evaluator.error("E0205", argument.span, "`@weights` takes a file, `prefix=` and `ignore=`");
      return false;
    }
    if (!ok)
      return false;
  }
  if (!hasFile)
    evaluator.error("E0205", attribute.span, "`@weights` needs a file");
  return hasFile;
}

static bool checkAttribute(Evaluator &evaluator, const syntax::Attribute &attribute) {
  std::string_view name = attribute.name.text;
  bool isRefused = name == "quant" || (name == "precision" && !isDefaultPrecision(attribute));
  if (isRefused) {
    evaluator.refuse(attribute.span, fmt::format("`@{}` is not supported yet", name));
    return false;
  }
  for (std::string_view known : kAttributes)
    if (name == known)
      return true;
  syntax::Diagnostic &diag =
      evaluator.error("E0211", attribute.name.span, fmt::format("unknown attribute `@{}`", name));
  if (auto similar = closestName(name, kAttributes))
    diag.fixIt(fmt::format("`@{}` has a similar name", *similar),
               {{attribute.name.span, std::string(*similar)}});
  return false;
}

bool checkAttributes(Evaluator &evaluator, const syntax::Stmt &stmt) {
  bool ok = true;
  for (const syntax::Attribute &attribute : stmt.attributes)
    ok &= checkAttribute(evaluator, attribute);
  return ok;
}

bool readAttributes(Evaluator &evaluator, const syntax::ModuleStmt &model,
                    std::optional<DefaultWeights> &weights) {
  bool ok = checkAttributes(evaluator, model);
  if (const syntax::Attribute *attribute = model.attribute("weights"))
    ok &= readWeights(evaluator, *attribute, weights.emplace());
  return ok;
}

} // namespace nnc::frontend
