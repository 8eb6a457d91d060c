//===- GemmTiles.cpp - Tile shapes of contractions --------------------------------------------===//
//
// The estimate: a multiprocessor does 128 multiply-adds per clock if it has enough to do, a single
// thread about one in two clocks; reading a thread's operands from shared memory costs more the
// fewer sums it keeps; what lies outside of the matrix is computed for nothing.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/GemmTiles.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace nnc::codegen {

namespace {

constexpr GemmTile Tiles[] = {
    {128, 128, 8, 8, 8}, {64, 128, 8, 8, 4}, {64, 64, 16, 4, 4}, {32, 64, 8, 4, 4},
    {32, 32, 16, 2, 4},  {16, 128, 8, 4, 4}, {16, 64, 8, 4, 4},  {16, 32, 16, 2, 4},
    {8, 64, 8, 2, 4},    {128, 16, 8, 4, 4}, {64, 16, 8, 4, 4},  {16, 16, 16, 1, 2},
};

constexpr double Multiprocessors = 132, MultiplyAdds = 128, ClocksPerThread = 2;

constexpr MmaTile MmaTiles[] = {
    {128, 128, 2, 4, 3}, {64, 128, 2, 4, 3}, {128, 64, 4, 2, 3}, {64, 64, 2, 2, 4},
    {32, 64, 2, 2, 4},   {64, 32, 2, 2, 4},  {32, 32, 2, 1, 4},  {16, 64, 1, 2, 4},
};

/// Clocks of one step of the depth: the arithmetic of all blocks of a multiprocessor, or what a
/// step waits for however little it does.
constexpr double ProductsPerClock = 1024, ClocksPerStep = 200, StepDepth = 32;

double blocksOf(unsigned tileRows, unsigned tileColumns, double rows, double columns,
                double batch) {
  auto tiles = [](double size, unsigned step) { return std::ceil(size / step); };
  return tiles(rows, tileRows) * tiles(columns, tileColumns) * batch;
}

double estimate(const MmaTile &tile, double rows, double columns, double batch) {
  double blocks = blocksOf(tile.rows, tile.columns, rows, columns, batch);
  double products = tile.rows * tile.columns * StepDepth / ProductsPerClock;
  double operands = 1 + 16.0 / tile.rows + 16.0 / tile.columns;
  double waves = std::ceil(blocks / Multiprocessors);
  return std::max(waves * products, ClocksPerStep + products) * operands;
}

double estimate(const GemmTile &tile, double rows, double columns, double batch) {
  double blocks = blocksOf(tile.rows, tile.columns, rows, columns, batch);
  double throughput = blocks * tile.rows * tile.columns / (Multiprocessors * MultiplyAdds);
  double latency = tile.threadRows * tile.threadColumns * ClocksPerThread;
  double operands = 1 + 1.0 / tile.threadRows + 1.0 / tile.threadColumns;
  return std::max(throughput, latency) * operands;
}

} // namespace

/// The first of `tiles` that no other beats.
template <class Tile, size_t N>
static Tile cheapest(const Tile (&tiles)[N], int64_t rows, int64_t columns, int64_t batch,
                     unsigned threads) {
  Tile best = tiles[0];
  double least = std::numeric_limits<double>::max();
  for (const Tile &tile : tiles) {
    double time = estimate(tile, static_cast<double>(rows), static_cast<double>(columns),
                           static_cast<double>(batch));
    if (threads != 0 && tile.threads() != threads)
      continue;
    if (time < least) {
      least = time;
      best = tile;
    }
  }
  return best;
}

std::string GemmTile::text() const {
  return fmt::format("{}, {}, {}, {}, {}", rows, columns, depth, threadRows, threadColumns);
}

std::string MmaTile::text() const {
  return fmt::format("{}, {}, {}, {}, {}", rows, columns, warpRows, warpColumns, stages);
}

GemmTile chooseGemmTile(int64_t rows, int64_t columns, int64_t batch, unsigned threads) {
  return cheapest(Tiles, rows, columns, batch, threads);
}

MmaTile chooseMmaTile(int64_t rows, int64_t columns, int64_t batch, unsigned threads) {
  return cheapest(MmaTiles, rows, columns, batch, threads);
}

} // namespace nnc::codegen
