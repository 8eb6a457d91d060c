//===- HoistInvariants.cpp - What is the same in every iteration is computed once -------------===//
//
// An op of a scan's body moves before the scan if its operands come from there and none of its
// attributes mentions the counter. (Upstream's pass knows nothing of counters in attributes.)
// Views and numbers move too, so that what they feed can; kernels get them back where they read
// them.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"

#include "ir/NNOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_HOISTINVARIANTS
#include "passes/Passes.h.inc"

namespace {

bool isInvariant(Operation &op, nn::ScanOp scan) {
  if (op.hasTrait<OpTrait::IsTerminator>() || !isPure(&op) || scan.isCounterUsedBy(&op))
    return false;
  Region &body = scan.getBodyRegion();
  auto isOutside = [&](Value value) { return !body.isAncestor(value.getParentRegion()); };
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op.getRegions(), captured);
  return llvm::all_of(op.getOperands(), isOutside) && llvm::all_of(captured, isOutside);
}

struct HoistInvariants : impl::HoistInvariantsBase<HoistInvariants> {
  void runOnOperation() override {
    // Inner scans first, so that what leaves them may leave the outer one too.
    getOperation().walk([&](nn::ScanOp scan) {
      for (Operation &op : llvm::make_early_inc_range(*scan.getBody()))
        if (isInvariant(op, scan)) {
          op.moveBefore(scan);
          ++numHoisted;
        }
    });
  }
};

} // namespace
} // namespace nnc
