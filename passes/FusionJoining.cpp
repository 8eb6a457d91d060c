//===- FusionJoining.cpp - What an op reads, and becoming a member of a group -----------------===//
#include "passes/FusionPlanner.h"

using namespace mlir;

namespace nnc {

static constexpr unsigned MaxRefusals = 8; ///< recorded per kernel

std::optional<Reference> FusionPlanner::referenceOf(Value value) {
  SmallVector<Operation *> views;
  Operation *op = makerOf(value);
  bool isOnlyPath = true;
  while (op && !isMember(op)) {
    if (op->getNumOperands() == 0)
      return std::nullopt;
    isOnlyPath &= op->hasOneUse();
    views.push_back(op);
    op = makerOf(op->getOperand(0));
  }
  if (!op)
    return std::nullopt;
  const Member &member = members[op];
  Reference reference{groups.find(member.group), op, views.empty(), isOnlyPath, member.map};
  for (Operation *view : llvm::reverse(views))
    if (reference.map)
      reference.map = mapThroughView(view, *reference.map, groups[reference.group]);
  return reference;
}

SmallVector<Reference> FusionPlanner::referencesOf(Operation *op) {
  SmallVector<Reference> references;
  for (Value operand : op->getOperands())
    if (std::optional<Reference> reference = referenceOf(operand))
      references.push_back(*reference);
  return references;
}

bool FusionPlanner::isMember(Operation *op) const { return op && members.contains(op); }

Operation *FusionPlanner::makerOf(Value value) const {
  Operation *op = value.getDefiningOp();
  return op && op->getBlock() == &block ? op : nullptr;
}

bool FusionPlanner::mustLieInMemory(Operation *op) {
  // Products of the cpu target read transposed operands by strides.
  auto isStrided = [&](OpOperand &use) {
    return target == Target::Cpu && isa<nn::MatmulOp>(use.getOwner()) &&
           isReadByStrides(op, /*anyAxis=*/false);
  };
  if (inMemory.try_emplace(op, false).second)
    inMemory[op] = llvm::any_of(op->getUses(), [&](OpOperand &use) {
      auto reshape = dyn_cast<nn::ReshapeOp>(use.getOwner());
      bool readThrough = reshape && makerOf(reshape.getResult()) && mayReadThrough(reshape);
      return use.getOwner()->getBlock() != &block ||
             (needsMemory(use) && !readThrough && !isStrided(use));
    });
  return inMemory[op];
}

void FusionPlanner::join(Operation *op, unsigned id, std::optional<AxisMap> map,
                         ArrayRef<Reference> references, ArrayRef<Refusal> refusals) {
  Group &group = groups[id];
  bool isView = cast<nn::FusionInterface>(op).getFusionRole() == nn::FusionRole::View;
  group.ops.push_back(op);
  group.allCheap &= isView || isCheap(op);
  if (group.isElementwise() && group.kind == nn::FusionRole::Pointwise)
    group.anchor = op;
  if (map)
    group.visible.push_back(op);
  group.openUses += std::distance(op->use_begin(), op->use_end());
  for (const Reference &reference : references) {
    unsigned from = groups.find(reference.group);
    if (from == id)
      group.openUses -= reference.isOnlyPath;
    else if (!recompute(reference, id))
      groups.addConsumer(from, id);
  }
  for (const Refusal &refusal : refusals)
    if (group.refusals.size() < MaxRefusals && groups.find(refusal.group) != id)
      group.refusals.push_back(refusal);
  members[op] = {id, std::move(map)};
}

unsigned FusionPlanner::createGroup(Operation *op, nn::FusionRole kind) {
  unsigned id = groups.create(kind, now);
  groups[id].anchor = op;
  groups[id].space = getResultDims(op);
  return id;
}

} // namespace nnc
