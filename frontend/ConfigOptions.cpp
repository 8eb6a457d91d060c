// Hyperparameters of the model from `--config`: which member of the file is which, and as what it
// is read. Errors stand in the file.
#include "frontend/ModelBuilder.h"

#include "frontend/syntax/Parser.h"

#include <fmt/format.h>

namespace nnc::frontend {

//===- Values ---------------------------------------------------------------------------------===//

/// What a string says where a name is needed: a dtype as PyTorch spells it, a function or a module
/// in scope, an activation as Hugging Face calls it.
std::optional<Value> ModelBuilder::configName(std::string_view text, const syntax::TypeExpr &type) {
  static const std::map<std::string_view, std::string_view> aliases = {
      {"gelu_new", "gelu_tanh"},
      {"gelu_pytorch_tanh", "gelu_tanh"},
      {"gelu_fast", "gelu_tanh"},
      {"gelu_python", "gelu"},
      {"swish", "silu"}};
  static const std::map<std::string_view, Element> elements = {
      {"float32", Element::F32}, {"float16", Element::F16}, {"bfloat16", Element::BF16}};
  if (isScalarType(type, syntax::ScalarKind::DType)) {
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
    bool isName = isScalarType(type, syntax::ScalarKind::Fn) ||
                  isScalarType(type, syntax::ScalarKind::Module) ||
                  isScalarType(type, syntax::ScalarKind::DType);
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

/// An integer of JSON that has more than 64 bits, read as a float.
static bool isHugeInt(const ConfigValue &value, std::string_view text) {
  return value.as<double>() && text.find_first_not_of("-0123456789") == text.npos;
}

bool ModelBuilder::takeMember(const ModuleClass &cls, const syntax::Formal &formal,
                              const ConfigValue &member) {
  std::string_view written = sources.text(member.span);
  bool isTooLarge =
      isScalarType(*formal.type, syntax::ScalarKind::Int) && isHugeInt(member, written);
  std::optional<Value> value;
  if (!isTooLarge)
    value = configValue(member, *formal.type);
  if (value) {
    evaluator.overrides.push_back({std::string(formal.name.text), std::move(*value), member.span});
    return true;
  }
  bool isText = isTooLarge || member.as<std::string>();
  syntax::Diagnostic &diag = diags.error("E0403", member.span,
                                         fmt::format("`{}` of `{}` cannot be {}", formal.name.text,
                                                     cls.name(), isText ? written : member.kind()));
  diag.label(formal.type->span, "declared here");
  if (isTooLarge)
    diag.primaryLabel("an int has 64 bits");
  return false;
}

//===- Names ----------------------------------------------------------------------------------===//

/// Objects of what concerns rotary positions: of transformers 5, and of earlier versions, which had
/// `rope_theta` beside it.
static constexpr std::string_view kRopeObjects[] = {"rope_parameters", "rope_scaling"};

/// The member called `name`, which may stand in an object for rotary positions.
static ConfigPlace findAnywhere(const Config &config, const std::string &name) {
  ConfigPlace place = findMember(config, name);
  for (std::string_view object : kRopeObjects)
    if (!place.value && !place.misfit)
      place.value = findMember(config, fmt::format("{}.{}", object, name)).value;
  return place;
}

/// The member that a hyperparameter is called by; null if there is none.
static ConfigPlace placeOf(const Config &config, const syntax::Formal &formal) {
  std::vector<std::string> names = otherNames(formal);
  names.emplace_back(formal.name.text);
  ConfigPlace misfit;
  for (const std::string &name : names) {
    ConfigPlace place = findAnywhere(config, name);
    if (place.value)
      return place;
    if (place.misfit && !misfit.misfit)
      misfit = std::move(place);
  }
  return misfit;
}

/// Reports that positions are scaled although the model reads nothing of it: it would compute other
/// numbers than the checkpoint was made for.
bool ModelBuilder::checkScaledPositions(const ModuleClass &cls, const Config &config,
                                        const std::set<const ConfigValue *> &taken) {
  const ConfigValue *scaled = nullptr;
  for (std::string_view object : kRopeObjects) {
    const ConfigValue *whole = findMember(config, object).value;
    if (whole && !whole->as<ConfigValue::Object>() && !taken.count(whole)) {
      diags.error("E0403", whole->span, fmt::format("`{}` cannot be {}", object, whole->kind()))
          .primaryLabel("an object is expected");
      return false;
    }
    for (std::string_view name : {"rope_type", "type"}) {
      const ConfigValue *found = findMember(config, fmt::format("{}.{}", object, name)).value;
      if (taken.count(found))
        return true;
      auto *kind = found ? found->as<std::string>() : nullptr;
      if (kind && *kind != "default" && !scaled)
        scaled = found;
    }
  }
  if (!scaled)
    return true;
  diags
      .error("E0512", scaled->span,
             fmt::format("`{}` does not read how its positions are scaled", cls.name()))
      .primaryLabel("no hyperparameter takes this")
      .label(cls.decl->name.span, "of this model")
      .help("read it: `scaling: str as \"rope_type\" | \"type\" = \"default\"`");
  return false;
}

bool ModelBuilder::takeConfig(const ModuleClass &cls) {
  std::optional<syntax::FileId> id = sources.load(options.config, diags);
  std::optional<Config> config = id ? parseConfig(sources, *id, diags) : std::nullopt;
  if (!config)
    return false;
  bool ok = true;
  std::set<const ConfigValue *> taken;
  for (const syntax::Formal &formal : cls.decl->params) {
    ConfigPlace place = placeOf(*config, formal);
    if (place.value) {
      taken.insert(place.value);
      ok &= takeMember(cls, formal, *place.value);
    } else if (place.misfit) {
      diags
          .error("E0403", place.misfit->span,
                 fmt::format("`{}` cannot be {}", place.misfitPath, place.misfit->kind()))
          .primaryLabel("an object is expected")
          .label(formal.name.span, "which holds this one");
      ok = false;
    }
  }
  return ok && checkScaledPositions(cls, *config, taken);
}

} // namespace nnc::frontend
