//===- AlignProducts.cpp - Rows of what is trained begin at 16 bytes --------------------------===//
//
// A vocabulary of 50257 words has logits whose rows begin anywhere: the library's products read
// them an element at a time, and the backward pass reads them twice as operands. Zeros behind the
// weights make the rows longer; before differentiation, so that gradients have long rows as well.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "passes/TacticRules.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_ALIGNPRODUCTS
#include "passes/Passes.h.inc"

namespace {

constexpr int64_t kRowBytes = 16; ///< what copies and tensor maps of the GPU want rows to begin at
constexpr int64_t kFewColumns =
    512; ///< below, the elements added would be more than 3 in a hundred

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Elements by which rows are too short, or 0: those of gradients have the operands' elements.
int64_t missingColumns(nn::MatmulOp product) {
  RankedTensorType type = product.getType();
  int64_t columns = type.getShape().back(),
          bits = product.getLhs().getType().getElementTypeBitWidth();
  if (ShapedType::isDynamic(columns) || columns < kFewColumns || bits != 16 ||
      typeOf(product.getRhs()).getRank() != 2 || isDequantized(product.getRhs()))
    return 0;
  return llvm::alignTo(columns, kRowBytes * 8 / bits) - columns;
}

/// `tensor` with `added` elements more along an axis.
RankedTensorType lengthened(RankedTensorType type, int64_t axis, int64_t added) {
  SmallVector<AffineExpr> dims = nn::getDims(type);
  dims[axis] = dims[axis] + added;
  return nn::getTensorType(dims, type.getElementType());
}

void align(nn::MatmulOp product, int64_t added) {
  OpBuilder builder(product);
  Location loc = product.getLoc();
  RankedTensorType weight = typeOf(product.getRhs()), type = product.getType();
  int64_t axis = product.getTransposeB() ? 0 : 1;
  SmallVector<int64_t> low(2, 0), high(2, 0);
  high[axis] = added;
  Value padded = builder.create<nn::PadOp>(loc, lengthened(weight, axis, added), product.getRhs(),
                                           low, high, 0.0);
  Value whole = builder.create<nn::MatmulOp>(loc, lengthened(type, type.getRank() - 1, added),
                                             product.getLhs(), padded, product.getTransposeA(),
                                             product.getTransposeB());
  SmallVector<AffineExpr> start(type.getRank(), builder.getAffineConstantExpr(0));
  SmallVector<int64_t> step(type.getRank(), 1);
  product.replaceAllUsesWith(
      builder.create<nn::SliceOp>(loc, type, whole, nn::getSymbolMap(start, loc.getContext()), step)
          .getResult());
  product.erase();
}

struct AlignProducts : impl::AlignProductsBase<AlignProducts> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      bool isTrained = false;
      function.walk([&](nn::GradientOp) { isTrained = true; });
      if (!isTrained)
        continue;
      for (auto product : llvm::make_early_inc_range(function.getOps<nn::MatmulOp>()))
        if (int64_t added = missingColumns(product)) {
          align(product, added);
          ++numAligned;
        }
    }
  }
};

} // namespace
} // namespace nnc
