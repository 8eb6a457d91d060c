//===- Verify.h - Checks that several verifiers share -------------------------------*- C++ -*-===//
//
// Each emits a diagnostic on the operation and fails, or succeeds silently.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_VERIFY_H
#define NNC_IR_VERIFY_H

#include "ir/Dims.h"

#include "mlir/IR/Operation.h"

namespace nnc::nn {

enum class RandomKind : uint32_t;

/// `axis` lies in `0 .. rank-1`. Axes are unsigned as their accessors are.
mlir::LogicalResult verifyAxis(mlir::Operation *op, uint64_t axis, int64_t rank);

/// `values` has `count` entries, none below `least`.
mlir::LogicalResult verifyEntries(mlir::Operation *op, llvm::StringRef name,
                                  llvm::ArrayRef<int64_t> values, int64_t count, int64_t least);

/// `axes` is strictly increasing, in `0 .. rank-1`.
mlir::LogicalResult verifyIncreasing(mlir::Operation *op, llvm::StringRef name,
                                     llvm::ArrayRef<int64_t> axes, int64_t rank);

/// Both types have the same element type.
mlir::LogicalResult verifySameElement(mlir::Operation *op, mlir::Type a, mlir::Type b);

/// `value` is a number of type `element`.
mlir::LogicalResult verifyScalar(mlir::Operation *op, mlir::TypedAttr value, mlir::Type element);

/// Random numbers of this kind have elements of this type: i32 bits, f32 otherwise.
mlir::LogicalResult verifyRandomElement(mlir::Operation *op, RandomKind kind, mlir::Type element);

/// The type of a product of matrices, as `nn.matmul` and `nn.gemm` define it.
mlir::FailureOr<mlir::RankedTensorType> inferMatmulType(mlir::Operation *op,
                                                        mlir::RankedTensorType lhs,
                                                        mlir::RankedTensorType rhs, bool transposeA,
                                                        bool transposeB);

} // namespace nnc::nn

#endif // NNC_IR_VERIFY_H
