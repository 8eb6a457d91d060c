//===- AttentionGradEmitter.h - the gradients of attention ------*- C++ -*-===//
//
// The function of a kernel with the anchor `attention_grad`. A block owns a tile of rows of one
// kind and walks over the others, as codegen/device/attention_grad.cuh does: keys of one head over
// the queries of all heads that share it, or such queries over the keys. It computes the weights of
// a few rows and of a tile of the others again, and adds up what they give; nothing else is held,
// and no two blocks write to one place.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_ATTENTIONGRADEMITTER_H
#define NNC_CODEGEN_CPU_ATTENTIONGRADEMITTER_H

#include "codegen/cpu/AttentionLoops.h"

namespace nnc::codegen {

class AttentionGradEmitter : AttentionLoops {
public:
  /// `numSymbols`: how many values the kernel gets in its `dims`.
  AttentionGradEmitter(nn::KernelOp kernel, const nn::AttentionGradAccess &access,
                       unsigned numSymbols, const CpuFeatures &features, mlir::OpBuilder &builder);

  /// Emits `@symbol(pointers..., dims, block)` into `module`; returns the grid: first blocks that
  /// own keys, then those that own queries.
  mlir::AffineMap emit(mlir::ModuleOp module, llvm::StringRef symbol);

private:
  void emitBlocks(Value block, mlir::AffineExpr begin, mlir::AffineExpr count, bool ownKeys);
  void emitTile();
  void emitOthers(Value other, Value end);
  void emitRows(Value other, Value row, int64_t count);
  void emitNumbers(Value other, Value row, Value weights, Value errors);
  void hideByMask(Value other, Value row, Value weights, Value errors);
  void storeRow(Value sums, Value row, const Tensor &to);

  /// Where a row of one kind, keys or queries, lies in a tensor of it; `number` is the row's.
  Value placeOfRow(const Tensor &tensor, bool isKey, Value number);
  Value numberOf(const Tensor &tensor, Value row);
  /// The first of the others that sees the own key.
  Value firstThatSees(Value key);

  const nn::AttentionGradAccess &access;
  Tensor gradient, lse, delta;
  bool isOfKeys = false;                                              ///< what the block owns
  Value otherCount;                                                   ///< others of the step
  Value otherLse, otherDelta, weights, errors, firstSums, secondSums; ///< on the stack
};

} // namespace nnc::codegen

#endif
