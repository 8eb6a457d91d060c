//===- CapturedGradients.h - What a loop gives to values from outside ---------------*- C++ -*-===//
//
// Every iteration of a backward loop gives something to the values that the forward loop captures.
// It is added up as cheaply as it can be: parts of a sequence that are read at the counter are
// stacked, products (of weights) and sums of rows (of biases) are done once for all iterations, on
// stacked operands, behind the loop; only the rest is carried as a sum, in f32.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_CAPTUREDGRADIENTS_H
#define NNC_PASSES_CAPTUREDGRADIENTS_H

#include "ir/NNOps.h"

#include "mlir/IR/Builders.h"

#include <functional>

namespace nnc {

class CapturedGradients {
public:
  /// Of the loop `scan`; `body` is that of the backward loop, where `inner` makes operations.
  CapturedGradients(nn::ScanOp scan, mlir::Block &body, mlir::OpBuilder &inner)
      : scan(scan), body(body), inner(inner) {}

  /// Each iteration gives these values to `captured`.
  void add(mlir::Value captured, llvm::ArrayRef<mlir::Value> parts);
  /// Decides how they add up, after the last `add`.
  void settle();

  /// What the loop has to carry, from 0: arguments of the body, and their next values.
  llvm::SmallVector<mlir::Value> sums, nextSums;
  /// What the loop has to stack.
  llvm::SmallVector<mlir::Value> stacked;

  /// Gives each captured value and its gradient, made of the loop's results, to `give`.
  void finish(mlir::OpBuilder &outer, mlir::ValueRange sums, mlir::ValueRange stacks,
              llvm::function_ref<void(mlir::Value, mlir::Value)> give);

private:
  /// A gradient behind the loop, from the stacks.
  using Finish = std::function<mlir::Value(mlir::OpBuilder &, mlir::ValueRange stacks)>;
  struct Part {
    mlir::Value captured, value;
  };

  bool addSlice(const Part &part);
  bool addProduct(const Part &part);
  bool addRows(const Part &part);
  void carry(const Part &part);
  unsigned stack(mlir::Value value);
  bool isMadeInside(mlir::Value value) const;

  nn::ScanOp scan;
  mlir::Block &body;
  mlir::OpBuilder &inner;
  llvm::SmallVector<Part> parts;
  llvm::SmallVector<mlir::Value> summed; ///< captured value of each of `sums`
  llvm::SmallVector<std::pair<mlir::Value, Finish>> finishes;
};

} // namespace nnc

#endif // NNC_PASSES_CAPTUREDGRADIENTS_H
