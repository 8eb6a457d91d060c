//===- LoopMemory.cpp - Which buffers of a loop may lie in the same memory --------------------===//
#include "codegen/cuda/LoopMemory.h"

#include "runtime/format/Plan.h"

#include <algorithm>
#include <limits>

namespace nnc::codegen {

LoopMemory::LoopMemory(const format::EntryT &entry) : entry(entry) {
  for (const auto &dim : entry.dims)
    greatest.push_back(dim->max);
}

void LoopMemory::add(const format::LoopT &loop) {
  for (const auto &stacked : loop.stacked) {
    movedTo[stacked->slot].push_back(stacked->result);
    slots.insert(stacked->slot);
  }
  for (const auto &value : loop.carried) {
    carried[value->argument] = value.get();
    std::vector<uint32_t> places{value->init, value->next};
    if (value->spare >= 0)
      places.push_back(static_cast<uint32_t>(value->spare));
    for (uint32_t moved : {value->argument, value->result})
      movedTo[moved].insert(movedTo[moved].end(), places.begin(), places.end());
    // The two that take turns.
    if (value->spare >= 0) {
      movedTo[value->next].push_back(places.back());
      movedTo[places.back()].push_back(value->next);
    }
  }
  for (const auto &step : loop.steps)
    if (const format::LoopT *inner = step->what.AsLoop())
      add(*inner);
}

/// All that is not moved itself, and may be what `buffer` points to.
std::set<uint32_t> LoopMemory::basesOf(uint32_t buffer) const {
  std::set<uint32_t> seen, bases;
  std::vector<uint32_t> pending{buffer};
  while (!pending.empty()) {
    uint32_t next = pending.back();
    pending.pop_back();
    if (!seen.insert(next).second)
      continue;
    if (entry.buffers[next]->kind != format::BufferKind::Loop)
      bases.insert(next);
    if (auto places = movedTo.find(next); places != movedTo.end())
      pending.insert(pending.end(), places->second.begin(), places->second.end());
  }
  return bases;
}

/// At the upper bounds of the dimensions, of which sizes are monotone.
uint64_t LoopMemory::bytesOf(uint32_t buffer) const {
  Result<int64_t> bytes = format::evaluate(*entry.exprs[entry.buffers[buffer]->bytes], greatest);
  return bytes ? static_cast<uint64_t>(*bytes) : std::numeric_limits<uint64_t>::max() / 2;
}

/// Whether buffers that are not moved share memory.
bool LoopMemory::overlap(uint32_t one, uint32_t other) const {
  const format::BufferT &a = *entry.buffers[one], &b = *entry.buffers[other];
  if (a.kind != b.kind)
    return false;
  if (a.kind != format::BufferKind::Arena)
    return a.index == b.index;
  return a.offset < b.offset + bytesOf(other) && b.offset < a.offset + bytesOf(one);
}

bool LoopMemory::mayShare(uint32_t written, uint32_t used) const {
  auto anyOverlap = [&](const std::set<uint32_t> &some, const std::set<uint32_t> &others) {
    return std::ranges::any_of(some, [&](uint32_t one) {
      return std::ranges::any_of(others, [&](uint32_t other) { return overlap(one, other); });
    });
  };
  // What the iteration before wrote is another part of the stack, or the one of two that is not
  // its turn; only the first iteration reads something else.
  if (auto known = carried.find(used); known != carried.end() && known->second->next == written &&
                                       (known->second->spare >= 0 || slots.count(written)))
    return anyOverlap(basesOf(written), basesOf(known->second->init));
  return anyOverlap(basesOf(written), basesOf(used));
}

} // namespace nnc::codegen
