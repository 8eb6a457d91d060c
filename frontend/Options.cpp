// Hyperparameters of the model from `--set`, and what it has in common with `--config`
// (ConfigOptions.cpp): both replace defaults, and arguments of `model A = M(...)`. Errors stand at
// the option.
#include "frontend/ModelBuilder.h"

#include "frontend/Suggest.h"
#include "frontend/syntax/Parser.h"

#include <fmt/format.h>

namespace nnc::frontend {

/// The class of `M(...)`; null if that is unclear.
const ModuleClass *ModelBuilder::calledClass(const syntax::Expr &made) {
  auto *call = made.as<syntax::CallExpr>();
  std::optional<Value> callee;
  if (call && (call->callee->is<syntax::NameExpr>() || call->callee->is<syntax::MemberExpr>()))
    callee = evaluator.eval(*call->callee);
  auto *target = callee ? callee->as<const ModuleClass *>() : nullptr;
  return target ? *target : nullptr;
}

/// The class that `model A = M(...)` makes an instance of; null if that is unclear.
const ModuleClass *ModelBuilder::resolveAlias(const ModuleClass &cls) {
  const ModuleClass *current = &cls;
  for (unsigned depth = 0; current && current->decl->instance && depth < kMaxCallDepth; ++depth)
    current = calledClass(*current->decl->instance);
  return current;
}

std::vector<std::string> otherNames(const syntax::Formal &formal) {
  std::vector<std::string> names;
  if (!formal.key)
    return names;
  for (const syntax::Key::Alternative &alternative : formal.key->alternatives) {
    std::string text;
    bool isPlain = true;
    for (const syntax::Key::Part &part : alternative.parts) {
      text += part.text;
      isPlain &= !part.expr;
    }
    if (isPlain && !text.empty())
      names.push_back(std::move(text));
  }
  return names;
}

bool isScalarType(const syntax::TypeExpr &type, syntax::ScalarKind kind) {
  auto *scalar = type.as<syntax::ScalarType>();
  return scalar && scalar->scalar == kind;
}

bool ModelBuilder::takeOptions(const ModuleClass *cls, std::string_view name,
                               const syntax::Expr *made) {
  if (options.sets.empty() && options.config.empty())
    return true;
  const ModuleClass *target = cls ? resolveAlias(*cls) : nullptr;
  if (!target) {
    if (!diags.hasErrors())
      diags
          .error("E0205", made->span,
                 fmt::format("the hyperparameters of `{}` cannot be set", name))
          .primaryLabel("this is not a call of a module by its name");
    return false;
  }
  evaluator.overridden = cls;
  return (options.config.empty() || takeConfig(*target)) && takeSets(*target, name);
}

//===- --set ----------------------------------------------------------------------------------===//

/// The value of `--set name=text`: an expression, or for a str also the plain text.
std::optional<Value> ModelBuilder::evalOption(const syntax::Formal &formal, const std::string &text,
                                              syntax::Span &span) {
  std::optional<syntax::FileId> id =
      sources.addText(fmt::format("--set {}", formal.name.text), text, diags);
  if (!id)
    return std::nullopt;
  span = {*id, 0, static_cast<uint32_t>(text.size())};
  if (isScalarType(*formal.type, syntax::ScalarKind::Str) && !text.starts_with('"'))
    return Value::string(text);
  syntax::ExprPtr expr = syntax::parseExpression(sources, *id, diags);
  if (!expr)
    return std::nullopt;
  std::optional<Value> value = evaluator.eval(*expr);
  span = expr->span;
  optionExprs.push_back(std::move(expr));
  return value;
}

bool ModelBuilder::takeSets(const ModuleClass &cls, std::string_view model) {
  for (const auto &[name, text] : options.sets) {
    const syntax::Formal *found = cls.hyperparameter(name);
    std::vector<std::string_view> names;
    for (const syntax::Formal &formal : cls.decl->params) {
      names.push_back(formal.name.text);
      for (const std::string &other : otherNames(formal))
        if (!found && other == name)
          found = &formal;
    }
    if (!found) {
      auto similar = closestName(name, names);
      diags.error(fmt::format("--set: `{}` has no hyperparameter `{}`{}", model, name,
                              similar ? fmt::format(", did you mean `{}`?", *similar) : ""));
      return false;
    }
    syntax::Span span;
    std::optional<Value> value = evalOption(*found, text, span);
    if (!value)
      return false;
    std::string own(found->name.text);
    std::erase_if(evaluator.overrides, [&](const Argument &given) { return given.name == own; });
    evaluator.overrides.push_back({std::move(own), std::move(*value), span});
  }
  return true;
}

} // namespace nnc::frontend
