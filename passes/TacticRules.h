//===- TacticRules.h - What runs where, and what is worth computing twice -----------*- C++ -*-===//
//
// The judgements that fusion is built on, in one place: which op must read from memory, what is
// cheap, which products go to the library and with which epilogue.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_TACTICRULES_H
#define NNC_PASSES_TACTICRULES_H

#include "passes/Pipelines.h"

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Value.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace nnc {
namespace nn {
class MatmulOp;
}

/// Whether `op` is elementwise and costs a few instructions per element, so that computing it again
/// is better than storing it. Transcendental functions, powers and integer divisions are not.
bool isCheap(mlir::Operation *op);

/// Whether `view` need not be stored for a reader that takes strides: it and the views behind it up
/// to something in memory only give these. Neighbours along the last axis stay neighbours, unless
/// the reader takes one element after another (`anyAxis`).
bool isReadByStrides(mlir::Operation *view, bool anyAxis);
/// Whether attention, or its gradients, write all of `parts`, which nothing else reads, side by
/// side along `axis`.
bool areWrittenSideBySide(mlir::ValueRange parts, int64_t axis);
/// Whether attention, or its gradients, write the view `op` of results instead of these.
bool isWrittenByStrides(mlir::Operation *op);

/// Whether the value must lie in memory for this use: operands of products, convolutions and
/// windows (each element is read many times), of attention unless by strides, tables of gathers,
/// what is reshaped or returned.
bool needsMemory(mlir::OpOperand &use);

/// The vector that `value` repeats along all axes but the last, as a bias; null if it is not such a
/// value.
mlir::Value matchColumnVector(mlir::Value value);

/// Whether `value` is a weight in stored form that its readers compute: an `nn.dequantize` of
/// weights, perhaps through views.
bool isDequantized(mlir::Value value);

/// Whether a kernel of our own does the product that reads the matrix once, as fast as memory gives
/// it, in the order in which it lies there.
bool isOfFewRows(nn::MatmulOp product);

/// `round(product + bias)` of 16-bit operands, the sum in f32: what a linear layer is.
struct RoundedBias {
  mlir::Operation *add;
  mlir::Value bias; ///< one number per column, in 16 bits
  mlir::Operation *round;
};
std::optional<RoundedBias> matchRoundedBias(nn::MatmulOp product);

/// How a matrix product runs.
struct ProductTactic {
  /// By cuBLASLt; otherwise in a kernel that fuses what follows.
  bool library = false;
  /// Ops that the library does in its epilogue, in order; the last one's result is the product's.
  llvm::SmallVector<mlir::Operation *> absorbed;
  mlir::Value bias, residual;        ///< null: none
  llvm::StringRef epilogue = "none"; ///< "none", "relu" or "gelu"
};

/// The tactic of `product`. Ops for which `isTaken` holds are in the epilogue of another product.
ProductTactic chooseProduct(nn::MatmulOp product, Target target,
                            llvm::function_ref<bool(mlir::Operation *)> isTaken);

/// The number of elements, where 64 stands for each size that is not known.
int64_t typicalCount(mlir::Value value);
int64_t typicalCount(llvm::ArrayRef<mlir::AffineExpr> dims);

/// Whether a reduction of `space` along the axes `reduced` has so few results, of so many elements
/// each, that a GPU shares each of them out among blocks: sums of columns, and of a few long rows.
bool isSharedOut(llvm::ArrayRef<mlir::AffineExpr> space, llvm::ArrayRef<int64_t> reduced);

/// Has the variances that are shared out so, `mean((x - mean(x))^2)`, be computed in one pass over
/// x: as `nn.reduce mean` with the attribute nn.spread.
void matchVariances(mlir::Block &block);

/// Whether the library and a kernel of our own may both do `product`, and what the choice depends
/// on: "product bf16 4096x768x768 nt" (rows, columns, depth).
bool hasTwoTactics(nn::MatmulOp product);
std::string productKey(nn::MatmulOp product);

/// The ops that compute `0.5 * x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x**3)))` of `x`, however
/// written, and use up all uses of `x` and of what lies between; in order. Nothing if `x` is used
/// otherwise.
std::optional<llvm::SmallVector<mlir::Operation *>> matchGeluTanh(mlir::Value x);

} // namespace nnc

#endif // NNC_PASSES_TACTICRULES_H
