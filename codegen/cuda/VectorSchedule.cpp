//===- VectorSchedule.cpp - Products with few rows on gemv.cuh --------------------------------===//
//
// A product of a few vectors and a large matrix takes as long as reading the matrix: there are no
// tiles, warps read columns along the depth. That is what decoding a token consists of. A norm in
// front of it is no launch of its own: each block normalizes the rows for itself, while it waits
// for the matrix. Two products of the same rows, as of a gated layer, are computed side by side.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Contraction.h"
#include "codegen/cuda/GemmTiles.h"
#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/SmallPtrSet.h"
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {
namespace {

/// With more rows tiles are better, with less of the rest whatever else there is.
constexpr int64_t MostRows = 8, LeastColumns = 8, LeastDepth = 64;
/// Enough for all multiprocessors, whatever a block takes of them.
constexpr int64_t ManyColumns = 2048;

/// Parameters of VectorTile in gemv.cuh.
struct VectorTile {
  int64_t rows;
  unsigned columns, warps, split;
  int64_t width;
  unsigned stages;
  unsigned matrices = 1;
  bool areRowsMade = false; ///< not copied
  unsigned threads() const { return 32 * warps; }
  int64_t columnsOfBlock() const { return int64_t(warps / split) * columns; }
  unsigned sums() const { return matrices * columns; }
  /// What the copies in flight take.
  unsigned sharedBytes() const {
    return stages * (sums() + (areRowsMade ? 0 : rows)) * threads() * 16;
  }
  unsigned sumBytes() const { return warps * sums() * rows * 4; }
  std::string text() const {
    std::string rest;
    if (matrices > 1 || areRowsMade)
      rest = fmt::format(", {}", matrices);
    if (areRowsMade)
      rest += ", 0";
    return fmt::format("VectorTile<{}, {}, {}, {}, {}, {}{}>", rows, columns, warps, split, width,
                       stages, rest);
  }
};

class VectorWriter : Contraction {
public:
  explicit VectorWriter(const KernelBody &body) : Contraction(body) {}

  Result<Scheduled> write();

private:
  bool haveFewRows() const;
  void visitSources(const Factor &factor, llvm::function_ref<void(Operation *)> visitOp,
                    llvm::function_ref<void(BlockArgument)> visitOperand) const;
  bool readsReductions() const;
  Type elementOf(const Factor &factor);
  int64_t chooseWidth(Type type) const;
  bool isOneOfMany(int64_t columns) const;
  VectorTile chooseTile(int64_t width) const;
  void chooseForTwo(VectorTile &tile) const;
  bool isStoredWeight(const Factor &factor);
  std::vector<VectorTile> otherTiles(const VectorTile &first) const;
  std::optional<VectorTile> choose(Type type, const VectorTile &first) const;
  bool writeMatrices(Type type, int64_t width);
  void writeRows(Type type, int64_t width, bool isCopied);
  void makeRows(const VectorTile &tile, Type type);
  unsigned bytesOfRows(Type type) const;
};

bool VectorWriter::haveFewRows() const {
  std::optional<int64_t> rows = math.constantOf(extentOf(Rows));
  return rows && *rows <= MostRows && typical(Columns) >= LeastColumns &&
         typical(Columns) > *rows && typical(Depth) >= LeastDepth;
}

/// All that a factor is computed from: operations, and the kernel's operands.
void VectorWriter::visitSources(const Factor &factor, llvm::function_ref<void(Operation *)> visitOp,
                                llvm::function_ref<void(BlockArgument)> visitOperand) const {
  SmallVector<Value> pending{factor.value};
  llvm::SmallPtrSet<Value, 16> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    if (Operation *op = value.getDefiningOp()) {
      visitOp(op);
      pending.append(op->operand_begin(), op->operand_end());
      continue;
    }
    auto argument = cast<BlockArgument>(value);
    if (argument.getOwner() == body.block) {
      visitOperand(argument);
      continue;
    }
    auto op = dyn_cast<linalg::LinalgOp>(argument.getOwner()->getParentOp());
    if (op && argument.getArgNumber() < unsigned(op.getNumDpsInputs()))
      pending.push_back(op.getDpsInputs()[argument.getArgNumber()]);
  }
}

/// Whether rows are made of sums along them, so that a thread cannot make an element by itself.
bool VectorWriter::readsReductions() const {
  bool found = false;
  auto visit = [&](Operation *op) {
    auto structured = dyn_cast<linalg::LinalgOp>(op);
    found |= structured && structured.getNumReductionLoops() > 0;
  };
  visitSources(left, visit, [](BlockArgument) {});
  return found;
}

/// The type in memory of what the factor is, or of most that it is computed from.
Type VectorWriter::elementOf(const Factor &factor) {
  Type type = element;
  int64_t most = 0;
  auto visit = [&](BlockArgument operand) {
    int64_t size = typicalValue(body, math, math.product(evaluator.sizes.dimsOf(operand)));
    if (size > most) {
      most = size;
      type = getElementTypeOrSelf(operand.getType());
    }
  };
  visitSources(factor, [](Operation *) {}, visit);
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

/// Whether one row is multiplied, outside of a loop, with so many columns.
bool VectorWriter::isOneOfMany(int64_t columns) const {
  return math.constantOf(extentOf(Rows)) == 1 && !body.threads && typical(Columns) >= columns;
}

// Timed on an H200 with matrices of bf16: 512 to 128256 columns, depths of 2048 and 8192, 1 to 8
// rows. One row reads 3.5 TB/s of matrices of 32 MiB and 4.5 TB/s of 500 MiB; a row more costs 5 %,
// four cost 30 %, eight 60 %. What is best for one product is not what is best for the next, whose
// blocks copy meanwhile: where columns are many, tiles were timed in a whole token of Llama 1B.
VectorTile VectorWriter::chooseTile(int64_t width) const {
  int64_t rows = *math.constantOf(extentOf(Rows)), reads = typical(Depth) / (32 * width);
  VectorTile tile{rows, isOneOfMany(ManyColumns) ? 4U : 2U, 4, 2, width, 4};
  if (rows > 2)
    tile = {rows, 4, 8, typical(Columns) < 8192 ? 2U : 1U, width, 2};
  tile.areRowsMade = readsReductions();
  tile.matrices = second ? 2 : 1;
  if (tile.areRowsMade && rows <= 2) // by more threads, for more columns
    tile.columns = 2, tile.warps = 8;
  if (second)
    chooseForTwo(tile);
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

/// Twice as much is in flight for a column.
void VectorWriter::chooseForTwo(VectorTile &tile) const {
  if (isOneOfMany(2 * ManyColumns))
    tile.split = 1;
  if (isOneOfMany(4 * ManyColumns))
    tile.columns = 4;
  if (tile.split > 1 || tile.columns > 2)
    tile.stages = 2;
}

/// What there is besides the tile that was timed best in general.
std::vector<VectorTile> VectorWriter::otherTiles(const VectorTile &first) const {
  std::vector<VectorTile> tiles;
  int64_t reads = typical(Depth) / (32 * first.width);
  for (unsigned columns : {2U, 4U})
    for (unsigned warps : {4U, 8U})
      for (unsigned split : {1U, 2U})
        for (unsigned stages : {1U, 2U, 4U}) {
          VectorTile tile = first;
          tile.columns = columns, tile.warps = warps, tile.split = split, tile.stages = stages;
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
  bool hasOthers = !second && !first.areRowsMade;
  if (hasOthers)
    texts.push_back("tiles");
  std::string name;
  llvm::raw_string_ostream(name) << type;
  std::string key =
      fmt::format("vectors {} {}x{}x{}", name, first.rows, typical(Columns), typical(Depth));
  key += second ? " gated" : "";
  key += first.areRowsMade ? " of sums" : "";
  if (typical(Batch) != 1)
    key += fmt::format(" x{}", typical(Batch));
  size_t chosen = chooseTactic(body, key, std::move(texts));
  return chosen < tiles.size() ? std::optional(tiles[chosen]) : std::nullopt;
}

/// Writes the columns; whether they are copied.
bool VectorWriter::writeMatrices(Type type, int64_t width) {
  bool isWhole = width * type.getIntOrFloatBitWidth() == 128 && !type.isInteger();
  if (!second) {
    if (isWhole && writeAddress("b", right, "n", type))
      return true;
    writeKnown("b", "n", {});
    writeVectorFactor("b", right, "n", width);
    return false;
  }
  bool areCopied = isWhole && writeAddress("b0", right, "n", type);
  forSecond(
      [&](const Factor &other) { areCopied = areCopied && writeAddress("b1", other, "n", type); });
  if (!areCopied)
    return false;
  out.line("struct Both {");
  out.line("  decltype(know_b0(0)) first;");
  out.line("  decltype(know_b1(0)) second;");
  out.line("};");
  out.line("auto know_b = [&](Index n) { return Both{know_b0(n), know_b1(n)}; };");
  out.line("auto b = [&](const Both &row, Index k, int matrix) {");
  out.line("  return matrix == 0 ? b0(row.first, k) : b1(row.second, k);");
  out.line("};");
  return true;
}

unsigned VectorWriter::bytesOfRows(Type type) const {
  int64_t depth = math.constantOf(extentOf(Depth)).value_or(0);
  int64_t rows = math.constantOf(extentOf(Rows)).value_or(0);
  return static_cast<unsigned>(rows * depth * type.getIntOrFloatBitWidth() / 8);
}

/// All threads of the block together make the rows, as the product's factors are stored.
void VectorWriter::makeRows(const VectorTile &tile, Type type) {
  std::string name = *typeText(type);
  out.line(name + " *const rows = dynamicShared<" + name + ">() + Tile::SharedBytes / sizeof(" +
           name + ");");
  evaluator.openBlock("auto prepare = [&]");
  out.line("waitForKernels();");
  evaluator.row = {tile.threads(), "threadIdx.x"};
  AffineExpr row = math.constant(0);
  bool areSeveral = tile.rows > 1;
  if (areSeveral)
    row = evaluator.openLoop("m", extentOf(Rows));
  int64_t width = evaluator.rowVector(extentOf(Depth));
  AffineExpr k = evaluator.openRowLoop("k", math.simplify(extentOf(Depth).floorDiv(width)));
  out.line("Vector<" + name + ", " + std::to_string(width) + "> made;");
  AffineExpr lane = evaluator.openLanes(width);
  auto extension = left.value.getDefiningOp<arith::ExtFOp>();
  bool isNarrow = extension && extension.getIn().getType() == type;
  std::string value = evaluator.bodyValue(product, isNarrow ? extension.getIn() : left.value,
                                          loopsAt(row, {}, math.simplify(k * width + lane)));
  out.line("made[" + math.nameOf(cast<AffineDimExpr>(lane).getPosition()) + "] = " + value + ";");
  evaluator.closeLanes();
  out.line("storeVector(rows + " + math.text(row * extentOf(Depth) + k * width) + ", made);");
  evaluator.closeScope();
  if (areSeveral)
    evaluator.closeScope();
  evaluator.row.reset();
  out.line("barrier();");
  evaluator.closeScope("};");
  writeKnown("a", "m", {});
  out.line(
      "auto a = [&](Index m, Index k) { return loadWidened<Tile::Width>(rows + m * K + k); };");
}

void VectorWriter::writeRows(Type type, int64_t width, bool isCopied) {
  out.line(isCopied ? "auto prepare = [] { waitForKernels(); };" : "auto prepare = [] {};");
  if (isCopied && writeAddress("a", left, "m", type))
    return;
  writeKnown("a", "m", {});
  writeVectorFactor("a", left, "m", width);
}

Result<Scheduled> VectorWriter::write() {
  if (std::optional<nnc::Error> why = understand(/*mayHaveTwo=*/true))
    return *why;
  if (!haveFewRows())
    swapSides();
  Type type = elementOf(right);
  if (!haveFewRows() || !element.isF32() || !type.isIntOrFloat() || !right.alongDepth)
    return nnc::Error{"no product of few rows and a matrix that lies along the depth"};
  VectorTile tile = chooseTile(chooseWidth(type));
  if (body.threads % 32 != 0 || (body.threads && tile.sharedBytes() > MostSharedInLoop))
    return nnc::Error{"a block of the loop has not the threads or the memory"};
  constexpr unsigned MostOfRows = 32 << 10;
  if (tile.areRowsMade &&
      (body.threads || bytesOfRows(type) == 0 || bytesOfRows(type) > MostOfRows))
    return nnc::Error{"shared memory does not hold the rows that are made"};
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
  bool isCopied = writeMatrices(type, tile.width), isStatic = isCopied && body.threads != 0;
  if (!isCopied && (second || tile.areRowsMade))
    return nnc::Error{"matrices of rows that are made, and two of them, are copied"};
  bool startsEarly = isCopied && isStoredWeight(right);
  if (second)
    forSecond([&](const Factor &other) { startsEarly = startsEarly && isStoredWeight(other); });
  if (!startsEarly)
    out.line("waitForKernels(); // the same code may be another kernel's, of a weight");
  if (tile.areRowsMade)
    makeRows(tile, type);
  else
    writeRows(type, tile.width, isCopied);
  writeElementStore(fmt::format("const float (&sums)[{}]", tile.matrices), {"sums[0]", "sums[1]"});
  std::string name = isCopied ? *typeText(type) : "float", shared = "dynamicShared<" + name + ">()";
  if (isStatic) {
    out.line("alignas(16) __shared__ char copies[Tile::SharedBytes];");
    shared = "reinterpret_cast<" + name + " *>(copies)";
  }
  out.line("vectorProduct<Tile>(" + (isCopied ? shared : "(float *)nullptr") + ", " + first +
           " * Tile::BN, N, K, prepare, know_a, a, know_b, b, store);");
  if (evaluator.error())
    return *evaluator.error();
  Scheduled scheduled{
      out.take(), tiles * count, tile.threads(), {"reduce.cuh", "tensorcore.cuh", "gemv.cuh"}};
  scheduled.staticShared = tile.sumBytes() + (isStatic ? tile.sharedBytes() : 0);
  scheduled.waits = startsEarly;
  scheduled.tactic = tile.text();
  scheduled.sharedBytes = isCopied && !isStatic ? tile.sharedBytes() : 0;
  if (tile.areRowsMade) {
    scheduled.sharedBytes += bytesOfRows(type);
    scheduled.staticShared += tile.warps * 4; // blockReduce
  }
  return scheduled;
}

} // namespace

Result<Scheduled> scheduleVectors(const KernelBody &body) { return VectorWriter(body).write(); }

} // namespace nnc::codegen
