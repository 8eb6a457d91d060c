//===- LoweringUtils.h - Making linalg ----------------------------------------------*- C++ -*-===//
//
// What the lowerings of several operations share. Types with dimensions come in, values without
// encodings go out. README.md lists the forms that may be made.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_LOWERINGUTILS_H
#define NNC_IR_LOWERINGUTILS_H

#include "ir/NNOps.h"

#include "mlir/IR/Builders.h"

namespace nnc::nn {

/// What every lowering returns.
using Lowered = mlir::FailureOr<llvm::SmallVector<mlir::Value>>;

/// The body of a generic: from elements of inputs and outputs to one element.
using ScalarBody =
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

/// The lowering of one operation: a builder with a place.
class Lowering {
public:
  Lowering(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}

  mlir::Value empty(mlir::RankedTensorType type);
  /// A tensor of `type` filled with a scalar.
  mlir::Value fill(mlir::RankedTensorType type, mlir::Value scalar);
  mlir::Value fill(mlir::RankedTensorType type, double scalar);
  mlir::Value constant(mlir::Type element, double value);
  /// A size as an index, and as an f32.
  mlir::Value size(mlir::AffineExpr dim);
  mlir::Value sizeAsFloat(mlir::AffineExpr dim);

  /// Elementwise: identity maps.
  mlir::Value map(mlir::RankedTensorType type, mlir::ValueRange inputs, ScalarBody body);
  /// All parallel, any input maps.
  mlir::Value map(mlir::RankedTensorType type, mlir::ValueRange inputs,
                  llvm::ArrayRef<mlir::AffineMap> maps, ScalarBody body);
  /// Combines into `init`. `parallel[i]` says whether loop i is; the output map is the last map.
  mlir::Value reduce(mlir::Value init, mlir::ValueRange inputs,
                     llvm::ArrayRef<mlir::AffineMap> maps, llvm::ArrayRef<bool> parallel,
                     ScalarBody body);

  /// Rounds the elements of a tensor with type's dimensions to type's element; itself if equal.
  mlir::Value convertTo(mlir::RankedTensorType type, mlir::Value value);
  /// The tensor with `low` and `high` elements of `value` around; itself if there are none.
  mlir::Value pad(mlir::RankedTensorType padded, mlir::Value input, llvm::ArrayRef<int64_t> low,
                  llvm::ArrayRef<int64_t> high, mlir::TypedAttr value);
  /// The elements of `input`, whose dimensions are `from`'s, with those of `to`.
  mlir::Value reshape(mlir::RankedTensorType from, mlir::RankedTensorType to, mlir::Value input);

  mlir::OpBuilder &builder;
  mlir::Location loc;

private:
  mlir::Value generic(mlir::Value init, mlir::ValueRange inputs,
                      llvm::ArrayRef<mlir::AffineMap> maps, llvm::ArrayRef<bool> parallel,
                      ScalarBody body);
};

/// f32 for floats, the type itself for integers.
mlir::Type getAccumulatorType(mlir::Type element);
/// Extends a 16-bit float to f32; anything else as it is.
mlir::Value widen(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value scalar);
/// Rounds an f32 to a 16-bit float `element`; anything else as it is.
mlir::Value narrow(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value scalar,
                   mlir::Type element);

/// The softmax of `input`, of type's dimensions, along `axis`; the result has type's elements.
mlir::Value lowerSoftmax(Lowering &lowering, mlir::RankedTensorType type, int64_t axis,
                         mlir::Value input);
/// The logarithm of the sum of exponentials of `input`, f32 of type's dimensions, along `axis`;
/// -inf where all are.
mlir::Value lowerLogSumExp(Lowering &lowering, mlir::RankedTensorType type, int64_t axis,
                           mlir::Value input);

} // namespace nnc::nn

#endif // NNC_IR_LOWERINGUTILS_H
