//===- NarrowFloats.h - small floats as integers ----------------*- C++ -*-===//
//
// Most x86-64 machines have no bf16 and no float of 8 bits, old ones no f16, and LLVM then calls
// functions for their conversions, one element at a time. Kernels only load, store, choose and
// convert such numbers, which integers do just as well. (AVX512-BF16 is not used: it takes
// subnormal numbers for zero.)
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_NARROWFLOATS_H
#define NNC_CODEGEN_CPU_NARROWFLOATS_H

#include "mlir/IR/BuiltinOps.h"

namespace nnc::codegen {

/// Replaces bf16 and floats of 8 bits, and f16 unless the machine converts it, by integers in all
/// of `module`, and their conversions by arithmetic that rounds to nearest even.
void replaceNarrowFloats(mlir::ModuleOp module, bool hasF16);

} // namespace nnc::codegen

#endif
