// Where the values of states live: what is updated in its own memory, what is computed straight
// into a state's memory, and what has to be copied so that nobody reads a value after it is gone.
#pragma once

#include "ir/NNOps.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

namespace nnc::codegen {

/// The decisions for one entry point at level 2: one block of kernels, `nn.get` and `nn.set`.
class StatePlan {
public:
  explicit StatePlan(mlir::Block &block);

  /// Whether the update may write into its operand's memory: nothing reads the operand afterwards,
  /// and it is memory of the session. Else it works on a copy.
  bool isInPlace(nn::KernelOp update) const { return inPlace.contains(update); }
  /// The state in whose memory a kernel may put its result; empty if there is none.
  llvm::StringRef targetOf(mlir::Value result) const { return targets.lookup(result); }
  /// The sets that are left to do by copying, in order.
  llvm::ArrayRef<nn::SetOp> copies() const { return copied; }

private:
  unsigned lastUse(mlir::Value value, mlir::Operation *except = nullptr) const;
  bool isOwned(mlir::Value value) const;
  mlir::Value memoryOf(mlir::Value value) const;
  void placeSet(nn::SetOp set);
  bool mayCompute(mlir::Value root, llvm::StringRef state) const;

  mlir::Block &block;
  llvm::DenseSet<llvm::StringRef> written;
  llvm::DenseMap<mlir::Operation *, unsigned> order;
  llvm::DenseSet<mlir::Operation *> inPlace;
  llvm::DenseMap<mlir::Value, llvm::StringRef> targets;
  llvm::SmallVector<nn::SetOp> copied;
};

/// Without reshapes, which are other views of the same memory.
mlir::Value withoutReshapes(mlir::Value value);

} // namespace nnc::codegen
