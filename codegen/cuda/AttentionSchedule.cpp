//===- AttentionSchedule.cpp - Attention on its tile template ---------------------------------===//
//
// attention.cuh does the work; here the tile is chosen and every operand's strides are written.
// Like KernelBody.cpp this knows the nn dialect, for attention is not lowered to linalg.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Schedule.h"

#include "codegen/cuda/ScalarOps.h"
#include "ir/AttentionAccess.h"
#include <cmath>
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {
namespace {

/// Which template does a tile, and its parameters.
struct Tile {
  bool isMma; ///< AttentionMmaTile, else AttentionTile
  int64_t headSize, rows, keys, lanes, threads;

  std::string text() const {
    return isMma ? fmt::format("AttentionMmaTile<{}, {}, {}, {}>", headSize, rows, keys, lanes)
                 : fmt::format("AttentionTile<{}, {}, {}, {}, {}>", headSize, rows, keys, lanes,
                               threads);
  }
  /// As the templates lay it out.
  int64_t sharedBytes() const {
    int64_t chunks = (headSize + 15) / 16 * 2, stride = (headSize + 3) / 4 * 4 + 4;
    return isMma ? (rows + 2 * keys) * (chunks + 1) * 16
                 : 4 * ((rows + 2 * keys) * stride + rows * (keys + 4));
  }
};

constexpr int64_t FewRows = 16;      ///< the least tile
constexpr int64_t LargestHead = 256; ///< whose tiles fit the shared memory of every GPU
constexpr int64_t BytesOfALoad = 16;

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
  Tile chooseTile() const;
  Tile chooseSmallTile(const Tile &large) const;
  int64_t chooseLanes() const;
  void writeTensor(const std::string &name, const nn::StridedAccess &access, bool isResult);
  void writeSeen();
  void writeMask();
  void writeCall(const Tile &tile, const std::string &indent);
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

/// Tensor cores for 16-bit elements. Sizes keep a block's shared memory below 100 KiB, which every
/// GPU from sm_80 on has, and a thread's sums in registers.
Tile AttentionWriter::chooseTile() const {
  int64_t d = access.headSize, lanes = chooseLanes();
  if (!element.isF32())
    return {true, d, 64, d <= 128 ? 64 : 32, lanes, 128};
  return {false, d, d <= 128 ? 64 : 32, d <= 64 ? 64 : d <= 128 ? 32 : 16, lanes, 256};
}

/// For as few rows as there are when generating: most of a large tile would be empty.
Tile AttentionWriter::chooseSmallTile(const Tile &large) const {
  return {false,       large.headSize, FewRows, std::min<int64_t>(large.keys, 32),
          large.lanes, large.threads};
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
    out.line("auto mask = [](Index, Index, Index, Index) { return true; };");
    return;
  }
  AffineExpr place = access.mask->offset;
  const char *names[] = {"b", "h", "t", "j"};
  AffineExpr extents[] = {access.batch, access.heads, access.queries, access.keys};
  for (auto [name, extent, stride] : llvm::zip(names, extents, access.mask->strides))
    place = place + math.addVariable(name, extent) * stride;
  out.line("auto mask = [&](Index b, Index h, Index t, Index j) {");
  out.line(fmt::format("  return (bool)in{}[{}];", access.mask->number, text(place)));
  out.line("};");
}

void AttentionWriter::writeCall(const Tile &tile, const std::string &indent) {
  std::string scale = fmt::format("{:.9g}f", float(1 / std::sqrt(double(access.headSize))));
  out.line(fmt::format(
      "{}{}<{}, {}>((Index)blockIdx.x, sizes, query, key, value, result, {}, seen, "
      "mask);",
      indent, tile.isMma ? "attentionMma" : "attention", tile.text(), *typeText(element), scale));
}

Result<Scheduled> AttentionWriter::write() {
  if (access.headSize > LargestHead)
    return nnc::Error{
        fmt::format("kernel \"{}\" at {} has heads of {}, the cuda target supports {}", body.name,
                    describeLocation(body.op->getLoc()), access.headSize, LargestHead)};
  Tile tile = chooseTile();
  writeTensor("query", access.query, false);
  writeTensor("key", access.key, false);
  writeTensor("value", access.value, false);
  writeTensor("result", access.result, true);
  out.line(fmt::format("const AttentionSizes<Index> sizes = {{{}, {}, {}, {}}};",
                       text(access.keyHeads), text(groups), text(access.queries),
                       text(access.keys)));
  writeSeen();
  writeMask();
  Tile small = chooseSmallTile(tile);
  IndexRange range = math.rangeOf(rows);
  bool isEverSmall = range.low <= FewRows, isAlwaysSmall = range.high <= FewRows;
  bool isEither = isEverSmall && !isAlwaysSmall;
  if (isEither)
    out.line(fmt::format("if ({} <= {})", text(rows), FewRows));
  if (isEverSmall)
    writeCall(small, isEither ? "  " : "");
  if (isEither)
    out.line("else");
  if (!isAlwaysSmall)
    writeCall(tile, isEither ? "  " : "");
  // Few rows are one tile either way.
  Scheduled scheduled{out.take(),
                      access.batch * access.keyHeads * rows.ceilDiv(tile.rows),
                      unsigned(tile.threads),
                      {"attention.cuh"}};
  if (tile.isMma)
    scheduled.headers = {"tensorcore.cuh", "attention.cuh", "attention_mma.cuh"};
  scheduled.sharedBytes = std::max(tile.sharedBytes(), small.sharedBytes());
  return scheduled;
}

} // namespace

Result<Scheduled> scheduleAttention(const KernelBody &body) {
  return AttentionWriter(body).write();
}

} // namespace nnc::codegen
