//===- DeriveUtils.h - Making derivatives -------------------------------------------*- C++ -*-===//
//
// What the derivatives of several operations share: short names for making operations at one place.
// Arithmetic on 16-bit floats is done in f32 and rounded once, where a gradient is finished.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_DERIVEUTILS_H
#define NNC_IR_DERIVEUTILS_H

#include "ir/NNOps.h"

#include "mlir/IR/Builders.h"

namespace nnc::nn {

/// What every derivative returns: a value or null per operand.
using Derived = llvm::SmallVector<mlir::Value>;

mlir::RankedTensorType getType(mlir::Value value);
bool hasFloats(mlir::Value value);
/// Whether every element of `value` is the same number that does not depend on anything.
bool isNumber(mlir::Value value);

/// A builder with a place.
class Deriving {
public:
  Deriving(mlir::OpBuilder &builder, mlir::Operation *op) : builder(builder), loc(op->getLoc()) {}

  template <typename Op, typename... Args> mlir::Value make(Args &&...args) {
    return builder.create<Op>(loc, std::forward<Args>(args)...);
  }

  // Elementwise; both operands have the same type.
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value neg(mlir::Value a);
  mlir::Value mul(mlir::Value a, double b) { return mul(a, full(getType(a), b)); }
  mlir::Value add(mlir::Value a, double b) { return add(a, full(getType(a), b)); }
  mlir::Value cmp(CmpPredicate predicate, mlir::Value a, mlir::Value b);
  mlir::Value both(mlir::Value a, mlir::Value b) { return make<AndOp>(a.getType(), a, b); }
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  /// `a` where the condition holds, else 0; the other way round.
  mlir::Value keep(mlir::Value condition, mlir::Value a);
  mlir::Value drop(mlir::Value condition, mlir::Value a);

  mlir::Value full(mlir::RankedTensorType type, double value);
  mlir::Value zeros(mlir::Value like) { return full(getType(like), 0); }
  mlir::Value cast(mlir::Value value, mlir::Type element);
  /// f32 where `value` is a float of fewer bits.
  mlir::Value widen(mlir::Value value);
  /// `value` with the elements of `like`.
  mlir::Value narrow(mlir::Value value, mlir::Value like);
  /// An expression of dimensions as a tensor of rank 0.
  mlir::Value size(mlir::AffineExpr size, mlir::Type element);

  mlir::Value reshape(mlir::Value value, llvm::ArrayRef<mlir::AffineExpr> dims);
  /// The dimensions of `like`.
  mlir::Value reshapeLike(mlir::Value value, mlir::Value like);
  mlir::Value transpose(mlir::Value value, llvm::ArrayRef<int64_t> permutation);
  mlir::Value broadcast(mlir::Value value, llvm::ArrayRef<mlir::AffineExpr> dims,
                        llvm::ArrayRef<int64_t> axes);
  /// A tensor without `axes`, repeated along them.
  mlir::Value repeat(mlir::Value value, llvm::ArrayRef<mlir::AffineExpr> dims,
                     llvm::ArrayRef<int64_t> axes);
  mlir::Value reduce(ReduceKind kind, mlir::Value value, llvm::ArrayRef<int64_t> axes);
  /// Factors of `value` that are the same along all axes multiply the sum, not its terms.
  mlir::Value sum(mlir::Value value, llvm::ArrayRef<int64_t> axes);
  mlir::Value slice(mlir::Value value, llvm::ArrayRef<mlir::AffineExpr> starts,
                    llvm::ArrayRef<mlir::AffineExpr> dims, llvm::ArrayRef<int64_t> steps);
  /// The first elements along each axis.
  mlir::Value crop(mlir::Value value, llvm::ArrayRef<mlir::AffineExpr> dims);
  /// A border of `value`; itself where there is none.
  mlir::Value pad(mlir::Value input, llvm::ArrayRef<int64_t> low, llvm::ArrayRef<int64_t> high,
                  double value = 0);
  /// The elements along `axis` in the opposite order.
  mlir::Value flip(mlir::Value value, int64_t axis);
  /// `apart - 1` zeros behind each element along `axis`.
  mlir::Value spread(mlir::Value value, int64_t axis, int64_t apart);
  /// The image whose pixel (rows * y + i, columns * x + j) is pixel (y, x) of image i * columns + j
  /// of type `phase`: NCHW, null for zeros.
  mlir::Value interleave(llvm::ArrayRef<mlir::Value> phases, mlir::RankedTensorType phase,
                         int64_t rows, int64_t columns);
  mlir::Value concat(llvm::ArrayRef<mlir::Value> parts, int64_t axis);

  mlir::AffineExpr constant(int64_t value) { return builder.getAffineConstantExpr(value); }

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace nnc::nn

#endif // NNC_IR_DERIVEUTILS_H
