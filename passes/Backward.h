//===- Backward.h - The backward pass of a block ------------------------------------*- C++ -*-===//
//
// Reverse-mode differentiation: operations are visited from the last to the first, each turns the
// gradients of its results into those of its operands (`DerivativeInterface`), and the gradients of
// a value's uses add up. Only what depends on the values that gradients are wanted of is visited.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_BACKWARD_H
#define NNC_PASSES_BACKWARD_H

#include "ir/NNOps.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"

namespace nnc {

/// The values, of those that a range of operations computes, that depend on others through floats.
class ActiveValues {
public:
  void insert(mlir::Value value) { values.insert(value); }
  bool contains(mlir::Value value) const { return values.contains(value); }
  /// Whether an operand of `op`, or a value that its body captures, is active.
  bool isReadBy(mlir::Operation *op) const;
  /// Adds what depends on active values among the results of these operations.
  void extend(mlir::Block::iterator begin, mlir::Block::iterator end);

private:
  void extendThrough(nn::ScanOp scan);

  llvm::DenseSet<mlir::Value> values;
};

/// Gradients on their way from the end of a range of operations to its beginning.
class Backward {
public:
  /// Makes operations at `builder`'s place, which everything differentiated dominates.
  Backward(mlir::OpBuilder &builder, const ActiveValues &active)
      : builder(builder), active(active) {}

  /// One more use of `value` gives `gradient` to it. Nothing if the value is not active.
  void add(mlir::Value value, mlir::Value gradient);
  /// The sum of what the uses visited so far give; null if they give nothing.
  mlir::Value take(mlir::Value value);
  /// The single parts of that sum.
  llvm::ArrayRef<mlir::Value> parts(mlir::Value value);

  /// Visits the operations from `end` back to `begin`. A diagnostic on one without a derivative.
  mlir::LogicalResult run(mlir::Block::iterator begin, mlir::Block::iterator end);

private:
  mlir::LogicalResult visit(mlir::Operation *op);
  mlir::Operation *computeAgain(mlir::Operation *op);

  mlir::OpBuilder &builder;
  const ActiveValues &active;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Value, 2>> gradients;
  llvm::DenseSet<mlir::Attribute> again;                       ///< calls that are computed again
  llvm::DenseMap<mlir::Operation *, mlir::Operation *> copies; ///< of their operations
};

/// The backward pass of a loop: a loop the other way round. `resultGradients` has a value or null
/// per result; what the initial values and the captured ones get is given to `backward`. The loop
/// is replaced by one that also keeps what the backward pass reads.
mlir::LogicalResult differentiateScan(nn::ScanOp scan, mlir::ValueRange resultGradients,
                                      mlir::OpBuilder &builder, const ActiveValues &active,
                                      Backward &backward);

} // namespace nnc

#endif // NNC_PASSES_BACKWARD_H
