//===- MathFunctions.h - exp, log, atan, tanh and erf ------*- C++ -*-===//
//
// Functions of f32 that vectors can compute. Errors are below 3 ulp (log near 1, erf and tanh
// included); infinities, denormals and NaN come out as they do from libm. What is not here is a
// call per lane.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_MATHFUNCTIONS_H
#define NNC_CODEGEN_CPU_MATHFUNCTIONS_H

#include "mlir/IR/BuiltinOps.h"

namespace nnc::codegen {

/// Replaces the math operations that have no LLVM intrinsic, or a slow one, by arithmetic.
void expandMathFunctions(mlir::ModuleOp module);

} // namespace nnc::codegen

#endif
