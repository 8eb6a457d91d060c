//===- AttentionSchedule.cpp - Attention on its tile template ---------------------------------===//
//
// attention.cuh does the work, attention_few.cuh where there are few rows; here the tile is chosen
// and what the templates take is written.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/AttentionText.h"
#include "llvm/Support/MathExtras.h"
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

constexpr int64_t FewRows = 16;          ///< of which most of a tile would be empty
constexpr int64_t MostRowsAtOnce = 8;    ///< that registers hold
constexpr int64_t ThreadsOfFew = 128;    ///< more wait longer for each other
constexpr int64_t ManyKeys = 512;        ///< more than so many threads take at once
constexpr int64_t LargestHead = 256;     ///< whose tiles fit the shared memory of every GPU
constexpr int64_t Multiprocessors = 132; ///< of an H100; fewer or more blocks do all tiles as well

class AttentionWriter : AttentionText {
public:
  AttentionWriter(const KernelBody &body, const nn::AttentionAccess &access)
      : AttentionText(body, access), access(access),
        lanes(chooseLanes({&access.query, &access.key, &access.value, &access.result})) {}

  Result<Scheduled> write();

private:
  int64_t threadsOfFew() const;
  FewTile chooseFewTile(int64_t threads) const;
  void writeKept();
  void writeCall(const std::string &function, const std::string &number, bool keeps);
  void writeTile(const AttentionTile &tile, const std::string &number);
  void writeFew(const FewTile &tile, bool isAlways);
  std::string numberOf(const FewTile &tile) const;
  void writeApproach(const FewTile &tile);
  void writeEither(const AttentionTile &tile, const FewTile &few);

  const nn::AttentionAccess &access;
  int64_t lanes;
};

/// With 1000 keys of Llama 1B a token takes 0.822 ms by 128 threads, 0.807 by 256, 0.90 by 512.
int64_t AttentionWriter::threadsOfFew() const {
  return math.rangeOf(access.keys).high > ManyKeys ? 2 * ThreadsOfFew : ThreadsOfFew;
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
  return {access.headSize, int64_t(llvm::PowerOf2Ceil(some)), lanes, threads / 32, split};
}

/// Where the sums of the softmax go; nothing for few rows, whose template does not keep them.
void AttentionWriter::writeKept() {
  out.line(access.lse ? "const KeptSums<Index> kept = {" + placed(*access.lse, true) + "};"
                      : "const NoSums kept;");
}

void AttentionWriter::writeCall(const std::string &function, const std::string &number,
                                bool keeps) {
  out.line(fmt::format("{}{}>({}, sizes, query, key, value, result, {}, seen, mask{});", function,
                       element, number, scale(), keeps ? ", kept" : ""));
}

/// Tile `number` of all, or with those that the block takes after it.
void AttentionWriter::writeTile(const AttentionTile &tile, const std::string &number) {
  AffineExpr tiles = access.batch * access.keyHeads * rows.ceilDiv(tile.rows);
  writeCall(tile.function,
            tile.together ? fmt::format("AttentionTiles<Index>{{{}, (Index)gridDim.x, "
                                        "{}}}",
                                        number, text(tiles))
                          : number,
            /*keeps=*/true);
}

std::string AttentionWriter::numberOf(const FewTile &tile) const {
  return tile.split > 1 ? fmt::format("(Index)blockId / {}", tile.split) : "(Index)blockId";
}

/// The kernel waits itself: meanwhile keys and values come nearer, as many as there will be.
void AttentionWriter::writeApproach(const FewTile &tile) {
  std::string count = "(Index)(" + text(access.keys) + ")";
  if (access.isCausal && access.offset)
    count = fmt::format("minimum({}, maximum((Index)0, {} + toIndex<Index>(peek(in{}))))", count,
                        text(access.queries), *access.offset);
  out.line(fmt::format("approachKeys<{}, {}>({}, sizes, key, value, {});", tile.text(), element,
                       numberOf(tile), count));
  out.line("waitForKernels();");
}

/// Each cluster takes some rows, or one after another all rows of a head.
void AttentionWriter::writeFew(const FewTile &tile, bool isAlways) {
  std::string number = numberOf(tile);
  if (tile.split > 1) {
    out.line(fmt::format("if (!HasClusters && blockId % {} != 0)", tile.split));
    out.line("  return;");
  }
  if (isAlways)
    return writeCall("attentionFew<" + tile.text() + ", ", number, /*keeps=*/false);
  out.line(
      fmt::format("const Index tiles = ({} + {}) / {};", text(rows), tile.rows - 1, tile.rows));
  out.open("for (Index tile = 0; tile < tiles; ++tile)");
  writeCall("attentionFew<" + tile.text() + ", ", number + " * tiles + tile", /*keeps=*/false);
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

Result<Scheduled> AttentionWriter::write() {
  if (access.headSize > LargestHead)
    return nnc::Error{
        fmt::format("kernel \"{}\" at {} has heads of {}, the cuda target supports {}", body.name,
                    describeLocation(body.op->getLoc()), access.headSize, LargestHead)};
  AttentionTile tile = chooseAttentionTile(describe(lanes));
  writeTensor("query", access.query, false);
  writeTensor("key", access.key, false);
  writeTensor("value", access.value, false);
  writeTensor("result", access.result, true);
  writeSizes();
  IndexRange range = math.rangeOf(rows);
  bool isEverFew = range.low <= FewRows && !access.lse;
  bool isAlwaysFew = range.high <= FewRows && !access.lse;
  FewTile few = chooseFewTile(isAlwaysFew ? threadsOfFew() : tile.threads);
  AffineExpr heads = access.batch * access.keyHeads, tiles = rows.ceilDiv(tile.rows);
  Scheduled scheduled;
  if (isAlwaysFew) {
    tiles = rows.ceilDiv(few.rows) * few.split;
    std::optional<int64_t> blocks = math.constantOf(math.simplify(heads * tiles));
    scheduled.waits = blocks && *blocks <= FewBlocks;
    if (scheduled.waits)
      writeApproach(few);
  }
  writeShown();
  if (!isAlwaysFew)
    writeKept();
  scheduled.threads = tile.threads;
  scheduled.headers = {"attention.cuh"};
  if (!isEverFew) {
    writeTile(tile, "(Index)blockId");
  } else {
    scheduled.cluster = few.split;
    scheduled.headers.push_back("attention_few.cuh");
    if (isAlwaysFew) {
      writeFew(few, true);
      scheduled.threads = few.warps * 32;
    } else {
      writeEither(tile, few);
      tiles = rows.ceilDiv(tile.rows * few.split) * few.split;
    }
  }
  if (!isAlwaysFew) {
    llvm::append_range(scheduled.headers, tile.headers);
    scheduled.together = tile.together;
  }
  scheduled.tactic = isAlwaysFew ? few.text()
                     : isEverFew ? tile.tactic() + " or " + few.text()
                                 : tile.tactic();
  scheduled.statements = out.take();
  scheduled.blocks = math.simplify(heads * tiles);
  std::optional<int64_t> count = math.constantOf(scheduled.blocks);
  if (tile.together && !isEverFew && count && *count > Multiprocessors)
    scheduled.blocks = getAffineConstantExpr(Multiprocessors, scheduled.blocks.getContext());
  scheduled.sharedBytes =
      std::max<int64_t>(isEverFew ? few.sharedBytes() : 0, isAlwaysFew ? 0 : tile.sharedBytes);
  return scheduled;
}

} // namespace

Result<Scheduled> scheduleAttention(const KernelBody &body) {
  return AttentionWriter(body, nn::getAttentionAccess(cast<nn::KernelOp>(body.op))).write();
}

} // namespace nnc::codegen
