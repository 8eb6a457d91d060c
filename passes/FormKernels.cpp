//===- FormKernels.cpp - Group the ops of every entry point into kernels ----------------------===//
//
// Plans and outlines every entry point and @prepare, which always runs on the cpu.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/FusionPlan.h"
#include "passes/Passes.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_FORMKERNELS
#include "passes/Passes.h.inc"

namespace {

/// Where each axis of the operand is in the result, if `op` only inserts axes of size 1.
std::optional<SmallVector<int64_t>> matchInsertedAxes(nn::ReshapeOp op) {
  SmallVector<AffineExpr> from = nn::getDims(cast<RankedTensorType>(op.getInput().getType()));
  SmallVector<AffineExpr> to = nn::getDims(cast<RankedTensorType>(op.getType()));
  SmallVector<int64_t> places;
  for (auto [axis, size] : llvm::enumerate(to)) {
    if (places.size() < from.size() && nn::areEqual(size, from[places.size()]))
      places.push_back(axis);
    else if (nn::getConstant(size) != 1)
      return std::nullopt;
  }
  if (places.size() != from.size())
    return std::nullopt;
  return places;
}

/// A reshape ends a kernel, for it renames memory. One that only inserts axes of size 1 is also a
/// broadcast, which does not; readers that need no memory get that.
void turnReshapesIntoBroadcasts(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    auto reshape = dyn_cast<nn::ReshapeOp>(op);
    if (!reshape || reshape.getInput().getDefiningOp<nn::GetOp>())
      continue;
    std::optional<SmallVector<int64_t>> places = matchInsertedAxes(reshape);
    if (!places)
      continue;
    OpBuilder builder(reshape);
    Value broadcast = builder.create<nn::BroadcastOp>(reshape.getLoc(), reshape.getType(),
                                                      reshape.getInput(), *places);
    reshape.getResult().replaceUsesWithIf(broadcast,
                                          [](OpOperand &use) { return !needsMemory(use); });
    for (Operation *dead : {broadcast.getDefiningOp(), reshape.getOperation()})
      if (dead->use_empty())
        dead->erase();
  }
}

struct FormKernels : impl::FormKernelsBase<FormKernels> {
  using FormKernelsBase::FormKernelsBase;

  void runOnOperation() override {
    KernelNames names;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      bool isPrepare = function->hasAttr(nn::kPrepareAttr);
      if (!isPrepare && !function->hasAttr(nn::kEntryAttr))
        continue;
      if (!function.getBody().hasOneBlock()) {
        function.emitOpError("must have one block to form kernels");
        return signalPassFailure();
      }
      turnReshapesIntoBroadcasts(function.getBody().front());
      FailureOr<FusionPlan> plan = planFusion(function, isPrepare ? Target::Cpu : target);
      if (failed(plan))
        return signalPassFailure();
      OutlinedCount count = outlineKernels(function, *plan, names);
      numKernels += count.kernels;
      numGemms += count.gemms;
    }
  }
};

} // namespace
} // namespace nnc
