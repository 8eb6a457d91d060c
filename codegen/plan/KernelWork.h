// What a kernel has to do at least, whatever its code does: bytes that it must bring from memory
// and take there, and operations. The measure of `nnc explain` and of profiles.
#pragma once

#include "mlir/IR/AffineExpr.h"

#include "llvm/ADT/SmallVector.h"

namespace nnc::nn {
class KernelOp;
}

namespace nnc::codegen {

/// Expressions are over the symbols of the entry point.
struct KernelWork {
  llvm::SmallVector<mlir::AffineExpr> reads;  ///< bytes, by operand
  llvm::SmallVector<mlir::AffineExpr> writes; ///< bytes, by result
  mlir::AffineExpr products;   ///< operations of products and convolutions, two per multiplication
  mlir::AffineExpr operations; ///< all other arithmetic, one each
  bool isHalf = false;         ///< whether the factors have 16 bits
  bool isTf32 = false;         ///< whether they may be rounded to TF32

  /// Another kernel of the same launch.
  void add(const KernelWork &other);
};

/// Of a kernel whose body is lowered. An operand of which only slices or gathered elements are used
/// is read as far as these; gathered elements count as often as they are asked for.
KernelWork workOf(nn::KernelOp kernel);

} // namespace nnc::codegen
