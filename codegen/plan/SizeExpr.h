// Size expressions on their way from MLIR's affine expressions into the plan's postfix form, each
// distinct one stored once per entry point.
#pragma once

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/DenseMap.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace nnc::format {
struct ExprT;
}

namespace nnc::codegen {

/// Fills Entry.exprs.
class ExprPool {
public:
  ExprPool(std::vector<std::unique_ptr<format::ExprT>> &exprs, mlir::MLIRContext *context)
      : exprs(exprs), context(context) {}

  /// The index of `expr` in the entry's pool.
  uint32_t add(mlir::AffineExpr expr);
  uint32_t constant(int64_t value) { return add(mlir::getAffineConstantExpr(value, context)); }
  std::vector<uint32_t> addAll(llvm::ArrayRef<mlir::AffineExpr> list);
  /// The product of all, times `factor`.
  mlir::AffineExpr product(llvm::ArrayRef<mlir::AffineExpr> list, int64_t factor = 1) const;

private:
  std::vector<std::unique_ptr<format::ExprT>> &exprs;
  mlir::MLIRContext *context;
  llvm::DenseMap<mlir::AffineExpr, uint32_t> known;
};

} // namespace nnc::codegen
