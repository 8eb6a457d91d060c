//===- GemmTiles.cpp - Tile shapes of contractions --------------------------------------------===//
//
// The estimate: a multiprocessor does 128 multiply-adds per clock if it has enough to do, a single
// thread about one in two clocks; reading a thread's operands from shared memory costs more the
// fewer sums it keeps; what lies outside of the matrix is computed for nothing.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/GemmTiles.h"

#include <algorithm>
#include <limits>

namespace nnc::codegen {

namespace {

constexpr GemmTile Tiles[] = {
    {128, 128, 8, 8, 8}, {64, 128, 8, 8, 4}, {64, 64, 16, 4, 4}, {32, 64, 8, 4, 4},
    {32, 32, 16, 2, 4},  {16, 128, 8, 4, 4}, {16, 64, 8, 4, 4},  {16, 32, 16, 2, 4},
    {8, 64, 8, 2, 4},    {128, 16, 8, 4, 4}, {64, 16, 8, 4, 4},  {16, 16, 16, 1, 2},
};

constexpr double Multiprocessors = 132, MultiplyAdds = 128, ClocksPerThread = 2;

double estimate(const GemmTile &tile, double rows, double columns, double batch) {
  auto tiles = [](double size, unsigned step) {
    return static_cast<double>((static_cast<int64_t>(size) + step - 1) / step);
  };
  double blocks = tiles(rows, tile.rows) * tiles(columns, tile.columns) * batch;
  double throughput = blocks * tile.rows * tile.columns / (Multiprocessors * MultiplyAdds);
  double latency = tile.threadRows * tile.threadColumns * ClocksPerThread;
  double operands = 1 + 1.0 / tile.threadRows + 1.0 / tile.threadColumns;
  return std::max(throughput, latency) * operands;
}

} // namespace

std::string GemmTile::text() const {
  std::string result;
  for (unsigned number : {rows, columns, depth, threadRows, threadColumns})
    result += (result.empty() ? "" : ", ") + std::to_string(number);
  return result;
}

GemmTile chooseGemmTile(int64_t rows, int64_t columns, int64_t batch) {
  GemmTile best = Tiles[0];
  double least = std::numeric_limits<double>::max();
  for (const GemmTile &tile : Tiles) {
    double time = estimate(tile, rows, columns, batch);
    if (time < least) {
      least = time;
      best = tile;
    }
  }
  return best;
}

} // namespace nnc::codegen
