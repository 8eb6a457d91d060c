// Entry points: each tensor function of the model becomes a function of the IR with names, dynamic
// dimensions, their ranges, and guards.
#pragma once

#include "frontend/Evaluator.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace nnc::frontend {

/// The range of a dimension for which the source states none.
inline constexpr DimInterval kDefaultRange{1, 1024};

/// What an entry point is beside what its function says: `loss` of a train block is two.
struct EntryRole {
  std::string name = {}; ///< empty: that of the function
  bool isTraining = false;
  /// What a single result without a name is called.
  std::string result = "output";
  /// Whether dimensions without a range have those that called functions require.
  bool adoptsRanges = false;
  /// Emits what comes after the body, which gave `result`. False after an error.
  std::function<bool(const Value &result)> finish = {};
};

class EntryEmitter {
public:
  /// With `quiet`, nothing is warned about.
  EntryEmitter(Evaluator &evaluator, bool quiet)
      : evaluator(evaluator), context(evaluator.context), quiet(quiet) {}
  /// For a module checked by itself: `open` are its hyperparameters without a value, which become
  /// dimensions, and packs stand for one axis each.
  EntryEmitter(Evaluator &evaluator, std::vector<std::string> open)
      : evaluator(evaluator), context(evaluator.context), open(std::move(open)), quiet(true),
        packsAreOpen(true) {}

  /// The dimensions that are numbers, as `--dim` says, in what is emitted next.
  void setFixed(std::map<std::string, int64_t> dims) { fixed = std::move(dims); }
  /// Of what is emitted next.
  void setRole(EntryRole next) { role = std::move(next); }
  /// Emits one function of the model; `variant` is "B=1, T=8" for one that serves these sizes only,
  /// after the general one. False after an error.
  bool emit(Instance &root, const syntax::FnStmt &fn, const std::string &variant = "");
  /// The dimensions of what was emitted last.
  const std::set<std::string> &dims() const { return seenDims; }
  /// Whether a function of a model is an entry point: it takes tensors, and its name is not
  /// private.
  static bool isEntry(const syntax::FnStmt &fn) {
    return takesTensors(fn) && !fn.name.text.starts_with('_');
  }
  /// Whether it could be one in any module: inputs with a fixed number of axes, nothing optional.
  static bool canStandAlone(const syntax::FnStmt &fn);
  /// Names given by `--dim` that some entry point has.
  const std::set<std::string> &usedDims() const { return used; }

private:
  static std::vector<const syntax::Formal *> optionalFormals(const syntax::FnStmt &fn);
  bool emitVariant(Instance &root, const syntax::FnStmt &fn, const std::string &variant);
  bool isAbsent(const syntax::Formal &formal) const;
  bool takeAbsent(const syntax::Formal &formal);
  bool isAboutAbsent(const syntax::Guard &guard);
  std::string nameOf(const syntax::FnStmt &fn) const;
  std::string symbolOf(const syntax::FnStmt &fn) const;
  bool takeFormals(const syntax::FnStmt &fn);
  bool takeBuildTimeFormal(const syntax::FnStmt &fn, const syntax::Formal &formal);
  void openPack(std::string_view name);
  bool collectVariables(const syntax::TensorType &type, syntax::Span span);
  void takeScalars(const syntax::FnStmt &fn);
  bool takeGuards(const syntax::FnStmt &fn);
  void noteDims();
  bool mentionsScalar(const DimSubstitution &known) const;
  bool takeRange(const syntax::Guard &guard);
  bool takeConditions(const syntax::FnStmt &fn, const syntax::Guard &guard);
  void narrowRange(const RuntimeGuard &condition);
  void substitute(const DimSubstitution &known);
  bool checkRanges(const syntax::FnStmt &fn);
  void warnAssumed(const syntax::FnStmt &fn, const std::string &dim, syntax::Span named);
  void adoptRanges(const syntax::FnStmt &fn);
  bool emitBody(Frame &body, const syntax::FnStmt &fn, FunctionEmission &emission);
  void noteGuardPlace(const syntax::FnStmt &fn);
  bool makeArguments(const syntax::FnStmt &fn, mlir::func::FuncOp func);
  void setSymbols(mlir::func::FuncOp func);
  void setAttributes(const syntax::FnStmt &fn, mlir::func::FuncOp func, const std::string &variant);
  std::vector<std::string> resultNames(const syntax::FnStmt &fn, size_t count) const;

  Evaluator &evaluator;
  Context &context;
  std::map<std::string, int64_t> fixed;
  std::vector<std::string> open;
  EntryRole role;
  bool quiet;
  bool packsAreOpen = false;
  bool isVariant = false; ///< of what is emitted now
  std::set<std::string> seenDims;
  std::set<std::string> used;
  /// Run-time integers among the inputs of the entry point.
  std::map<std::string_view, Dim> scalars;
  /// The optional inputs that the variant being emitted does without.
  std::vector<const syntax::Formal *> absent;
  /// Where each dimension after the open ones is named first.
  std::vector<syntax::Span> namedAt;
  /// Those without a range so far, if others may give one.
  std::vector<std::pair<std::string, syntax::Span>> assumed;
};

} // namespace nnc::frontend
