// One model of a file, from its declaration to IR: hyperparameters from the command line, the tree
// of instances, the checkpoint, the entry points.
#pragma once

#include "frontend/Config.h"
#include "frontend/Entries.h"
#include "frontend/Evaluator.h"
#include "frontend/Frontend.h"
#include "frontend/TrainStep.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace nnc::frontend {

/// The names after `as` of a hyperparameter: what files of configurations call it.
std::vector<std::string> otherNames(const syntax::Formal &formal);
/// Whether a type is `int`, `str`, ...: the one of that kind.
bool isScalarType(const syntax::TypeExpr &type, syntax::ScalarKind kind);

/// Variants of one entry point.
inline constexpr size_t kMaxVariants = 64;

/// Serves one call of build() or checkOpen(). With `quiet` nothing is warned about, and only
/// functions that can stand alone are emitted: for modules that are no models.
class ModelBuilder {
public:
  ModelBuilder(syntax::SourceManager &sources, syntax::Diagnostics &diags,
               mlir::MLIRContext &mlirContext, Files &files, FileScope &file,
               const FrontendOptions &options, bool quiet)
      : sources(sources), diags(diags), file(file), options(options), quiet(quiet),
        evaluator(sources, diags, mlirContext, files) {
    top.home = &file;
    evaluator.observer = options.observer;
    evaluator.context.precision = options.precision;
  }

  /// Null after errors.
  mlir::OwningOpRef<mlir::ModuleOp> build(const syntax::ModuleStmt &decl, ModelInfo &info);
  /// A train block: `train_step`, `eval_step`, and the entry points of its model, on the same
  /// slots.
  mlir::OwningOpRef<mlir::ModuleOp> buildTrain(const syntax::TrainStmt &decl, ModelInfo &info);
  /// Checks a module that cannot be made without arguments, with ints and packs left open. What
  /// depends on sizes is not judged: only errors of names and of elements are meaningful.
  void checkOpen(const syntax::ModuleStmt &decl);
  /// Checks a function of the file that nothing calls: as an entry point, with packs as one axis.
  void checkFunction(const syntax::FnStmt &fn);
  /// Evaluates the constants of the file.
  void checkConstants();
  /// The modules that build() made instances of.
  std::set<const syntax::ModuleStmt *> usedModules() const;
  /// Instances that it made, of constants of the files too.
  const std::vector<InstanceRef> &madeInstances() const { return evaluator.instances; }

private:
  mlir::OwningOpRef<mlir::ModuleOp> startModule(const syntax::Ident &name);
  mlir::OwningOpRef<mlir::ModuleOp> finishModule(mlir::OwningOpRef<mlir::ModuleOp> module,
                                                 std::string_view name);
  std::optional<std::vector<Argument>> openArguments(const syntax::ModuleStmt &decl);
  //===- ConfigOptions.cpp: --config ------------------------------------------------------===//
  bool takeConfig(const ModuleClass &cls);
  bool takeMember(const ModuleClass &cls, const syntax::Formal &formal, const ConfigValue &member);
  bool checkScaledPositions(const ModuleClass &cls, const Config &config,
                            const std::set<const ConfigValue *> &taken);
  std::optional<Value> configValue(const ConfigValue &value, const syntax::TypeExpr &type);
  std::optional<Value> configName(std::string_view text, const syntax::TypeExpr &type);
  //===- Options.cpp: --set, and which model options are for ------------------------------===//
  /// `cls` is what the options are for, null where that is unclear from `made`.
  bool takeOptions(const ModuleClass *cls, std::string_view name, const syntax::Expr *made);
  const ModuleClass *calledClass(const syntax::Expr &made);
  bool takeSets(const ModuleClass &cls, std::string_view model);
  std::optional<Value> evalOption(const syntax::Formal &formal, const std::string &text,
                                  syntax::Span &span);
  const ModuleClass *resolveAlias(const ModuleClass &cls);

  InstanceRef makeRoot(const syntax::ModuleStmt &decl, std::vector<Argument> arguments);
  std::vector<const syntax::FnStmt *> entriesOf(const ModuleClass &cls);
  bool isWanted(std::string_view entry) const;
  bool checkWanted(const ModuleClass &cls, std::vector<std::string_view> names);
  bool reserveSymbols(std::vector<std::string_view> entries, const std::vector<SlotInfo> &slots);
  //===- TrainBuilder.cpp: train blocks ---------------------------------------------------===//
  bool reserveTrainSymbols(const TrainBlock &block, const std::vector<SlotInfo> &slots);
  bool emitTrainEntries(const TrainBlock &block, TrainStep &step);
  bool emitEntries(Instance &root);
  bool emitEntry(EntryEmitter &emitter, Instance &root, const syntax::FnStmt &fn);
  std::vector<std::map<std::string, int64_t>> variantsOf(const std::set<std::string> &dims) const;
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

} // namespace nnc::frontend
