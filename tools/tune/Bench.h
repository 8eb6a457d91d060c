// Candidates for one kernel side by side: entry points of one small model, on random numbers.
#pragma once

#include "runtime/format/Result.h"
#include "tools/compiler/Compilation.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace nnc::nn {
class KernelOp;
}

namespace nnc::tune {

/// The candidates as entry points "c0", "c1", ... of a module at the kernel's level. What the
/// kernel reads of weights are globals, everything else arguments; run-time scalars are arguments
/// too.
class CandidateModule {
public:
  explicit CandidateModule(mlir::MLIRContext *context);

  /// A kernel as it is, with the attribute nn.tactic.
  void addKernel(nn::KernelOp kernel, const std::string &tactic);
  /// The operations of a kernel that is not lowered; products in it get the attribute.
  void addOperations(nn::KernelOp kernel, const std::string &tactic);

  mlir::ModuleOp module() { return *owner; }

private:
  mlir::OwningOpRef<mlir::ModuleOp> owner;
  unsigned count = 0;

  template <typename Fill> void addEntry(nn::KernelOp kernel, Fill fill);
};

/// What became of one candidate.
struct Timing {
  double milliseconds = 0; ///< the median
  std::string failure;     ///< empty: it computes what the first one does
};

/// Compiles the candidates for this machine's GPU, runs each on the same random inputs over
/// poisoned results, compares with the first, and measures. Errors: the code cannot be compiled or
/// the first candidate cannot run.
Result<std::vector<Timing>> timeCandidates(mlir::ModuleOp module, const CompileOptions &options,
                                           codegen::TacticBook *tactics, std::string &gpu);

} // namespace nnc::tune
