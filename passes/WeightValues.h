//===- WeightValues.h - Which values depend on weights only -------------------------*- C++ -*-===//
//
// Batch norm folding and constant hoisting both ask what is known once the weights are.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_WEIGHTVALUES_H
#define NNC_PASSES_WEIGHTVALUES_H

#include "mlir/IR/Value.h"

#include "mlir/IR/BuiltinAttributes.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace mlir {
class ModuleOp;
namespace func {
class FuncOp;
}
} // namespace mlir

namespace nnc {

/// The globals that some `nn.set` of the module writes.
llvm::DenseSet<mlir::StringAttr> getWrittenGlobals(mlir::ModuleOp module);

/// The values of a function of one block that are the same in every call: made of params, buffers,
/// constants and numbers, without dynamic sizes. States are not among them, nor is what some entry
/// point writes.
class WeightValues {
public:
  explicit WeightValues(mlir::func::FuncOp function);

  bool contains(mlir::Value value) const { return reads.contains(value); }
  /// Whether a weight, not only numbers, is behind a value that `contains` holds for.
  bool readsWeight(mlir::Value value) const { return reads.lookup(value); }

private:
  /// Present: the same in every call. True: read from a global.
  llvm::DenseMap<mlir::Value, bool> reads;
};

} // namespace nnc

#endif // NNC_PASSES_WEIGHTVALUES_H
