//===- LoopParts.h - What kernels of a loop know of each other ----------------------*- C++ -*-===//
//
// A product whose weights stay in shared memory, and the elementwise kernel behind it: what is
// needed to run both tile by tile, without a barrier of the grid between them.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_LOOPPARTS_H
#define NNC_CODEGEN_CUDA_LOOPPARTS_H

#include <cstdint>
#include <string>
#include <vector>

namespace nnc::codegen {

/// Shared memory of a block in which weights may stay.
constexpr unsigned MostResident = 200 << 10;

/// A product on resident.cuh, in a loop's kernel. Its statements are for two functions, for which
/// `Prepares` is true (weights to shared memory) or false (the product); they call the memory that
/// is theirs `weights` and what all products share `sums`.
struct ResidentProduct {
  std::string tile; ///< "ResidentTile<32, 64, 8, 4>"
  unsigned weightBytes = 0;
  unsigned sumBytes = 0;
  unsigned tileElements = 0; ///< that TileOf has room for
  std::string rows;          ///< M, as text
  int64_t columns = 0;       ///< N
  unsigned parts = 1;
  std::vector<bool> isDense; ///< by result: element (m, n) is at m * N + n
};

/// What a pointwise kernel in a loop's kernel reads for element (row, unit) of its results, which
/// are all of `rows` rows of `units`. Its statements call the number of their thread `threadId`.
struct ElementReads {
  std::string rows;
  int64_t units = 0;
  unsigned width = 1; ///< neighbours of a thread
  /// By argument, if all that is read of it is in its row `row` and `unit` plus multiples of
  /// `units`: how long its rows are; else 0.
  std::vector<int64_t> columns;
};

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_LOOPPARTS_H
