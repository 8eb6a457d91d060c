//===- ContractionSchedule.cpp - Products and convolutions on the tile templates --------------===//
//
// Tiles of the product on tensor cores where both factors have 16 bits or may be rounded to TF32,
// else on ordinary ones.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/ContractionWriter.h"
#include "codegen/cuda/ScalarOps.h"
#include "ir/Dims.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"
#include <algorithm>
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

/// Whether a product has so many rows, copied along the depth, that memory bounds it even where its
/// few columns fill little of a tile: the last convolution of a network that gives images.
bool ContractionWriter::isTallAndThin() const {
  constexpr int64_t LeastRows = 4096, LeastDepth = 32, Neighbours = 8, MostColumns = 7;
  return body.threads == 0 && math.constantOf(extentOf(Batch)) == 1 && left.alongDepth &&
         typical(Rows) >= LeastRows && typical(Columns) <= MostColumns &&
         typical(Depth) >= LeastDepth && math.divisorOf(extentOf(Depth)) % Neighbours == 0;
}

/// The type that both factors are elements of, as they are in memory or computed, and that tensor
/// cores multiply: 16 bits without rounding, f32 only where TF32 is allowed. Null if there is none.
Type ContractionWriter::tensorCoreType() {
  auto narrowType = [](Value value) {
    auto extension = value.getDefiningOp<arith::ExtFOp>();
    return extension ? extension.getIn().getType() : value.getType();
  };
  Type types[] = {narrowType(left.value), narrowType(right.value)};
  bool isSmall =
      typical(Rows) < 8 || (typical(Columns) < 8 && !isTallAndThin()) || typical(Depth) < 16;
  bool isMultiplied =
      nn::is16BitFloat(types[0]) || (types[0].isF32() && body.allowsTf32 && element.isF32());
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

/// What the tiles on tiles.cuh hold whole blocks of, where memory runs along a side.
TileSteps ContractionWriter::stepsOf(Type type) {
  const unsigned sides = 1024 / type.getIntOrFloatBitWidth(); // of a block in across.cuh
  auto stepOf = [&](const Factor &factor, const char *side) {
    return mayLieAcross() && runsAcross(factor, side, type) ? sides : 1;
  };
  return {stepOf(left, "m"), stepOf(right, "n")};
}

/// What follows the choice of a tile on tiles.cuh; `last` are parameters of its own.
template <typename Tile>
Scheduled ContractionWriter::writeTiles(const char *name, const Tile &tile, Type type,
                                        TileSteps steps, const std::string &last) {
  writeTiling(std::string(name) + "<" + tile.text(), tile.split, last);
  writeOperand("a", left, "m", type);
  writeOperand("b", right, "n", type);
  unsigned width = storesVectors() ? StoreWidth : 1;
  writeStore(width);
  bool isStatic = body.threads != 0; // as part of a loop
  if (isStatic)
    out.line("alignas(128) __shared__ char shared[Tile::SharedBytes];");
  else
    out.line("char *shared = dynamicShared<char>();");
  out.line("tileGemm<Tile, " + *typeText(type) + ", " + std::to_string(width) + ">(shared, " +
           corner() + "know_a, a, know_b, b, store);");
  Scheduled scheduled{out.take(),
                      tilesOf(tile.rows, tile.columns) * tile.split,
                      tile.threads(),
                      {"tensorcore.cuh", "tiles.cuh"}};
  if (std::max(steps.rows, steps.columns) > 1)
    scheduled.headers.push_back("across.cuh");
  (isStatic ? scheduled.staticShared : scheduled.sharedBytes) = tile.sharedBytes();
  scheduled.cluster = tile.split;
  scheduled.tactic = std::string(name) + "<" + tile.text() + ">";
  return scheduled;
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
  Scheduled scheduled = writeTiles("MmaTile", tile, type, steps, tile.mayGroup ? "" : ", false");
  scheduled.headers.push_back("mma.cuh");
  return scheduled;
}

/// Whether the product of f32 fills tiles of fma.cuh, which have no room in loops.
bool ContractionWriter::suitsFma() const {
  constexpr int64_t LeastSide = 16, LeastDepth = 32;
  return element.isF32() && body.threads == 0 && typical(Rows) >= LeastSide &&
         (typical(Columns) >= LeastSide || isTallAndThin()) && typical(Depth) >= LeastDepth;
}

Scheduled ContractionWriter::writeOnFma() {
  TileSteps steps = stepsOf(element);
  std::vector<FmaTile> ranked =
      rankFmaTiles(typical(Rows), typical(Columns), typical(Depth), typical(Batch), steps);
  FmaTile tile = body.tactics ? choose(element, "FmaTile", ranked) : ranked.front();
  Scheduled scheduled = writeTiles("FmaTile", tile, element, steps);
  scheduled.headers.push_back("fma.cuh");
  return scheduled;
}

/// f64, integers, and what is too small for other templates.
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
  bool isThin = isTallAndThin();
  if (math.constantOf(extentOf(Rows)) == 1 || (math.constantOf(extentOf(Columns)) == 1 && !isThin))
    return nnc::Error{"a vector, of which tiles would compute copies"};
  // Depthwise convolutions and those with few results per group.
  if (body.anchor == "convolution" && (isFew(Rows) || (isFew(Columns) && !isThin)))
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
  Scheduled scheduled = type         ? writeOnTensorCores(type)
                        : suitsFma() ? writeOnFma()
                                     : writeOnCores();
  if (evaluator.error())
    return *evaluator.error();
  return scheduled;
}

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
