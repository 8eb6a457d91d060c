// Products that suit a template of their own: pipeline.cuh, direct.cuh, and resident.cuh in loops.
#include "codegen/cuda/ContractionWriter.h"
#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <algorithm>
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

/// Rows of the depth in a block of an operand that lies along its side.
static constexpr unsigned AcrossRows = 64;

/// The tile on pipeline.cuh; none where one of mma.cuh is better. Who chooses sees both kinds.
std::optional<PipelineTile> ContractionWriter::choosePipeline(Type type) {
  constexpr size_t MostOfBest = 8, MostOfOthers = 4;
  const int64_t rows = typical(Rows), columns = typical(Columns), depth = typical(Depth),
                batches = typical(Batch), elements = typicalElements(left, type) / batches;
  std::optional<PipelineTile> best = choosePipelineTile(rows, columns, depth, elements, batches);
  auto arranged = [&](PipelineTile tile) {
    tile.rowsAcross = !left.alongDepth;
    tile.columnsAcross = !right.alongDepth;
    return tile;
  };
  if (!body.tactics)
    return best ? std::optional(arranged(*best)) : std::nullopt;
  std::vector<PipelineTile> tiles = rankPipelineTiles(rows, columns, depth, elements, batches);
  std::ranges::transform(tiles, tiles.begin(), arranged);
  std::vector<MmaTile> others =
      rankMmaTiles(rows, columns, depth * 2, batches, /*mayGroup=*/true, stepsOf(type));
  tiles.resize(std::min(tiles.size(), best ? MostOfBest : MostOfOthers));
  others.resize(std::min(others.size(), best ? MostOfOthers : MostOfBest));
  std::vector<std::string> texts;
  for (const PipelineTile &tile : tiles)
    texts.push_back(tile.text());
  for (const MmaTile &tile : others)
    texts.push_back(fmt::format("MmaTile<{}>", tile.text()));
  if (!best)
    std::ranges::rotate(texts, texts.begin() + static_cast<ptrdiff_t>(tiles.size()));
  const std::string chosen = texts[chooseTactic(body, key(type), texts)];
  auto found = std::ranges::find(tiles, chosen, &PipelineTile::text);
  return found == tiles.end() ? std::nullopt : std::optional(*found);
}

/// On pipeline.cuh, where the machine can copy both factors by itself; nothing where mma.cuh is
/// better.
std::optional<Scheduled> ContractionWriter::writePipeline(Type type) {
  out.line("const Index M = " + math.text(extentOf(Rows)) +
           ", N = " + math.text(extentOf(Columns)) + ", K = " + math.text(extentOf(Depth)) + ";");
  out.line("const Index batches = " + math.text(extentOf(Batch)) + ";");
  bool isBatch = math.constantOf(extentOf(Batch)) != 1;
  if (isBatch) {
    out.line("Index batch = 0;"); // of the tile that a thread works on
    batch = evaluator.declare("batch", extentOf(Batch));
  }
  out.line(std::string("auto enter = [&](Index number) {") +
           (isBatch ? " batch = number; };" : "};"));
  std::optional<MappedTensor> first = writeMap("mapA", left, "m", type, 0);
  std::optional<MappedTensor> second = first ? writeMap("mapB", right, "n", type, 1) : std::nullopt;
  std::optional<PipelineTile> tile = second ? choosePipeline(type) : std::nullopt;
  if (!tile)
    return std::nullopt;
  first->rows = tile->rowsAcross ? AcrossRows : tile->rows;
  second->rows = tile->columnsAcross ? AcrossRows : tile->columns;
  Scheduled scheduled{"",
                      tilesOf(tile->rows, tile->columns),
                      tile->threads(),
                      {"tensorcore.cuh", "tiles.cuh", "mma.cuh", "arrivals.cuh", "bulk.cuh",
                       "fragments.cuh", "pipeline.cuh"}};
  if (tile->rowsAcross || tile->columnsAcross)
    scheduled.headers.push_back("across.cuh");
  scheduled.maps = {*first, *second};
  out.line("using Tile = " + tile->text() + ";");
  writeOperand("a", left, "m", type);
  writeOperand("b", right, "n", type);
  aheadLoads = Ahead::ByRows;
  writeStoreOfPieces(type);
  bool isTall = typical(Columns) <= typical(Rows);
  out.line("const Index tilesM = (M + Tile::BM - 1) / Tile::BM;");
  out.line("const Index tilesN = (N + Tile::BN - 1) / Tile::BN;");
  out.line("struct Corner {");
  out.line("  Index m0, n0;");
  out.line("};");
  out.line("auto corner = [&](Index number) {");
  out.line("  const Index tile = number % (tilesM * tilesN);");
  out.line("  enter(number / (tilesM * tilesN));");
  out.line(isTall ? "  return Corner{tile / tilesN * Tile::BM, tile % tilesN * Tile::BN};"
                  : "  return Corner{tile % tilesM * Tile::BM, tile / tilesM * Tile::BN};");
  out.line("};");
  // A block fills a multiprocessor, so that few are spread evenly though they start early; where
  // they take turns, that was a loss (ResNet-50 at 128 3.25 and not 3.17 ms, ViT 2.43 and
  // not 2.39).
  std::optional<int64_t> blocks = math.constantOf(tilesOf(tile->rows, tile->columns));
  scheduled.waits = blocks && *blocks <= FewBlocks;
  bool isEarly = scheduled.waits && isWeight(body.op->getOperand(second->operand));
  out.line("char *shared = dynamicShared<char>();");
  out.line("if constexpr (HasPipelines)");
  out.line(
      "  pipelineGemm<Tile, " + *typeText(type) + (second->isDealt() ? ", Dealt" : ", InOrder") +
      (isEarly ? ", BeforeWait" : ", AfterWait") + sumText() +
      ">(shared, (Index)blockId, (Index)gridDim.x, tilesM * tilesN * batches, corner, M, N, K, "
      "know_mapA, mapA, know_mapB, mapB, ahead, columnsAt, store);");
  writeElsewhere(scheduled, type);
  scheduled.statements = out.take();
  scheduled.sharedBytes = tile->sharedBytes();
  scheduled.persists = 1;
  scheduled.tactic = tile->text();
  return scheduled;
}

/// The other half of the branch: the same on mma.cuh, with what shared memory every machine has.
void ContractionWriter::writeElsewhere(Scheduled &scheduled, Type type) {
  MmaTile tile{{128, typical(Columns) > 64 ? 128U : 64U, 2, 4, 3}};
  out.line("else");
  auto yesNo = [](bool value) { return value ? ", true" : ", false"; };
  out.line("  pipelineElsewhere<MmaTile<" + tile.text() + yesNo(left.alongDepth) +
           yesNo(right.alongDepth) + ">, " + *typeText(type) + sumText() +
           ">(shared, (Index)blockId, (Index)gridDim.x, batches, enter, M, N, K, know_a, a, "
           "know_b, b, ahead, columnsAt, store);");
  scheduled.sharedElsewhere = tile.sharedBytes();
}

/// On direct.cuh: windows over images of few channels, whose elements no 16 bytes hold together.
std::optional<Scheduled> ContractionWriter::writeDirect(Type type) {
  constexpr int64_t MostDepth = 96, MostColumns = 64, MostOfWide = 48;
  std::optional<int64_t> depth = math.constantOf(extentOf(Depth));
  std::optional<int64_t> columns = math.constantOf(extentOf(Columns));
  if (!depth || !columns || *depth > MostDepth || *columns > MostColumns)
    return std::nullopt;
  bool isWide = *depth <= MostOfWide && *columns <= MostColumns / 2; // its fragments fit twice
  DirectTile tile{8, isWide ? 2U : 1U, static_cast<unsigned>(llvm::alignTo(*columns, 32)),
                  static_cast<unsigned>(llvm::alignTo(*depth, 16))};
  out.line("using Tile = " + tile.text() + ";");
  out.line("const Index M = " + math.text(extentOf(Rows)) + ", N = " + std::to_string(*columns) +
           ", K = " + std::to_string(*depth) + ";");
  if (!writeNarrowFactor("a", left, "m", type) || !writeNarrowFactor("b", right, "n", type))
    return std::nullopt;
  writeStoreOfPieces(type);
  out.line("directGemm<Tile, " + *typeText(type) + sumText() +
           ">(dynamicShared<char>(), (Index)blockId, (Index)gridDim.x, M, N, K, a, b, store);");
  Scheduled scheduled{out.take(),
                      extentOf(Rows).ceilDiv(tile.blockRows()),
                      tile.threads(),
                      {"tensorcore.cuh", "fragments.cuh", "direct.cuh"}};
  scheduled.sharedBytes = tile.sharedBytes();
  scheduled.tactic = tile.text();
  scheduled.persists = *depth <= MostOfWide ? 3 : 2;
  return scheduled;
}

/// Whether what is at `address` is the same in all iterations of the loop.
bool ContractionWriter::canStay(const Evaluator::Address &address) const {
  unsigned argument = 0;
  bool isVariable = StringRef(address.pointer).drop_front(2).getAsInteger(10, argument) ||
                    !address.condition.empty() || !body.isInvariant[argument];
  return !isVariable && llvm::none_of(body.loopCounters, [&](unsigned counter) {
    return address.linear.isFunctionOfSymbol(counter);
  });
}

/// In a loop's kernel, with the right factor's part of every block in shared memory all the time.
Result<Scheduled> ContractionWriter::writeResident(Type type) {
  std::optional<int64_t> columns = math.constantOf(extentOf(Columns));
  std::optional<int64_t> depth = math.constantOf(extentOf(Depth));
  if (!columns || !depth || math.constantOf(extentOf(Batch)) != 1 || !storesVectors() ||
      *columns % (StoreWidth * body.parts) != 0)
    return nnc::Error{"weights that stay are of one size, and results are stored as vectors"};
  std::optional<ResidentTile> tile = chooseResidentTile(typical(Rows), *columns, *depth, body.parts,
                                                        body.threads / 32, body.residentBytes);
  if (!tile)
    return nnc::Error{"the weights are too large to stay"};
  std::string rows = math.text(extentOf(Rows)), name = *typeText(type);
  out.line("using Tile = " + tile->text() + ";");
  out.line("const Index M = " + rows + ", N = " + std::to_string(*columns) +
           ", K = " + std::to_string(*depth) + ", tilesM = (M + Tile::BM - 1) / Tile::BM;");
  out.line("const Index m0 = blockId % tilesM * Tile::BM, unit0 = blockId / tilesM * Tile::Units;");
  writeOperand("a", left, "m", type);
  if (!writeAddress("b", right, "n", type) || !canStay(*addressed))
    return nnc::Error{"the weights change, or do not run along the depth"};
  writeStore(StoreWidth);
  out.line("if constexpr (Prepares)");
  out.line("  keepResident<Tile, " + name + ">(weights, unit0, N, K, know_b, b);");
  out.line("else");
  out.line("  residentGemm<Tile, " + name +
           ">(weights, sums, m0, unit0, M, N, K, know_a, a, ahead, store);");
  AffineExpr units = math.constant(*columns / body.parts);
  Scheduled scheduled{out.take(),
                      extentOf(Rows).ceilDiv(tile->rows) *
                          units.ceilDiv(tile->columns / body.parts),
                      body.threads,
                      {"tensorcore.cuh", "resident.cuh"}};
  scheduled.resident = {tile->text(),
                        tile->weightBytes(*depth),
                        tile->sumBytes(),
                        tile->elements(),
                        rows,
                        *columns,
                        body.parts,
                        isDense};
  scheduled.tactic = tile->text();
  return scheduled;
}

} // namespace nnc::codegen
