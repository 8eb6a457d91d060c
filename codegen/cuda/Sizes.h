//===- Sizes.h - Sizes of tensors and other indices known at entry ------------------*- C++ -*-===//
//
// Inside lowered kernels dynamic sizes are values computed from nn.symbol. Here they become
// expressions over symbols again.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_SIZES_H
#define NNC_CODEGEN_CUDA_SIZES_H

#include "codegen/cuda/KernelBody.h"
#include "mlir/IR/OpDefinition.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::linalg {
class LinalgOp;
}

namespace nnc::codegen {

class Sizes {
public:
  Sizes(const KernelBody &body, const IndexMath &math) : body(body), math(math) {}

  /// One expression per axis; null where an axis is not known.
  IndexList dimsOf(mlir::Value tensor);
  /// The index that `value` always has; null if it is not an expression over symbols.
  mlir::AffineExpr indexOf(mlir::Value value);
  mlir::AffineExpr indexOf(mlir::OpFoldResult value);
  /// How often each loop of `op` runs; null where that is not known.
  IndexList extentsOf(mlir::linalg::LinalgOp op);

private:
  IndexList computeDims(mlir::Value tensor);
  mlir::AffineExpr computeIndex(mlir::Operation *op);
  IndexList indicesOf(llvm::ArrayRef<mlir::OpFoldResult> values);

  const KernelBody &body;
  const IndexMath &math;
  llvm::DenseMap<mlir::Value, IndexList> known;
};

/// The index that an operation computes from its operands' indices, if it is one of the affine
/// ones: shared by sizes and by the index arithmetic inside of bodies. Null if it is not.
mlir::AffineExpr combineIndices(mlir::Operation *op, llvm::ArrayRef<mlir::AffineExpr> operands);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_SIZES_H
