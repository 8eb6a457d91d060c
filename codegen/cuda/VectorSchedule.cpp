//===- VectorSchedule.cpp - Products with few rows on gemv.cuh --------------------------------===//
//
// A product of a few vectors and a large matrix takes as long as reading the matrix: there are no
// tiles, warps read columns along the depth. That is what decoding a token consists of.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Contraction.h"
#include "codegen/cuda/GemmTiles.h"
#include "codegen/cuda/ScalarOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/SmallPtrSet.h"
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {
namespace {

/// With more rows tiles are better, with less of the rest whatever else there is.
constexpr int64_t MostRows = 8, LeastColumns = 8, LeastDepth = 64;

/// Parameters of VectorTile in gemv.cuh.
struct VectorTile {
  int64_t rows;
  unsigned columns, warps, split;
  int64_t width;
  unsigned stages;
  unsigned threads() const { return 32 * warps; }
  int64_t columnsOfBlock() const { return int64_t(warps / split) * columns; }
  /// What the copies in flight take.
  unsigned sharedBytes() const { return stages * (columns + rows) * threads() * 16; }
  unsigned sumBytes() const { return warps * columns * rows * 4; }
  std::string text() const {
    return fmt::format("VectorTile<{}, {}, {}, {}, {}, {}>", rows, columns, warps, split, width,
                       stages);
  }
};

class VectorWriter : Contraction {
public:
  explicit VectorWriter(const KernelBody &body) : Contraction(body) {}

  Result<Scheduled> write();

private:
  bool haveFewRows() const;
  Type elementOf(const Factor &factor);
  int64_t chooseWidth(Type type) const;
  VectorTile chooseTile(int64_t width) const;
  bool isStoredWeight(const Factor &factor);
  std::vector<VectorTile> otherTiles(const VectorTile &first) const;
  std::optional<VectorTile> choose(Type type, const VectorTile &first) const;
  /// Writes both operands; whether the matrix is copied.
  bool writeOperands(Type type, int64_t width);
};

bool VectorWriter::haveFewRows() const {
  std::optional<int64_t> rows = math.constantOf(extentOf(Rows));
  return rows && *rows <= MostRows && typical(Columns) >= LeastColumns &&
         typical(Columns) > *rows && typical(Depth) >= LeastDepth;
}

/// The type in memory of what the factor is, or of most that it is computed from.
Type VectorWriter::elementOf(const Factor &factor) {
  SmallVector<Value> pending{factor.value};
  llvm::SmallPtrSet<Value, 16> seen;
  Type type = element;
  int64_t most = 0;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    if (Operation *op = value.getDefiningOp()) {
      pending.append(op->operand_begin(), op->operand_end());
      continue;
    }
    auto argument = cast<BlockArgument>(value);
    if (argument.getOwner() != body.block) {
      auto op = dyn_cast<linalg::LinalgOp>(argument.getOwner()->getParentOp());
      if (op && argument.getArgNumber() < unsigned(op.getNumDpsInputs()))
        pending.push_back(op.getDpsInputs()[argument.getArgNumber()]);
      continue;
    }
    int64_t size = typicalValue(body, math, math.product(evaluator.sizes.dimsOf(argument)));
    if (size > most) {
      most = size;
      type = getElementTypeOrSelf(argument.getType());
    }
  }
  return type;
}

/// Whether a factor that is copied is an element of a weight as it is stored.
bool VectorWriter::isStoredWeight(const Factor &factor) {
  Operation *extension = factor.value.getDefiningOp();
  Value value = extension ? extension->getOperand(0) : factor.value;
  Value tensor = product->getOperand(cast<BlockArgument>(value).getArgNumber());
  while (Operation *view = tensor.getDefiningOp())
    tensor = view->getOperand(0);
  return isWeight(body.op->getOperand(cast<BlockArgument>(tensor).getArgNumber()));
}

/// As many neighbours as 16 bytes hold and the depth is made of.
int64_t VectorWriter::chooseWidth(Type type) const {
  int64_t bits = type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 32;
  int64_t width = 128 / std::clamp<int64_t>(bits, 8, 32);
  while (math.divisorOf(extentOf(Depth)) % width != 0)
    width /= 2;
  return width;
}

// Timed on an H200 with matrices of bf16: 512 to 128256 columns, depths of 2048 and 8192, 1 to 8
// rows. One row reads 3.5 TB/s of matrices of 32 MiB and 4.5 TB/s of 500 MiB; a row more costs 5 %,
// four cost 30 %, eight 60 %.
VectorTile VectorWriter::chooseTile(int64_t width) const {
  int64_t rows = *math.constantOf(extentOf(Rows)), reads = typical(Depth) / (32 * width);
  VectorTile tile{rows, 2, 4, 2, width, 4};
  if (rows > 2)
    tile = {rows, 4, 8, typical(Columns) < 8192 ? 2U : 1U, width, 2};
  if (body.threads)
    tile.warps = body.threads / 32;
  if (reads < 2 || tile.warps % 2 != 0)
    tile.split = 1;
  auto isTooMuch = [&] {
    return tile.stages > std::max<int64_t>(reads / tile.split, 1) ||
           (body.threads && tile.sharedBytes() > MostSharedInLoop);
  };
  while (tile.stages > 1 && isTooMuch())
    tile.stages /= 2;
  return tile;
}

/// What there is besides the tile that was timed best in general.
std::vector<VectorTile> VectorWriter::otherTiles(const VectorTile &first) const {
  std::vector<VectorTile> tiles;
  int64_t reads = typical(Depth) / (32 * first.width);
  for (unsigned columns : {2U, 4U})
    for (unsigned warps : {4U, 8U})
      for (unsigned split : {1U, 2U})
        for (unsigned stages : {1U, 2U, 4U}) {
          VectorTile tile{first.rows, columns, warps, split, first.width, stages};
          bool fits = reads >= int64_t(split) * stages && tile.sharedBytes() <= (96 << 10);
          if (fits && tile.text() != first.text())
            tiles.push_back(tile);
        }
  return tiles;
}

/// None: tiles of a product are faster.
std::optional<VectorTile> VectorWriter::choose(Type type, const VectorTile &first) const {
  std::vector<VectorTile> tiles = otherTiles(first);
  tiles.insert(tiles.begin(), first);
  std::vector<std::string> texts;
  for (const VectorTile &tile : tiles)
    texts.push_back(tile.text());
  texts.push_back("tiles");
  std::string name;
  llvm::raw_string_ostream(name) << type;
  std::string key =
      fmt::format("vectors {} {}x{}x{}", name, first.rows, typical(Columns), typical(Depth));
  if (typical(Batch) != 1)
    key += fmt::format(" x{}", typical(Batch));
  size_t chosen = chooseTactic(body, key, std::move(texts));
  return chosen < tiles.size() ? std::optional(tiles[chosen]) : std::nullopt;
}

bool VectorWriter::writeOperands(Type type, int64_t width) {
  bool isWhole = width * type.getIntOrFloatBitWidth() == 128 && !type.isInteger();
  bool isCopied = isWhole && writeAddress("b", right, "n", type);
  bool areCopied = isCopied && writeAddress("a", left, "m", type);
  if (!isCopied) {
    writeKnown("b", "n", {});
    writeVectorFactor("b", right, "n", width);
  }
  if (!areCopied) {
    writeKnown("a", "m", {});
    writeVectorFactor("a", left, "m", width);
  }
  return isCopied;
}

Result<Scheduled> VectorWriter::write() {
  if (std::optional<nnc::Error> why = understand())
    return *why;
  if (!haveFewRows())
    swapSides();
  Type type = elementOf(right);
  if (!haveFewRows() || !element.isF32() || !type.isIntOrFloat() || !right.alongDepth)
    return nnc::Error{"no product of few rows and a matrix that lies along the depth"};
  VectorTile tile = chooseTile(chooseWidth(type));
  if (body.threads % 32 != 0 || (body.threads && tile.sharedBytes() > MostSharedInLoop))
    return nnc::Error{"a block of the loop has not the threads or the memory"};
  if (body.tactics) {
    std::optional<VectorTile> chosen = choose(type, tile);
    if (!chosen)
      return nnc::Error{"tiles of a product are faster"};
    tile = *chosen;
  }
  out.line("using Tile = " + tile.text() + ";");
  out.line("const Index N = " + math.text(extentOf(Columns)) +
           ", K = " + math.text(extentOf(Depth)) + ";");
  AffineExpr tiles = extentOf(Columns).ceilDiv(tile.columnsOfBlock()), count = extentOf(Batch);
  std::string first = "(Index)blockId";
  if (math.constantOf(count) != 1) {
    out.line("const Index tiles = (N + Tile::BN - 1) / Tile::BN;");
    out.line("const Index batch = (Index)blockId / tiles;");
    batch = evaluator.declare("batch", count);
    first = "(Index)blockId % tiles";
  }
  bool isCopied = writeOperands(type, tile.width), isStatic = isCopied && body.threads != 0;
  bool startsEarly = isCopied && isStoredWeight(right);
  if (!startsEarly)
    out.line("waitForKernels(); // the same code may be another kernel's, of a weight");
  writeElementStore("float sum", "sum");
  std::string name = isCopied ? *typeText(type) : "float", shared = "dynamicShared<" + name + ">()";
  if (isStatic) {
    out.line("alignas(16) __shared__ char copies[Tile::SharedBytes];");
    shared = "reinterpret_cast<" + name + " *>(copies)";
  }
  out.line("vectorProduct<Tile>(" + (isCopied ? shared : "(float *)nullptr") + ", " + first +
           " * Tile::BN, N, K, know_a, a, know_b, b, store);");
  if (evaluator.error())
    return *evaluator.error();
  Scheduled scheduled{
      out.take(), tiles * count, tile.threads(), {"reduce.cuh", "tensorcore.cuh", "gemv.cuh"}};
  scheduled.staticShared = tile.sumBytes() + (isStatic ? tile.sharedBytes() : 0);
  scheduled.waits = startsEarly;
  scheduled.tactic = tile.text();
  scheduled.sharedBytes = isCopied && !isStatic ? tile.sharedBytes() : 0;
  return scheduled;
}

} // namespace

Result<Scheduled> scheduleVectors(const KernelBody &body) { return VectorWriter(body).write(); }

} // namespace nnc::codegen
