//===- AttentionSchedule.cpp - Attention on its tile template ---------------------------------===//
//
// attention.cuh does the work, attention_few.cuh where there are few rows; here the tile is chosen
// and every operand's strides are written. Like KernelBody.cpp this knows the nn dialect, for
// attention is not lowered to linalg.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Schedule.h"

#include "codegen/cuda/AttentionTiles.h"
#include "codegen/cuda/ScalarOps.h"
#include "ir/AttentionAccess.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {
namespace {

/// For as few rows as there are when generating.
struct FewTile {
  int64_t headSize, rows, lanes, warps, split;

  std::string text() const {
    return fmt::format("AttentionFewTile<{}, {}, {}, {}, {}>", headSize, rows, lanes, warps, split);
  }
  int64_t sharedBytes() const { return (warps + 1) * rows * (headSize + 2) * 4; }
};

constexpr int64_t FewRows = 16;       ///< of which most of a tile would be empty
constexpr int64_t MostRowsAtOnce = 8; ///< that registers hold
constexpr int64_t ThreadsOfFew = 128; ///< more wait longer for each other
constexpr int64_t LargestHead = 256;  ///< whose tiles fit the shared memory of every GPU
constexpr int64_t BytesOfALoad = 16;
constexpr int64_t Multiprocessors = 132; ///< of an H100; fewer or more blocks do all tiles as well

class AttentionWriter {
public:
  explicit AttentionWriter(const KernelBody &body)
      : body(body), writing(body), math(writing.math), out(writing.out),
        access(nn::getAttentionAccess(cast<nn::KernelOp>(body.op))),
        element(access.op.getType().getElementType()),
        groups(math.simplify(access.heads.floorDiv(access.keyHeads))),
        rows(math.simplify(access.queries * groups)) {}

  Result<Scheduled> write();

private:
  AttentionProblem describe() const;
  FewTile chooseFewTile(int64_t threads) const;
  int64_t chooseLanes() const;
  void writeTensor(const std::string &name, const nn::StridedAccess &access, bool isResult);
  void writeSeen();
  void writeMask();
  void writeCall(const std::string &function, const std::string &number);
  void writeTile(const AttentionTile &tile, const std::string &number);
  void writeFew(const FewTile &tile, bool isAlways);
  void writeEither(const AttentionTile &tile, const FewTile &few);
  std::string text(AffineExpr expr) const { return math.text(math.simplify(expr)); }

  const KernelBody &body;
  Writing writing;
  IndexMath &math;
  CodeWriter &out;
  nn::AttentionAccess access;
  Type element;
  AffineExpr groups, rows;
};

/// How many elements one load may take: as many as divide the head and keep every row aligned.
int64_t AttentionWriter::chooseLanes() const {
  int64_t lanes = BytesOfALoad * 8 / element.getIntOrFloatBitWidth();
  auto fits = [&](AffineExpr expr) {
    return math.constantOf(expr) == 0 || math.divisorOf(math.simplify(expr)) % lanes == 0;
  };
  for (; lanes > 1; lanes /= 2) {
    bool allFit = access.headSize % lanes == 0;
    for (const nn::StridedAccess *tensor :
         {&access.query, &access.key, &access.value, &access.result})
      allFit = allFit && fits(tensor->offset) &&
               llvm::all_of(ArrayRef(tensor->strides).drop_back(), fits);
    if (allFit)
      break;
  }
  return lanes;
}

AttentionProblem AttentionWriter::describe() const {
  nn::AttentionOp op = access.op;
  return {!element.isF32(),
          access.headSize,
          chooseLanes(),
          typicalValue(body, math, math.simplify(access.batch * access.keyHeads)),
          typicalValue(body, math, rows),
          typicalValue(body, math, access.keys),
          op.getCausal()};
}

/// Rows: those of one query, or of all if they are always few. Blocks share the keys where these
/// are many: one per 64, up to 8.
FewTile AttentionWriter::chooseFewTile(int64_t threads) const {
  IndexRange range = math.rangeOf(rows);
  int64_t some =
      std::clamp<int64_t>(range.high <= FewRows ? range.high : range.low, 1, MostRowsAtOnce);
  int64_t keys = math.rangeOf(access.keys).high, split = 1;
  while (split < 8 && keys >= 128 * split)
    split *= 2;
  return {access.headSize, int64_t(llvm::PowerOf2Ceil(some)), chooseLanes(), threads / 32, split};
}

void AttentionWriter::writeTensor(const std::string &name, const nn::StridedAccess &tensor,
                                  bool isResult) {
  std::string pointer = (isResult ? "out" : "in") + std::to_string(tensor.number);
  if (math.constantOf(tensor.offset) != 0)
    pointer += " + " + text(tensor.offset);
  out.line(fmt::format("const AttentionTensor<{}{}, Index> {} = {{{}, {}, {}, {}}};",
                       isResult ? "" : "const ", *typeText(element), name, pointer,
                       text(tensor.strides[0]), text(tensor.strides[1]), text(tensor.strides[2])));
}

void AttentionWriter::writeSeen() {
  std::string count = text(access.keys);
  if (!access.op.getCausal()) {
    out.line("auto seen = [&](Index) -> Index { return " + count + "; };");
    return;
  }
  std::string before =
      access.offset ? fmt::format(" + toIndex<Index>(in{}[0])", *access.offset) : "";
  out.line("const Index before = 1" + before + ";");
  out.line("auto seen = [&](Index t) -> Index {");
  out.line("  return minimum((Index)(" + count + "), maximum((Index)0, t + before));");
  out.line("};");
}

void AttentionWriter::writeMask() {
  if (!access.mask) {
    out.line("const NoMask mask;");
    return;
  }
  AffineExpr place = access.mask->offset;
  const char *names[] = {"b", "h", "t", "j"};
  AffineExpr extents[] = {access.batch, access.heads, access.queries, access.keys};
  for (auto [name, extent, stride] : llvm::zip(names, extents, access.mask->strides))
    place = place + math.addVariable(name, extent) * stride;
  auto isBroadcast = [&](unsigned axis) {
    return math.constantOf(math.simplify(access.mask->strides[axis])) == 0;
  };
  bool isOfKeys = isBroadcast(1) && isBroadcast(2);
  out.line(isOfKeys ? "const auto mask = maskOfKeys([&](Index b, Index j) {"
                    : "auto mask = [&](Index b, Index h, Index t, Index j) {");
  out.line(fmt::format("  return (bool)in{}[{}];", access.mask->number, text(place)));
  out.line(isOfKeys ? "});" : "};");
}

void AttentionWriter::writeCall(const std::string &function, const std::string &number) {
  std::string scale = fmt::format("{:.9g}f", float(1 / std::sqrt(double(access.headSize))));
  out.line(fmt::format("{}{}>({}, sizes, query, key, value, result, {}, seen, mask);", function,
                       *typeText(element), number, scale));
}

/// Tile `number` of all, or with those that the block takes after it.
void AttentionWriter::writeTile(const AttentionTile &tile, const std::string &number) {
  AffineExpr tiles = access.batch * access.keyHeads * rows.ceilDiv(tile.rows);
  writeCall(tile.function, tile.persists
                               ? fmt::format("AttentionTiles<Index>{{{}, (Index)gridDim.x, "
                                             "{}}}",
                                             number, text(tiles))
                               : number);
}

/// Each cluster takes some rows, or one after another all rows of a head.
void AttentionWriter::writeFew(const FewTile &tile, bool isAlways) {
  std::string number = "(Index)blockId";
  if (tile.split > 1) {
    out.line(fmt::format("if (!HasClusters && blockId % {} != 0)", tile.split));
    out.line("  return;");
    number = fmt::format("(Index)blockId / {}", tile.split);
  }
  if (isAlways)
    return writeCall("attentionFew<" + tile.text() + ", ", number);
  out.line(
      fmt::format("const Index tiles = ({} + {}) / {};", text(rows), tile.rows - 1, tile.rows));
  out.open("for (Index tile = 0; tile < tiles; ++tile)");
  writeCall("attentionFew<" + tile.text() + ", ", number + " * tiles + tile");
  out.close();
}

/// A cluster's blocks take neighbouring tiles of a head; those behind the last one have nothing to
/// do.
void AttentionWriter::writeEither(const AttentionTile &tile, const FewTile &few) {
  out.open(fmt::format("if ({} <= {})", text(rows), FewRows));
  writeFew(few, /*isAlways=*/false);
  out.close();
  out.open("else");
  out.line(
      fmt::format("const Index tiles = ({} + {}) / {};", text(rows), tile.rows - 1, tile.rows));
  out.line(fmt::format("const Index blocks = (tiles + {}) / {} * {};", few.split - 1, few.split,
                       few.split));
  out.line("const Index tile = (Index)blockId % blocks;");
  out.open("if (tile < tiles)");
  writeTile(tile, "(Index)blockId / blocks * tiles + tile");
  out.close();
  out.close();
}

/// "AttentionTile<16, 64, 64, 4, 256>": the function's template argument.
static std::string tacticOf(const AttentionTile &tile) {
  size_t begin = tile.function.find('<') + 1;
  return tile.function.substr(begin, tile.function.rfind('>') + 1 - begin);
}

Result<Scheduled> AttentionWriter::write() {
  if (access.headSize > LargestHead)
    return nnc::Error{
        fmt::format("kernel \"{}\" at {} has heads of {}, the cuda target supports {}", body.name,
                    describeLocation(body.op->getLoc()), access.headSize, LargestHead)};
  AttentionTile tile = chooseAttentionTile(describe());
  writeTensor("query", access.query, false);
  writeTensor("key", access.key, false);
  writeTensor("value", access.value, false);
  writeTensor("result", access.result, true);
  out.line(fmt::format("const AttentionSizes<Index> sizes = {{{}, {}, {}, {}}};",
                       text(access.keyHeads), text(groups), text(access.queries),
                       text(access.keys)));
  writeSeen();
  writeMask();
  IndexRange range = math.rangeOf(rows);
  bool isEverFew = range.low <= FewRows, isAlwaysFew = range.high <= FewRows;
  FewTile few = chooseFewTile(isAlwaysFew ? ThreadsOfFew : tile.threads);
  AffineExpr heads = access.batch * access.keyHeads, tiles = rows.ceilDiv(tile.rows);
  Scheduled scheduled;
  scheduled.threads = tile.threads;
  scheduled.headers = {"attention.cuh"};
  if (!isEverFew) {
    writeTile(tile, "(Index)blockId");
  } else {
    scheduled.cluster = few.split;
    scheduled.headers.push_back("attention_few.cuh");
    tiles = rows.ceilDiv(tile.rows * few.split) * few.split;
    if (isAlwaysFew) {
      writeFew(few, true);
      scheduled.threads = few.warps * 32;
      tiles = rows.ceilDiv(few.rows) * few.split;
    } else {
      writeEither(tile, few);
    }
  }
  if (!isAlwaysFew) {
    llvm::append_range(scheduled.headers, tile.headers);
    scheduled.isAlone = tile.persists;
  }
  scheduled.tactic = isAlwaysFew ? few.text()
                     : isEverFew ? tacticOf(tile) + " or " + few.text()
                                 : tacticOf(tile);
  scheduled.statements = out.take();
  scheduled.blocks = math.simplify(heads * tiles);
  std::optional<int64_t> count = math.constantOf(scheduled.blocks);
  if (tile.persists && !isEverFew && count && *count > Multiprocessors)
    scheduled.blocks = getAffineConstantExpr(Multiprocessors, scheduled.blocks.getContext());
  scheduled.sharedBytes =
      std::max<int64_t>(isEverFew ? few.sharedBytes() : 0, isAlwaysFew ? 0 : tile.sharedBytes);
  return scheduled;
}

} // namespace

Result<Scheduled> scheduleAttention(const KernelBody &body) {
  return AttentionWriter(body).write();
}

} // namespace nnc::codegen
