//===- FusionGroups.cpp - Groups of ops in an order that never has a cycle --------------------===//
#include "passes/FusionGroups.h"

#include <limits>

using namespace mlir;

namespace nnc {
namespace {

/// Groups with more readers than this are never moved, which keeps every question constant in time.
constexpr size_t MaxConsumers = 16;

constexpr int64_t EndOfLine = std::numeric_limits<int64_t>::max();

/// Appends the smaller list to the larger one.
template <typename List> void mergeLists(List &into, List &from) {
  if (into.size() < from.size())
    std::swap(into, from);
  into.append(from.begin(), from.end());
  from.clear();
}

} // namespace

unsigned FusionGroups::create(nn::FusionRole kind, int64_t place) {
  unsigned id = groups.size();
  groups.emplace_back();
  groups.back().kind = kind;
  groups.back().place = place;
  links.push_back({id, {}});
  return id;
}

unsigned FusionGroups::find(unsigned id) {
  while (links[id].parent != id) {
    links[id].parent = links[links[id].parent].parent;
    id = links[id].parent;
  }
  return id;
}

void FusionGroups::addConsumer(unsigned producer, unsigned consumer) {
  groups[find(consumer)].readsOthers = true;
  Links &link = links[find(producer)];
  if (!link.consumers.empty() && find(link.consumers.back()) == find(consumer))
    return;
  if (link.consumers.size() == MaxConsumers)
    link.manyConsumers = true;
  else
    link.consumers.push_back(consumer);
}

bool FusionGroups::mayRead(unsigned consumer, unsigned producer) {
  const Links &link = links[find(producer)];
  return link.manyConsumers || llvm::any_of(link.consumers, [&](unsigned known) {
           return find(known) == find(consumer);
         });
}

bool FusionGroups::isReadOnlyAfter(unsigned id, ArrayRef<unsigned> parts, int64_t place) {
  const Links &link = links[id];
  return !link.manyConsumers && llvm::all_of(link.consumers, [&](unsigned consumer) {
    consumer = find(consumer);
    return llvm::is_contained(parts, consumer) || groups[consumer].place > place;
  });
}

std::optional<int64_t> FusionGroups::findPlace(ArrayRef<unsigned> parts, ArrayRef<unsigned> reads,
                                               int64_t now) {
  int64_t last = -1;
  for (bool readsOthers : {true, false})
    for (unsigned part : parts)
      if (last < 0 || readsOthers)
        last = groups[part].readsOthers == readsOthers ? std::max(last, groups[part].place) : last;
  auto othersAllow = [&](unsigned part) { return isReadOnlyAfter(part, parts, last); };
  auto isBefore = [&](unsigned read) {
    read = find(read);
    return llvm::is_contained(parts, read) || groups[read].place < last;
  };
  bool atLast = llvm::all_of(reads, isBefore) && llvm::all_of(parts, [&](unsigned part) {
                  return groups[part].place == last || othersAllow(part);
                });
  if (atLast)
    return last;
  if (llvm::all_of(parts, [&](unsigned part) { return isReadOnlyAfter(part, parts, EndOfLine); }))
    return now;
  return std::nullopt;
}

unsigned FusionGroups::merge(ArrayRef<unsigned> parts, int64_t place) {
  unsigned target = parts.front();
  Group &into = groups[target];
  into.place = place;
  for (unsigned part : parts.drop_front()) {
    Group &from = groups[part];
    mergeLists(into.ops, from.ops);
    mergeLists(into.visible, from.visible);
    into.refusals.append(from.refusals);
    into.openUses += from.openUses;
    into.allCheap &= from.allCheap;
    into.readsOthers |= from.readsOthers;
    links[part].parent = target;
    for (unsigned consumer : links[part].consumers)
      addConsumer(target, consumer);
    links[target].manyConsumers |= links[part].manyConsumers;
  }
  return target;
}

} // namespace nnc
