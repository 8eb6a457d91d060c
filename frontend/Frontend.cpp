// The front end as a story: open the file, pick the model, build its tree of instances, declare its
// checkpoint, emit its entry points, verify.
#include "frontend/Frontend.h"

#include "frontend/Attributes.h"
#include "frontend/Entries.h"
#include "frontend/Evaluator.h"
#include "frontend/Globals.h"
#include "frontend/Suggest.h"
#include "frontend/syntax/Parser.h"
#include "ir/NNDialect.h"
#include "mlir/IR/Verifier.h"

#include <fmt/format.h>

namespace nnc::frontend {

int64_t ModelInfo::parameterCount() const {
  int64_t total = 0;
  for (const SlotInfo &slot : slots) {
    int64_t size = slot.kind == "param";
    for (int64_t dim : slot.shape)
      size *= dim;
    total += size;
  }
  return total;
}

//===- Picking the model
//--------------------------------------------------------------------------===//

static std::vector<const syntax::ModuleStmt *> modelsOf(const FileScope &file) {
  std::vector<const syntax::ModuleStmt *> models;
  for (const syntax::StmtPtr &item : file.tree->items)
    if (auto *module = item->as<syntax::ModuleStmt>(); module && module->isModel)
      models.push_back(module);
  return models;
}

std::vector<std::string> modelNames(syntax::SourceManager &sources, syntax::FileId file,
                                    syntax::Diagnostics &diags) {
  Files files(sources, diags);
  std::vector<std::string> names;
  for (const syntax::ModuleStmt *model : modelsOf(*files.open(file)))
    names.emplace_back(model->name.text);
  return names;
}

static std::string joinNames(const std::vector<const syntax::ModuleStmt *> &models) {
  std::string text;
  for (const syntax::ModuleStmt *model : models)
    text += fmt::format("{}`{}`", text.empty() ? "" : ", ", model->name.text);
  return text;
}

static const syntax::ModuleStmt *pickModel(const FileScope &file, const std::string &fileName,
                                           const std::string &wanted, syntax::Diagnostics &diags) {
  std::vector<const syntax::ModuleStmt *> models = modelsOf(file);
  std::vector<std::string_view> names;
  for (const syntax::ModuleStmt *model : models) {
    if (model->name.text == wanted || (wanted.empty() && models.size() == 1))
      return model;
    names.push_back(model->name.text);
  }
  const Global *other = file.find(wanted);
  if (other && other->decl->is<syntax::TrainStmt>()) {
    diags.error("E0590", other->name.span, "`train` blocks cannot be compiled yet");
    return nullptr;
  }
  if (models.empty()) {
    diags.error(fmt::format("{} declares no model", fileName));
    return nullptr;
  }
  if (wanted.empty()) {
    diags.error(fmt::format("{} declares several models, choose one with `--model`: {}", fileName,
                            joinNames(models)));
    return nullptr;
  }
  auto similar = closestName(wanted, names);
  diags.error(fmt::format("{} declares no model `{}`{}", fileName, wanted,
                          similar ? fmt::format(", did you mean `{}`?", *similar)
                                  : fmt::format("; it has {}", joinNames(models))));
  return nullptr;
}

//===- Building one model
//-------------------------------------------------------------------------===//

namespace {

/// One model of a file, from its declaration to verified IR.
class ModelBuilder {
public:
  ModelBuilder(syntax::SourceManager &sources, syntax::Diagnostics &diags,
               mlir::MLIRContext &mlirContext, Files &files, FileScope &file,
               const FrontendOptions &options, bool quiet)
      : sources(sources), diags(diags), file(file), options(options), quiet(quiet),
        evaluator(sources, diags, mlirContext, files) {}

  mlir::OwningOpRef<mlir::ModuleOp> build(const syntax::ModuleStmt &decl, ModelInfo &info);

private:
  bool evalSets(const syntax::ModuleStmt &decl);
  std::optional<Value> evalOption(const std::string &name, const std::string &text);
  const ModuleClass *resolveAlias(const ModuleClass &cls);
  InstanceRef makeRoot(const syntax::ModuleStmt &decl);
  std::vector<const syntax::FnStmt *> entriesOf(const ModuleClass &cls);
  bool reserveSymbols(const Instance &root, const std::vector<SlotInfo> &slots);
  bool emitEntries(Instance &root);
  bool checkDims(const EntryEmitter &emitter);

  syntax::SourceManager &sources;
  syntax::Diagnostics &diags;
  FileScope &file;
  const FrontendOptions &options;
  bool quiet;
  Evaluator evaluator;
  Frame top;
  std::vector<syntax::ExprPtr> optionExprs;
};

} // namespace

std::optional<Value> ModelBuilder::evalOption(const std::string &name, const std::string &text) {
  std::optional<syntax::FileId> id = sources.addText("--set " + name, text, diags);
  syntax::ExprPtr expr = id ? syntax::parseExpression(sources, *id, diags) : nullptr;
  if (!expr)
    return std::nullopt;
  std::optional<Value> value = evaluator.eval(*expr);
  optionExprs.push_back(std::move(expr));
  return value;
}

/// The class that `model A = M(...)` makes an instance of; null if that is unclear.
const ModuleClass *ModelBuilder::resolveAlias(const ModuleClass &cls) {
  const ModuleClass *current = &cls;
  for (unsigned depth = 0; current->decl->instance && depth < kMaxCallDepth; ++depth) {
    auto *call = current->decl->instance->as<syntax::CallExpr>();
    auto *name = call ? call->callee->as<syntax::NameExpr>() : nullptr;
    std::optional<Value> callee =
        name && evaluator.isKnown(name->name) ? evaluator.eval(*name) : std::nullopt;
    auto *target = callee ? callee->as<const ModuleClass *>() : nullptr;
    if (!target)
      return nullptr;
    current = *target;
  }
  return current;
}

bool ModelBuilder::evalSets(const syntax::ModuleStmt &decl) {
  if (options.sets.empty())
    return true;
  const ModuleClass *cls = file.moduleClass(decl);
  const ModuleClass *target = resolveAlias(*cls);
  for (const auto &[name, text] : options.sets) {
    if (target && !target->hyperparameter(name)) {
      std::vector<std::string_view> names;
      for (const syntax::Formal &formal : target->decl->params)
        names.push_back(formal.name.text);
      auto similar = closestName(name, names);
      diags.error(fmt::format("--set: `{}` has no hyperparameter `{}`{}", decl.name.text, name,
                              similar ? fmt::format(", did you mean `{}`?", *similar) : ""));
      return false;
    }
    std::optional<Value> value = evalOption(name, text);
    if (!value)
      return false;
    const syntax::Expr &expr = *optionExprs.back();
    evaluator.overrides.push_back({name, std::move(*value), expr.span, &expr});
  }
  evaluator.overridden = cls;
  return true;
}

InstanceRef ModelBuilder::makeRoot(const syntax::ModuleStmt &decl) {
  size_t before = diags.numErrors();
  CallSite site{decl.name.span, decl.name.span, std::string(decl.name.text)};
  std::optional<Value> made = evaluator.instantiate(*file.moduleClass(decl), {}, site);
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
  for (const auto &[name, value] : options.dims)
    if (!emitter.usedDims().count(name)) {
      ok = false;
      diags.error(fmt::format("--dim: no entry point has a dimension `{}`", name));
    } else if (value < 0) {
      ok = false;
      diags.error(fmt::format("--dim: the size of `{}` cannot be negative", name));
    }
  return ok;
}

/// The functions of the model that are entry points; of a module that is checked by itself, those
/// that can stand alone.
std::vector<const syntax::FnStmt *> ModelBuilder::entriesOf(const ModuleClass &cls) {
  std::vector<const syntax::FnStmt *> entries;
  for (const syntax::StmtPtr &stmt : cls.decl->body)
    if (auto *fn = stmt->as<syntax::FnStmt>())
      if (quiet ? EntryEmitter::canStandAlone(*fn) : EntryEmitter::isEntry(*fn))
        entries.push_back(fn);
  return entries;
}

/// Entry points and slots have their names in the IR; other functions get what is left.
bool ModelBuilder::reserveSymbols(const Instance &root, const std::vector<SlotInfo> &slots) {
  std::set<std::string> entries;
  for (const syntax::FnStmt *fn : entriesOf(*root.cls)) {
    entries.emplace(fn->name.text);
    evaluator.uniqueSymbol(std::string(fn->name.text));
  }
  for (const SlotInfo &slot : slots) {
    evaluator.uniqueSymbol(slot.key);
    if (!entries.count(slot.key))
      continue;
    diags.error("E0704", slot.location,
                fmt::format("the key `{}` is also the name of an entry point", slot.key));
    return false;
  }
  return true;
}

bool ModelBuilder::emitEntries(Instance &root) {
  EntryEmitter emitter(evaluator, options.dims, quiet);
  bool ok = true, any = false;
  for (const syntax::FnStmt *fn : entriesOf(*root.cls)) {
    any = true;
    ok &= checkAttributes(evaluator, *fn) && emitter.emit(root, *fn);
  }
  if (!any && !quiet)
    diags
        .error("E0210", root.cls->decl->name.span,
               fmt::format("`{}` has no entry point", root.cls->name()))
        .note("a function that takes tensors is one");
  return ok && (any || quiet) && (quiet || checkDims(emitter));
}

mlir::OwningOpRef<mlir::ModuleOp> ModelBuilder::build(const syntax::ModuleStmt &decl,
                                                      ModelInfo &info) {
  size_t before = diags.numErrors();
  top.home = &file;
  Evaluator::EnterFrame enter(evaluator, top);
  Context &context = evaluator.context;
  info.name = decl.name.text;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(context.location(decl.name.span));
  evaluator.module = *module;
  context.builder.setInsertionPointToEnd(module->getBody());
  if (!readAttributes(evaluator, decl, info.weights) || !evalSets(decl))
    return nullptr;
  InstanceRef root = makeRoot(decl);
  if (!root)
    return nullptr;
  if (emitGlobals(context, *root, info.slots) && reserveSymbols(*root, info.slots))
    emitEntries(*root);
  if (diags.numErrors() != before)
    return nullptr;
  if (mlir::succeeded(mlir::verify(*module)))
    return module;
  diags.error(fmt::format("internal error: the IR of `{}` does not verify", info.name));
  return nullptr;
}

//===- Public
//-------------------------------------------------------------------------------------===//

static void loadDialects(mlir::MLIRContext &context) {
  context.getOrLoadDialect<nn::NNDialect>();
  context.getOrLoadDialect<mlir::func::FuncDialect>();
}

mlir::OwningOpRef<mlir::ModuleOp> emitModel(syntax::SourceManager &sources, syntax::FileId file,
                                            const FrontendOptions &options,
                                            syntax::Diagnostics &diags, mlir::MLIRContext &context,
                                            ModelInfo *info) {
  loadDialects(context);
  Files files(sources, diags);
  FileScope *scope = files.open(file);
  if (diags.hasErrors())
    return nullptr;
  const syntax::ModuleStmt *model = pickModel(*scope, sources.name(file), options.model, diags);
  if (!model)
    return nullptr;
  ModelInfo unwanted;
  ModelBuilder builder(sources, diags, context, files, *scope, options, /*quiet=*/false);
  return builder.build(*model, info ? *info : unwanted);
}

/// Whether a module can be made without arguments.
static bool hasDefaults(const syntax::ModuleStmt &module) {
  for (const syntax::Formal &formal : module.params)
    if (!formal.defaultValue)
      return false;
  return true;
}

bool checkFile(syntax::SourceManager &sources, syntax::FileId file, const FrontendOptions &options,
               syntax::Diagnostics &diags, mlir::MLIRContext &context) {
  loadDialects(context);
  Files files(sources, diags);
  FileScope *scope = files.open(file);
  if (!options.model.empty() && !pickModel(*scope, sources.name(file), options.model, diags))
    return false;
  for (const syntax::StmtPtr &item : scope->tree->items) {
    auto *module = item->as<syntax::ModuleStmt>();
    bool isWanted = module && (options.model.empty() ? module->isModel || hasDefaults(*module)
                                                     : module->name.text == options.model);
    if (!isWanted)
      continue;
    ModelInfo info;
    ModelBuilder builder(sources, diags, context, files, *scope, options, !module->isModel);
    builder.build(*module, info);
  }
  return !diags.hasErrors();
}

} // namespace nnc::frontend
