//===- Fusion.h - what is kept and what is computed again -------*- C++ -*-===//
//
// Facts about single operations of a body, without looking at sizes: what it costs to compute an
// element, and whether a consumer should read a tensor from a buffer or compute its elements in
// place.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_FUSION_H
#define NNC_CODEGEN_CPU_FUSION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace nnc::codegen {

/// How a consumer reads a tensor.
struct UseOfTensor {
  bool repeated = false; ///< some elements are read more than once
  bool strided = false;  ///< not one element per iteration, in order
  bool reduced = false;  ///< by a reduction
};

/// How `op` reads its operand `number`.
UseOfTensor getUse(mlir::linalg::LinalgOp op, unsigned number);
/// True if the part of `tensor` that a consumer needs is computed into a buffer first.
bool wantsBuffer(mlir::Value tensor, const UseOfTensor &use);
/// Cost of one iteration of the body, an addition being 1.
double costOfBody(mlir::linalg::LinalgOp op);
/// The operation that joins partial results of output `number`; null if the body is of another
/// form.
mlir::Operation *findCombiner(mlir::linalg::LinalgOp op, unsigned number);
/// Tensors that the body of `op` reads by tensor.extract.
llvm::SmallVector<mlir::Value> getCapturedTensors(mlir::linalg::LinalgOp op);
/// An insertion without steps that keeps the rank.
bool isPlainInsert(mlir::tensor::InsertSliceOp op);

/// sum(factors * dims) + constant, no factor being negative.
struct LinearForm {
  llvm::SmallVector<int64_t> factors;
  int64_t constant = 0;
};
/// Null if `expr` is not of that form.
std::optional<LinearForm> getLinearForm(mlir::AffineExpr expr, unsigned numDims);

/// Axes of a reshape's source and of its result that hold the same elements.
struct ReshapeGroup {
  llvm::SmallVector<unsigned> source, result;
};
llvm::SmallVector<ReshapeGroup> reshapeGroups(mlir::Operation *reshape);
bool isReshape(mlir::Operation *op);

} // namespace nnc::codegen

#endif
