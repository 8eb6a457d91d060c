#include "codegen/cuda/AttentionTiles.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::codegen {
namespace {

/// AttentionTile of attention.cuh: f32.
AttentionTile simtTile(const AttentionProblem &problem) {
  int64_t d = problem.headSize, rows = d <= 128 ? 64 : 32;
  int64_t keys = d <= 64 ? 64 : d <= 128 ? 32 : 16, stride = (d + 3) / 4 * 4 + 4;
  constexpr unsigned Threads = 256;
  return {fmt::format("attention<AttentionTile<{}, {}, {}, {}, {}>, ", d, rows, keys, problem.lanes,
                      Threads),
          {},
          rows,
          Threads,
          static_cast<unsigned>(4 * ((rows + 2 * keys) * stride + rows * (keys + 4)))};
}

/// AttentionMmaTile. Sizes keep a block's shared memory below 100 KiB, which every GPU from sm_80
/// on has, and a thread's sums in registers.
struct MmaTile {
  int64_t headSize, rows, keys, lanes;
  MmaTile(const AttentionProblem &problem, int64_t rows)
      : headSize(problem.headSize), rows(rows), keys(headSize <= 128 ? 64 : 32),
        lanes(problem.lanes) {}
  std::string text() const {
    return fmt::format("AttentionMmaTile<{}, {}, {}, {}>", headSize, rows, keys, lanes);
  }
  unsigned sharedBytes() const {
    int64_t chunks = (headSize + 15) / 16 * 2;
    return static_cast<unsigned>((rows + 2 * keys) * (chunks + 1) * 16);
  }
};

/// AttentionGroupTile: groups of 64 rows, keys of a step, blocks of a multiprocessor.
struct GroupTile {
  int64_t headSize, groups, keys, blocks;
  bool overlaps;
  static constexpr int64_t Stages = 2, Bringers = 4;

  std::string text() const {
    return fmt::format("AttentionGroupTile<{}, {}, {}, {}, {}, {}, {}>", headSize, groups, keys,
                       Stages, Bringers, blocks, overlaps);
  }
  unsigned threads() const { return static_cast<unsigned>(groups * 128 + Bringers * 32); }
  unsigned sharedBytes() const {
    int64_t rowBytes = (headSize + 63) / 64 * 128;
    return static_cast<unsigned>((groups * 64 + 2 * Stages * keys) * rowBytes + Stages * 32);
  }
};

/// By times on an H200 (bench/README.md). Small heads leave registers for a second block, whose
/// products run beside the weights of the first; where there is less than a block for each
/// multiprocessor, steps are larger and each group overlaps both by itself.
GroupTile chooseGroupTile(const AttentionProblem &problem) {
  constexpr int64_t Multiprocessors = 132, Rows = 128;
  int64_t blocks = problem.heads * ((problem.rows + Rows - 1) / Rows);
  if (problem.headSize > 128)
    return {problem.headSize, 2, 64, 1, true};
  if (problem.headSize > 64 || blocks < Multiprocessors)
    return {problem.headSize, 2, 128, 1, true};
  return {problem.headSize, 2, problem.keys <= 128 ? 64 : 80, 2, false};
}

} // namespace

AttentionTile chooseAttentionTile(const AttentionProblem &problem) {
  if (!problem.isNarrow)
    return simtTile(problem);
  if (problem.lanes < 8) {
    MmaTile tile(problem, 64);
    return {fmt::format("attentionMma<{}, ", tile.text()),
            {"tensorcore.cuh", "attention_mma.cuh"},
            tile.rows,
            static_cast<unsigned>(tile.rows * 2),
            tile.sharedBytes()};
  }
  GroupTile tile = chooseGroupTile(problem);
  MmaTile elsewhere(problem, tile.groups * 64);
  return {
      fmt::format("attentionOnTensorCores<{}, {}, ", tile.text(), elsewhere.text()),
      {"tensorcore.cuh", "arrivals.cuh", "groups.cuh", "attention_mma.cuh", "attention_groups.cuh"},
      elsewhere.rows,
      tile.threads(),
      std::max(tile.sharedBytes(), elsewhere.sharedBytes()),
      tile.blocks > 1 ? fmt::format(", HasGroups ? {} : 1", tile.blocks) : ", 1"};
}

} // namespace nnc::codegen
