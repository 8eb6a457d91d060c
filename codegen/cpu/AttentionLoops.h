//===- AttentionLoops.h - what attention and its gradients share -*- C++ -*-===//
//
// Operands by their strides, and the two products of either: numbers for pairs of rows, and rows
// added up by such numbers.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_ATTENTIONLOOPS_H
#define NNC_CODEGEN_CPU_ATTENTIONLOOPS_H

#include "codegen/cpu/Features.h"
#include "codegen/cpu/LoopWriter.h"

#include "ir/AttentionAccess.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace nnc::codegen {

class AttentionLoops : protected LoopWriter {
protected:
  static constexpr int64_t tileRows = 32; ///< rows of a block
  static constexpr int64_t tileKeys = 64; ///< others of a step; numbers for them are on the stack

  /// `numSymbols`: how many values the kernel gets in its `dims`.
  AttentionLoops(nn::KernelOp kernel, const nn::AttentionInputs &inputs, unsigned numSymbols,
                 const CpuFeatures &features, mlir::OpBuilder &builder);

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
  /// A row of the queries of all heads that share a head of keys.
  struct Row {
    Value head, query;
  };
  using PlaceOf = llvm::function_ref<Value(Value)>;

  /// `@symbol(pointers..., dims, block)`, with what `inputs` are; returns the block's number.
  Value emitFunction(mlir::ModuleOp module, llvm::StringRef symbol);
  Tensor tensorOf(const nn::StridedAccess &access, mlir::Type element, bool isResult);
  /// Sets batch, head and rows of block `block` of those that divide `total` rows of each head.
  void locate(Value block, Value total);
  Row rowAt(Value number);
  /// The number of keys that a query sees.
  Value seenKeys(Value position);
  /// Of the first element of a head's row, or of the number, at `position`.
  Value placeOf(const Tensor &tensor, Value head, Value position);
  Value maskPlace(Row row, Value key);
  Value isShown(Value maskPlace);
  /// For each of `width` neighbours from `first` on, whether it is below `limit`.
  Value areBelow(Value first, Value limit);

  /// into[i * tileKeys + j] = scale * (row i of `left` . row j of `right`), for j below `end`.
  void multiplyRows(const Tensor &left, const Values &leftPlaces, const Tensor &right,
                    PlaceOf rightPlace, Value end, double scale, Value into);
  /// sums[row + i] = sums[row + i] * corrections[i] + sum of numbers[i * tileKeys + j] * row j of
  /// `right`, for j below `end`; no corrections are as many as `count` ones.
  void addRows(Value sums, Value row, int64_t count, const Values &corrections, Value numbers,
               const Tensor &right, PlaceOf rightPlace, Value end);
  /// For as many rows below `rows` at once as registers hold sums of.
  void loopOverRows(llvm::function_ref<void(Value row, int64_t count)> body);
  Value sumOfFour(Values parts);

  nn::KernelOp kernel;
  const nn::AttentionInputs &inputs;
  int64_t width;      ///< floats of a vector
  int64_t rowsAtOnce; ///< rows whose sums are in registers together
  llvm::SmallVector<Chunk> chunks;

  mlir::Block *entry = nullptr;
  Tensor query, keys, values, mask;
  Value offset;                         ///< null: none
  Value queryCount, keyCount, groups;   ///< sizes
  Value batch, keyHead, firstRow, rows; ///< of the block; rows are of the tile
};

} // namespace nnc::codegen

#endif
