//===- GemmTiles.h - Tile shapes of contractions ------------------------------------*- C++ -*-===//
//
// Which tiles the template gemm.cuh is used with, and which of them suits a problem.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_GEMMTILES_H
#define NNC_CODEGEN_CUDA_GEMMTILES_H

#include <cstdint>
#include <string>

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

/// Parameters of MmaTile in mma.cuh.
struct MmaTile {
  unsigned rows, columns;         ///< of a block's tile
  unsigned warpRows, warpColumns; ///< warps that share them
  unsigned stages;                ///< steps in flight
  unsigned threads() const { return 32 * warpRows * warpColumns; }
  unsigned sharedBytes() const { return stages * (rows + columns) * 64; } ///< of mma.cuh
  std::string text() const;                                               ///< "128, 128, 2, 4, 3"
};

/// The tile of least estimated time on tensor cores. `threads` as below.
MmaTile chooseMmaTile(int64_t rows, int64_t columns, int64_t batch, unsigned threads);

/// The tile of least estimated time for `batch` products of `rows` x `columns`, of those with so
/// many threads if `threads` is not 0 and there are any.
GemmTile chooseGemmTile(int64_t rows, int64_t columns, int64_t batch, unsigned threads);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_GEMMTILES_H
