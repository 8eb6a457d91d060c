// An entry point while its plan is made: what all parts of the builder write into.
#pragma once

#include "codegen/plan/Bounds.h"
#include "codegen/plan/PlanBuilder.h"
#include "codegen/plan/SizeExpr.h"
#include "runtime/format/DType.h"
#include "runtime/format/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"

namespace nnc::codegen {

struct EntryDraft {
  EntryDraft(mlir::func::FuncOp function, const PlanContext &context, format::ModelT &model)
      : function(function), context(context), model(model),
        entry(std::make_unique<format::EntryT>()), pool(entry->exprs, function.getContext()) {}

  /// The first failure is the one that is reported.
  void fail(std::string message);
  /// The type of a tensor's elements in the plan; fails for one that models cannot store.
  DType elementOf(mlir::RankedTensorType type);

  mlir::func::FuncOp function;
  const PlanContext &context;
  format::ModelT &model;
  std::unique_ptr<format::EntryT> entry;
  ExprPool pool;                       ///< of Entry.exprs
  llvm::SmallVector<SizeRange> ranges; ///< of the entry's dimensions
  std::string failure;                 ///< empty so far
};

/// Where in the source something stands.
std::unique_ptr<format::LocationT> locationOf(mlir::Location loc);

} // namespace nnc::codegen
