// Places buffers with known lifetimes into one arena, so that a model's peak memory is a constant
// of its plan. Deterministic, and n log n in the number of buffers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace nnc::codegen {

/// A buffer that holds a value from step `first` to step `last` (both included).
struct Lifetime {
  int64_t bytes;
  int64_t first;
  int64_t last;
};

struct MemoryPlan {
  std::vector<int64_t> offsets; ///< one per buffer, in bytes, multiples of the alignment
  int64_t arenaBytes = 0;       ///< the size that holds them all
};

/// Best-fit placement in order of first use: a buffer takes the smallest hole that holds it and
/// gives it back after its last use; neighbouring holes join. Two buffers share bytes only if
/// their lifetimes do not meet.
/// \param alignment a power of two, in bytes.
MemoryPlan planMemory(std::span<const Lifetime> buffers, int64_t alignment);

} // namespace nnc::codegen
