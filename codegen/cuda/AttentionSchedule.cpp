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

/// Parameters of AttentionTile in attention.cuh.
struct Tile {
  int64_t headSize, rows, keys, lanes;

  std::string text() const { return fmt::format("{}, {}, {}, {}", headSize, rows, keys, lanes); }
  int64_t sharedBytes() const {
    int64_t stride = (headSize + 3) / 4 * 4 + 4;
    return 4 * ((rows + 2 * keys) * stride + rows * (keys + 4));
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
  int64_t chooseLanes() const;
  void writeTensor(const std::string &name, const nn::StridedAccess &access, bool isResult);
  void writeSeen();
  void writeMask();
  void writeCall(const Tile &tile);
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
  auto fits = [&](AffineExpr expr) { return math.divisorOf(math.simplify(expr)) % lanes == 0; };
  for (; lanes > 1; lanes /= 2) {
    bool allFit = access.headSize % lanes == 0;
    for (const nn::StridedAccess *tensor : {&access.query, &access.key, &access.value})
      allFit = allFit && fits(tensor->offset) &&
               llvm::all_of(ArrayRef(tensor->strides).drop_back(), [&](AffineExpr stride) {
                 return math.constantOf(stride) == 0 || fits(stride);
               });
    if (allFit)
      break;
  }
  return lanes;
}

Tile AttentionWriter::chooseTile() const {
  int64_t headSize = access.headSize;
  Tile tile{headSize, headSize <= 128 ? 64 : 32,
            headSize <= 64    ? 64
            : headSize <= 128 ? 32
                              : 16,
            chooseLanes()};
  if (math.rangeOf(rows).high <= FewRows)
    tile.rows = FewRows;
  return tile;
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
  std::string place = text(access.mask->offset);
  for (auto [name, stride] :
       llvm::zip(ArrayRef<const char *>{"b", "h", "t", "j"}, access.mask->strides))
    if (math.constantOf(stride) != 0)
      place += fmt::format(" + {} * {}", name, math.operandText(math.simplify(stride)));
  out.line("auto mask = [&](Index b, Index h, Index t, Index j) {");
  out.line(fmt::format("  return (bool)in{}[{}];", access.mask->number, place));
  out.line("};");
}

void AttentionWriter::writeCall(const Tile &tile) {
  std::string scale = fmt::format("{:.9g}f", float(1 / std::sqrt(double(access.headSize))));
  out.line(fmt::format("attention<AttentionTile<{}>, {}>((Index)blockIdx.x, sizes, query, key, "
                       "value, result, {}, seen, mask);",
                       tile.text(), *typeText(element), scale));
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
  // One query, as when generating, leaves most of a large tile empty.
  if (tile.rows > FewRows && math.rangeOf(rows).low <= FewRows) {
    Tile small = tile;
    small.rows = FewRows;
    out.line(fmt::format("if ({} <= {})", text(rows), FewRows));
    writeCall(small);
    out.line("else");
  }
  writeCall(tile);
  Scheduled scheduled{
      out.take(), access.batch * access.keyHeads * rows.ceilDiv(tile.rows), 256, {"attention.cuh"}};
  scheduled.sharedBytes = tile.sharedBytes();
  return scheduled;
}

} // namespace

Result<Scheduled> scheduleAttention(const KernelBody &body) {
  return AttentionWriter(body).write();
}

} // namespace nnc::codegen
