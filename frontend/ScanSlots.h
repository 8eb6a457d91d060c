// The slots that a `scan` carries. Any may be written in its body, through calls too: until that is
// known, each that was read or written before is carried.
#pragma once

#include "frontend/Evaluator.h"

#include <unordered_map>

namespace nnc::frontend {

class ScanSlots {
public:
  ScanSlots(Evaluator &evaluator, const syntax::ScanStmt &scan)
      : evaluator(evaluator), scan(scan) {}

  /// How many slots are known to vary: that a step writes them, so that what they hold in the body
  /// is not what they held before the scan.
  size_t numVarying() const { return varying.size(); }

  /// Puts block arguments in place of what slots hold.
  void enter(mlir::Block &block);
  /// True if the body's use of slots was as expected. Else what varies is known better now.
  bool leave();
  /// As if the body had not been.
  void restore(const std::vector<Slot *> &writtenBefore);
  /// What a step leaves in the slots that it writes, in the order of their first writing.
  void yield(mlir::OperationState &state, llvm::SmallVectorImpl<mlir::Value> &yielded);
  /// Slots that the body left alone are not carried. Behind yield().
  void dropUnchanged(mlir::Location location, mlir::Block &block);
  /// Gives those that are written results of the operation, from `index` on.
  void takeResults(mlir::Operation *op, unsigned &index);

private:
  /// A slot whose value in the body is that of the step before.
  struct CarriedSlot {
    SlotValue before; ///< the scan
    mlir::BlockArgument argument;
  };

  bool isVarying(Slot *slot) const;
  FunctionEmission &emission() { return *evaluator.frame->emission; }

  Evaluator &evaluator;
  const syntax::ScanStmt &scan;
  std::unordered_map<Slot *, CarriedSlot> slots;
  std::vector<Slot *> written; ///< in the body, in the order of the function's writes
  std::vector<std::pair<Slot *, std::vector<Dim>>> varying; ///< with their shapes
};

} // namespace nnc::frontend
