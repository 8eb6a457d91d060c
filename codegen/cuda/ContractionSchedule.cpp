//===- ContractionSchedule.cpp - Products and convolutions on the tile templates --------------===//
//
// Tiles of the product on tensor cores where both factors have 16 bits or may be rounded to TF32,
// else on ordinary ones.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Contraction.h"
#include "codegen/cuda/GemmTiles.h"
#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"
#include <algorithm>
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {
namespace {

/// Neighbours of a row that a thread stores together.
constexpr unsigned StoreWidth = 8;
/// Rows of the depth in a block of an operand that lies along its side.
constexpr unsigned AcrossRows = 64;

class ContractionWriter : Contraction {
public:
  ContractionWriter(const KernelBody &body, bool isResident)
      : Contraction(body), isResident(isResident) {}

  Result<Scheduled> write();
  /// The same on pipeline.cuh or direct.cuh, if that suits the product.
  std::optional<Scheduled> writeSpecial();

private:
  /// Whether the part is known to be much smaller than every tile.
  bool isFew(Part part) const {
    std::optional<int64_t> extent = math.constantOf(extentOf(part));
    return extent && *extent < 4;
  }
  Type tensorCoreType();
  std::string key(Type type);
  template <typename Tile>
  Tile choose(Type type, const char *name, const std::vector<Tile> &ranked);
  std::optional<PipelineTile> choosePipeline(Type type);
  std::string corner() const;
  AffineExpr tilesOf(unsigned rows, unsigned columns) const;
  Scheduled writeOnCores();
  Scheduled writeOnTensorCores(Type type);
  Result<Scheduled> writeResident(Type type);
  bool canStay(const Evaluator::Address &address) const;

  void writeTiling(const std::string &tile, unsigned split, const std::string &last = "");
  void writeOperand(const std::string &name, const Factor &factor, const std::string &side,
                    Type type);
  /// Whether memory may run along an operand's side, which needs tiles that loops have no room for.
  bool mayLieAcross() const { return body.threads == 0; }
  TileSteps stepsOf(Type type);
  bool storesVectors() const;
  void writeStore(unsigned width);
  void writeVectors(AffineExpr row, unsigned width, Evaluator::AheadLoads *ahead);
  void writeAhead(unsigned width, const Evaluator::AheadLoads &ahead);
  void writeLoads(const std::string &type, const std::string &functor,
                  const std::string &parameters, unsigned width,
                  ArrayRef<Evaluator::AheadLoad> loads);
  std::optional<Scheduled> writePipeline(Type type);
  void writeElsewhere(Scheduled &scheduled, Type type);
  std::optional<Scheduled> writeDirect(Type type);

  /// Which loads the functor that stores leaves to others: all to one, or those that the row does
  /// not decide to a second one.
  enum class Ahead { None, All, ByRows };
  bool isResident; ///< whether the right factor is to stay in shared memory
  Ahead aheadLoads = isResident ? Ahead::All : Ahead::None;
};

/// The type that both factors are elements of, as they are in memory or computed, and that tensor
/// cores multiply: 16 bits without rounding, f32 only where TF32 is allowed. Null if there is none.
Type ContractionWriter::tensorCoreType() {
  auto narrowType = [](Value value) {
    auto extension = value.getDefiningOp<arith::ExtFOp>();
    return extension ? extension.getIn().getType() : value.getType();
  };
  Type types[] = {narrowType(left.value), narrowType(right.value)};
  bool isSmall = typical(Rows) < 8 || typical(Columns) < 8 || typical(Depth) < 16;
  bool isMultiplied = types[0].isBF16() || types[0].isF16() ||
                      (types[0].isF32() && body.allowsTf32 && element.isF32());
  return types[0] == types[1] && isMultiplied && !isSmall ? types[0] : Type();
}

/// `last`: what follows the tile's other parameters.
void ContractionWriter::writeTiling(const std::string &tile, unsigned split,
                                    const std::string &last) {
  auto yesNo = [](bool value) { return value ? "true" : "false"; };
  out.line("// " + std::string(yesNo(left.alongDepth)) + " and " + yesNo(right.alongDepth) +
           ": whether the operands' memory runs along the depth");
  out.line("using Tile = " + tile + ", " + yesNo(left.alongDepth) + ", " + yesNo(right.alongDepth) +
           last + ">;");
  out.line("const Index M = " + math.text(extentOf(Rows)) +
           ", N = " + math.text(extentOf(Columns)) + ", K = " + math.text(extentOf(Depth)) + ";");
  out.line("const Index tilesM = (M + Tile::BM - 1) / Tile::BM;");
  out.line("const Index tilesN = (N + Tile::BN - 1) / Tile::BN;");
  if (split > 1) {
    std::string blocks = std::to_string(split);
    out.line("if (!HasClusters && blockId % " + blocks + " != 0)");
    out.line("  return;");
    out.line("const Index tile = blockId / " + blocks + ";");
  } else {
    out.line("const Index tile = blockId;");
  }
  if (AffineExpr count = extentOf(Batch); math.constantOf(count) != 1) {
    out.line("const Index batch = tile / (tilesM * tilesN);");
    batch = evaluator.declare("batch", count);
  }
}

/// What the choice of a tile depends on: "convolution bf16 100352x64x576 kk" has operands that both
/// run along the depth.
std::string ContractionWriter::key(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << body.anchor << " ";
  if (type.isF32() && tensorCoreType())
    text += "tf32";
  else
    llvm::raw_string_ostream(text) << type;
  std::string batches = typical(Batch) == 1 ? "" : fmt::format(" x{}", typical(Batch));
  return fmt::format("{} {}x{}x{}{} {}{}", text, typical(Rows), typical(Columns), typical(Depth),
                     batches, left.alongDepth ? "k" : "m", right.alongDepth ? "k" : "n");
}

template <typename Tile>
Tile ContractionWriter::choose(Type type, const char *name, const std::vector<Tile> &ranked) {
  std::vector<std::string> texts;
  for (const Tile &tile : ranked)
    texts.push_back(fmt::format("{}<{}>", name, tile.text()));
  return ranked[chooseTactic(body, key(type), std::move(texts))];
}

/// The corner of the block's tile. Neighbouring blocks take tiles along the shorter side, so that
/// they read the same part of the other operand, which is the larger one.
std::string ContractionWriter::corner() const {
  if (typical(Columns) <= typical(Rows))
    return "tile / tilesN % tilesM * Tile::BM, tile % tilesN * Tile::BN, M, N, K, ";
  return "tile % tilesM * Tile::BM, tile / tilesM % tilesN * Tile::BN, M, N, K, ";
}

AffineExpr ContractionWriter::tilesOf(unsigned rows, unsigned columns) const {
  return extentOf(Rows).ceilDiv(rows) * extentOf(Columns).ceilDiv(columns) * extentOf(Batch);
}

void ContractionWriter::writeOperand(const std::string &name, const Factor &factor,
                                     const std::string &side, Type type) {
  if (writeAddress(name, factor, side, type) ||
      (mayLieAcross() && writeSideAddress(name, factor, side, type)))
    return;
  writeKnown(name, side, {});
  writeFactor(name, factor, side);
}

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
  Scheduled scheduled{
      "",
      tilesOf(tile->rows, tile->columns),
      tile->threads(),
      {"tensorcore.cuh", "mma.cuh", "arrivals.cuh", "bulk.cuh", "fragments.cuh", "pipeline.cuh"}};
  if (tile->rowsAcross || tile->columnsAcross)
    scheduled.headers.push_back("across.cuh");
  scheduled.maps = {*first, *second};
  out.line("using Tile = " + tile->text() + ";");
  writeOperand("a", left, "m", type);
  writeOperand("b", right, "n", type);
  aheadLoads = Ahead::ByRows;
  writeStore(StoreWidth);
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
  out.line("char *shared = dynamicShared<char>();");
  out.line("if constexpr (HasPipelines)");
  out.line(
      "  pipelineGemm<Tile, " + *typeText(type) +
      ">(shared, (Index)blockId, (Index)gridDim.x, tilesM * tilesN * batches, corner, M, N, K, "
      "know_mapA, mapA, know_mapB, mapB, ahead, columnsAt, store);");
  writeElsewhere(scheduled, type);
  scheduled.statements = out.take();
  scheduled.sharedBytes = tile->sharedBytes();
  scheduled.persists = 1;
  scheduled.tactic = tile->text();
  return scheduled;
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
  writeStore(StoreWidth);
  out.line("directGemm<Tile, " + *typeText(type) +
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

/// The other half of the branch: the same on mma.cuh, with what shared memory every machine has.
void ContractionWriter::writeElsewhere(Scheduled &scheduled, Type type) {
  MmaTile tile{128, typical(Columns) > 64 ? 128U : 64U, 2, 4, 3};
  out.line("else");
  auto yesNo = [](bool value) { return value ? ", true" : ", false"; };
  out.line("  pipelineElsewhere<MmaTile<" + tile.text() + yesNo(left.alongDepth) +
           yesNo(right.alongDepth) + ">, " + *typeText(type) +
           ">(shared, (Index)blockId, (Index)gridDim.x, batches, enter, M, N, K, know_a, a, "
           "know_b, b, ahead, columnsAt, store);");
  scheduled.sharedElsewhere = tile.sharedBytes();
}

/// What the tiles on mma.cuh hold whole blocks of, where memory runs along a side.
TileSteps ContractionWriter::stepsOf(Type type) {
  const unsigned sides = 1024 / type.getIntOrFloatBitWidth(); // of a block in across.cuh
  auto stepOf = [&](const Factor &factor, const char *side) {
    return mayLieAcross() && runsAcross(factor, side, type) ? sides : 1;
  };
  return {stepOf(left, "m"), stepOf(right, "n")};
}

Scheduled ContractionWriter::writeOnTensorCores(Type type) {
  unsigned bytes = type.getIntOrFloatBitWidth() / 8;
  bool mayGroup = bytes == 2;
  TileSteps steps = stepsOf(type);
  MmaTile tile = chooseMmaTile(typical(Rows), typical(Columns), typical(Depth) * bytes,
                               typical(Batch), body.threads, mayGroup, steps);
  if (body.tactics)
    tile = choose(type, "MmaTile",
                  rankMmaTiles(typical(Rows), typical(Columns), typical(Depth) * bytes,
                               typical(Batch), mayGroup, steps));
  writeTiling("MmaTile<" + tile.text(), tile.split, tile.mayGroup ? "" : ", false");
  writeOperand("a", left, "m", type);
  writeOperand("b", right, "n", type);
  unsigned width = storesVectors() ? StoreWidth : 1;
  writeStore(width);
  bool isStatic = body.threads != 0; // as part of a loop
  if (isStatic)
    out.line("alignas(128) __shared__ char shared[Tile::SharedBytes];");
  else
    out.line("char *shared = dynamicShared<char>();");
  out.line("mmaGemm<Tile, " + *typeText(type) + ", " + std::to_string(width) + ">(shared, " +
           corner() + "know_a, a, know_b, b, store);");
  Scheduled scheduled{out.take(),
                      tilesOf(tile.rows, tile.columns) * tile.split,
                      tile.threads(),
                      {"tensorcore.cuh", "mma.cuh"}};
  if (std::max(steps.rows, steps.columns) > 1)
    scheduled.headers.push_back("across.cuh");
  (isStatic ? scheduled.staticShared : scheduled.sharedBytes) = tile.sharedBytes();
  scheduled.cluster = tile.split;
  scheduled.tactic = "MmaTile<" + tile.text() + ">";
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

/// f32 and integers.
Scheduled ContractionWriter::writeOnCores() {
  GemmTile tile = chooseGemmTile(typical(Rows), typical(Columns), typical(Batch), body.threads);
  if (body.tactics)
    tile =
        choose(element, "GemmTile", rankGemmTiles(typical(Rows), typical(Columns), typical(Batch)));
  writeTiling("GemmTile<" + tile.text(), 1);
  writeFactor("a", left, "m");
  writeFactor("b", right, "n");
  writeStore(0);
  out.line("gemm<Tile, " + *typeText(element) + ">(" + corner() + "a, b, store);");
  Scheduled scheduled{out.take(), tilesOf(tile.rows, tile.columns), tile.threads(), {"gemm.cuh"}};
  scheduled.staticShared = tile.sharedBytes(element.getIntOrFloatBitWidth() / 8);
  scheduled.tactic = "GemmTile<" + tile.text() + ">";
  return scheduled;
}

/// The functor that takes sums: `width` neighbours of a row as an array, or one sum as it is (0).
void ContractionWriter::writeStore(unsigned width) {
  if (width == 0)
    return writeElementStore(*typeText(element) + " sum", "sum");
  std::string parameter = "const " + *typeText(element) + " (&sums)[" + std::to_string(width) + "]";
  Evaluator::AheadLoads ahead;
  bool leavesLoads = aheadLoads != Ahead::None;
  parameter += leavesLoads ? ", const Ahead &ahead" : "";
  parameter += aheadLoads == Ahead::ByRows ? ", const Columns &columns" : "";
  if (width == 1)
    return writeElementStore(parameter, "sums[0]");
  evaluator.openBlock("auto store = [&](Index m, Index n, " + parameter + ")");
  AffineExpr row = evaluator.declare("m", extentOf(Rows));
  ahead.of = aheadLoads == Ahead::ByRows ? row : AffineExpr();
  writeVectors(row, width, leavesLoads ? &ahead : nullptr);
  if (leavesLoads) {
    std::vector<std::string> inner = out.suspend(out.depth() - 1);
    writeAhead(width, ahead);
    out.resume(std::move(inner));
  }
  evaluator.closeScope("};");
}

/// The functors that load what `store` needs for the same place, before the sums are known: what
/// the row decides too, and what is the same in all rows.
void ContractionWriter::writeAhead(unsigned width, const Evaluator::AheadLoads &ahead) {
  writeLoads("Ahead", "ahead", "Index m, Index n", width, ahead.loads);
  if (aheadLoads == Ahead::ByRows)
    writeLoads("Columns", "columnsAt", "Index n", width, ahead.others);
}

void ContractionWriter::writeLoads(const std::string &type, const std::string &functor,
                                   const std::string &parameters, unsigned width,
                                   ArrayRef<Evaluator::AheadLoad> loads) {
  std::string values;
  out.line("struct " + type + " {");
  for (const Evaluator::AheadLoad &load : loads) {
    out.line("  " + load.type + " " + load.name + ";");
    values += (values.empty() ? "" : ", ") + load.value;
  }
  out.line("};");
  out.line("auto " + functor + " = [&](" + parameters + ") {");
  if (!loads.empty())
    out.line("  const Index chunk = n / " + std::to_string(width) + ";");
  out.line("  return " + type + "{" + values + "};");
  out.line("};");
}

/// Neighbours are computed one by one, with vectors of what they read, and stored as vectors.
void ContractionWriter::writeVectors(AffineExpr row, unsigned width, Evaluator::AheadLoads *ahead) {
  AffineExpr count = math.simplify(extentOf(Columns).floorDiv(width));
  out.line("const Index chunk = n / " + std::to_string(width) + ";");
  AffineExpr chunk = evaluator.declare("chunk", count);
  VectorStores stores(evaluator);
  AffineExpr lane = stores.open(outputs, width, ahead);
  std::string sum = "sums[" + math.nameOf(cast<AffineDimExpr>(lane).getPosition()) + "]";
  for (const StoredElement &stored : writeResults(row, chunk * width + lane, sum))
    stores.add(stored.output, stored.place, stored.value);
  stores.close();
}

/// Whether neighbouring columns are neighbours in the memory of each result.
bool ContractionWriter::storesVectors() const {
  return math.divisorOf(extentOf(Columns)) % StoreWidth == 0 && areNarrow(outputs);
}

std::optional<Scheduled> ContractionWriter::writeSpecial() {
  if (understand())
    return std::nullopt;
  Type type = tensorCoreType();
  bool suits = type && !type.isF32() && body.threads == 0 && storesVectors();
  std::optional<Scheduled> scheduled;
  if (suits)
    scheduled = hasFewChannels() ? writeDirect(type) : writePipeline(type);
  return evaluator.error() ? std::nullopt : scheduled;
}

Result<Scheduled> ContractionWriter::write() {
  if (std::optional<nnc::Error> why = understand())
    return *why;
  if (math.constantOf(extentOf(Rows)) == 1 || math.constantOf(extentOf(Columns)) == 1)
    return nnc::Error{"a vector, of which tiles would compute copies"};
  // Depthwise convolutions and those with few results per group.
  if (body.anchor == "convolution" && (isFew(Rows) || isFew(Columns)))
    return nnc::Error{"most of every tile would lie outside of the product"};

  Type type = tensorCoreType();
  if (isResident) {
    Result<Scheduled> resident = type && !type.isF32()
                                     ? writeResident(type)
                                     : nnc::Error{"tensor cores do not multiply these"};
    if (evaluator.error())
      return *evaluator.error();
    return resident;
  }
  Scheduled scheduled = type ? writeOnTensorCores(type) : writeOnCores();
  if (evaluator.error())
    return *evaluator.error();
  return scheduled;
}

} // namespace

Result<Scheduled> scheduleContraction(const KernelBody &body) {
  if (body.residentBytes > 0)
    if (Result<Scheduled> resident = ContractionWriter(body, /*isResident=*/true).write())
      return resident;
  if (std::optional<Scheduled> pipeline =
          ContractionWriter(body, /*isResident=*/false).writeSpecial())
    return *pipeline;
  return ContractionWriter(body, /*isResident=*/false).write();
}

} // namespace nnc::codegen
