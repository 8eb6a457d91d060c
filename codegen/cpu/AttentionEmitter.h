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

#include "codegen/cpu/Features.h"
#include "codegen/cpu/LoopWriter.h"

#include "ir/AttentionAccess.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace nnc::codegen {

class AttentionEmitter : LoopWriter {
public:
  /// `numSymbols`: how many values the kernel gets in its `dims`.
  AttentionEmitter(nn::KernelOp kernel, unsigned numSymbols, const CpuFeatures &features,
                   mlir::OpBuilder &builder);

  /// Emits `@symbol(pointers..., dims, block)` into `module`; returns the grid.
  mlir::AffineMap emit(mlir::ModuleOp module, llvm::StringRef symbol);

private:
  /// Elements of a head that are one vector: from `begin` on, `width` of them.
  struct Chunk {
    int64_t begin, width;
  };
  /// A tensor: its memory, and what each axis adds to a place in it.
  struct Tensor {
    Value pointer, offset;
    Values strides;
    mlir::Type element;
  };

  mlir::func::FuncOp emitFunction(mlir::ModuleOp module, llvm::StringRef symbol);
  Tensor tensorOf(mlir::Block *entry, const nn::StridedAccess &access, mlir::Type element,
                  unsigned first);
  void locate(Value block);
  void emitTile();
  void clearRows();
  Value lastKey();
  void emitKeys(Value key);
  void emitRows(Value key, Value row, int64_t count);
  void emitScores(Value key, Value row, int64_t count);
  Value sumOfFour(Values parts);
  void hideByMask(Value key, Value row);
  Value emitWeights(Value key, Value row);
  void addValues(Value key, Value row, const Values &corrections);
  void finishRow(Value row);

  // Rows of the block's tile.
  struct Row {
    Value head, query;
  };
  Row rowAt(Value row);
  /// The number of keys that a query sees.
  Value seenKeys(Value query);
  Value placeOf(const Tensor &tensor, Value head, Value position);

  nn::KernelOp kernel;
  nn::AttentionAccess access;
  int64_t width;      ///< floats of a vector
  int64_t rowsAtOnce; ///< rows whose sums are in registers together
  llvm::SmallVector<Chunk> chunks;

  Tensor query, keys, values, mask, result;
  Value offset;                         ///< null: none
  Value queryCount, keyCount, groups;   ///< sizes
  Value batch, keyHead, firstRow, rows; ///< of the block; rows are of the tile
  Value scores, maxima, sums, results;  ///< on the stack
};

} // namespace nnc::codegen

#endif
