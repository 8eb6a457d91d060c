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
  std::string text() const; ///< "64, 64, 16, 4, 4"
};

/// Parameters of MmaTile in mma.cuh.
struct MmaTile {
  unsigned rows, columns;         ///< of a block's tile
  unsigned warpRows, warpColumns; ///< warps that share them
  unsigned stages;                ///< steps in flight
  unsigned threads() const { return 32 * warpRows * warpColumns; }
  std::string text() const; ///< "128, 128, 2, 4, 3"
};

/// The tile of least estimated time on tensor cores.
MmaTile chooseMmaTile(int64_t rows, int64_t columns, int64_t batch);

/// The tile of least estimated time for `batch` products of `rows` x `columns`.
GemmTile chooseGemmTile(int64_t rows, int64_t columns, int64_t batch);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_GEMMTILES_H
