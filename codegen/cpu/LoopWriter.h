//===- LoopWriter.h - loop nests written by hand ----------------*- C++ -*-===//
//
// Small pieces of code for the kernels that are not linalg: indices, loads and stores that widen
// and narrow, loops.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_LOOPWRITER_H
#define NNC_CODEGEN_CPU_LOOPWRITER_H

#include "codegen/cpu/IndexMath.h"

#include "mlir/IR/Builders.h"

namespace nnc::codegen {

class LoopWriter {
protected:
  using Value = mlir::Value;
  using Values = llvm::SmallVector<mlir::Value>;

  /// `numSymbols`: how many values the kernel gets in its `dims`.
  LoopWriter(mlir::Location loc, unsigned numSymbols, mlir::OpBuilder &builder)
      : builder(builder), math(builder), loc(loc), f32(builder.getF32Type()),
        numSymbols(numSymbols) {}

  void loadSymbols(Value dims);
  Value index(int64_t value);
  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value minimum(Value a, Value b);
  Value number(double value, int64_t width = 0);
  Value splat(Value scalar, int64_t width);
  Value multiplyAdd(Value a, Value b, Value sum);
  Value evaluate(mlir::AffineExpr expr);
  Value pointerTo(Value pointer, mlir::Type element, Value place);
  /// f32s; `width` 0 is a scalar.
  Value load(Value pointer, mlir::Type element, Value place, int64_t width);
  void store(Value value, Value pointer, mlir::Type element, Value place);
  Value allocate(int64_t floats);
  void loop(Value begin, Value end, int64_t step, llvm::function_ref<void(Value)> body);
  Values loop(Value begin, Value end, int64_t step, const Values &init,
              llvm::function_ref<Values(Value, mlir::ValueRange)> body);

  mlir::OpBuilder &builder;
  IndexMath math;
  mlir::Location loc;
  mlir::Type f32;
  unsigned numSymbols;
  llvm::SmallVector<Poly> symbols;
};

} // namespace nnc::codegen

#endif
