//===- NarrowFloats.h - bf16 as integers ------------------------*- C++ -*-===//
//
// Most x86-64 machines have no bf16 at all, and LLVM then calls functions for its conversions, one
// element at a time. Kernels only load, store, choose and convert such numbers, which integers do
// just as well.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_NARROWFLOATS_H
#define NNC_CODEGEN_CPU_NARROWFLOATS_H

#include "mlir/IR/BuiltinOps.h"

namespace nnc::codegen {

/// Replaces bf16 by i16 in all of `module`, and its conversions by shifts; rounds to nearest even.
void replaceBf16(mlir::ModuleOp module);

} // namespace nnc::codegen

#endif
