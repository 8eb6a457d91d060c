#include "codegen/plan/MemoryPlanner.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <tuple>

namespace nnc::codegen {
namespace {

/// The free part of the arena: holes by place (to join neighbours) and by size (for best fit).
class FreeSpace {
public:
  /// The offset of `bytes` bytes: the smallest hole that holds them, else the arena grows.
  int64_t take(int64_t bytes) {
    auto hole = bySize.lower_bound({bytes, 0});
    if (hole == bySize.end())
      return grow(bytes);
    auto [size, offset] = *hole;
    remove(offset, size);
    if (size > bytes)
      insert(offset + bytes, size - bytes);
    return offset;
  }

  void give(int64_t offset, int64_t bytes) {
    auto next = byOffset.lower_bound(offset);
    if (next != byOffset.begin()) {
      auto previous = std::prev(next);
      if (previous->first + previous->second == offset) {
        offset = previous->first;
        bytes += previous->second;
        remove(previous->first, previous->second);
      }
    }
    if (next != byOffset.end() && offset + bytes == next->first) {
      bytes += next->second;
      remove(next->first, next->second);
    }
    insert(offset, bytes);
  }

  int64_t end() const { return arenaEnd; }

private:
  /// Extends the last hole if it touches the end, so that growing wastes nothing.
  int64_t grow(int64_t bytes) {
    int64_t offset = arenaEnd;
    if (!byOffset.empty()) {
      auto last = std::prev(byOffset.end());
      if (last->first + last->second == arenaEnd) {
        offset = last->first;
        remove(last->first, last->second);
      }
    }
    arenaEnd = offset + bytes;
    return offset;
  }

  void insert(int64_t offset, int64_t size) {
    byOffset.emplace(offset, size);
    bySize.emplace(size, offset);
  }
  void remove(int64_t offset, int64_t size) {
    byOffset.erase(offset);
    bySize.erase({size, offset});
  }

  std::map<int64_t, int64_t> byOffset;
  std::set<std::pair<int64_t, int64_t>> bySize;
  int64_t arenaEnd = 0;
};

} // namespace

MemoryPlan planMemory(std::span<const Lifetime> buffers, int64_t alignment) {
  auto aligned = [&](int64_t bytes) {
    return (std::max<int64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  };
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), 0);
  // Of buffers that start together the largest is placed first: it is the hardest to place.
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tuple(buffers[a].first, -buffers[a].bytes, a) <
           std::tuple(buffers[b].first, -buffers[b].bytes, b);
  });

  using Ending = std::pair<int64_t, size_t>; // last step, buffer
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> live;
  FreeSpace space;
  MemoryPlan plan;
  plan.offsets.resize(buffers.size());
  for (size_t index : order) {
    while (!live.empty() && live.top().first < buffers[index].first) {
      size_t ended = live.top().second;
      live.pop();
      space.give(plan.offsets[ended], aligned(buffers[ended].bytes));
    }
    plan.offsets[index] = space.take(aligned(buffers[index].bytes));
    live.emplace(buffers[index].last, index);
  }
  plan.arenaBytes = space.end();
  return plan;
}

} // namespace nnc::codegen
