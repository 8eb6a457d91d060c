// Whether a gradient passes from one value to another, before anything is differentiated: what the
// loss does not depend on is not learned, as in PyTorch, where its gradient is None.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace nnc::frontend {

class TrainReach {
public:
  /// The values of the function around `loss` that gradients of it arrive at.
  explicit TrainReach(mlir::Value loss) { reached = walk(loss); }
  bool isReached(mlir::Value value) const { return reached.contains(value); }

private:
  using Values = llvm::DenseSet<mlir::Value>;
  Values walk(mlir::Value from);
  /// The arguments of a function that gradients of one of its results arrive at.
  const llvm::SmallVector<unsigned> &argumentsOf(mlir::func::FuncOp function, unsigned result);

  Values reached;
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, llvm::SmallVector<unsigned>> known;
};

} // namespace nnc::frontend
