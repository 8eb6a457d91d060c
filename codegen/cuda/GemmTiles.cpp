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
#include <numeric>

namespace nnc::codegen {

namespace {

constexpr GemmTile Tiles[] = {
    {128, 128, 8, 8, 8}, {64, 128, 8, 8, 4}, {64, 64, 16, 4, 4}, {32, 64, 8, 4, 4},
    {32, 32, 16, 2, 4},  {16, 128, 8, 4, 4}, {16, 64, 8, 4, 4},  {16, 32, 16, 2, 4},
    {8, 64, 8, 2, 4},    {128, 16, 8, 4, 4}, {64, 16, 8, 4, 4},  {16, 16, 16, 1, 2},
};

constexpr double Multiprocessors = 132, MultiplyAdds = 128, ClocksPerThread = 2;

constexpr MmaTile MmaTiles[] = {
    {{128, 256, 2, 4, 4}},
    {{256, 128, 4, 2, 3}},
    {{128, 128, 2, 4, 3}},
    {{128, 128, 2, 4, 5}},
    {{128, 128, 2, 2, 2}},
    {{128, 64, 2, 4, 3}},
    {{128, 64, 2, 2, 2}},
    {{256, 32, 4, 1, 2}},
    {{128, 32, 4, 1, 2}},
    {{64, 128, 2, 2, 3}},
    {{64, 128, 2, 2, 4}},
    {{64, 64, 2, 2, 3}},
    {{64, 64, 2, 2, 4}},
    {{32, 64, 1, 4, 4}},
    {{64, 32, 2, 2, 4}},
    {{32, 32, 2, 1, 4}},
    {{16, 64, 1, 2, 4}},
    {{16, 32, 1, 1, 4}},
    // For loops: little shared memory.
    {{64, 32, 2, 2, 2}},
    {{32, 64, 1, 4, 2}},
    {{32, 32, 2, 1, 3}},
    {{32, 64, 2, 4, 2}},
};
constexpr unsigned Splits[] = {1, 2, 4, 8};

// Fitted to 30 convolutions of ResNet-50 and of a small CNN at batch 1, 32 and 4096, and to five
// products, four of them of transformers, all tiles timed on an H200: what it picks takes 3 %
// longer than the best on average, 23 % at most. Clocks of one multiprocessor, for steps of 128
// bytes of 16-bit elements.
constexpr double GroupProductsPerClock = 1490, ProductsPerClock = 970, BytesPerClock = 46;
/// What reading fragments adds, over the rows or columns that they serve.
constexpr double GroupColumnCost = 27, GroupRowCost = 8.8, LoadCost = 6;
/// Of a step, if only one is in flight; and for each sum of a thread that loads its own fragments.
constexpr double GroupClocksOfMemory = 1900, ClocksOfMemory = 1670, ClocksPerSum = 18;
constexpr double ClocksPerBlock = 3040, ClocksPerStore = 0.384;
constexpr double ClocksPerCluster = 3190, ClocksPerMember = 640;
constexpr double RoundedUp = 0.62; ///< how much of the last round's unused blocks is lost
constexpr double StepBytes = 128, StepDepth = 64;
constexpr unsigned SharedOfMultiprocessor = 227 << 10, RegistersOfMultiprocessor = 1 << 16;

constexpr FmaTile FmaTiles[] = {
    {{128, 64, 4, 1, 3}}, {{64, 128, 2, 2, 2}}, {{64, 64, 2, 2, 3}},
    {{128, 32, 4, 1, 2}}, {{32, 128, 2, 2, 3}}, {{64, 32, 4, 1, 3}},
    {{32, 64, 2, 2, 3}},  {{32, 32, 2, 1, 4}},  {{16, 64, 1, 2, 4}},
};

// Fitted to 20 products as of ResNet-50's convolutions at batch 1, 32 and 256, and others, all
// tiles timed on an H200: what it picks takes 3 % longer than the best on average, 14 % at most.
// Clocks of one multiprocessor, for steps of 32 elements.
constexpr double FmaPerClock = 128, FmaStepDepth = 32;
constexpr double FmaOverhead = 1.25, FmaPerRead = 1.03; ///< of a multiply-add; of it for each load
constexpr double FmaClocksPerSum = 1.23, FmaClocksOfStep = 800, FmaClocksOfMemory = 750;
constexpr double FmaClocksPerBlock = 1125, FmaClocksPerStore = 0.106, FmaClocksPerMember = 1000;
constexpr double FmaRoundedUp = 0.22;

constexpr PipelineTile PipelineTiles[] = {
    {128, 256, 2, false, 4}, {256, 128, 2, false, 4}, {128, 128, 2, true, 6},
    {128, 128, 2, false, 6}, {128, 64, 2, true, 8},   {128, 64, 3, true, 8},
    {64, 256, 2, true, 5},   {64, 128, 2, true, 8},   {64, 128, 3, true, 8},
    {64, 64, 3, true, 8},    {256, 64, 2, false, 5},
};

// Fitted to 1.4 % on average (what it picks takes longer than the best, 17 % at most) to the same
// convolutions at batch 32 and 128 and 25 products, all tiles timed on an H200. Clocks of
// PipelineClock, for steps of 64 elements.
constexpr double PipelineProducts = 1975, PipelineSharedBytes = 189, PipelineBytes = 67;
constexpr double PipelineStart = 3650, PipelineStore = 460, PipelineStorePerSum = 0.244;
constexpr double PipelineMemoryBytes = 2400, PipelineHidden = 0.29;
constexpr double PipelineClock = 1.7e9, MmaClock = 1.755e9;
/// Seconds by which it must be faster, for both estimates are low for small products.
constexpr double Advantage = 1e-6;

double blocksOf(unsigned tileRows, unsigned tileColumns, double rows, double columns,
                double batch) {
  auto tiles = [](double size, unsigned step) { return std::ceil(size / step); };
  return tiles(rows, tileRows) * tiles(columns, tileColumns) * batch;
}

/// Blocks that a multiprocessor holds at once.
unsigned blocksAtOnce(const MmaTile &tile) {
  unsigned threads = tile.threads();
  unsigned registers = std::min(255U, tile.rows * tile.columns / threads + 65 +
                                          (tile.rows + tile.columns) * 3 / threads);
  unsigned byShared = SharedOfMultiprocessor / (tile.sharedBytes() + 1024);
  return std::max(1U, std::min({byShared, RegistersOfMultiprocessor / (registers * threads), 32U}));
}

double estimate(const MmaTile &tile, double rows, double columns, double bytes, double batch) {
  double blocks = blocksOf(tile.rows, tile.columns, rows, columns, batch) * tile.split;
  double steps = std::ceil(bytes / StepBytes / tile.split), size = tile.rows * tile.columns;
  double perMultiprocessor = blocks / Multiprocessors;
  double together = std::min<double>(blocksAtOnce(tile), std::ceil(perMultiprocessor));
  double rounds = RoundedUp * std::ceil(perMultiprocessor / together) +
                  (1 - RoundedUp) * std::max(1.0, perMultiprocessor / together);
  double rowShare = double(tile.warpRows) / tile.rows, columnShare = 1.0 / tile.columns;
  double work = size * StepDepth, latency = 0;
  if (tile.isGrouped()) {
    double groups = tile.warpRows * tile.warpColumns / 4.0;
    work *= (1 + GroupColumnCost * columnShare + GroupRowCost * groups / tile.rows) /
            GroupProductsPerClock;
    latency = GroupClocksOfMemory / (tile.stages - 1);
  } else {
    work *= (1 + LoadCost * (rowShare + tile.warpColumns * columnShare)) / ProductsPerClock;
    latency = ClocksOfMemory / (tile.stages - 1) + ClocksPerSum * size / tile.threads();
  }
  double operands = (tile.rows + tile.columns) * StepBytes / BytesPerClock;
  double step = std::max(together * std::max(work, operands), latency);
  double end = ClocksPerBlock + together * size / tile.split * ClocksPerStore +
               (tile.split > 1 ? ClocksPerCluster + tile.split * ClocksPerMember : 0);
  return rounds * (steps * step + end);
}

/// Seconds.
double estimate(const PipelineTile &tile, double rows, double columns, double depth,
                double elements, double batch) {
  double steps = std::ceil(depth / StepDepth), size = double(tile.rows) * tile.columns;
  double loaded = (tile.rows + tile.columns) * StepBytes;
  // Each 64 rows read all columns from shared memory, 32 bytes of the depth at a time.
  double read = tile.rows / 64.0 * (64 + tile.columns) * StepBytes;
  double sums = steps * std::max({size * StepDepth / PipelineProducts,
                                  (read + loaded) / PipelineSharedBytes, loaded / PipelineBytes});
  double store = PipelineStore + PipelineStorePerSum * size / (tile.inTurns ? 1 : tile.groups);
  double rounds =
      std::ceil(blocksOf(tile.rows, tile.columns, rows, columns, batch) / Multiprocessors);
  double work = tile.inTurns ? rounds * std::max(sums, (sums + store) / tile.groups) + store
                             : rounds * (sums + store);
  double memory = 2 * batch * (elements + columns * depth + rows * columns) / PipelineMemoryBytes;
  double clocks = PipelineStart + std::max(work, memory) + PipelineHidden * std::min(work, memory);
  return clocks / PipelineClock;
}

double estimate(const GemmTile &tile, double rows, double columns, double batch) {
  double blocks = blocksOf(tile.rows, tile.columns, rows, columns, batch);
  double throughput = blocks * tile.rows * tile.columns / (Multiprocessors * MultiplyAdds);
  double latency = tile.threadRows * tile.threadColumns * ClocksPerThread;
  double operands = 1 + 1.0 / tile.threadRows + 1.0 / tile.threadColumns;
  return std::max(throughput, latency) * operands;
}

} // namespace

/// Clocks, as of MmaTile.
static double estimate(const FmaTile &tile, double rows, double columns, double depth,
                       double batch) {
  double blocks = blocksOf(tile.rows, tile.columns, rows, columns, batch) * tile.split;
  double steps = std::ceil(depth / FmaStepDepth / tile.split), size = tile.rows * tile.columns;
  unsigned registers = std::min(255U, tile.sums() + 64);
  unsigned held = std::min(SharedOfMultiprocessor / (tile.sharedBytes() + 1024),
                           RegistersOfMultiprocessor / (registers * tile.threads()));
  double perMultiprocessor = blocks / Multiprocessors;
  double together = std::min<double>(std::max(1U, held), std::ceil(perMultiprocessor));
  double rounds = FmaRoundedUp * std::ceil(perMultiprocessor / together) +
                  (1 - FmaRoundedUp) * std::max(1.0, perMultiprocessor / together);
  double reads = 4.0 * tile.warpRows / tile.rows + 8.0 * tile.warpColumns / tile.columns;
  double work = size * FmaStepDepth / FmaPerClock * (FmaOverhead + FmaPerRead * reads);
  double latency = tile.sums() * FmaStepDepth * FmaClocksPerSum + FmaClocksOfStep +
                   FmaClocksOfMemory / (tile.stages - 1);
  double end = FmaClocksPerBlock + together * size / tile.split * FmaClocksPerStore +
               (tile.split > 1 ? tile.split * FmaClocksPerMember : 0);
  return rounds * (steps * std::max(together * work, latency) + end);
}

std::string GemmTile::text() const {
  return fmt::format("{}, {}, {}, {}, {}", rows, columns, depth, threadRows, threadColumns);
}

unsigned SteppedTile::sharedBytes() const {
  return std::max(stages * (rows + columns) * 128, rows * (columns + 8) * 4);
}

bool MmaTile::isGrouped() const {
  unsigned warps = warpRows * warpColumns;
  return mayGroup && warps % 4 == 0 && rows % (warps * 16) == 0;
}

std::string SteppedTile::text() const {
  return fmt::format("{}, {}, {}, {}, {}, {}", rows, columns, warpRows, warpColumns, stages, split);
}

unsigned PipelineTile::sharedBytes() const {
  return stages * (rows + columns) * 128 + (2 * stages + groups) * 8;
}

std::string PipelineTile::text() const {
  std::string across = rowsAcross || columnsAcross
                           ? fmt::format(", {}, {}", rowsAcross, columnsAcross)
                           : std::string();
  return fmt::format("PipelineTile<{}, {}, {}, {}, {}{}>", rows, columns, groups, inTurns, stages,
                     across);
}

std::string DirectTile::text() const {
  return fmt::format("DirectTile<{}, {}, {}, {}>", warps, rowTiles, columns, depth);
}

unsigned ResidentTile::weightBytes(int64_t depth) const {
  return static_cast<unsigned>((depth + 31) / 32) * 64 * columns;
}

unsigned ResidentTile::sumBytes() const { return warps * rows * (columns + 8) * 4; }

std::string ResidentTile::text() const {
  return fmt::format("ResidentTile<{}, {}, {}, {}>", rows, columns, warps, parts);
}

std::optional<ResidentTile> chooseResidentTile(int64_t rows, int64_t columns, int64_t depth,
                                               unsigned parts, unsigned warps, unsigned bytes) {
  constexpr unsigned MostSums = 64 * 32; // a warp's, in registers
  constexpr double FragmentProductsPerClock = 1200, SharedPerClock = 128;
  const int64_t perPart = columns / parts;
  const auto units = static_cast<double>(perPart);
  std::optional<ResidentTile> best;
  double least = std::numeric_limits<double>::max();
  for (unsigned tileRows : {16U, 32U, 64U})
    for (unsigned tileColumns = 8 * parts; tileRows * tileColumns <= MostSums;
         tileColumns += 8 * parts) {
      ResidentTile tile{tileRows, tileColumns, warps, parts};
      double blocks = blocksOf(tileRows, tileColumns / parts, static_cast<double>(rows), units, 1);
      bool fits = int64_t(depth + 31) / 32 * 64 * tileColumns + tile.sumBytes() <= bytes;
      double side = tileRows * static_cast<double>(depth);
      double time = side * 2 / BytesPerClock + side * tileColumns / FragmentProductsPerClock +
                    tile.sumBytes() * 2 / SharedPerClock;
      if (fits && blocks <= Multiprocessors && time < least) {
        least = time;
        best = tile;
      }
    }
  return best;
}

/// The tiles in the order of their times; of equal ones the first stays first.
template <typename Tile>
static std::vector<Tile> sortedByTime(std::vector<std::pair<double, Tile>> timed) {
  std::vector<size_t> order(timed.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return std::pair(timed[i].first, i); });
  std::vector<Tile> tiles;
  for (size_t i : order)
    tiles.push_back(timed[i].second);
  return tiles;
}

std::vector<PipelineTile> rankPipelineTiles(int64_t rows, int64_t columns, int64_t depth,
                                            int64_t elements, int64_t batch) {
  std::vector<std::pair<double, PipelineTile>> timed;
  for (const PipelineTile &tile : PipelineTiles)
    timed.emplace_back(estimate(tile, static_cast<double>(rows), static_cast<double>(columns),
                                static_cast<double>(depth), static_cast<double>(elements),
                                static_cast<double>(batch)),
                       tile);
  return sortedByTime(std::move(timed));
}

std::optional<PipelineTile> choosePipelineTile(int64_t rows, int64_t columns, int64_t depth,
                                               int64_t elements, int64_t batch) {
  auto r = static_cast<double>(rows), c = static_cast<double>(columns),
       d = static_cast<double>(depth), count = static_cast<double>(batch);
  MmaTile other = chooseMmaTile(rows, columns, depth * 2, batch, 0, /*mayGroup=*/true);
  PipelineTile best = rankPipelineTiles(rows, columns, depth, elements, batch).front();
  bool isFaster = estimate(best, r, c, d, static_cast<double>(elements), count) <
                  estimate(other, r, c, d * 2, count) / MmaClock - Advantage;
  return isFaster ? std::optional(best) : std::nullopt;
}

std::vector<GemmTile> rankGemmTiles(int64_t rows, int64_t columns, int64_t batch) {
  std::vector<std::pair<double, GemmTile>> timed;
  for (const GemmTile &tile : Tiles)
    timed.emplace_back(estimate(tile, static_cast<double>(rows), static_cast<double>(columns),
                                static_cast<double>(batch)),
                       tile);
  return sortedByTime(std::move(timed));
}

std::vector<MmaTile> rankMmaTiles(int64_t rows, int64_t columns, int64_t bytes, int64_t batch,
                                  bool mayGroup, TileSteps steps) {
  std::vector<std::pair<double, MmaTile>> timed;
  for (MmaTile tile : MmaTiles) {
    if (tile.rows % steps.rows != 0 || tile.columns % steps.columns != 0)
      continue;
    for (unsigned split : Splits) {
      tile.split = split;
      tile.mayGroup = mayGroup;
      if (tile.rows % split == 0)
        timed.emplace_back(estimate(tile, static_cast<double>(rows), static_cast<double>(columns),
                                    static_cast<double>(bytes), static_cast<double>(batch)),
                           tile);
    }
  }
  return sortedByTime(std::move(timed));
}

std::vector<FmaTile> rankFmaTiles(int64_t rows, int64_t columns, int64_t depth, int64_t batch,
                                  TileSteps steps) {
  std::vector<std::pair<double, FmaTile>> timed;
  for (FmaTile tile : FmaTiles)
    for (unsigned split : Splits) {
      tile.split = split;
      if (tile.rows % steps.rows == 0 && tile.columns % steps.columns == 0 &&
          tile.rows % split == 0)
        timed.emplace_back(estimate(tile, static_cast<double>(rows), static_cast<double>(columns),
                                    static_cast<double>(depth), static_cast<double>(batch)),
                           tile);
    }
  return sortedByTime(std::move(timed));
}

GemmTile chooseGemmTile(int64_t rows, int64_t columns, int64_t batch, unsigned threads) {
  std::vector<GemmTile> ranked = rankGemmTiles(rows, columns, batch);
  auto suits = [&](const GemmTile &tile) { return threads == 0 || tile.threads() == threads; };
  auto found = std::ranges::find_if(ranked, suits);
  return found == ranked.end() ? Tiles[0] : *found;
}

MmaTile chooseMmaTile(int64_t rows, int64_t columns, int64_t bytes, int64_t batch, unsigned threads,
                      bool mayGroup, TileSteps steps) {
  std::vector<MmaTile> ranked = rankMmaTiles(rows, columns, bytes, batch, mayGroup, steps);
  auto suits = [&](const MmaTile &tile) {
    return threads == 0 ||
           (tile.threads() == threads && tile.split == 1 && tile.sharedBytes() <= MostSharedInLoop);
  };
  auto found = std::ranges::find_if(ranked, suits);
  return found == ranked.end() ? MmaTiles[0] : *found;
}

} // namespace nnc::codegen
