// Which buffer each value of an entry point lies in: an input, a weight, a state, an output that
// its step writes directly, a part of a stack, or the arena.
#pragma once

#include "codegen/plan/BufferTable.h"
#include "codegen/plan/StatePlan.h"

namespace nnc::codegen {

class ValuePlaces {
public:
  /// Takes the inputs and decides which values are written straight into outputs.
  ValuePlaces(EntryDraft &draft, BufferTable &buffers);

  /// The buffer of a value that a step reads; extends its life to this step.
  uint32_t use(mlir::Value value);
  /// The buffer of a value that a step is about to write wherever it is told.
  uint32_t define(mlir::Value value, llvm::StringRef name);
  /// The buffer of a result that a kernel is about to write: perhaps over an operand.
  uint32_t defineResult(mlir::OpResult result, llvm::StringRef name);
  /// A value that lies in a new buffer of a loop.
  uint32_t defineInLoop(mlir::Value value, std::string name);
  /// A value that lies in the memory of a weight or a state.
  void defineGlobal(nn::GetOp get);
  /// A value that lies in a buffer that is there already.
  void set(mlir::Value value, uint32_t buffer) { numbers[value] = buffer; }

  /// Whether a step of this loop's body itself writes the value to wherever it is told.
  bool isMadeIn(nn::ScanOp scan, mlir::Value root);
  /// The step that makes a value writes it to `slot`, where it is stacked.
  void writeInto(mlir::Value root, uint32_t slot) { slots.try_emplace(root, slot); }

  /// Memory of a state, whose type in this entry point is given; `type` may be a reshape of it. The
  /// session plans states at the largest sizes of all entry points.
  uint32_t addState(mlir::RankedTensorType type, llvm::StringRef symbol,
                    mlir::RankedTensorType stateType);

  const StatePlan &stateWrites() const { return states; }
  /// Values that have to be copied into outputs, with these.
  llvm::ArrayRef<std::pair<mlir::Value, uint32_t>> copiedOutputs() const { return copies; }

private:
  bool isMade(mlir::Value root);
  uint32_t add(mlir::Value value, format::BufferKind kind, uint32_t index, std::string name);

  EntryDraft &draft;
  BufferTable &buffers;
  StatePlan states;
  llvm::DenseMap<mlir::Value, uint32_t> numbers;
  llvm::DenseMap<mlir::Value, uint32_t> outputOf;
  llvm::DenseMap<mlir::Value, uint32_t> slots;
  llvm::SmallVector<std::pair<mlir::Value, uint32_t>> copies;
};

} // namespace nnc::codegen
