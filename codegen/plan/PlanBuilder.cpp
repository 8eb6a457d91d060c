#include "codegen/plan/PlanBuilder.h"

#include "codegen/plan/EntryInterface.h"
#include "codegen/plan/StepBuilder.h"

#include "mlir/IR/BuiltinOps.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

/// Buffers are numbered as they are met; arena offsets come last.
static Result<std::unique_ptr<format::EntryT>> buildEntry(func::FuncOp function,
                                                          const PlanContext &context,
                                                          format::ModelT &model,
                                                          LoopLaunches &launches) {
  EntryDraft draft(function, context, model);
  describeInterface(draft);
  BufferTable buffers(draft);
  ValuePlaces places(draft, buffers);
  StepBuilder steps(draft, buffers, places, launches);
  for (Operation &op : function.getBody().front())
    steps.addOperation(op);
  steps.copyOutputs();
  steps.copyStates();
  buffers.placeArena();
  if (!draft.failure.empty())
    return Error{fmt::format("in entry point `{}`: {}", draft.entry->name, draft.failure)};
  return std::move(draft.entry);
}

Result<void> buildEntries(ModuleOp module, const PlanContext &context, format::ModelT &model,
                          LoopLaunches &launches) {
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function->hasAttr("nn.entry") && !function->hasAttr("nn.prepare"))
      continue;
    Result<std::unique_ptr<format::EntryT>> entry = buildEntry(function, context, model, launches);
    if (!entry)
      return entry.error();
    model.entries.push_back(std::move(*entry));
  }
  return {};
}

} // namespace nnc::codegen
