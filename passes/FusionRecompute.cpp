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
  if (readsMemory)
    return false;
  SmallVector<Operation *> again = findRecomputed(reference);
  for (Operation *op : again) {
    plan.recomputed.insert({id, op});
    addSourcesAsProducers(op, reference.group, id);
  }
  auto readsGroup = [&](Value operand) {
    std::optional<Reference> behind = referenceOf(operand);
    return behind && !llvm::is_contained(again, behind->leaf) &&
           groups.find(behind->group) == groups.find(reference.group);
  };
  if (llvm::any_of(again,
                   [&](Operation *op) { return llvm::any_of(op->getOperands(), readsGroup); }))
    groups.addConsumer(reference.group, id);
  return !again.empty();
}

SmallVector<Operation *> FusionPlanner::findRecomputed(const Reference &reference) {
  if (isa<nn::ScanOp>(reference.leaf) || mustLieInMemory(reference.leaf))
    return {};
  SmallVector<Operation *> again;
  SmallVector<Operation *> pending{reference.leaf};
  llvm::SmallPtrSet<Operation *, 4> seen;
  Value tensor;
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val();
    if (!seen.insert(op).second)
      continue;
    if (!isCheap(op) || again.size() == MaxRecomputed)
      return {};
    again.push_back(op);
    for (Value operand : op->getOperands())
      if (!addSource(operand, op, reference, tensor, pending))
        return {};
  }
  return again;
}

bool FusionPlanner::shouldWait(Operation *op, ArrayRef<Reference> references) {
  if (isCheap(op) || !op->hasOneUse() || references.size() != 1)
    return false;
  const Reference &reference = references.front();
  auto isLater = [&](Value operand) {
    std::optional<Reference> other = referenceOf(operand);
    return other && other->group != reference.group && !groups[other->group].isElementwise() &&
           groups[other->group].place > groups[reference.group].place;
  };
  return !groups[reference.group].isElementwise() &&
         llvm::any_of(op->user_begin()->getOperands(), isLater) &&
         !findRecomputed(reference).empty();
}

bool FusionPlanner::addSource(Value operand, Operation *reader, const Reference &reference,
                              Value &tensor, SmallVectorImpl<Operation *> &pending) {
  auto width = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementTypeBitWidth();
  };
  auto isWidening = [&](Operation *op) {
    return isa<nn::CastOp>(op) && width(op->getOperand(0)) < width(op->getResult(0));
  };
  Operation *op = makerOf(operand);
  bool isInside = isMember(op) && groups.find(members[op].group) == groups.find(reference.group);
  // A cast to wider elements is the reader's business: half as much is stored.
  bool isWidened = isWidening(reader);
  if (isMember(op) && isWidening(op) && !isWidened) {
    pending.push_back(op);
    return true;
  }
  if (isInside && !isWidened && !isStoredAnyway(op)) {
    pending.push_back(op);
    return true;
  }
  std::optional<Reference> behind = referenceOf(operand);
  if (!isInside && isRepeated(operand))
    return true;
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

bool FusionPlanner::isRepeated(Value value) const {
  constexpr int64_t Times = 16;
  Value source = value;
  Operation *op = makerOf(source);
  while (op && !isMember(op) && op->getNumOperands() == 1 && !isa<nn::GetOp>(op)) {
    source = op->getOperand(0);
    op = makerOf(source);
  }
  return typicalCount(source) * Times <= typicalCount(value);
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
