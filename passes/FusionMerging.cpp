//===- FusionMerging.cpp - Which groups an elementwise op joins -------------------------------===//
//
// The groups of its operands are asked one by one; those that agree and can run at one place merge.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/FusionPlanner.h"

using namespace mlir;

namespace nnc {
namespace {

constexpr unsigned MaxAnchorsTried = 3; ///< of the groups with anchors among the operands

constexpr StringRef WaitsForSums = "its sums are known when all blocks are done";
constexpr StringRef WaitsForReader = "other kernels read it before they end";

bool haveSameRows(const Group &a, const Group &b) {
  return b.kind == nn::FusionRole::Reduction && a.reduced == b.reduced &&
         a.space.size() == b.space.size() &&
         llvm::all_of(llvm::zip(a.space, b.space),
                      [](auto sizes) { return std::apply(nn::areEqual, sizes); });
}

/// Why a group that an op reads is not merged with the group that the op joins.
StringRef whyApart(const Group &joined, const Group &other) {
  if (joined.isElementwise() || other.isElementwise() || haveSameRows(joined, other))
    return WaitsForReader;
  bool areReductions = joined.kind == other.kind && joined.kind == nn::FusionRole::Reduction;
  return areReductions ? "its rows are others" : "a kernel has one anchor";
}

int64_t countUses(unsigned id, ArrayRef<Reference> references) {
  return llvm::count_if(references,
                        [&](const Reference &r) { return r.group == id && r.isOnlyPath; });
}

void compose(AxisMap &map, const AxisMap &outer) {
  for (int64_t &axis : map)
    axis = axis < 0 ? -1 : outer[axis];
}

} // namespace

bool FusionPlanner::isSpreadOut(const Group &group) const {
  return target == Target::Cuda && group.kind == nn::FusionRole::Reduction &&
         !isa<nn::ScanOp>(block.getParentOp()) && isSharedOut(group.space, group.reduced);
}

bool FusionPlanner::waitForSums(unsigned a, unsigned b) {
  auto waits = [&](unsigned reader, unsigned sums) {
    return isSpreadOut(groups[sums]) && groups.mayRead(reader, sums) &&
           (!groups[reader].isElementwise() ||
            typicalCount(groups[reader].space) == typicalCount(groups[sums].space));
  };
  return waits(a, b) || waits(b, a);
}

std::optional<unsigned> FusionPlanner::findSibling(Value value, ArrayRef<int64_t> axes,
                                                   ArrayRef<Reference> references) {
  constexpr int64_t MostReaders = 16;
  SmallVector<unsigned> reads;
  for (const Reference &reference : references)
    reads.push_back(reference.group);
  SmallVector<AffineExpr> dims = nn::getDims(cast<RankedTensorType>(value.getType()));
  if (std::distance(value.use_begin(), value.use_end()) > MostReaders)
    return std::nullopt;
  for (Operation *user : value.getUsers()) {
    if (!isMember(user))
      continue;
    const Member &member = members[user];
    unsigned id = groups.find(member.group);
    Group &group = groups[id];
    bool isSum = cast<nn::FusionInterface>(user).getFusionRole() == nn::FusionRole::Reduction;
    bool runsAlong = isSum ? axes == ArrayRef<int64_t>(getReducedAxes(user))
                           : member.map && isFull(*member.map, group);
    bool isSibling = group.kind == nn::FusionRole::Reduction && group.reduced == axes &&
                     llvm::equal(group.space, dims, nn::areEqual) && runsAlong && !group.closed &&
                     group.ops.size() < MaxGroupOps;
    bool waits = llvm::any_of(references, [&](const Reference &reference) {
      return reference.group == id && repeatsSums(reference);
    });
    if (isSibling && !waits && groups.findPlace({id}, reads, now))
      return id;
  }
  return std::nullopt;
}

std::optional<SmallVector<unsigned>> FusionPlanner::findSums(Operation *op,
                                                             ArrayRef<Reference> references) {
  auto isSum = [](Operation *user) {
    auto fusable = dyn_cast<nn::FusionInterface>(user);
    return fusable && fusable.getFusionRole() == nn::FusionRole::Reduction;
  };
  auto endsProduct = [&](const Reference &reference) {
    Group &group = groups[reference.group];
    // What nobody else reads would be stored instead of what `op` makes of it, not beside it.
    return !group.closed && !group.isElementwise() && group.kind != nn::FusionRole::Reduction &&
           !reference.leaf->hasOneUse();
  };
  bool isForSums = target == Target::Cuda && op->getNumOperands() > 1 && !op->use_empty() &&
                   llvm::all_of(op->getUsers(), isSum) && llvm::any_of(references, endsProduct);
  if (!isForSums)
    return std::nullopt;
  SmallVector<int64_t> axes = getReducedAxes(*op->user_begin());
  for (Value operand : op->getOperands())
    if (std::optional<unsigned> sibling = findSibling(operand, axes, references))
      return SmallVector<unsigned>{*sibling};
  return SmallVector<unsigned>();
}

bool FusionPlanner::repeatsSums(const Reference &reference) {
  Group &group = groups[reference.group];
  const std::optional<AxisMap> &own = members[reference.leaf].map;
  return isSpreadOut(group) && own && reference.map && !isFull(*own, group) &&
         isFull(*reference.map, group);
}

StringRef FusionPlanner::whyNot(Operation *op, const Reference &reference) {
  Group &group = groups[reference.group];
  bool isUpdate = stateUpdates.contains(op);
  if (isUpdate && !group.isElementwise())
    return "what states become is written over what they were";
  // The cpu computes each result of a kernel by itself, when others may be overwritten already.
  auto isSet = [](Operation *user) { return isa<nn::SetOp>(user); };
  if (isUpdate && target == Target::Cpu && llvm::any_of(reference.leaf->getUsers(), isSet))
    return "it is a state, which is updated by itself";
  if (totals.contains(op) && group.kind == nn::FusionRole::Reduction)
    return "reductions that are added up run side by side";
  if (group.closed)
    return "nothing can follow it in one kernel";
  if (group.ops.size() >= MaxGroupOps)
    return "the kernel is full";
  if (!reference.map)
    return "it is read in another order than it is computed";
  if (repeatsSums(reference))
    return WaitsForSums;
  if (isFull(*reference.map, group))
    return {};
  if (group.kind != nn::FusionRole::Reduction || !isPerRow(*reference.map, group))
    return "it is read in another order than it is computed";
  return {};
}

SmallVector<Candidate> FusionPlanner::candidatesOf(Operation *op, ArrayRef<Reference> references,
                                                   SmallVectorImpl<Refusal> &refusals) {
  SmallVector<Candidate> candidates;
  for (const Reference &reference : references) {
    unsigned id = reference.group;
    if (groups[id].kind == nn::FusionRole::View)
      continue; // an alias; the refusal, if any, is of what it renames
    if (StringRef reason = whyNot(op, reference); !reason.empty()) {
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

SmallVector<unsigned> FusionPlanner::chooseParts(ArrayRef<Reference> references,
                                                 ArrayRef<Candidate> candidates,
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

SmallVector<unsigned> FusionPlanner::companionsOf(unsigned id, ArrayRef<unsigned> anchored,
                                                  ArrayRef<unsigned> elementwise,
                                                  ArrayRef<Reference> references) {
  SmallVector<unsigned> companions;
  bool isReduction = groups[id].kind == nn::FusionRole::Reduction;
  auto areOwn = [&](unsigned group) {
    return groups[group].openUses == countUses(group, references);
  };
  for (unsigned other : anchored)
    if (other != id &&
        ((isReduction && haveSameRows(groups[id], groups[other]) && !waitForSums(id, other)) ||
         (areGated(id, other) && areOwn(id) && areOwn(other))))
      companions.push_back(other);
  for (unsigned other : elementwise)
    if (!waitForSums(id, other) && (isReduction || areOwn(other)))
      companions.push_back(other);
  return companions;
}

SmallVector<unsigned> FusionPlanner::extend(SmallVector<unsigned> parts,
                                            ArrayRef<unsigned> companions,
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

void FusionPlanner::refuseOthers(ArrayRef<unsigned> chosen, ArrayRef<Candidate> candidates,
                                 SmallVectorImpl<Refusal> &refusals) {
  for (const Candidate &candidate : candidates) {
    if (llvm::is_contained(chosen, candidate.group))
      continue;
    refusals.push_back({candidate.group, chosen.empty() ? WaitsForReader
                                                        : whyApart(groups[chosen.front()],
                                                                   groups[candidate.group])});
  }
}

unsigned FusionPlanner::mergeParts(ArrayRef<unsigned> parts, const AxisMap &map,
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

} // namespace nnc
