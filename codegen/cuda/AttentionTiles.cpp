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

/// AttentionGroupTile: groups of 64 rows, keys of a step.
struct GroupTile {
  int64_t headSize, groups, keys;
  bool overlaps;
  static constexpr int64_t Stages = 2;

  std::string text() const {
    return fmt::format("AttentionGroupTile<{}, {}, {}, {}, {}>", headSize, groups, keys, Stages,
                       overlaps);
  }
  unsigned threads() const { return static_cast<unsigned>(groups * 128 + 128); }
  unsigned sharedBytes() const {
    int64_t rowBytes = (headSize + 63) / 64 * 128;
    return static_cast<unsigned>((groups * 64 + 2 * Stages * keys) * rowBytes + Stages * 32);
  }
};

/// By times on an H200 (bench/README.md). Registers hold the scores of 128 keys beside sums of 128
/// places. With small heads there is room for more groups, which wait for memory less often: three
/// where there are many rows, four small ones where that makes a head one tile.
GroupTile chooseGroupTile(const AttentionProblem &problem) {
  constexpr int64_t Multiprocessors = 132, ManyRows = 1024;
  int64_t d = problem.headSize;
  if (d > 128)
    return {d, 2, 64, true};
  auto fills = [&](int64_t rows) {
    return d <= 64 && problem.heads * ((problem.rows + rows - 1) / rows) >= Multiprocessors;
  };
  if (fills(256) && problem.rows > 128 && problem.rows <= 256)
    return {d, 4, 80, false};
  if (fills(192) && problem.rows >= ManyRows && !problem.isCausal)
    return {d, 3, 128, true};
  return {d, 2, 128, true};
}

/// Of attention_grad.cuh: f32. Rows of one kind twice, those of the other twice, and p and e.
AttentionTile simtGradTile(const AttentionProblem &problem) {
  int64_t d = problem.headSize, rows = d <= 64 ? 64 : 32, keys = 32, stride = (d + 3) / 4 * 4 + 4;
  constexpr unsigned Threads = 256;
  return {fmt::format("attentionGrad<AttentionTile<{}, {}, {}, {}, {}>, ", d, rows, keys,
                      problem.lanes, Threads),
          {"attention_grad.cuh"},
          rows,
          Threads,
          static_cast<unsigned>(8 * ((rows + keys) * stride + rows * (keys + 4)))};
}

/// AttentionGradMmaTile. Two sums of 128 places leave registers for 32 scores of a row.
struct MmaGradTile {
  int64_t headSize, rows, keys, lanes;
  MmaGradTile(const AttentionProblem &problem, int64_t rows)
      : headSize(problem.headSize), rows(rows), keys(headSize <= 64 ? 64 : 32),
        lanes(problem.lanes) {}
  std::string text() const {
    return fmt::format("AttentionGradMmaTile<{}, {}, {}, {}>", headSize, rows, keys, lanes);
  }
  unsigned threads() const { return static_cast<unsigned>(rows * 2); }
  unsigned sharedBytes() const {
    constexpr int64_t Stages = 2;
    int64_t rowBytes = ((headSize + 15) / 16 * 2 + 1) * 16;
    return static_cast<unsigned>((2 * rows + 2 * Stages * keys) * rowBytes + Stages * 2 * keys * 4);
  }
};

/// AttentionGradGroupTile. By times on an H100 (bench/README.md): of small heads two blocks share a
/// multiprocessor, so that one works while the other begins or ends.
struct GroupGradTile {
  int64_t headSize, groups, stages, blocks;
  static constexpr int64_t Keys = 64;

  explicit GroupGradTile(int64_t headSize)
      : headSize(headSize), groups(headSize <= 64 ? 1 : 2), stages(headSize <= 64 ? 4 : 3),
        blocks(headSize <= 64 ? 2 : 1) {}
  std::string text() const {
    return fmt::format("AttentionGradGroupTile<{}, {}, {}, {}, {}>", headSize, groups, Keys, stages,
                       blocks);
  }
  unsigned threads() const { return static_cast<unsigned>(groups * 128 + 128); }
  unsigned sharedBytes() const {
    int64_t rowBytes = (headSize + 63) / 64 * 128;
    return static_cast<unsigned>(2 * (groups * 64 + stages * Keys) * rowBytes +
                                 stages * (2 * Keys * 4 + 16));
  }
};

AttentionTile narrowGradTile(const AttentionProblem &problem) {
  if (problem.lanes < 8) {
    MmaGradTile tile(problem, 64);
    return {fmt::format("attentionGradMma<{}, ", tile.text()),
            {"attention_grad.cuh", "tensorcore.cuh", "attention_mma.cuh", "attention_grad_mma.cuh"},
            tile.rows,
            tile.threads(),
            tile.sharedBytes()};
  }
  GroupGradTile tile(problem.headSize);
  MmaGradTile elsewhere(problem, tile.groups * 64);
  return {fmt::format("attentionGradOnTensorCores<{}, {}, ", tile.text(), elsewhere.text()),
          {"attention_grad.cuh", "tensorcore.cuh", "arrivals.cuh", "groups.cuh",
           "attention_mma.cuh", "attention_grad_mma.cuh", "attention_memory.cuh",
           "attention_groups.cuh", "attention_grad_groups.cuh"},
          elsewhere.rows,
          tile.threads(),
          tile.sharedBytes(),
          static_cast<unsigned>(tile.blocks),
          elsewhere.sharedBytes()};
}

} // namespace

std::string AttentionTile::tactic() const {
  size_t begin = function.find('<') + 1;
  return function.substr(begin, function.rfind('>') + 1 - begin);
}

AttentionTile chooseAttentionGradTile(const AttentionProblem &problem) {
  return problem.isNarrow ? narrowGradTile(problem) : simtGradTile(problem);
}

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
  return {fmt::format("attentionOnTensorCores<{}, {}, ", tile.text(), elsewhere.text()),
          {"tensorcore.cuh", "arrivals.cuh", "groups.cuh", "attention_mma.cuh",
           "attention_memory.cuh", "attention_groups.cuh"},
          elsewhere.rows,
          tile.threads(),
          std::max(tile.sharedBytes(), elsewhere.sharedBytes()),
          /*together=*/1};
}

} // namespace nnc::codegen
