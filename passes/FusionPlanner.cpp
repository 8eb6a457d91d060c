//===- FusionPlanner.cpp - Which op runs in which kernel
//------------------------------------------===//
//
// Ops are placed one by one in the order of the function, each into the groups of its operands if
// the rules of passes/README.md allow, else into a new one. Views and numbers are not placed: every
// reader computes them. Only an op that must be read from memory ends such a chain.
//
//===----------------------------------------------------------------------------------------------===//
#include "passes/FusionPlan.h"
#include "passes/FusionRelations.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace nnc {
namespace {

constexpr unsigned MaxGroupOps = 128;   ///< keeps generated kernels small enough to compile quickly
constexpr unsigned MaxViewDepth = 8;    ///< longer chains of views are stored once
constexpr unsigned MaxRecomputed = 4;   ///< ops of a cheap producer that a reader computes again
constexpr unsigned MaxAnchorsTried = 3; ///< of the groups with anchors among the operands
constexpr unsigned MaxRefusals = 8;     ///< recorded per kernel

/// An operand that comes from a group, possibly through views.
struct Reference {
  unsigned group;
  Operation *leaf;            ///< the member of the group
  bool direct;                ///< not through a view
  bool isOnlyPath;            ///< no other op reads the views in between
  std::optional<AxisMap> map; ///< of the operand; none if it does not run along the group's axes
};

/// A group that an op may join.
struct Candidate {
  unsigned group;
  AxisMap map; ///< of the op's result in it
};

class Planner {
public:
  Planner(func::FuncOp function, Target target)
      : block(function.getBody().front()), target(target) {}

  FailureOr<FusionPlan> run() {
    for (Operation &op : block) {
      ++now;
      order[&op] = now;
      if (failed(place(&op)))
        return failure();
    }
    return finish();
  }

private:
  //===- Placing by role
  //--------------------------------------------------------------------------===//

  LogicalResult place(Operation *op) {
    if (isa<nn::GetOp>(op) || op->hasTrait<OpTrait::IsTerminator>())
      return success();
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
    case nn::FusionRole::Source:
      if (mustLieInMemory(op))
        placeAlone(op, nn::FusionRole::Pointwise);
      break;
    default:
      placeAnchor(op, fusable.getFusionRole());
    }
    return success();
  }

  void placePointwise(Operation *op) {
    SmallVector<Reference> references = referencesOf(op);
    SmallVector<Refusal> refusals;
    SmallVector<Candidate> candidates = candidatesOf(op, references, refusals);
    SmallVector<unsigned> parts = chooseParts(references, candidates, refusals);
    if (parts.empty())
      parts = {createGroup(op, nn::FusionRole::Pointwise)};
    const Candidate *chosen =
        llvm::find_if(candidates, [&](const Candidate &c) { return c.group == parts.front(); });
    AxisMap map = chosen != candidates.end() ? chosen->map : identityMap(getResultDims(op).size());
    unsigned id = mergeParts(parts, map, references);
    join(op, id, map, references, refusals);
  }

  void placeReduction(Operation *op) {
    SmallVector<Reference> references = referencesOf(op);
    SmallVector<Refusal> refusals;
    SmallVector<int64_t> axes = getReducedAxes(op);
    AxisMap operandMap = identityMap(cast<RankedTensorType>(op->getOperand(0).getType()).getRank());
    std::optional<unsigned> id;
    if (!references.empty())
      id = findRows(references.front(), axes, refusals);
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

  /// The group whose rows a reduction of `reference` over `axes` works on, if it may join it.
  std::optional<unsigned> findRows(const Reference &reference, ArrayRef<int64_t> axes,
                                   SmallVectorImpl<Refusal> &refusals) {
    Group &group = groups[reference.group];
    StringRef reason;
    if (group.closed || group.ops.size() >= MaxGroupOps)
      reason = group.closed ? "nothing can follow it in one kernel" : "the kernel is full";
    else if (!reference.map || !isFull(*reference.map, group))
      reason = "it is read in another order than it is computed";
    else if (group.kind == nn::FusionRole::Reduction && group.reduced != axes)
      reason = "its rows are others";
    else if (group.kind != nn::FusionRole::Reduction && !group.isElementwise())
      reason = "a kernel has one anchor";
    if (reason.empty())
      return reference.group;
    refusals.push_back({reference.group, reason});
    return std::nullopt;
  }

  void placeView(Operation *op) {
    if (isa<nn::ReshapeOp>(op))
      return placeAlone(op, nn::FusionRole::View);
    if (op->getNumOperands() != 1)
      return placeAlone(op, nn::FusionRole::Pointwise);
    SmallVector<Reference> references = referencesOf(op);
    if (references.size() == 1 && mayReindex(op, references.front())) {
      unsigned id = references.front().group;
      reindex(op, id);
      return join(op, id, identityMap(getResultDims(op).size()), references, {});
    }
    unsigned depth = viewDepth.lookup(op->getOperand(0).getDefiningOp()) + 1;
    if (depth > MaxViewDepth || mustLieInMemory(op))
      return placeAlone(op, nn::FusionRole::Pointwise);
    viewDepth[op] = depth;
  }

  /// Whether an elementwise group may be computed in the order of the view `op` of its only result.
  bool mayReindex(Operation *op, const Reference &reference) {
    Group &group = groups[reference.group];
    bool repeats = isa<nn::BroadcastOp>(op);
    return reference.direct && reference.map && group.isElementwise() && !group.closed &&
           group.openUses == 1 && group.ops.size() < MaxGroupOps &&
           (!repeats || (group.allCheap && group.ops.size() <= MaxRecomputed));
  }

  void reindex(Operation *op, unsigned id) {
    Group &group = groups[id];
    for (Operation *member : group.visible)
      members[member].map.reset();
    group.visible.clear();
    group.space = getResultDims(op);
  }

  /// An op that starts a group which nothing before it joins.
  void placeAnchor(Operation *op, nn::FusionRole role) {
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
    join(op, id, identityMap(getResultDims(op).size()), references, refusals);
  }

  void planProduct(nn::MatmulOp product, unsigned id) {
    ProductTactic tactic =
        chooseProduct(product, target, [&](Operation *op) { return planned.contains(op); });
    if (!tactic.library)
      return;
    groups[id].closed = true;
    for (Operation *op : tactic.absorbed)
      planned[op] = id;
    plan.products[product] = std::move(tactic);
  }

  /// An op that the library does after its product. All readers of the product so far are such ops,
  /// so the group can wait for what `op` reads.
  void joinLibrary(Operation *op, unsigned id) {
    groups[id].place = now;
    join(op, id, std::nullopt, referencesOf(op), {});
  }

  /// A group that nothing joins: an alias (View), or a kernel of one op with the views it reads.
  void placeAlone(Operation *op, nn::FusionRole role) {
    unsigned id = createGroup(op, role);
    bool isKernel = role != nn::FusionRole::View && op->getNumOperands() <= 1;
    groups[id].closed = !isKernel;
    join(op, id, isKernel ? std::optional(identityMap(getResultDims(op).size())) : std::nullopt,
         referencesOf(op), {});
  }

  //===- Questions
  //--------------------------------------------------------------------------------===//

  bool isMember(Operation *op) const { return op && members.contains(op); }

  static bool mustLieInMemory(Operation *op) {
    return llvm::any_of(op->getUses(), [](OpOperand &use) { return needsMemory(use); });
  }

  /// Follows `value` through views to the group that computes it; nothing if it comes from an
  /// argument, a weight or numbers.
  std::optional<Reference> referenceOf(Value value) {
    SmallVector<Operation *> views;
    Operation *op = value.getDefiningOp();
    bool isOnlyPath = true;
    while (op && !isMember(op)) {
      if (op->getNumOperands() == 0)
        return std::nullopt;
      isOnlyPath &= op->hasOneUse();
      views.push_back(op);
      op = op->getOperand(0).getDefiningOp();
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

  SmallVector<Reference> referencesOf(Operation *op) {
    SmallVector<Reference> references;
    for (Value operand : op->getOperands())
      if (std::optional<Reference> reference = referenceOf(operand))
        references.push_back(*reference);
    return references;
  }

  /// The reason why a pointwise op may not join the group of `reference`; empty if it may.
  StringRef whyNot(const Reference &reference) {
    Group &group = groups[reference.group];
    if (group.closed)
      return "nothing can follow it in one kernel";
    if (group.ops.size() >= MaxGroupOps)
      return "the kernel is full";
    if (!reference.map)
      return "it is read in another order than it is computed";
    if (isFull(*reference.map, group))
      return {};
    if (group.kind != nn::FusionRole::Reduction || !isPerRow(*reference.map, group))
      return "it is read in another order than it is computed";
    return {};
  }

  SmallVector<Candidate> candidatesOf(Operation *op, ArrayRef<Reference> references,
                                      SmallVectorImpl<Refusal> &refusals) {
    SmallVector<Candidate> candidates;
    for (const Reference &reference : references) {
      unsigned id = reference.group;
      if (groups[id].kind == nn::FusionRole::View)
        continue; // an alias; the refusal, if any, is of what it renames
      if (StringRef reason = whyNot(reference); !reason.empty()) {
        refusals.push_back({id, reason});
        llvm::erase_if(candidates, [&](const Candidate &c) { return c.group == id; });
        continue;
      }
      auto refused = [&](const Refusal &refusal) { return refusal.group == id; };
      auto same = llvm::find_if(candidates, [&](const Candidate &c) { return c.group == id; });
      if (llvm::any_of(refusals, refused))
        continue;
      if (same == candidates.end()) {
        candidates.push_back({id, *reference.map});
      } else if (std::optional<AxisMap> map = unify(same->map, *reference.map)) {
        same->map = *map;
      } else {
        refusals.push_back({id, "its rows do not line up with themselves"});
        candidates.erase(same);
      }
    }
    return candidates;
  }

  //===- Merging
  //----------------------------------------------------------------------------------===//

  /// The groups that an op joins, the one that gives the kind first; none for a new group.
  SmallVector<unsigned> chooseParts(ArrayRef<Reference> references, ArrayRef<Candidate> candidates,
                                    SmallVectorImpl<Refusal> &refusals) {
    SmallVector<unsigned> anchored, elementwise, reads;
    for (const Reference &reference : references)
      reads.push_back(reference.group);
    for (const Candidate &candidate : candidates)
      (groups[candidate.group].isElementwise() ? elementwise : anchored).push_back(candidate.group);
    llvm::sort(anchored, [&](unsigned a, unsigned b) { return groups[a].place > groups[b].place; });
    SmallVector<unsigned> chosen;
    for (unsigned id : ArrayRef(anchored).take_front(MaxAnchorsTried))
      if (chosen.empty())
        chosen = extend({id}, companionsOf(id, anchored, elementwise, references), reads);
    if (chosen.empty() && !elementwise.empty()) {
      auto latest = llvm::max_element(
          elementwise, [&](unsigned a, unsigned b) { return groups[a].place < groups[b].place; });
      std::swap(*latest, elementwise.front());
      chosen = extend({elementwise.front()}, ArrayRef(elementwise).drop_front(), reads);
    }
    refuseOthers(chosen, candidates, refusals);
    return chosen;
  }

  /// Groups that may merge with the anchored group `id` when an op reads both.
  SmallVector<unsigned> companionsOf(unsigned id, ArrayRef<unsigned> anchored,
                                     ArrayRef<unsigned> elementwise,
                                     ArrayRef<Reference> references) {
    SmallVector<unsigned> companions;
    bool isReduction = groups[id].kind == nn::FusionRole::Reduction;
    for (unsigned other : anchored)
      if (other != id && isReduction && haveSameRows(groups[id], groups[other]))
        companions.push_back(other);
    for (unsigned other : elementwise)
      if (isReduction || groups[other].openUses == countUses(other, references))
        companions.push_back(other);
    return companions;
  }

  static bool haveSameRows(const Group &a, const Group &b) {
    return b.kind == nn::FusionRole::Reduction && a.reduced == b.reduced &&
           a.space.size() == b.space.size() &&
           llvm::all_of(llvm::zip(a.space, b.space),
                        [](auto sizes) { return std::apply(nn::areEqual, sizes); });
  }

  static int64_t countUses(unsigned id, ArrayRef<Reference> references) {
    return llvm::count_if(references,
                          [&](const Reference &r) { return r.group == id && r.isOnlyPath; });
  }

  /// `parts` with all companions that fit, or with none of them, or nothing.
  SmallVector<unsigned> extend(SmallVector<unsigned> parts, ArrayRef<unsigned> companions,
                               ArrayRef<unsigned> reads) {
    SmallVector<unsigned> all(parts);
    size_t ops = groups[parts.front()].ops.size();
    for (unsigned companion : companions) {
      if (ops + groups[companion].ops.size() >= MaxGroupOps)
        continue;
      ops += groups[companion].ops.size();
      all.push_back(companion);
    }
    if (groups.findPlace(all, reads, now))
      return all;
    if (groups.findPlace(parts, reads, now))
      return parts;
    return {};
  }

  void refuseOthers(ArrayRef<unsigned> chosen, ArrayRef<Candidate> candidates,
                    SmallVectorImpl<Refusal> &refusals) {
    for (const Candidate &candidate : candidates) {
      if (llvm::is_contained(chosen, candidate.group))
        continue;
      bool isSecondAnchor = !chosen.empty() && !groups[chosen.front()].isElementwise() &&
                            !groups[candidate.group].isElementwise();
      refusals.push_back({candidate.group, isSecondAnchor
                                               ? "a kernel has one anchor"
                                               : "other kernels read it before they end"});
    }
  }

  /// Merges `parts`; `map` is that of an op which has the shape of every elementwise part.
  unsigned mergeParts(ArrayRef<unsigned> parts, const AxisMap &map,
                      ArrayRef<Reference> references) {
    SmallVector<unsigned> reads;
    for (const Reference &reference : references)
      reads.push_back(reference.group);
    int64_t place = *groups.findPlace(parts, reads, now);
    if (groups[parts.front()].kind == nn::FusionRole::Reduction)
      for (unsigned part : parts.drop_front())
        if (groups[part].isElementwise())
          for (Operation *member : groups[part].visible)
            compose(*members[member].map, map);
    return groups.merge(parts, place);
  }

  static void compose(AxisMap &map, const AxisMap &outer) {
    for (int64_t &axis : map)
      axis = axis < 0 ? -1 : outer[axis];
  }

  unsigned createGroup(Operation *op, nn::FusionRole kind) {
    unsigned id = groups.create(kind, now);
    groups[id].anchor = op;
    groups[id].space = getResultDims(op);
    return id;
  }

  /// Makes `op` a member of the group and accounts for what it reads.
  void join(Operation *op, unsigned id, std::optional<AxisMap> map, ArrayRef<Reference> references,
            ArrayRef<Refusal> refusals) {
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

  //===- Computing again
  //--------------------------------------------------------------------------===//

  /// Has the group `id` compute the cheap ops behind `reference` itself, if that saves a transfer:
  /// they are few, read at most one tensor that is no wider, and need not be in memory anyway.
  bool recompute(const Reference &reference, unsigned id) {
    bool readsMemory =
        groups[id].closed || (groups[id].kind != nn::FusionRole::Reduction &&
                              !groups[id].isElementwise() && groups[id].ops.size() == 1);
    if (readsMemory || mustLieInMemory(reference.leaf))
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
    return true;
  }

  /// Accounts for an operand of a recomputed op: either it is recomputed too, or a view of numbers
  /// or of something small, or it is the one tensor that is read.
  bool addSource(Value operand, const Reference &reference, Value &tensor,
                 SmallVectorImpl<Operation *> &pending) {
    Operation *op = operand.getDefiningOp();
    if (isMember(op) && groups.find(members[op].group) == groups.find(reference.group)) {
      pending.push_back(op);
      return true;
    }
    std::optional<Reference> behind = referenceOf(operand);
    if (behind && groups.find(behind->group) == groups.find(reference.group))
      return false; // a view of a value of the group
    bool isNumber = op && !isMember(op) && !isa<nn::GetOp>(op) && !behind && readsNothing(op);
    if (isNumber || operand == tensor)
      return true;
    auto width = [](Value value) {
      return cast<RankedTensorType>(value.getType()).getElementTypeBitWidth();
    };
    if (tensor || width(operand) > width(reference.leaf->getResult(0)))
      return false;
    tensor = operand;
    return true;
  }

  /// Whether a view or source leads to numbers only.
  bool readsNothing(Operation *op) {
    while (op && !isa<nn::GetOp>(op) && op->getNumOperands() > 0)
      op = op->getOperand(0).getDefiningOp();
    return op && !isa<nn::GetOp>(op);
  }

  void addSourcesAsProducers(Operation *op, unsigned from, unsigned id) {
    for (Value operand : op->getOperands())
      if (std::optional<Reference> behind = referenceOf(operand))
        if (groups.find(behind->group) != groups.find(from))
          groups.addConsumer(behind->group, id);
  }

  //===- The plan
  //---------------------------------------------------------------------------------===//

  FusionPlan finish() {
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

  void addStep(unsigned id) {
    Group &group = groups[id];
    auto kind = PlannedStep::Kind::Kernel;
    if (group.kind == nn::FusionRole::View)
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

  struct Member {
    unsigned group;
    std::optional<AxisMap> map;
  };

  Block &block;
  Target target;
  int64_t now = 0;
  FusionGroups groups;
  FusionPlan plan;
  DenseMap<Operation *, Member> members;
  DenseMap<Operation *, int64_t> order;
  DenseMap<Operation *, unsigned> viewDepth;
  DenseMap<Operation *, unsigned> planned; ///< what libraries absorb, to their group
};

} // namespace

FailureOr<FusionPlan> planFusion(func::FuncOp function, Target target) {
  return Planner(function, target).run();
}

} // namespace nnc
