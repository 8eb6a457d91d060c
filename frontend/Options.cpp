// Hyperparameters of the model from `--config` and `--set`: they replace defaults, and arguments of
// `model A = M(...)`. Errors stand at the option.
#include "frontend/ModelBuilder.h"

#include "frontend/Suggest.h"
#include "frontend/syntax/Parser.h"

#include <fmt/format.h>

namespace nnc::frontend {

/// The class that `model A = M(...)` makes an instance of; null if that is unclear.
const ModuleClass *ModelBuilder::resolveAlias(const ModuleClass &cls) {
  const ModuleClass *current = &cls;
  for (unsigned depth = 0; current->decl->instance && depth < kMaxCallDepth; ++depth) {
    auto *call = current->decl->instance->as<syntax::CallExpr>();
    std::optional<Value> callee;
    if (call && (call->callee->is<syntax::NameExpr>() || call->callee->is<syntax::MemberExpr>()))
      callee = evaluator.eval(*call->callee);
    auto *target = callee ? callee->as<const ModuleClass *>() : nullptr;
    if (!target)
      return nullptr;
    current = *target;
  }
  return current;
}

/// The names after `as`: how files of configurations call a hyperparameter.
static std::vector<std::string> otherNames(const syntax::Formal &formal) {
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

static bool isScalar(const syntax::TypeExpr &type, syntax::ScalarKind kind) {
  auto *scalar = type.as<syntax::ScalarType>();
  return scalar && scalar->scalar == kind;
}

bool ModelBuilder::takeOptions(const syntax::ModuleStmt &decl) {
  if (options.sets.empty() && options.config.empty())
    return true;
  const ModuleClass *cls = file.moduleClass(decl);
  const ModuleClass *target = resolveAlias(*cls);
  if (!target) {
    if (!diags.hasErrors())
      diags
          .error("E0205", decl.instance->span,
                 fmt::format("the hyperparameters of `{}` cannot be set", decl.name.text))
          .primaryLabel("this is not a call of a module by its name");
    return false;
  }
  evaluator.overridden = cls;
  return (options.config.empty() || takeConfig(*target)) && takeSets(*target, decl.name.text);
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
  if (isScalar(*formal.type, syntax::ScalarKind::Str) && !text.starts_with('"'))
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

//===- --config -------------------------------------------------------------------------------===//

/// What a string says where a name is needed: a dtype as PyTorch spells it, a function or a module
/// in scope, an activation as Hugging Face calls it.
std::optional<Value> ModelBuilder::configName(std::string_view text, const syntax::TypeExpr &type) {
  static const std::map<std::string_view, std::string_view> aliases = {
      {"gelu_new", "gelu_tanh"}, {"gelu_pytorch_tanh", "gelu_tanh"}, {"swish", "silu"}};
  static const std::map<std::string_view, Element> elements = {
      {"float32", Element::F32}, {"float16", Element::F16}, {"bfloat16", Element::BF16}};
  if (isScalar(type, syntax::ScalarKind::DType)) {
    auto element = elements.find(text);
    return element == elements.end() ? std::nullopt
                                     : std::optional(Value::element(element->second));
  }
  auto alias = aliases.find(text);
  std::string name(alias == aliases.end() ? text : alias->second);
  if (!evaluator.isKnown(name))
    return std::nullopt;
  std::optional<syntax::FileId> id = sources.addText("--config", name, diags);
  syntax::ExprPtr expr = id ? syntax::parseExpression(sources, *id, diags) : nullptr;
  if (!expr)
    return std::nullopt;
  optionExprs.push_back(std::move(expr));
  return evaluator.eval(*optionExprs.back());
}

/// A value of JSON as one of the language; nothing where there is none.
std::optional<Value> ModelBuilder::configValue(const ConfigValue &value,
                                               const syntax::TypeExpr &type) {
  if (auto *flag = value.as<bool>())
    return Value::boolean(*flag);
  if (auto *integer = value.as<int64_t>())
    return Value::integer(*integer);
  if (auto *number = value.as<double>())
    return Value::floating(*number);
  if (auto *text = value.as<std::string>()) {
    bool isName = isScalar(type, syntax::ScalarKind::Fn) ||
                  isScalar(type, syntax::ScalarKind::Module) ||
                  isScalar(type, syntax::ScalarKind::DType);
    return isName ? configName(*text, type) : std::optional(Value::string(*text));
  }
  auto *list = value.as<ConfigValue::List>();
  if (!list)
    return std::nullopt;
  auto *tuple = type.as<syntax::TupleType>();
  auto *of = type.as<syntax::ListType>();
  std::vector<Value> elements;
  for (size_t i = 0; i < list->size(); ++i) {
    const syntax::TypeExpr &inner = of                                    ? *of->element
                                    : tuple && i < tuple->elements.size() ? *tuple->elements[i]
                                                                          : type;
    std::optional<Value> element = configValue((*list)[i], inner);
    if (!element)
      return std::nullopt;
    elements.push_back(std::move(*element));
  }
  return tuple ? Value::tuple(std::move(elements)) : Value::list(std::move(elements));
}

bool ModelBuilder::takeConfig(const ModuleClass &cls) {
  std::optional<syntax::FileId> id = sources.load(options.config, diags);
  std::optional<Config> config = id ? parseConfig(sources, *id, diags) : std::nullopt;
  if (!config)
    return false;
  bool ok = true;
  for (const syntax::Formal &formal : cls.decl->params) {
    std::vector<std::string> names = otherNames(formal);
    names.emplace_back(formal.name.text);
    for (const std::string &name : names) {
      auto entry = config->find(name);
      if (entry == config->end() || entry->second.isNull())
        continue;
      if (std::optional<Value> value = configValue(entry->second, *formal.type)) {
        evaluator.overrides.push_back(
            {std::string(formal.name.text), std::move(*value), entry->second.span});
      } else {
        auto *text = entry->second.as<std::string>();
        diags
            .error("E0403", entry->second.span,
                   text ? fmt::format("`{}` of `{}` cannot be \"{}\"", formal.name.text, cls.name(),
                                      *text)
                        : fmt::format("`{}` of `{}` cannot be {}", formal.name.text, cls.name(),
                                      entry->second.kind()))
            .label(formal.type->span, "declared here");
        ok = false;
      }
      break;
    }
  }
  return ok;
}

} // namespace nnc::frontend
