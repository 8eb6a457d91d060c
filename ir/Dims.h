//===- Dims.h - Symbolic dimensions of tensor types ---------------------------------*- C++ -*-===//
//
// The only place that knows how dynamic sizes are represented: the encoding of a tensor type with a
// dynamic size is an affine map without dims and with one result per axis; symbol s_i is the i-th
// of the entry point. Static tensors have no encoding.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_DIMS_H
#define NNC_IR_DIMS_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"

namespace mlir {
class OpBuilder;
}

namespace nnc::nn {

/// One expression per axis; constants for static sizes.
llvm::SmallVector<mlir::AffineExpr> getDims(mlir::RankedTensorType type);
mlir::AffineExpr getDim(mlir::RankedTensorType type, unsigned axis);

/// The type with these sizes: static where an expression simplifies to a constant that is not
/// negative, with an encoding iff any is not.
mlir::RankedTensorType getTensorType(llvm::ArrayRef<mlir::AffineExpr> dims, mlir::Type element);

/// `()[s0, ...] -> (results...)` with as many symbols as the results mention: maps and encodings
/// never say how many symbols their entry has, which may gain some while it is made.
mlir::AffineMap getSymbolMap(llvm::ArrayRef<mlir::AffineExpr> results, mlir::MLIRContext *context);

/// The number of symbols of the encoding; 0 without one.
unsigned getNumSymbols(mlir::RankedTensorType type);
/// The greatest of the numbers of symbols of the tensor types among `types`.
unsigned getNumSymbols(mlir::TypeRange types);

/// Without encoding: for upstream operations.
mlir::RankedTensorType stripDims(mlir::RankedTensorType type);
/// Same dimensions and encoding, other elements.
mlir::RankedTensorType withElementType(mlir::RankedTensorType type, mlir::Type element);
/// As above for any type; null unless it is a ranked tensor.
mlir::Type withElementType(mlir::Type type, mlir::Type element);
/// f16 and bf16, which are computed with in f32.
bool is16BitFloat(mlir::Type element);

/// False only when the two are different for all values of the symbols, which are at least 0.
bool mayBeEqual(mlir::AffineExpr a, mlir::AffineExpr b);
bool mayBeEqual(llvm::ArrayRef<mlir::AffineExpr> a, llvm::ArrayRef<mlir::AffineExpr> b);
/// True only when the two are equal for all values of the symbols.
bool areEqual(mlir::AffineExpr a, mlir::AffineExpr b);

/// The constant, if it is one.
std::optional<int64_t> getConstant(mlir::AffineExpr expr);
/// The product of all; 1 of none.
mlir::AffineExpr getProduct(llvm::ArrayRef<mlir::AffineExpr> dims, mlir::MLIRContext *context);

/// True if `type` is a ranked tensor whose encoding is as described above. False for a dynamic
/// size without an encoding and for static sizes with one.
bool hasValidDims(mlir::Type type);

/// For diagnostics: `[s0, 6, s0 floordiv 2]`.
std::string toString(llvm::ArrayRef<mlir::AffineExpr> dims);
std::string toString(mlir::AffineExpr dim);

/// The value of `dim` as an attribute if constant, else as an index made of `nn.symbol`s and
/// `affine.apply` at the builder's insertion point.
mlir::OpFoldResult materializeDim(mlir::OpBuilder &builder, mlir::Location loc,
                                  mlir::AffineExpr dim);
/// As above, always as a value.
mlir::Value materializeDimValue(mlir::OpBuilder &builder, mlir::Location loc, mlir::AffineExpr dim);
/// One per dynamic axis of `type`, in order: what `tensor.empty` wants.
llvm::SmallVector<mlir::Value> materializeDynamicDims(mlir::OpBuilder &builder, mlir::Location loc,
                                                      mlir::RankedTensorType type);

} // namespace nnc::nn

#endif // NNC_IR_DIMS_H
