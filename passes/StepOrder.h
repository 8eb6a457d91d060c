//===- StepOrder.h - Which step of a block has to run before which ------------------*- C++ -*-===//
//
// At level 2 steps wait for each other not only for values: who overwrites memory of a state waits
// for all who read what it was.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_STEPORDER_H
#define NNC_PASSES_STEPORDER_H

#include "ir/NNOps.h"

#include "llvm/ADT/DenseMap.h"

namespace nnc {

/// What lies behind reshapes, which are other names of the same memory.
mlir::Value withoutReshapes(mlir::Value value);

/// The steps of `block` that read a value or another name of it; sets and terminators are such.
llvm::SmallVector<mlir::Operation *> readersOf(mlir::Value value, mlir::Block &block);

class StepOrder {
public:
  /// The order of the block as it is: readers of a state's old value, or of what is updated, stay
  /// before the step that makes the new one.
  explicit StepOrder(mlir::Block &block);

  /// Whether `after` waits for `before`, however indirectly.
  bool waitsFor(mlir::Operation *after, mlir::Operation *before) const;
  /// From now on `after` waits for `before`, which does not wait for it.
  void add(mlir::Operation *before, mlir::Operation *after);

  llvm::ArrayRef<unsigned> before(mlir::Operation *op) const { return steps[place(op)].before; }
  llvm::ArrayRef<unsigned> behind(mlir::Operation *op) const { return steps[place(op)].behind; }
  unsigned place(mlir::Operation *op) const { return places.lookup(op); }
  mlir::Operation *at(unsigned place) const { return steps[place].op; }

  /// Puts the operations of the block in order, those that may stay where they are first.
  void sort() const;

private:
  struct Step {
    mlir::Operation *op;
    llvm::SmallVector<unsigned, 4> before, behind; ///< places of steps: each once
  };
  void keepReaders(mlir::Value old, mlir::Operation *maker);

  mlir::Block &block;
  std::vector<Step> steps;
  llvm::DenseMap<mlir::Operation *, unsigned> places; ///< in the block when this was made
};

} // namespace nnc

#endif // NNC_PASSES_STEPORDER_H
