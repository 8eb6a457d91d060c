// Attributes never change what is computed, only in which precision and how it is stored. Each is
// read where it takes effect.
#include "frontend/Attributes.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace nnc::frontend {

static bool stringOf(Evaluator &evaluator, const syntax::Expr &expr, std::string &text) {
  std::optional<Value> value = evaluator.eval(expr);
  if (!value)
    return false;
  if (auto *string = value->as<StringValue>()) {
    text = string->text;
    return true;
  }
  syntax::Diagnostic &diag = evaluator.error("E0403", expr.span, "a str is needed here");
  diag.primaryLabel(fmt::format("this is {}", describeKind(*value)));
  if (value->is<Element>())
    diag.fixIt("say which weights, by a glob of their keys",
               {{expr.span.before(), "\"**.weight\", "}});
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

bool readWeights(Evaluator &evaluator, const syntax::ModuleStmt &model,
                 std::optional<DefaultWeights> &weights) {
  const syntax::Attribute *attribute = model.attribute("weights");
  return !attribute || readWeights(evaluator, *attribute, weights.emplace());
}

//===- @precision -----------------------------------------------------------------------------===//

/// An element type among `allowed`; reports anything else.
static std::optional<Element> elementOf(Evaluator &evaluator, const syntax::Expr &expr,
                                        std::string_view what,
                                        std::initializer_list<Element> allowed) {
  std::optional<Value> value = evaluator.eval(expr);
  if (!value)
    return std::nullopt;
  auto *element = value->as<Element>();
  if (element && std::find(allowed.begin(), allowed.end(), *element) != allowed.end())
    return *element;
  std::vector<std::string_view> names;
  for (Element known : allowed)
    names.push_back(syntax::spelling(known));
  evaluator.error("E0403", expr.span, fmt::format("{} is one of {}", what, fmt::join(names, ", ")))
      .primaryLabel(element ? fmt::format("this is {}", syntax::spelling(*element))
                            : fmt::format("this is {}", describeKind(*value)));
  return std::nullopt;
}

/// Names of types of few bits, in which nothing is computed.
static bool isOfWeights(std::string_view name) {
  constexpr std::string_view kNames[] = {"int8", "int4", "fp8", "uint8", "float8"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

static bool readWorking(Evaluator &evaluator, const syntax::Expr &expr, Precision &precision) {
  auto *name = expr.as<syntax::NameExpr>();
  auto *type = expr.as<syntax::ElemExpr>();
  bool isNarrow = name ? isOfWeights(name->name) && !evaluator.isKnown(name->name)
                       : type && (isStorageOnly(type->elem) || isIntegral(type->elem));
  if (isNarrow) {
    evaluator.error("E0403", expr.span, "the precision of `float` is one of f32, f16, bf16")
        .primaryLabel(fmt::format("this is {}", evaluator.context.sources.text(expr.span)))
        .help("weights are stored in fewer bits by `@quant(\"**.weight\", i8)`");
    return false;
  }
  precision.tf32 = name && name->name == "tf32" && !evaluator.isKnown("tf32");
  if (precision.tf32) {
    precision.working = Element::F32;
    return true;
  }
  std::optional<Element> element = elementOf(evaluator, expr, "the precision of `float`",
                                             {Element::F32, Element::F16, Element::BF16});
  precision.working = element.value_or(Element::F32);
  return element.has_value();
}

std::optional<Precision> readPrecision(Evaluator &evaluator, const syntax::Stmt &stmt,
                                       const Precision &around, bool &ok) {
  const syntax::Attribute *attribute = stmt.attribute("precision");
  ok = true;
  if (!attribute)
    return std::nullopt;
  Precision precision = around;
  if (attribute->args.empty()) {
    evaluator.error("E0205", attribute->span, "`@precision` needs an element type")
        .help("write one: `@precision(bf16)`");
    ok = false;
  }
  for (size_t i = 0; i < attribute->args.size() && ok; ++i) {
    const syntax::Argument &argument = attribute->args[i];
    if (argument.name.text == "params") {
      std::optional<Element> element =
          elementOf(evaluator, *argument.value, "the storage of params",
                    {Element::F32, Element::F16, Element::BF16, Element::F8E4M3, Element::F8E5M2});
      precision.params = element.value_or(Element::Float);
      ok = element.has_value();
    } else if (!argument.isNamed() && i == 0) {
      ok = readWorking(evaluator, *argument.value, precision);
    } else {
      evaluator.error("E0205", argument.span, "`@precision` takes an element type and `params=`");
      ok = false;
    }
  }
  return ok ? std::optional(precision) : std::nullopt;
}

//===- @quant ---------------------------------------------------------------------------------===//

static bool readGroup(Evaluator &evaluator, const syntax::Expr &expr, QuantRule &rule) {
  std::optional<Value> value = evaluator.eval(expr);
  if (!value)
    return false;
  std::optional<int64_t> group = value->asInt();
  if (group && *group > 0) {
    rule.group = *group;
    return true;
  }
  evaluator.error("E0507", expr.span, "`group` is a number of weights, at least 1")
      .primaryLabel(fmt::format("this is {}", group ? formatValue(*value) : describeKind(*value)));
  return false;
}

static bool readQuantArgument(Evaluator &evaluator, const syntax::Argument &argument, size_t index,
                              QuantRule &rule) {
  const syntax::Expr &expr = *argument.value;
  std::string_view name = argument.name.text;
  if (!argument.isNamed() && index == 0) {
    rule.globSpan = expr.span;
    return stringOf(evaluator, expr, rule.glob);
  }
  if (!argument.isNamed() && index == 1) {
    std::optional<Element> element = elementOf(evaluator, expr, "the storage of quantized values",
                                               {Element::I8, Element::I4, Element::F8E4M3});
    rule.element = element.value_or(Element::I8);
    return element.has_value();
  }
  if (name == "group")
    return readGroup(evaluator, expr, rule);
  if (name == "act") {
    rule.act =
        elementOf(evaluator, expr, "the storage of activations", {Element::I8, Element::F8E4M3});
    return rule.act.has_value();
  }
  if (name == "zero") {
    std::optional<bool> zero = evaluator.evalCondition(expr, "`zero`");
    rule.zero = zero.value_or(false);
    return zero.has_value();
  }
  evaluator.error("E0205", argument.span,
                  "`@quant` takes a glob, an element type, `group=`, `act=` and `zero=`");
  return false;
}

static bool readQuant(Evaluator &evaluator, const syntax::Attribute &attribute, QuantRule &rule) {
  size_t positional = 0;
  for (size_t i = 0; i < attribute.args.size(); ++i) {
    positional += !attribute.args[i].isNamed();
    if (!readQuantArgument(evaluator, attribute.args[i], i, rule))
      return false;
  }
  if (positional < 2) {
    evaluator.error("E0205", attribute.span, "`@quant` needs a glob of keys and an element type")
        .help("for example `@quant(\"**.weight\", i8)`");
    return false;
  }
  if (rule.zero && rule.element == Element::F8E4M3) {
    evaluator.error("E0507", attribute.span, "f8e4m3 has no zero point")
        .note(
            "`zero=true` shifts integers, so that a range that is not symmetric uses all of them");
    return false;
  }
  return true;
}

bool readQuants(Evaluator &evaluator, const syntax::ModuleStmt &model,
                std::vector<QuantRule> &rules) {
  bool ok = true;
  for (const syntax::Attribute &attribute : model.attributes)
    if (attribute.name.text == "quant")
      ok &= readQuant(evaluator, attribute, rules.emplace_back());
  return ok;
}

} // namespace nnc::frontend
