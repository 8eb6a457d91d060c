// The front end as a story: open the file, pick the model, build its tree of instances, declare its
// checkpoint, emit its entry points, verify.
#include "frontend/Frontend.h"

#include "frontend/ModelBuilder.h"
#include "frontend/Observer.h"
#include "frontend/Suggest.h"
#include "frontend/syntax/Lost.h"
#include "ir/NNDialect.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

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

//===- Picking the model ----------------------------------------------------------------------===//

static std::vector<const syntax::ModuleStmt *> modelsOf(const FileScope &file) {
  std::vector<const syntax::ModuleStmt *> models;
  for (const syntax::StmtPtr &item : file.tree->items)
    if (auto *module = item->as<syntax::ModuleStmt>(); module && module->isModel)
      models.push_back(module);
  return models;
}

static std::vector<const syntax::TrainStmt *> trainsOf(const FileScope &file) {
  std::vector<const syntax::TrainStmt *> trains;
  for (const syntax::StmtPtr &item : file.tree->items)
    if (auto *train = item->as<syntax::TrainStmt>())
      trains.push_back(train);
  return trains;
}

static std::string joinNames(const std::vector<std::string_view> &names) {
  std::string text;
  for (std::string_view name : names)
    text += fmt::format("{}`{}`", text.empty() ? "" : ", ", name);
  return text;
}

/// The model of that name that a file imports; `home` becomes the file that declares it. Null if
/// there is none.
static const syntax::Stmt *importedModel(Files &files, FileScope *&home, std::string_view wanted) {
  FileScope *scope = home;
  const Global *global = scope->find(wanted);
  std::set<const FileScope *> seen;
  while (global && global->decl->is<syntax::ImportStmt>() && seen.insert(scope).second) {
    scope = files.resolve(global->decl->get<syntax::ImportStmt>(), *scope);
    global = scope ? scope->find(wanted) : nullptr;
  }
  auto *module = global ? global->decl->as<syntax::ModuleStmt>() : nullptr;
  if (!module || !module->isModel)
    return nullptr;
  home = scope;
  return module;
}

/// The model or train block to compile: the one of that name, else the only train block, else the
/// only model. Null after an error.
static const syntax::Stmt *pickModel(const FileScope &file, const std::string &fileName,
                                     const std::string &wanted, syntax::Diagnostics &diags) {
  std::vector<const syntax::ModuleStmt *> models = modelsOf(file);
  std::vector<const syntax::TrainStmt *> trains = trainsOf(file);
  if (wanted.empty() && trains.size() == 1)
    return trains.front();
  if (wanted.empty() && trains.empty() && models.size() == 1)
    return models.front();
  std::vector<std::string_view> names;
  for (const syntax::TrainStmt *train : trains) {
    if (train->name.text == wanted)
      return train;
    names.push_back(train->name.text);
  }
  for (const syntax::ModuleStmt *model : models) {
    if (model->name.text == wanted)
      return model;
    names.push_back(model->name.text);
  }
  if (names.empty()) {
    syntax::Diagnostic &diag = diags.error(fmt::format("{} declares no model", fileName));
    for (const syntax::StmtPtr &item : file.tree->items)
      if (auto *module = item->as<syntax::ModuleStmt>(); module && diag.notes.empty())
        diag.note(fmt::format("`{}` is a module; what is compiled is declared by `model`",
                              module->name.text),
                  module->name.span);
    return nullptr;
  }
  if (wanted.empty()) {
    diags.error(fmt::format("{} declares several {}, choose one with `--model`: {}", fileName,
                            trains.empty() ? "models" : "train blocks", joinNames(names)));
    return nullptr;
  }
  auto similar = closestName(wanted, names);
  diags.error(fmt::format("{} declares no model `{}`{}", fileName, wanted,
                          similar ? fmt::format(", did you mean `{}`?", *similar)
                                  : fmt::format("; it has {}", joinNames(names))));
  return nullptr;
}

//===- Public ---------------------------------------------------------------------------------===//

static void loadDialects(mlir::MLIRContext &context) {
  context.getOrLoadDialect<nn::NNDialect>();
  context.getOrLoadDialect<mlir::func::FuncDialect>();
}

namespace {

/// A function of an instance keeps it alive, also as the value of one of its members. Such cycles
/// end here, when neither models nor the constants of files need the instances any more.
class InstanceKeeper {
public:
  ~InstanceKeeper() {
    for (const InstanceRef &instance : instances)
      for (Member &member : instance->members)
        member.value.reset();
  }
  void keep(const ModelBuilder &builder) {
    instances.insert(instances.end(), builder.madeInstances().begin(),
                     builder.madeInstances().end());
  }

private:
  std::vector<InstanceRef> instances;
};

} // namespace

mlir::OwningOpRef<mlir::ModuleOp> emitModel(syntax::SourceManager &sources, syntax::FileId file,
                                            const FrontendOptions &options,
                                            syntax::Diagnostics &diags, mlir::MLIRContext &context,
                                            ModelInfo *info) {
  loadDialects(context);
  Files files(sources, diags);
  FileScope *scope = files.open(file);
  files.checkImports(*scope);
  if (diags.hasErrors())
    return nullptr;
  const syntax::Stmt *model = importedModel(files, scope, options.model);
  if (!model)
    model = pickModel(*scope, sources.name(file), options.model, diags);
  if (!model)
    return nullptr;
  ModelInfo unwanted;
  InstanceKeeper keeper;
  ModelBuilder builder(sources, diags, context, files, *scope, options, /*quiet=*/false);
  ModelInfo &told = info ? *info : unwanted;
  auto *train = model->as<syntax::TrainStmt>();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      train ? builder.buildTrain(*train, told)
            : builder.build(model->get<syntax::ModuleStmt>(), told);
  keeper.keep(builder);
  return module;
}

/// Whether a module can be made without arguments.
static bool hasDefaults(const syntax::ModuleStmt &module) {
  for (const syntax::Formal &formal : module.params)
    if (!formal.defaultValue)
      return false;
  return true;
}

/// Whether the shape of a state depends on what its module is made for: that of an optimizer.
static bool hasOpenStates(const syntax::ModuleStmt &module) {
  for (const syntax::StmtPtr &stmt : module.body)
    if (auto *slot = stmt->as<syntax::SlotStmt>(); slot && slot->slot == syntax::SlotKind::State)
      if (auto *type = slot->type->as<syntax::TensorType>())
        if (std::ranges::any_of(type->dims, &syntax::Dim::isPack))
          return true;
  return false;
}

namespace {

/// Which functions were evaluated; what another observer wants to know is passed on.
class UseRecorder : public Observer {
public:
  explicit UseRecorder(Observer *next) : next(next) {}
  bool isUsed(const syntax::FnStmt &fn) const { return used.count(&fn); }

  void enterBody(const syntax::FnStmt &fn, const Frame &frame) override {
    used.insert(&fn);
    if (next)
      next->enterBody(fn, frame);
  }
  void leaveBody(const syntax::FnStmt &fn, const Value *result) override {
    if (next)
      next->leaveBody(fn, result);
  }
  void shareBody(const syntax::FnStmt &fn, const Frame &frame) override {
    if (next)
      next->shareBody(fn, frame);
  }
  void evaluated(const syntax::Expr &expr, const Value &value) override {
    if (next)
      next->evaluated(expr, value);
  }
  void applied(syntax::Span place, std::string_view name, const Value &value) override {
    if (next)
      next->applied(place, name, value);
  }
  void bound(const syntax::Ident &name, const Value &value) override {
    if (next)
      next->bound(name, value);
  }
  void built(const Instance &root, const ModelInfo &info) override {
    if (next)
      next->built(root, info);
  }

private:
  Observer *next;
  std::set<const syntax::FnStmt *> used;
};

/// `nnc check` of one file.
class FileChecker {
public:
  FileChecker(syntax::SourceManager &sources, syntax::Diagnostics &diags,
              mlir::MLIRContext &context, Files &files, FileScope &file,
              const FrontendOptions &options)
      : sources(sources), diags(diags), context(context), files(files), file(file),
        options(options), uses(options.observer) {
    this->options.observer = &uses;
  }

  void checkModels();
  /// The modules that no model has an instance of.
  void checkModules();
  /// The constants, and the functions that nothing has called.
  void checkRest();

private:
  void build(const syntax::ModuleStmt &decl);
  void adopt(const syntax::Diagnostic &diag);
  void checkOpen(const syntax::ModuleStmt &decl);

  syntax::SourceManager &sources;
  syntax::Diagnostics &diags;
  mlir::MLIRContext &context;
  Files &files;
  FileScope &file;
  FrontendOptions options;
  UseRecorder uses;
  std::set<const syntax::ModuleStmt *> checked;
  InstanceKeeper keeper;
};

} // namespace

void FileChecker::build(const syntax::ModuleStmt &decl) {
  ModelInfo info;
  ModelBuilder builder(sources, diags, context, files, file, options, !decl.isModel);
  builder.build(decl, info);
  checked.merge(builder.usedModules());
  keeper.keep(builder);
}

void FileChecker::checkModels() {
  auto isWanted = [&](const syntax::Ident &name) {
    return options.model.empty() || name.text == options.model;
  };
  for (const syntax::ModuleStmt *model : modelsOf(file))
    if (isWanted(model->name))
      build(*model);
  for (const syntax::TrainStmt *train : trainsOf(file)) {
    if (!isWanted(train->name))
      continue;
    ModelInfo info;
    ModelBuilder builder(sources, diags, context, files, file, options, /*quiet=*/false);
    builder.buildTrain(*train, info);
    checked.merge(builder.usedModules());
    keeper.keep(builder);
  }
}

/// Errors that do not depend on the sizes that were left open.
static bool isCertain(std::string_view code) {
  constexpr std::string_view kCertain[] = {"E0201", "E0202", "E0203", "E0204", "E0205",
                                           "E0206", "E0208", "E0209", "E0401", "E0402",
                                           "E0503", "E0505", "E0508", "E0509"};
  return std::find(std::begin(kCertain), std::end(kCertain), code) != std::end(kCertain);
}

/// Takes over an error, if no syntax error explains it.
void FileChecker::adopt(const syntax::Diagnostic &diag) {
  syntax::Span place = diag.primary.span;
  bool isFollowing =
      (diag.code == "E0201" && syntax::mayBeLost(diags, sources, place)) ||
      (diag.code == "E0208" && syntax::hasSyntaxError(diags, {place.file, 0, UINT32_MAX}));
  if (!isFollowing)
    diags.error(diag.code, place, diag.message) = diag;
}

void FileChecker::checkOpen(const syntax::ModuleStmt &decl) {
  syntax::Diagnostics found;
  ModelBuilder builder(sources, found, context, files, file, options, /*quiet=*/true);
  builder.checkOpen(decl);
  keeper.keep(builder);
  for (const syntax::Diagnostic &diag : found.all())
    if (isCertain(diag.code))
      adopt(diag);
}

void FileChecker::checkModules() {
  for (const syntax::StmtPtr &item : file.tree->items) {
    auto *module = item->as<syntax::ModuleStmt>();
    if (!module || module->isModel || checked.count(module))
      continue;
    if (hasDefaults(*module) && !hasOpenStates(*module))
      build(*module);
    else
      checkOpen(*module);
  }
}

/// A function stands alone if its build-time parameters have defaults. What it needs to know of its
/// sizes may be known only where it is called.
static bool canCheck(const syntax::FnStmt &fn) {
  return takesTensors(fn) &&
         std::all_of(fn.params.begin(), fn.params.end(), [](const syntax::Formal &formal) {
           auto *type = formal.type->as<syntax::TensorType>();
           return type ? !type->optional : formal.defaultValue != nullptr;
         });
}

void FileChecker::checkRest() {
  syntax::Diagnostics found;
  auto check = [&](auto what) {
    ModelBuilder builder(sources, found, context, files, file, options, /*quiet=*/true);
    what(builder);
    keeper.keep(builder);
  };
  check([](ModelBuilder &builder) { builder.checkConstants(); });
  for (const syntax::StmtPtr &item : file.tree->items)
    if (auto *fn = item->as<syntax::FnStmt>(); fn && canCheck(*fn) && !uses.isUsed(*fn))
      check([&](ModelBuilder &builder) { builder.checkFunction(*fn); });
  for (const syntax::Diagnostic &diag : found.all())
    if (diag.severity == syntax::Severity::Error && diag.code != "E0304")
      adopt(diag);
}

bool checkFile(syntax::SourceManager &sources, syntax::FileId file, const FrontendOptions &options,
               syntax::Diagnostics &diags, mlir::MLIRContext &context) {
  loadDialects(context);
  Files files(sources, diags);
  FileScope *scope = files.open(file);
  files.checkImports(*scope);
  if (!options.model.empty() && !pickModel(*scope, sources.name(file), options.model, diags))
    return false;
  FileChecker checker(sources, diags, context, files, *scope, options);
  checker.checkModels();
  if (options.model.empty()) {
    checker.checkModules();
    checker.checkRest();
  }
  return !diags.hasErrors();
}

} // namespace nnc::frontend
