//===- FusionPlan.h - Which op runs in which kernel ---------------------------------*- C++ -*-===//
//
// The plan of one function: nothing in the IR changes until it is carried out by outlineKernels.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_FUSIONPLAN_H
#define NNC_PASSES_FUSIONPLAN_H

#include "passes/FusionGroups.h"
#include "passes/TacticRules.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

namespace nnc {

/// What runs at one place of the line.
struct PlannedStep {
  enum class Kind { Kernel, Library, Alias, Loop };
  Kind kind;
  unsigned id; ///< of the group
  nn::FusionRole role;
  mlir::Operation *anchor;
  llvm::SmallVector<mlir::Operation *> ops; ///< in the order of the function
  llvm::SmallVector<Refusal> refusals;      ///< by ids of groups
};

/// Every nn op but `nn.get` is either a member of one step or recomputed by each of its readers.
struct FusionPlan {
  std::vector<PlannedStep> steps;                     ///< in an order in which they can run
  llvm::DenseMap<mlir::Operation *, unsigned> stepOf; ///< members: index into steps
  llvm::DenseMap<unsigned, unsigned> stepOfGroup;
  llvm::DenseMap<mlir::Operation *, ProductTactic> products; ///< of the library steps, by anchor
  /// Members of another step that this step (by index) computes again instead of reading.
  llvm::DenseSet<std::pair<unsigned, mlir::Operation *>> recomputed;
};

/// Plans the kernels of a function of one block, or of the body of a scan; loops in it are done.
/// Takes time proportional to the number of ops and uses, up to sorting. Fails with a diagnostic at
/// an op that fits no kernel.
mlir::FailureOr<FusionPlan> planFusion(mlir::Block &block, Target target);

/// Names that are unique in a module and valid in C.
class KernelNames {
public:
  /// A new name: "fc1" for an op at `"fc1.matmul"`, "avg_pool" for one at `"avg_pool"`, the op's
  /// mnemonic where the location names nothing.
  std::string make(mlir::Operation *anchor);

private:
  llvm::StringMap<unsigned> used;
};

/// What outlining made.
struct OutlinedCount {
  unsigned kernels = 0, gemms = 0;
};

/// Carries `plan` out: afterwards the block holds `nn.kernel`, `nn.gemm`, `nn.get`, `nn.reshape`,
/// `nn.scan` and its terminator.
OutlinedCount outlineKernels(mlir::Block &block, const FusionPlan &plan, KernelNames &names);

} // namespace nnc

#endif // NNC_PASSES_FUSIONPLAN_H
