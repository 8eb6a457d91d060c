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

  /// The value whose memory the result is written into, by a kernel that nn-place-states has marked
  /// or by an update whose operand is memory of the session that nothing reads afterwards; null if
  /// there is none. An update then works on a copy.
  mlir::Value overwrittenBy(mlir::OpResult result) const;
  /// The set that is done by the step that makes `result` in the state's memory; null if there is
  /// none. What is set may be a reshape of the result.
  nn::SetOp targetOf(mlir::Value result) const { return targets.lookup(result); }
  /// The sets that are left to do by copying, in order.
  llvm::ArrayRef<nn::SetOp> copies() const { return copied; }

private:
  unsigned lastUse(mlir::Value value, mlir::Operation *except = nullptr) const;
  bool isOwned(mlir::Value value) const;
  mlir::Value memoryOf(mlir::Value value) const;
  void placeSet(nn::SetOp set);
  bool mayCompute(mlir::Value root, nn::SetOp set) const;

  mlir::Block &block;
  llvm::DenseSet<llvm::StringRef> written;
  llvm::DenseMap<mlir::Operation *, unsigned> order;
  llvm::DenseSet<mlir::Operation *> inPlace; ///< updates
  llvm::DenseMap<mlir::Value, nn::SetOp> targets;
  llvm::SmallVector<nn::SetOp> copied;
};

} // namespace nnc::codegen
