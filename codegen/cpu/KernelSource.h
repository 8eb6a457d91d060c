//===- KernelSource.h - a kernel as the cpu target reads it -----*- C++ -*-===//
//
// The body of an nn.kernel with the sizes of its operands and results as expressions over the
// dimensions of the entry point (symbols).
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_KERNELSOURCE_H
#define NNC_CODEGEN_CPU_KERNELSOURCE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/BuiltinOps.h"

namespace nnc::nn {
class KernelOp;
}

namespace nnc::codegen {

struct KernelSource {
  using Dims = llvm::SmallVector<mlir::AffineExpr>;

  mlir::Block *body = nullptr;
  llvm::SmallVector<Dims> operandDims; ///< per operand, one expression per axis
  unsigned numSymbols = 0;             ///< symbols of the entry that the kernel mentions
  /// Of an update: where in its operand's memory, per axis, what the kernel yields begins, and how
  /// far apart its elements are. Empty else.
  Dims updateStart;
  llvm::SmallVector<int64_t> updateStep;
  llvm::SmallVector<unsigned> shared; ///< buffers, operands then results, that lie in one another

  mlir::Operation *yield() const { return body->getTerminator(); }
};

KernelSource getKernelSource(nn::KernelOp kernel);
/// An empty kernel function: a pointer per buffer, none but those in `shared` an alias of another,
/// then the dimensions and the number of the block. The builder is left before its return.
mlir::func::FuncOp makeKernelFunction(mlir::OpBuilder &builder, mlir::Location loc,
                                      mlir::ModuleOp module, llvm::StringRef symbol,
                                      unsigned numBuffers, llvm::ArrayRef<unsigned> shared = {});
/// The dimension that `op` reads, if it is an nn.symbol.
std::optional<unsigned> getSymbolPosition(mlir::Operation *op);

} // namespace nnc::codegen

#endif
