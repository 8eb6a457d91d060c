// The locals that a `scan` carries from one step to the next: those from around it that its body
// may rebind.
#pragma once

#include "frontend/Evaluator.h"

namespace nnc::frontend {

class ScanLocals {
public:
  /// Finds them; their values are those before the scan.
  ScanLocals(Evaluator &evaluator, const syntax::ScanStmt &scan);

  /// Puts block arguments in place of their tensors.
  void enter(mlir::Block &block);
  /// Takes their values at the end of the body. False if one changes type, which is reported unless
  /// there have been errors in the body, of which there were `errorsBefore`.
  bool leave(size_t errorsBefore);
  /// What a step leaves in those that the body rebinds.
  void yield(mlir::OperationState &state, llvm::SmallVectorImpl<mlir::Value> &yielded);
  /// Those that the body left alone are not carried. Behind yield().
  void dropUnchanged(mlir::Block &block);
  /// Rebinds them to results of the operation, from `index` on.
  void takeResults(mlir::Operation *op, unsigned &index);
  /// After an error they hold nothing.
  void forget();

private:
  struct Carried {
    std::string_view name;
    Value entering;
    syntax::Span boundAt;
    std::vector<mlir::Value> arguments = {}; ///< of the body, one per tensor in it
    std::vector<TensorValue> leaving = {};   ///< without a value if it is not carried
  };

  void enter(Carried &local, mlir::Block &block);
  bool leave(Carried &local, size_t errorsBefore);
  void reportType(const Carried &local, const Value &leaving);
  Locals &locals() { return evaluator.frame->locals; }

  Evaluator &evaluator;
  const syntax::ScanStmt &scan;
  std::vector<Carried> carried;
  llvm::SmallVector<std::pair<mlir::BlockArgument, mlir::Value>> unchanged;
};

} // namespace nnc::frontend
