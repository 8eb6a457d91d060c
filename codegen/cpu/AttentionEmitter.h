//===- AttentionEmitter.h - attention as one loop nest ----------*- C++ -*-===//
//
// The function of a kernel with the anchor `attention`. A block takes one batch, one head of keys
// and a tile of query rows (of all query heads that share those keys), and walks over the keys in
// tiles: scores of a tile are on the stack, and a running maximum, sum and result per row are
// corrected when a tile raises the maximum (M. Milakov, N. Gimelshein, "Online normalizer
// calculation for softmax", 2018). Nothing else is held, so any number of keys will do; causal
// blocks end at the last key that one of their rows may see.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_ATTENTIONEMITTER_H
#define NNC_CODEGEN_CPU_ATTENTIONEMITTER_H

#include "codegen/cpu/AttentionLoops.h"

namespace nnc::codegen {

class AttentionEmitter : AttentionLoops {
public:
  /// `numSymbols`: how many values the kernel gets in its `dims`.
  AttentionEmitter(nn::KernelOp kernel, const nn::AttentionAccess &access, unsigned numSymbols,
                   const CpuFeatures &features, mlir::OpBuilder &builder);

  /// Emits `@symbol(pointers..., dims, block)` into `module`; returns the grid.
  mlir::AffineMap emit(mlir::ModuleOp module, llvm::StringRef symbol);

private:
  void emitTile();
  void clearRows();
  Value lastKey();
  void emitKeys(Value key);
  void emitRows(Value key, Value row, int64_t count);
  void hideByMask(Value key, Value row);
  Value emitWeights(Value key, Value row);
  void finishRow(Value row);
  /// Of a row of the block's tile.
  Row rowOf(Value row) { return rowAt(add(firstRow, row)); }

  const nn::AttentionAccess &access;
  Tensor result, lse;
  Value scores, maxima, sums, results; ///< on the stack
};

} // namespace nnc::codegen

#endif
