// From a model's declaration to verified IR, step by step.
#include "frontend/ModelBuilder.h"

#include "frontend/Attributes.h"
#include "frontend/Globals.h"
#include "frontend/Suggest.h"
#include "frontend/syntax/Lost.h"
#include "mlir/IR/Verifier.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

InstanceRef ModelBuilder::makeRoot(const syntax::ModuleStmt &decl,
                                   std::vector<Argument> arguments) {
  size_t before = diags.numErrors();
  CallSite site{decl.name.span, decl.name.span, std::string(decl.name.text)};
  std::optional<Value> made =
      evaluator.instantiate(*file.moduleClass(decl), std::move(arguments), site);
  if (!made)
    return nullptr;
  if (auto *instance = made->as<InstanceRef>())
    return *instance;
  if (diags.numErrors() == before)
    diags.error("E0403", decl.name.span, fmt::format("`{}` is not a module", decl.name.text))
        .primaryLabel(fmt::format("this is {}", describeKind(*made)));
  return nullptr;
}

bool ModelBuilder::checkDims(const EntryEmitter &emitter) {
  bool ok = true;
  auto check = [&](const std::string &name, int64_t least) {
    if (!emitter.usedDims().count(name))
      diags.error(fmt::format("--dim: no entry point has a dimension `{}`", name));
    else if (least < 0)
      diags.error(fmt::format("--dim: the size of `{}` cannot be negative", name));
    else
      return;
    ok = false;
  };
  for (const auto &[name, value] : options.dims)
    check(name, value);
  for (const auto &[name, values] : options.variants)
    check(name, *std::min_element(values.begin(), values.end()));
  return ok;
}

/// Every combination of the sizes that `--dim B=1,8` lists for dimensions that this entry has.
std::vector<std::map<std::string, int64_t>>
ModelBuilder::variantsOf(const std::set<std::string> &dims) const {
  std::vector<std::map<std::string, int64_t>> combinations{{}};
  for (const auto &[name, sizes] : options.variants) {
    if (!dims.count(name))
      continue;
    std::vector<std::map<std::string, int64_t>> longer;
    for (const auto &combination : combinations)
      for (int64_t size : sizes)
        longer.emplace_back(combination)[name] = size;
    combinations = std::move(longer);
  }
  if (combinations.front().empty())
    combinations.clear();
  return combinations;
}

/// The general entry point first, then its variants.
bool ModelBuilder::emitEntry(EntryEmitter &emitter, Instance &root, const syntax::FnStmt &fn) {
  emitter.setFixed(options.dims);
  if (!emitter.emit(root, fn))
    return false;
  auto variants = variantsOf(emitter.dims());
  if (variants.size() > kMaxVariants) {
    diags.error(fmt::format("--dim: `{}` would have {} variants; at most {} are possible",
                            fn.name.text, variants.size(), kMaxVariants));
    return false;
  }
  bool ok = true;
  for (const auto &variant : variants) {
    std::map<std::string, int64_t> fixed = options.dims;
    fixed.insert(variant.begin(), variant.end());
    emitter.setFixed(std::move(fixed));
    std::string text;
    for (const auto &[name, size] : variant)
      text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, size);
    ok = ok && emitter.emit(root, fn, text);
  }
  return ok;
}

/// Whether `--entry` names it, or is not given.
bool ModelBuilder::isWanted(std::string_view entry) const {
  return options.entries.empty() ||
         std::ranges::find(options.entries, entry) != options.entries.end();
}

/// Every name after `--entry` is that of an entry point of the model, or among `names`.
bool ModelBuilder::checkWanted(const ModuleClass &cls, std::vector<std::string_view> names) {
  for (const syntax::StmtPtr &stmt : cls.decl->body)
    if (auto *fn = stmt->as<syntax::FnStmt>(); fn && EntryEmitter::isEntry(*fn))
      names.push_back(fn->name.text);
  for (const std::string &wanted : options.entries) {
    if (std::ranges::find(names, wanted) != names.end())
      continue;
    auto similar = closestName(wanted, names);
    diags.error(fmt::format("`{}` has no entry point `{}`{}", cls.name(), wanted,
                            similar ? fmt::format(", did you mean `{}`?", *similar)
                            : names.empty()
                                ? ""
                                : fmt::format("; it has `{}`", fmt::join(names, "`, `"))));
    return false;
  }
  return true;
}

/// The functions of the model that are entry points; of a module that is checked by itself, those
/// that can stand alone.
std::vector<const syntax::FnStmt *> ModelBuilder::entriesOf(const ModuleClass &cls) {
  std::vector<const syntax::FnStmt *> entries;
  for (const syntax::StmtPtr &stmt : cls.decl->body)
    if (auto *fn = stmt->as<syntax::FnStmt>())
      if (quiet ? EntryEmitter::canStandAlone(*fn)
                : EntryEmitter::isEntry(*fn) && isWanted(fn->name.text))
        entries.push_back(fn);
  return entries;
}

/// Entry points and slots have their names in the IR; other functions get what is left.
bool ModelBuilder::reserveSymbols(std::vector<std::string_view> entries,
                                  const std::vector<SlotInfo> &slots) {
  for (std::string_view entry : entries)
    evaluator.uniqueSymbol(std::string(entry));
  for (const SlotInfo &slot : slots) {
    evaluator.uniqueSymbol(slot.key);
    if (std::ranges::find(entries, slot.key) == entries.end())
      continue;
    diags.error("E0704", slot.location,
                fmt::format("the key `{}` is also the name of an entry point", slot.key));
    return false;
  }
  return true;
}

bool ModelBuilder::emitEntries(Instance &root) {
  EntryEmitter emitter(evaluator, quiet);
  if (!checkWanted(*root.cls, {}))
    return false;
  bool ok = true, any = false;
  for (const syntax::FnStmt *fn : entriesOf(*root.cls)) {
    any = true;
    ok &= emitEntry(emitter, root, *fn);
  }
  if (!any && !quiet && !syntax::hasSyntaxError(diags, root.cls->decl->span))
    diags
        .error("E0210", root.cls->decl->name.span,
               fmt::format("`{}` has no entry point", root.cls->name()))
        .note("a function that takes tensors is one, unless its name begins with `_`");
  return ok && (any || quiet) && (quiet || checkDims(emitter));
}

mlir::OwningOpRef<mlir::ModuleOp> ModelBuilder::startModule(const syntax::Ident &name) {
  Context &context = evaluator.context;
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(context.location(name.span));
  evaluator.module = *module;
  context.builder.setInsertionPointToEnd(module->getBody());
  return module;
}

mlir::OwningOpRef<mlir::ModuleOp> ModelBuilder::build(const syntax::ModuleStmt &decl,
                                                      ModelInfo &info) {
  size_t before = diags.numErrors();
  Evaluator::EnterFrame enter(evaluator, top);
  Context &context = evaluator.context;
  info.name = decl.name.text;
  mlir::OwningOpRef<mlir::ModuleOp> module = startModule(decl.name);
  if (!readWeights(evaluator, decl, info.weights) ||
      !takeOptions(file.moduleClass(decl), decl.name.text, decl.instance.get()))
    return nullptr;
  InstanceRef root = makeRoot(decl, {});
  std::vector<QuantRule> quants;
  if (!root || !readQuants(evaluator, decl, quants))
    return nullptr;
  // `model Small = M(...)` keeps what M says, unless it has rules of its own.
  if (quants.empty() && root->cls->decl != &decl &&
      !readQuants(evaluator, *root->cls->decl, quants))
    return nullptr;
  std::vector<std::string_view> entries;
  for (const syntax::FnStmt *fn : entriesOf(*root->cls))
    entries.push_back(fn->name.text);
  bool ok = emitGlobals(context, *root, quants, info.slots) && reserveSymbols(entries, info.slots);
  if (ok && evaluator.observer)
    evaluator.observer->built(*root, info);
  // An error that was reported for another model already, of a constant, is not reported again.
  if (!ok || !emitEntries(*root) || diags.numErrors() != before)
    return nullptr;
  return finishModule(std::move(module), info.name);
}

mlir::OwningOpRef<mlir::ModuleOp>
ModelBuilder::finishModule(mlir::OwningOpRef<mlir::ModuleOp> module, std::string_view name) {
  if (mlir::succeeded(mlir::verify(*module)))
    return module;
  diags.error(fmt::format("internal error: the IR of `{}` does not verify", name));
  return nullptr;
}

//===- Modules by themselves ------------------------------------------------------------------===//

/// An open value of a declared type; nothing if there is none.
static std::optional<Value> openValue(const syntax::TypeExpr &type, std::string_view name) {
  if (auto *tuple = type.as<syntax::TupleType>()) {
    std::vector<Value> elements;
    for (const syntax::TypePtr &element : tuple->elements) {
      std::optional<Value> value = openValue(*element, name);
      if (!value)
        return std::nullopt;
      elements.push_back(std::move(*value));
    }
    return Value::tuple(std::move(elements));
  }
  auto *scalar = type.as<syntax::ScalarType>();
  if (scalar && scalar->scalar == syntax::ScalarKind::Int)
    return Value::integer(Dim::variable(std::string(name)));
  if (scalar && scalar->scalar == syntax::ScalarKind::Float)
    return Value::floating(1);
  return std::nullopt;
}

std::optional<std::vector<Argument>> ModelBuilder::openArguments(const syntax::ModuleStmt &decl) {
  std::vector<Argument> arguments;
  for (const syntax::Formal &formal : decl.params) {
    if (formal.defaultValue)
      continue;
    std::optional<Value> value = openValue(*formal.type, formal.name.text);
    if (!value)
      return std::nullopt;
    arguments.push_back({std::string(formal.name.text), std::move(*value), formal.name.span});
    evaluator.context.dimNames.emplace_back(formal.name.text);
  }
  return arguments;
}

void ModelBuilder::checkOpen(const syntax::ModuleStmt &decl) {
  Evaluator::EnterFrame enter(evaluator, top);
  std::optional<std::vector<Argument>> arguments = openArguments(decl);
  if (!arguments)
    return;
  mlir::OwningOpRef<mlir::ModuleOp> module = startModule(decl.name);
  std::vector<std::string> open = evaluator.context.dimNames;
  InstanceRef root = makeRoot(decl, std::move(*arguments));
  if (!root)
    return;
  EntryEmitter emitter(evaluator, std::move(open));
  for (const syntax::StmtPtr &stmt : root->cls->decl->body)
    if (auto *fn = stmt->as<syntax::FnStmt>(); fn && takesTensors(*fn))
      emitter.emit(*root, *fn);
}

/// It becomes the only function of a module without members, so that its names are those of the
/// file.
void ModelBuilder::checkFunction(const syntax::FnStmt &fn) {
  syntax::ModuleStmt decl(fn.span);
  decl.name = fn.name;
  ModuleClass cls{&decl, &file};
  auto root = std::make_shared<Instance>();
  root->cls = &cls;
  Evaluator::EnterFrame enter(evaluator, top);
  mlir::OwningOpRef<mlir::ModuleOp> module = startModule(decl.name);
  EntryEmitter(evaluator, std::vector<std::string>()).emit(*root, fn);
}

void ModelBuilder::checkConstants() {
  Evaluator::EnterFrame enter(evaluator, top);
  for (std::string_view name : file.names())
    if (Global *global = file.find(name); global->decl->is<syntax::BindStmt>())
      evaluator.globalValue(file, *global, global->name.span);
}

std::set<const syntax::ModuleStmt *> ModelBuilder::usedModules() const {
  std::set<const syntax::ModuleStmt *> used;
  for (const InstanceRef &instance : evaluator.instances)
    used.insert(instance->cls->decl);
  return used;
}

} // namespace nnc::frontend
