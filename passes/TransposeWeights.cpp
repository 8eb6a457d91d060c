//===- TransposeWeights.cpp - Weights of products with their rows along the depth -------------===//
//
// Tensor cores and vectors read 16 bytes along the sum at once. A weight [K, N], as GPT-2 stores
// them, is transposed once, at compile time. Behind the last canonicalization, which would take the
// transposition back into the product.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "passes/TacticRules.h"
#include "passes/WeightValues.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_TRANSPOSEWEIGHTS
#include "passes/Passes.h.inc"

namespace {

bool isWanted(nn::MatmulOp product, const WeightValues &weights) {
  auto type = cast<RankedTensorType>(product.getRhs().getType());
  return !product.getTransposeB() && type.getRank() == 2 && type.getElementTypeBitWidth() == 16 &&
         weights.contains(product.getRhs()) && !isDequantized(product.getRhs());
}

void transpose(nn::MatmulOp product) {
  OpBuilder builder(product);
  auto type = cast<RankedTensorType>(product.getRhs().getType());
  auto transposed =
      RankedTensorType::get({type.getDimSize(1), type.getDimSize(0)}, type.getElementType());
  product.getRhsMutable().assign(builder.create<nn::TransposeOp>(
      product.getLoc(), transposed, product.getRhs(), ArrayRef<int64_t>{1, 0}));
  product.setTransposeB(true);
}

struct TransposeWeights : impl::TransposeWeightsBase<TransposeWeights> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function->hasAttr(nn::kEntryAttr))
        continue;
      WeightValues weights(function);
      for (Operation &op : llvm::make_early_inc_range(function.getBody().front()))
        if (auto product = dyn_cast<nn::MatmulOp>(op); product && isWanted(product, weights)) {
          transpose(product);
          ++numTransposed;
        }
    }
  }
};

} // namespace
} // namespace nnc
