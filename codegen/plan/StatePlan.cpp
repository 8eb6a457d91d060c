#include "codegen/plan/StatePlan.h"

#include "ir/EntryAttrs.h"
#include "ir/KernelAttrs.h"
#include "passes/StepOrder.h"

using namespace mlir;

namespace nnc::codegen {

StatePlan::StatePlan(Block &block) : block(block) {
  for (auto [position, op] : llvm::enumerate(block))
    order[&op] = position;
  for (auto set : block.getOps<nn::SetOp>())
    written.insert(set.getName());
  for (Operation &op : block) {
    auto kernel = dyn_cast<nn::KernelOp>(op);
    if (!kernel || !kernel.isUpdate())
      continue;
    Value old = kernel.getOperand(0);
    if (isOwned(old) && lastUse(withoutReshapes(old), kernel) < order.lookup(kernel))
      inPlace.insert(kernel);
  }
  for (auto set : block.getOps<nn::SetOp>())
    placeSet(set);
}

/// The position of the last step, besides `except`, that reads a value or another view of it.
/// Stores and results are read at the end.
unsigned StatePlan::lastUse(Value value, Operation *except) const {
  unsigned last = 0;
  for (Operation *user : value.getUsers()) {
    if (user == except)
      continue;
    bool isView = isa<nn::ReshapeOp>(user);
    Operation *step = block.findAncestorOpInBlock(*user); // a loop reads what its body does
    last = std::max(last, isView ? lastUse(user->getResult(0), except) : order.lookup(step));
  }
  return last;
}

/// Whether the call may write where the value lies: a state that it writes anyway, or an
/// intermediate value.
bool StatePlan::isOwned(Value value) const {
  Operation *op = withoutReshapes(value).getDefiningOp();
  if (auto get = dyn_cast_or_null<nn::GetOp>(op))
    return written.contains(get.getName());
  return isa_and_nonnull<nn::KernelOp, nn::GemmOp>(op);
}

Value StatePlan::overwrittenBy(OpResult result) const {
  auto kernel = dyn_cast<nn::KernelOp>(result.getOwner());
  if (!kernel)
    return {};
  if (kernel.isUpdate())
    return inPlace.contains(kernel) ? kernel.getOperand(0) : Value();
  int64_t operand = nn::getInPlace(kernel, result.getResultNumber());
  return operand < 0 ? Value() : kernel.getOperand(static_cast<unsigned>(operand));
}

/// The value whose memory this one lies in.
Value StatePlan::memoryOf(Value value) const {
  value = withoutReshapes(value);
  while (auto result = dyn_cast<OpResult>(value)) {
    Value overwritten = overwrittenBy(result);
    if (!overwritten)
      break;
    value = withoutReshapes(overwritten);
  }
  return value;
}

/// Whether the step that makes `root` may do so in the memory of the state: whatever lies there is
/// not read by that step or later, and no other value was given that memory.
bool StatePlan::mayCompute(Value root, nn::SetOp set) const {
  StringRef state = set.getName();
  Operation *maker = root.getDefiningOp();
  bool isScalar = cast<RankedTensorType>(set.getValue().getType()).getRank() == 0;
  // Kernels read scalars from the memory of states all the time, so those are stored last.
  if (!isa_and_nonnull<nn::KernelOp, nn::GemmOp>(maker) || isScalar || targets.contains(root))
    return false;
  for (const auto &target : targets)
    if (nn::SetOp(target.second).getName() == state)
      return false;
  for (Operation &op : block)
    for (Value value : op.getResults()) {
      auto get = memoryOf(value).getDefiningOp<nn::GetOp>();
      if (get && get.getName() == state && lastUse(value) >= order.lookup(maker))
        return false;
    }
  return true;
}

void StatePlan::placeSet(nn::SetOp set) {
  Value root = memoryOf(set.getValue());
  auto get = root.getDefiningOp<nn::GetOp>();
  if (get && get.getName() == set.getName())
    return; // it is there already
  if (mayCompute(root, set))
    targets[root] = set;
  else
    copied.push_back(set);
}

} // namespace nnc::codegen
