//===- ScatterEmitter.h - sums of rows by number ----------------*- C++ -*-===//
//
// The function of a kernel with the anchor `scatter`. A block owns some rows of the result: it
// clears them, reads all ids in order, and adds the values of those that name its rows. So every
// sum has one order, however many blocks there are, and reading ids costs little beside the values.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_SCATTEREMITTER_H
#define NNC_CODEGEN_CPU_SCATTEREMITTER_H

#include "codegen/cpu/Features.h"
#include "codegen/cpu/LoopWriter.h"

#include "ir/NNOps.h"

#include "mlir/IR/BuiltinOps.h"

namespace nnc::codegen {

class ScatterEmitter : LoopWriter {
public:
  ScatterEmitter(nn::KernelOp kernel, unsigned numSymbols, const CpuFeatures &features,
                 mlir::OpBuilder &builder);

  /// Emits `@symbol(pointers..., dims, block)` into `module`; returns the grid.
  mlir::AffineMap emit(mlir::ModuleOp module, llvm::StringRef symbol);

private:
  void clear(Value begin, Value end);
  /// Calls `body` for places in `begin .. end`: vectors of so many floats, then single ones (0).
  void forPieces(Value begin, Value end, llvm::function_ref<void(Value, int64_t)> body);

  nn::KernelOp kernel;
  nn::ScatterAddOp op;
  int64_t width; ///< floats of a vector
  Value values, result;
  mlir::Type element; ///< of the values
};

} // namespace nnc::codegen

#endif
