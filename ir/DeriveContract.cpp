//===- DeriveContract.cpp - Derivatives of matrix products ------------------------------------===//
//
// With `C = A B`: `dA = G B^T` and `dB = A^T G`. Transpositions of operands are flags of the
// product where it has them. A weight that all matrices of a batch share takes one product over the
// rows of all of them. Products that are not rounded have gradients in f32; one that is 16 bits
// wide all the same is multiplied so.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/DeriveUtils.h"

using namespace mlir;

namespace nnc::nn {

namespace {

struct Product : Deriving {
  Product(OpBuilder &builder, MatmulOp op)
      : Deriving(builder, op), op(op), lhs(op.getLhs()), rhs(op.getRhs()), ta(op.getTransposeA()),
        tb(op.getTransposeB()) {}

  Derived derive(Value g) {
    if (!op.isWide())
      return {deriveLhs(g), deriveRhs(g)};
    auto widening = g.getDefiningOp<CastOp>();
    if (widening && getElementTypeOrSelf(widening.getInput()) == getElementTypeOrSelf(lhs))
      return {deriveLhs(widening.getInput()), deriveRhs(widening.getInput())};
    lhs = widen(lhs);
    rhs = widen(rhs);
    return {narrow(deriveLhs(g), op.getLhs()), narrow(deriveRhs(g), op.getRhs())};
  }

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
      return multiply(lhs, g, rhs, false, !tb);
    if (getType(rhs).getRank() == getType(lhs).getRank())
      return multiply(lhs, rhs, g, tb, true);
    Value transposed = swapLast(lhs); // only its type is used
    return swapLast(multiply(transposed, g, rhs, false, !tb));
  }

  Value deriveRhs(Value g) {
    Value a = lhs;
    bool transposed = ta;
    if (getType(rhs).getRank() != getType(a).getRank()) {
      a = stackRows(ta ? swapLast(a) : a);
      g = stackRows(g);
      transposed = false;
    }
    return tb ? multiply(rhs, g, a, true, transposed) : multiply(rhs, a, g, !transposed, false);
  }

  MatmulOp op;
  Value lhs, rhs;
  bool ta, tb;
};

} // namespace

Derived MatmulOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  return Product(builder, *this).derive(gradients[0]);
}

} // namespace nnc::nn
