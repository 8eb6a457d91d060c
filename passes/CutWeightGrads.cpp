//===- CutWeightGrads.cpp - Long sums in parts that fill a GPU --------------------------------===//
//
// The gradient of a convolution's weight adds up as many products per element as the convolution
// has positions, for few elements: as one product of matrices it would have a few tiles. So images
// and rows are cut into parts, each with sums of its own in f32, which a reduction adds up, in an
// order that is always the same, before whatever reads the gradient (the optimizer, mostly).
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_CUTWEIGHTGRADS
#include "passes/Passes.h.inc"

namespace {

/// Blocks that are wanted: two for each multiprocessor of a large GPU.
constexpr int64_t Blocks = 264;
/// Products that a part of an element's sum has at least; of a batch that is not known, so many
/// images are expected.
constexpr int64_t LeastDepth = 128, FewImages = 4;
/// What a block computes: a tile on tensor cores by elements or not, or, of a convolution with
/// groups, an element per thread.
constexpr int64_t TensorTile[] = {64, 128}, PlainTile[] = {32, 32}, LargePlainTile[] = {64, 64};
constexpr int64_t Threads = 256;

/// Of 16-bit products the time is estimated, in clocks, by tile: as GemmTiles.cpp does it, of
/// blocks that have a multiprocessor alone.
constexpr int64_t Tiles[][2] = {{128, 256}, {128, 128}, {64, 128}, {128, 64}, {64, 64}};
constexpr double Multiprocessors = 132, ProductsPerClock = 1975, LoadedPerClock = 67;
constexpr double ClocksPerBlock = 1500, MemoryPerClock = 2400, ClocksPerReduction = 3000;
constexpr int64_t StepDepth = 64, StepBytes = 128; ///< of a row

struct Parts {
  int64_t images = 1, rows = 1;
  int64_t count() const { return images * rows; }
};

class Cutter {
public:
  explicit Cutter(nn::Conv2dWeightGradOp op)
      : op(op), rows(op.getType().getDimSize(0)), columns(op.getType().getNumElements() / rows) {
    SmallVector<AffineExpr> dims = nn::getDims(op.getGradient().getType());
    nn::ImageAxes axes(op.getChannelsLast());
    images = nn::getConstant(dims[0]);
    lines = nn::getConstant(dims[axes.sides[0]]);
    line = nn::getConstant(dims[axes.sides[1]]);
  }

  /// Images first: a part of an image reads rows of the neighbouring parts too.
  Parts choose() const {
    if (!lines || !line)
      return {};
    bool isNarrow = op.getInput().getType().getElementTypeBitWidth() == 16;
    if (isNarrow && op.getGroups() == 1 && images)
      return fastest();
    int64_t depth = images.value_or(FewImages) * *lines * *line;
    int64_t wanted = std::max<int64_t>(
        std::min(int64_t(llvm::divideCeil(Blocks, countTiles())), depth / LeastDepth), 1);
    Parts parts{images ? divisorUpTo(*images, wanted) : 1, 1};
    parts.rows = divisorUpTo(*lines, wanted / parts.images);
    return parts;
  }

private:
  static int64_t divisorUpTo(int64_t size, int64_t most) {
    int64_t divisor = std::min(size, most);
    while (divisor > 1 && size % divisor != 0)
      --divisor;
    return std::max<int64_t>(divisor, 1);
  }

  int64_t countTiles() const {
    if (op.getGroups() != 1)
      return llvm::divideCeil(op.getType().getNumElements(), Threads);
    bool isPlain = op.getInput().getType().getElementType().isF32() && !op->hasAttr(nn::kTf32Attr);
    ArrayRef<int64_t> tile =
        isPlain ? rows > PlainTile[0] ? LargePlainTile : PlainTile : TensorTile;
    return int64_t(llvm::divideCeil(rows, tile[0]) * llvm::divideCeil(columns, tile[1]));
  }

  /// Parts that begin at whole steps of the depth are copied by the machine; rows are cut only if
  /// cutting all images is not enough.
  Parts fastest() const {
    Parts best;
    double least = estimate(1);
    auto consider = [&](Parts parts) {
      int64_t depth = *images * *lines * *line / parts.count();
      bool suits = depth >= LeastDepth && (parts.rows > 1 || depth % StepDepth == 0 || !aligns());
      if (suits && estimate(parts.count()) < least) {
        best = parts;
        least = estimate(parts.count());
      }
    };
    const int64_t most = std::min(*images, 4 * Blocks);
    for (int64_t count = 2; count <= most; ++count)
      if (*images % count == 0)
        consider({count, 1});
    for (int64_t count = 2; count <= *lines; ++count)
      if (*lines % count == 0)
        consider({*images, count});
    return best;
  }

  /// Whether there are parts of at least an image that begin at whole steps.
  bool aligns() const { return *images * *lines * *line / 2 % StepDepth == 0 && *images % 2 == 0; }

  double estimate(int64_t parts) const {
    double least = std::numeric_limits<double>::max();
    double steps = std::ceil(double(*images * *lines * *line) / double(parts * StepDepth));
    for (auto [tileRows, tileColumns] : Tiles) {
      double products = double(tileRows * tileColumns * StepDepth) / ProductsPerClock;
      double loads = double((tileRows + tileColumns) * StepBytes) / LoadedPerClock;
      auto blocks =
          double(llvm::divideCeil(rows, tileRows) * llvm::divideCeil(columns, tileColumns) * parts);
      least = std::min(least, std::ceil(blocks / Multiprocessors) *
                                  (steps * std::max(products, loads) + ClocksPerBlock));
    }
    constexpr int64_t WrittenAndRead = 2 * sizeof(float);
    double sums = double(parts * rows * columns * WrittenAndRead) / MemoryPerClock;
    return parts == 1 ? least : least + sums + ClocksPerReduction;
  }

  mutable nn::Conv2dWeightGradOp op;
  int64_t rows, columns; ///< of the product
  std::optional<int64_t> images, lines, line;
};

void cut(nn::Conv2dWeightGradOp op, Parts parts) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  RankedTensorType whole = op.getType();
  Type f32 = builder.getF32Type();
  SmallVector<int64_t> sizes = {parts.images, parts.rows};
  llvm::append_range(sizes, whole.getShape());
  auto type = RankedTensorType::get(sizes, f32);
  auto sums = builder.create<nn::Conv2dWeightGradOp>(
      loc, type, op.getInput(), op.getGradient(), op.getStrides(), op.getPadding(),
      op.getDilation(), op.getGroups(), op.getChannelsLast(),
      builder.getDenseI64ArrayAttr({parts.images, parts.rows}));
  sums->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  sizes = {parts.count()};
  llvm::append_range(sizes, whole.getShape());
  Value flat = builder.create<nn::ReshapeOp>(loc, RankedTensorType::get(sizes, f32), sums);
  Value sum = builder.create<nn::ReduceOp>(loc, RankedTensorType::get(whole.getShape(), f32),
                                           nn::ReduceKind::Sum, flat, ArrayRef<int64_t>{0});
  if (whole != sum.getType())
    sum = builder.create<nn::CastOp>(loc, whole, sum);
  op.getResult().replaceAllUsesWith(sum);
  op.erase();
}

struct CutWeightGrads : impl::CutWeightGradsBase<CutWeightGrads> {
  void runOnOperation() override {
    getOperation().walk([&](nn::Conv2dWeightGradOp op) {
      if (op.getParts() || !op.getType().hasStaticShape() || op.getType().getNumElements() == 0)
        return;
      Parts parts = Cutter(op).choose();
      if (parts.count() == 1)
        return;
      cut(op, parts);
      ++numCut;
    });
  }
};

} // namespace
} // namespace nnc
