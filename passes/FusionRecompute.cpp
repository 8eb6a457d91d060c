//===- FusionRecompute.cpp - Computing again instead of reading -------------------------------===//
//
// What is cheap to compute from one tensor need not be stored for a reader in another kernel.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/FusionPlanner.h"

#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace nnc {
bool FusionPlanner::recompute(const Reference &reference, unsigned id) {
  bool readsMemory =
      groups[id].closed || (groups[id].kind != nn::FusionRole::Reduction &&
                            !groups[id].isElementwise() && groups[id].ops.size() == 1);
  if (readsMemory || isa<nn::ScanOp>(reference.leaf) || mustLieInMemory(reference.leaf))
    return false;
  SmallVector<Operation *> again;
  SmallVector<Operation *> pending{reference.leaf};
  llvm::SmallPtrSet<Operation *, 4> seen;
  Value tensor;
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val();
    if (!seen.insert(op).second)
      continue;
    if (!isCheap(op) || again.size() == MaxRecomputed)
      return false;
    again.push_back(op);
    for (Value operand : op->getOperands())
      if (!addSource(operand, reference, tensor, pending))
        return false;
  }
  for (Operation *op : again) {
    plan.recomputed.insert({id, op});
    addSourcesAsProducers(op, reference.group, id);
  }
  Operation *maker = tensor ? makerOf(tensor) : nullptr;
  if (isMember(maker) && groups.find(members[maker].group) == groups.find(reference.group))
    groups.addConsumer(reference.group, id);
  return true;
}

bool FusionPlanner::addSource(Value operand, const Reference &reference, Value &tensor,
                              SmallVectorImpl<Operation *> &pending) {
  auto width = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementTypeBitWidth();
  };
  Operation *op = makerOf(operand);
  bool isInside = isMember(op) && groups.find(members[op].group) == groups.find(reference.group);
  // A cast to wider elements is the reader's business: half as much is stored.
  bool isWidened = isa<nn::CastOp>(reference.leaf) && operand == reference.leaf->getOperand(0) &&
                   width(operand) < width(reference.leaf->getResult(0));
  if (isInside && !isWidened && !isStoredAnyway(op)) {
    pending.push_back(op);
    return true;
  }
  std::optional<Reference> behind = referenceOf(operand);
  if (!isInside && behind && groups.find(behind->group) == groups.find(reference.group))
    return false; // a view of a value of the group
  bool isNumber = op && !isMember(op) && !isa<nn::GetOp>(op) && !behind && readsNothing(op);
  if (isNumber || operand == tensor)
    return true;
  int64_t wide = width(operand), narrow = width(reference.leaf->getResult(0));
  if (tensor || (wide > narrow && !isReadCheaper(reference.leaf, operand, wide, narrow)))
    return false;
  tensor = operand;
  return true;
}

/// Whether all readers of `leaf` together move fewer bytes, and a launch less, if they read the
/// wider weight that it is made of, elements of `wide` bits instead of `narrow`.
bool FusionPlanner::isReadCheaper(Operation *leaf, Value weight, int64_t wide, int64_t narrow) {
  int64_t readers = std::distance(leaf->user_begin(), leaf->user_end());
  return weight.getDefiningOp<nn::GetOp>() && readers * wide <= wide + narrow + readers * narrow;
}

/// Whether somebody outside of the op's group reads its result: whoever is not placed yet may.
bool FusionPlanner::isStoredAnyway(Operation *op) {
  unsigned id = groups.find(members[op].group);
  return llvm::any_of(op->getUsers(), [&](Operation *user) {
    return !isMember(user) || groups.find(members[user].group) != id;
  });
}

bool FusionPlanner::readsNothing(Operation *op) {
  while (op && !isa<nn::GetOp>(op) && op->getNumOperands() > 0)
    op = makerOf(op->getOperand(0));
  return op && !isa<nn::GetOp>(op);
}

void FusionPlanner::addSourcesAsProducers(Operation *op, unsigned from, unsigned id) {
  for (Value operand : op->getOperands())
    if (std::optional<Reference> behind = referenceOf(operand))
      if (groups.find(behind->group) != groups.find(from))
        groups.addConsumer(behind->group, id);
}

} // namespace nnc
