//===- GemmTiles.h - Tile shapes of contractions ------------------------------------*- C++ -*-===//
//
// Which tiles the templates of products are used with, and which of them suits a problem.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_GEMMTILES_H
#define NNC_CODEGEN_CUDA_GEMMTILES_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nnc::codegen {

/// Parameters of GemmTile in gemm.cuh.
struct GemmTile {
  unsigned rows, columns, depth;      ///< of a block's tile
  unsigned threadRows, threadColumns; ///< sums of a thread
  unsigned threads() const { return rows / threadRows * (columns / threadColumns); }
  /// What gemm.cuh declares for both operands, in two buffers each.
  unsigned sharedBytes(unsigned element) const {
    return 2 * depth * (rows + 4 + columns + 4) * element;
  }
  std::string text() const; ///< "64, 64, 16, 4, 4"
};

/// What tiles on tiles.cuh have in common.
struct SteppedTile {
  unsigned rows, columns;         ///< of a block's tile
  unsigned warpRows, warpColumns; ///< warps that share them
  unsigned stages;                ///< steps in flight
  unsigned split = 1;             ///< blocks of a cluster that share the depth
  unsigned threads() const { return 32 * warpRows * warpColumns; }
  unsigned sharedBytes() const; ///< SharedBytes in mma.cuh and fma.cuh
  std::string text() const;     ///< "128, 128, 2, 2, 3, 1"
};

/// Parameters of MmaTile in mma.cuh.
struct MmaTile : SteppedTile {
  bool mayGroup = true;   ///< whether groups of warps multiply the operands' type
  bool isGrouped() const; ///< MmaTile::Grouped in mma.cuh, where there are groups
};

/// Parameters of FmaTile in fma.cuh.
struct FmaTile : SteppedTile {
  unsigned sums() const { return rows * columns / threads(); } ///< of a thread
};

/// Parameters of PipelineTile in pipeline.cuh.
struct PipelineTile {
  unsigned rows, columns;                         ///< of a tile
  unsigned groups;                                ///< of four warps
  bool inTurns;                                   ///< whether each group has a tile of its own
  unsigned stages;                                ///< steps in flight
  bool rowsAcross = false, columnsAcross = false; ///< whether operands lie along their sides
  unsigned threads() const { return 128 * (groups + 1); }
  unsigned sharedBytes() const; ///< PipelineTile::SharedBytes in pipeline.cuh
  std::string text() const;     ///< "PipelineTile<128, 128, 2, true, 6>"
};

/// Parameters of DirectTile in direct.cuh.
struct DirectTile {
  unsigned warps, rowTiles, columns, depth;
  unsigned threads() const { return 32 * warps; }
  unsigned blockRows() const { return 16 * rowTiles * warps; }
  unsigned sharedBytes() const { return columns * (depth + 8) * 2; } ///< DirectTile::SharedBytes
  std::string text() const;                                          ///< "DirectTile<8, 2, 32, 32>"
};

/// Parameters of ResidentTile in resident.cuh.
struct ResidentTile {
  unsigned rows, columns, warps, parts;
  unsigned weightBytes(int64_t depth) const;                  ///< of what stays
  unsigned elements() const { return rows * (columns + 16); } ///< of TileOf
  unsigned sumBytes() const;                                  ///< ResidentTile::SumBytes
  std::string text() const;                                   ///< "ResidentTile<32, 64, 8, 4>"
};

/// The tile for a product in a loop, of blocks that all run at once and have `bytes` of shared
/// memory; none if the weights do not fit.
std::optional<ResidentTile> chooseResidentTile(int64_t rows, int64_t columns, int64_t depth,
                                               unsigned parts, unsigned warps, unsigned bytes);

/// Shared memory that one product in a loop may declare: all kernels of the loop share 48 KiB.
constexpr unsigned MostSharedInLoop = 24 << 10;

/// What the sides of a tile must be multiples of.
struct TileSteps {
  unsigned rows = 1, columns = 1;
};

/// All tiles and splits for a product on tensor cores, `bytes` of depth per row of an operand, and
/// all for `batch` other products, that of least estimated time first.
std::vector<MmaTile> rankMmaTiles(int64_t rows, int64_t columns, int64_t bytes, int64_t batch,
                                  bool mayGroup, TileSteps steps = {});
std::vector<FmaTile> rankFmaTiles(int64_t rows, int64_t columns, int64_t depth, int64_t batch,
                                  TileSteps steps = {});
std::vector<GemmTile> rankGemmTiles(int64_t rows, int64_t columns, int64_t batch);

/// The tile of least estimated time for products on tensor cores, `bytes` of depth per row of an
/// operand. With `threads`, for a kernel that is part of a loop: so many threads, little shared
/// memory, no clusters. `mayGroup`: whether the operands' type is one that groups of warps
/// multiply.
MmaTile chooseMmaTile(int64_t rows, int64_t columns, int64_t bytes, int64_t batch, unsigned threads,
                      bool mayGroup, TileSteps steps = {});

/// The tile of least estimated time for a product of 16-bit elements on pipeline.cuh, and `batch`
/// like it, whose left operand has so many `elements` in memory; none if that of chooseMmaTile is
/// faster.
std::optional<PipelineTile> choosePipelineTile(int64_t rows, int64_t columns, int64_t depth,
                                               int64_t elements, int64_t batch = 1);
/// All tiles for it, that of least estimated time first.
std::vector<PipelineTile> rankPipelineTiles(int64_t rows, int64_t columns, int64_t depth,
                                            int64_t elements, int64_t batch = 1);

/// The tile of least estimated time for `batch` products of `rows` x `columns`, of those with so
/// many threads if `threads` is not 0 and there are any.
GemmTile chooseGemmTile(int64_t rows, int64_t columns, int64_t batch, unsigned threads);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_GEMMTILES_H
