//===- DeriveContract.cpp - Derivatives of matrix products ------------------------------------===//
//
// With `C = A B`: `dA = G B^T` and `dB = A^T G`. Transpositions of operands are flags of the
// product where it has them. A weight that all matrices of a batch share takes one product over the
// rows of all of them.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/DeriveUtils.h"

using namespace mlir;

namespace nnc::nn {

namespace {

struct Product : Deriving {
  Product(OpBuilder &builder, MatmulOp op)
      : Deriving(builder, op), op(op), ta(op.getTransposeA()), tb(op.getTransposeB()) {}

  /// Rounds operands to TF32 if the product itself may.
  Value multiply(Value like, Value a, Value b, bool transposeA, bool transposeB) {
    auto product = builder.create<MatmulOp>(loc, like.getType(), a, b, transposeA, transposeB);
    product->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    return product;
  }

  Value swapLast(Value value) {
    auto axes = llvm::to_vector(llvm::seq<int64_t>(0, getType(value).getRank()));
    std::swap(axes[axes.size() - 2], axes.back());
    return transpose(value, axes);
  }

  /// All matrices of a batch below each other.
  Value stackRows(Value value) {
    SmallVector<AffineExpr> dims = getDims(getType(value));
    AffineExpr columns = dims.pop_back_val();
    return reshape(value, {getProduct(dims, builder.getContext()), columns});
  }

  Value deriveLhs(Value g) {
    if (!ta)
      return multiply(op.getLhs(), g, op.getRhs(), false, !tb);
    if (op.getRhs().getType().getRank() == op.getLhs().getType().getRank())
      return multiply(op.getLhs(), op.getRhs(), g, tb, true);
    Value transposed = swapLast(op.getLhs()); // only its type is used
    return swapLast(multiply(transposed, g, op.getRhs(), false, !tb));
  }

  Value deriveRhs(Value g) {
    Value a = op.getLhs();
    bool transposed = ta;
    if (op.getRhs().getType().getRank() != getType(a).getRank()) {
      a = stackRows(ta ? swapLast(a) : a);
      g = stackRows(g);
      transposed = false;
    }
    return tb ? multiply(op.getRhs(), g, a, true, transposed)
              : multiply(op.getRhs(), a, g, !transposed, false);
  }

  MatmulOp op;
  bool ta, tb;
};

} // namespace

Derived MatmulOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  Product product(builder, *this);
  return {product.deriveLhs(gradients[0]), product.deriveRhs(gradients[0])};
}

} // namespace nnc::nn
