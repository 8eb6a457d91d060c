//===- Tiling.h - the part of a result that a block computes ----*- C++ -*-===//
//
// A cost model on sizes: blocks should take some ten microseconds at least, there should be many of
// them, what they need at once should fit into caches, and they should repeat little of each
// other's work.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_TILING_H
#define NNC_CODEGEN_CPU_TILING_H

#include "mlir/IR/Value.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace nnc::codegen {

/// The size of a block along every axis of `root`, a tensor of a kernel's body. `sizes` are those
/// of the axes, -1 where only the dimensions of the entry know. Deterministic.
llvm::SmallVector<int64_t> chooseTile(mlir::Value root, llvm::ArrayRef<int64_t> sizes);
/// The axes along which blocks are counted, fastest first: what one block has read of the larger
/// operand of a product is in the cache for the next.
llvm::SmallVector<unsigned> orderOfBlocks(mlir::Value root);

} // namespace nnc::codegen

#endif
