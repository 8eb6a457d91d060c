//===- FusionPlanner.cpp - Which op runs in which kernel --------------------------------------===//
//
// Placing by role, and the plan that comes of it.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/FusionPlanner.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace nnc {
namespace {

constexpr unsigned MaxViewDepth = 8; ///< longer chains of views are stored once

bool hasRole(Operation *op, nn::FusionRole role) {
  auto fusable = dyn_cast_or_null<nn::FusionInterface>(op);
  return fusable && fusable.getFusionRole() == role;
}

bool isElementwiseOrSum(Operation *op) {
  return hasRole(op, nn::FusionRole::Pointwise) || hasRole(op, nn::FusionRole::Reduction);
}

bool isView(Operation *op) { return hasRole(op, nn::FusionRole::View); }

/// Whether the op makes one element.
bool isNumber(Operation *op) {
  auto type = op->getNumResults() == 1 ? dyn_cast<RankedTensorType>(op->getResult(0).getType())
                                       : RankedTensorType();
  return type && type.hasStaticShape() && type.getNumElements() == 1;
}

} // namespace

FailureOr<FusionPlan> FusionPlanner::run() {
  findAttentionInputs();
  findStateUpdates();
  findTotals();
  for (Operation &op : block) {
    order[&op] = ++now;
    if (failed(place(&op)))
      return failure();
  }
  return finish();
}

/// One walk from the readers to what they read, so that a value with many readers costs no more.
void FusionPlanner::findAttentionInputs() {
  for (Operation &op : llvm::reverse(block)) {
    auto fusable = dyn_cast<nn::FusionInterface>(op);
    unsigned left = attentionViews.lookup(&op);
    if (fusable && nn::isAttention(fusable.getFusionRole()))
      left = MaxViewDepth + 1;
    else if (!isView(&op))
      continue;
    for (Value operand : op.getOperands())
      if (Operation *maker = makerOf(operand); maker && left > 1)
        attentionViews[maker] = std::max(attentionViews.lookup(maker), left - 1);
  }
}

void FusionPlanner::findStateUpdates() {
  llvm::DenseSet<StringRef> written;
  for (auto set : block.getOps<nn::SetOp>())
    written.insert(set.getName());
  if (written.empty())
    return;
  llvm::DenseSet<Operation *> ends;
  for (Operation &op : llvm::reverse(block)) {
    auto fusable = dyn_cast<nn::FusionInterface>(op);
    bool isElementwise = fusable && fusable.getFusionRole() == nn::FusionRole::Pointwise;
    if (isElementwise && !op.use_empty() && llvm::all_of(op.getUsers(), [&](Operation *user) {
          return isa<nn::SetOp>(user) || ends.contains(user);
        }))
      ends.insert(&op);
  }
  for (Operation &op : block) {
    auto readsOld = [&](Value operand) {
      auto get = operand.getDefiningOp<nn::GetOp>();
      return get ? written.contains(get.getName()) : stateUpdates.contains(operand.getDefiningOp());
    };
    if (ends.contains(&op) && llvm::any_of(op.getOperands(), readsOld))
      stateUpdates.insert(&op);
  }
}

void FusionPlanner::findTotals() {
  if (target != Target::Cuda || isa<nn::ScanOp>(block.getParentOp()))
    return;
  llvm::DenseMap<Operation *, unsigned> reductions; // that a number is computed from, at most
  for (Operation &op : block) {
    if (!isNumber(&op))
      continue;
    unsigned &count = reductions[&op];
    count = hasRole(&op, nn::FusionRole::Reduction);
    for (Value operand : op.getOperands())
      count = std::min(MinTotals, count + reductions.lookup(operand.getDefiningOp()));
  }
  for (Operation &op : llvm::reverse(block)) {
    if (!isNumber(&op) || !hasRole(&op, nn::FusionRole::Pointwise))
      continue;
    bool isPart =
        llvm::any_of(op.getUsers(), [&](Operation *user) { return totals.contains(user); });
    if (isPart || reductions.lookup(&op) == MinTotals)
      totals.insert(&op);
  }
}

bool FusionPlanner::feedsAttention(Operation *op) const { return attentionViews.contains(op); }

LogicalResult FusionPlanner::place(Operation *op) {
  if (isa<nn::GetOp, nn::SetOp>(op) || op->hasTrait<OpTrait::IsTerminator>())
    return success();
  if (auto scan = dyn_cast<nn::ScanOp>(op)) {
    placeScan(scan);
    return success();
  }
  auto fusable = dyn_cast<nn::FusionInterface>(op);
  if (!fusable)
    return op->emitOpError("cannot be part of a kernel");
  if (auto it = planned.find(op); it != planned.end()) {
    joinLibrary(op, it->second);
    return success();
  }
  switch (fusable.getFusionRole()) {
  case nn::FusionRole::Pointwise:
    placePointwise(op);
    break;
  case nn::FusionRole::View:
    placeView(op);
    break;
  case nn::FusionRole::Reduction:
    placeReduction(op);
    break;
  case nn::FusionRole::Update:
    placeUpdate(op);
    break;
  case nn::FusionRole::Source:
    if (mustLieInMemory(op))
      placeAlone(op, nn::FusionRole::Pointwise);
    break;
  default:
    placeAnchor(op, fusable.getFusionRole());
  }
  return success();
}

void FusionPlanner::placePointwise(Operation *op) {
  SmallVector<Reference> references = referencesOf(op);
  SmallVector<Refusal> refusals;
  SmallVector<Candidate> candidates = candidatesOf(op, references, refusals);
  SmallVector<unsigned> parts;
  if (std::optional<SmallVector<unsigned>> sums = findSums(op, references))
    parts = *sums;
  else if (!shouldWait(op, references))
    parts = chooseParts(references, candidates, refusals);
  if (parts.empty())
    parts = {createGroup(op, nn::FusionRole::Pointwise)};
  const Candidate *chosen =
      llvm::find_if(candidates, [&](const Candidate &c) { return c.group == parts.front(); });
  AxisMap map = chosen != candidates.end() ? chosen->map : identityMap(getResultDims(op).size());
  unsigned id = mergeParts(parts, map, references);
  join(op, id, map, references, refusals);
  if (parts.size() > 1 && groups[id].kind == nn::FusionRole::Contraction)
    takeRows(id);
}

void FusionPlanner::placeReduction(Operation *op) {
  SmallVector<Reference> references = referencesOf(op);
  SmallVector<Refusal> refusals;
  SmallVector<int64_t> axes = getReducedAxes(op);
  AxisMap operandMap = identityMap(cast<RankedTensorType>(op->getOperand(0).getType()).getRank());
  std::optional<unsigned> id;
  if (!references.empty())
    id = findRows(references.front(), axes, refusals);
  if (!id && target == Target::Cuda)
    if (std::optional<unsigned> sibling = findSibling(op->getOperand(0), axes, references))
      id = mergeParts({*sibling}, operandMap, references);
  if (!id)
    id = createGroup(op, nn::FusionRole::Reduction);
  Group &group = groups[*id];
  if (group.kind != nn::FusionRole::Reduction || group.ops.empty()) {
    group.kind = nn::FusionRole::Reduction;
    group.anchor = op;
    group.space = nn::getDims(cast<RankedTensorType>(op->getOperand(0).getType()));
    group.reduced = axes;
  }
  join(op, *id, mapThroughReduction(op, operandMap, axes), references, refusals);
}

std::optional<unsigned> FusionPlanner::findRows(const Reference &reference, ArrayRef<int64_t> axes,
                                                SmallVectorImpl<Refusal> &refusals) {
  Group &group = groups[reference.group];
  StringRef reason;
  if (group.closed || group.ops.size() >= MaxGroupOps)
    reason = group.closed ? "nothing can follow it in one kernel" : "the kernel is full";
  else if (!reference.map)
    reason = "it is read in another order than it is computed";
  else if (group.kind == nn::FusionRole::Reduction &&
           (group.reduced != axes || !isFull(*reference.map, group)))
    reason = "its rows are others";
  else if (group.kind != nn::FusionRole::Reduction && !group.isElementwise())
    reason = "a kernel has one anchor";
  else if (!isFull(*reference.map, group))
    reason = "it is read in another order than it is computed";
  else if (repeatsSums(reference))
    reason = "its sums are known when all blocks are done";
  if (reason.empty())
    return reference.group;
  refusals.push_back({reference.group, reason});
  return std::nullopt;
}

void FusionPlanner::placeView(Operation *op) {
  if (auto reshape = dyn_cast<nn::ReshapeOp>(op); reshape && !mayReadThrough(reshape))
    return placeAlone(op, nn::FusionRole::View);
  if (isa<nn::DequantizeOp>(op) && !isDequantized(op->getResult(0)))
    return placeAlone(op, nn::FusionRole::Pointwise);
  SmallVector<Reference> references = referencesOf(op);
  if (isWrittenByStrides(op))
    return join(op, references.front().group, std::nullopt, references, {});
  if (op->getNumOperands() != 1 && !isa<nn::DequantizeOp>(op))
    return placeConcat(op);
  if (references.size() == 1 && mayReindex(op, references.front())) {
    unsigned id = references.front().group;
    reindex(op, id);
    return join(op, id, identityMap(getResultDims(op).size()), references, {});
  }
  unsigned depth = viewDepth.lookup(makerOf(op->getOperand(0))) + 1;
  if (depth > MaxViewDepth || mustLieInMemory(op))
    return placeAlone(op, nn::FusionRole::Pointwise);
  viewDepth[op] = depth;
}

/// A concat joins the kernel that computes those of its parts that are elementwise and only its
/// own. On the cpu it ends it: there the parts are written one by one.
void FusionPlanner::placeConcat(Operation *op) {
  SmallVector<Reference> references = referencesOf(op);
  SmallVector<unsigned> parts, reads;
  size_t ops = 1;
  for (const Reference &reference : references) {
    Group &group = groups[reference.group];
    reads.push_back(reference.group);
    bool isOwn = reference.direct && reference.isOnlyPath && !group.closed &&
                 group.kind == nn::FusionRole::Pointwise && group.openUses == 1;
    if (!isOwn || ops + group.ops.size() > MaxGroupOps)
      continue;
    ops += group.ops.size();
    parts.push_back(reference.group);
  }
  std::optional<int64_t> place;
  if (!parts.empty())
    place = groups.findPlace(parts, reads, now);
  if (!place)
    return placeAlone(op, nn::FusionRole::Pointwise);
  unsigned id = groups.merge(parts, *place);
  Group &group = groups[id];
  for (Operation *member : group.visible)
    members[member].map.reset();
  group.visible.clear();
  group.space = getResultDims(op);
  bool isEnd = target == Target::Cpu;
  join(op, id, isEnd ? std::nullopt : std::optional(identityMap(group.space.size())), references,
       {});
  groups[id].anchor = op;
  groups[id].closed = isEnd;
}

/// An update ends the kernel that computes what it stores, if nothing else wants that.
void FusionPlanner::placeUpdate(Operation *op) {
  SmallVector<Reference> references = referencesOf(op);
  SmallVector<unsigned> reads;
  for (const Reference &reference : references)
    reads.push_back(reference.group);
  std::optional<Reference> value = referenceOf(op->getOperand(1));
  unsigned id;
  if (value && mayEndIn(*value, op) && groups.findPlace({value->group}, reads, now))
    id = groups.merge({value->group}, *groups.findPlace({value->group}, reads, now));
  else
    id = createGroup(op, nn::FusionRole::Pointwise);
  join(op, id, std::nullopt, references, {});
  groups[id].anchor = op;
  groups[id].closed = true;
}

bool FusionPlanner::mayEndIn(const Reference &value, Operation *op) {
  Group &group = groups[value.group];
  bool isItself = value.direct && value.leaf == op->getOperand(1).getDefiningOp();
  return isItself && value.isOnlyPath && group.isElementwise() && group.openUses == 1 &&
         group.ops.size() < MaxGroupOps;
}

/// `x[:, t]` is a slice without its axis of size 1: readers compute its elements from `x`, unless
/// one of the two must exist anyway. So is what is left of a sum that kept its axis.
bool FusionPlanner::mayReadThrough(nn::ReshapeOp reshape) {
  Operation *maker = makerOf(reshape.getInput());
  bool isOfView = maker && maker->getNumOperands() == 1 && !isa<nn::ReshapeOp>(maker) &&
                  isView(maker) && !isMember(maker);
  return (isOfView || isElementwiseOrSum(maker)) && matchDroppedAxes(reshape) &&
         !mustLieInMemory(reshape) && !feedsAttention(reshape);
}

bool FusionPlanner::mayReindex(Operation *op, const Reference &reference) {
  Group &group = groups[reference.group];
  bool repeats = isa<nn::BroadcastOp>(op);
  if (repeats && feedsAttention(op))
    return false; // strides of 0 are better than copies
  return reference.direct && reference.map && group.isElementwise() && !group.closed &&
         group.openUses == 1 && group.ops.size() < MaxGroupOps &&
         (!repeats || (op->hasOneUse() && group.allCheap && group.ops.size() <= MaxRecomputed));
}

void FusionPlanner::reindex(Operation *op, unsigned id) {
  Group &group = groups[id];
  for (Operation *member : group.visible)
    members[member].map.reset();
  group.visible.clear();
  group.space = getResultDims(op);
}

void FusionPlanner::placeAnchor(Operation *op, nn::FusionRole role) {
  SmallVector<Reference> references = referencesOf(op);
  SmallVector<Refusal> refusals;
  for (const Reference &reference : references)
    if (groups[reference.group].kind != nn::FusionRole::View)
      refusals.push_back({reference.group, groups[reference.group].isElementwise()
                                               ? "its values would be computed many times"
                                               : "a kernel has one anchor"});
  unsigned id = createGroup(op, role);
  if (auto product = dyn_cast<nn::MatmulOp>(op))
    planProduct(product, id);
  groups[id].closed |= nn::isWrittenWhole(role);
  join(op, id, identityMap(getResultDims(op).size()), references, refusals);
  if (role == nn::FusionRole::Contraction)
    takeRows(id);
}

void FusionPlanner::planProduct(nn::MatmulOp product, unsigned id) {
  // Kernels of a loop can run as one; a library cannot be part of that.
  if (isa<nn::ScanOp>(block.getParentOp()))
    return;
  ProductTactic tactic = chooseProduct(product, target, [&](Operation *op) {
    return planned.contains(op) || stateUpdates.contains(op);
  });
  if (!tactic.library)
    return;
  groups[id].closed = true;
  for (Operation *op : tactic.absorbed)
    planned[op] = id;
  plan.products[product] = std::move(tactic);
}

void FusionPlanner::placeScan(nn::ScanOp scan) {
  unsigned id = createGroup(scan, nn::FusionRole::Pointwise);
  Group &group = groups[id];
  group.closed = true;
  group.allCheap = false;
  group.ops.push_back(scan);
  group.openUses += std::distance(scan->use_begin(), scan->use_end());
  llvm::SetVector<Value> read = scan.getCaptured();
  read.insert(scan.getInits().begin(), scan.getInits().end());
  for (Value value : read)
    if (std::optional<Reference> reference = referenceOf(value))
      groups.addConsumer(groups.find(reference->group), id);
  members[scan] = {id, std::nullopt};
}

void FusionPlanner::joinLibrary(Operation *op, unsigned id) {
  groups[id].place = now;
  join(op, id, std::nullopt, referencesOf(op), {});
}

void FusionPlanner::placeAlone(Operation *op, nn::FusionRole role) {
  unsigned id = createGroup(op, role);
  bool isOpen = op->getNumOperands() <= 1 || (isa<nn::ConcatOp>(op) && target == Target::Cuda);
  bool isKernel = role != nn::FusionRole::View && isOpen;
  groups[id].closed = !isKernel;
  join(op, id, isKernel ? std::optional(identityMap(getResultDims(op).size())) : std::nullopt,
       referencesOf(op), {});
}

FusionPlan FusionPlanner::finish() {
  SmallVector<unsigned> ids;
  for (unsigned id = 0; id < groups.size(); ++id)
    if (groups.find(id) == id)
      ids.push_back(id);
  llvm::sort(ids, [&](unsigned a, unsigned b) { return groups[a].place < groups[b].place; });
  for (unsigned id : ids)
    addStep(id);
  llvm::DenseSet<std::pair<unsigned, Operation *>> recomputed;
  for (auto [id, op] : plan.recomputed)
    recomputed.insert({plan.stepOfGroup.lookup(groups.find(id)), op});
  plan.recomputed = std::move(recomputed);
  return std::move(plan);
}

void FusionPlanner::addStep(unsigned id) {
  Group &group = groups[id];
  auto kind = PlannedStep::Kind::Kernel;
  if (isa<nn::ScanOp>(group.anchor))
    kind = PlannedStep::Kind::Loop;
  else if (group.kind == nn::FusionRole::View)
    kind = PlannedStep::Kind::Alias;
  else if (plan.products.contains(group.anchor))
    kind = PlannedStep::Kind::Library;
  llvm::sort(group.ops, [&](Operation *a, Operation *b) { return order[a] < order[b]; });
  for (Refusal &refusal : group.refusals)
    refusal.group = groups.find(refusal.group);
  plan.stepOfGroup[id] = plan.steps.size();
  for (Operation *op : group.ops)
    plan.stepOf[op] = plan.steps.size();
  plan.steps.push_back(
      {kind, id, group.kind, group.anchor, std::move(group.ops), std::move(group.refusals)});
}

FailureOr<FusionPlan> planFusion(Block &block, Target target) {
  return FusionPlanner(block, target).run();
}

} // namespace nnc
