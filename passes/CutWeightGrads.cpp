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

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_CUTWEIGHTGRADS
#include "passes/Passes.h.inc"

namespace {

/// Blocks that are wanted: two for each multiprocessor of a large GPU.
constexpr int64_t Blocks = 264;
/// Products that a part of an element's sum has at least.
constexpr int64_t LeastDepth = 128;
/// Of a batch that is not known, so many are expected; tensor cores take so many of the depth at
/// once.
constexpr int64_t FewImages = 4, StepDepth = 64;
/// What a block computes: a tile on tensor cores or not, or, of a convolution with groups, an
/// element per thread.
constexpr int64_t TensorTile[] = {64, 128}, PlainTile[] = {32, 32}, Threads = 256;

int64_t countTiles(nn::Conv2dWeightGradOp op) {
  RankedTensorType weight = op.getType();
  int64_t rows = weight.getDimSize(0), columns = weight.getNumElements() / rows;
  if (op.getGroups() != 1)
    return llvm::divideCeil(weight.getNumElements(), Threads);
  bool isPlain = op.getInput().getType().getElementType().isF32() && !op->hasAttr(nn::kTf32Attr);
  ArrayRef<int64_t> tile = isPlain ? PlainTile : TensorTile;
  return int64_t(llvm::divideCeil(rows, tile[0]) * llvm::divideCeil(columns, tile[1]));
}

/// The greatest divisor of `size` that is at most `most`, of which one part's `each` are a multiple
/// of `step` if one does that is half as great; 1 of a size that is not known.
int64_t divisorUpTo(AffineExpr size, int64_t most, int64_t each = 1, int64_t step = 1) {
  std::optional<int64_t> number = nn::getConstant(size);
  int64_t greatest = 1;
  for (int64_t divisor = number ? std::min(*number, most) : 1; divisor > 1; --divisor) {
    if (*number % divisor != 0)
      continue;
    greatest = std::max(greatest, divisor);
    if (divisor * 2 >= greatest && *number / divisor * each % step == 0)
      return divisor;
  }
  return greatest;
}

/// Images first: a part of an image reads rows of the neighbouring parts too.
std::array<int64_t, 2> chooseParts(nn::Conv2dWeightGradOp op) {
  SmallVector<AffineExpr> dims = nn::getDims(op.getGradient().getType());
  nn::ImageAxes axes(op.getChannelsLast());
  AffineExpr image = dims[axes.sides[0]] * dims[axes.sides[1]];
  int64_t wanted = llvm::divideCeil(Blocks, countTiles(op));
  if (std::optional<int64_t> depth = nn::getConstant(dims[0] * image))
    wanted = std::min(wanted, *depth / LeastDepth);
  else if (std::optional<int64_t> one = nn::getConstant(image))
    wanted = std::min(wanted, *one * FewImages / LeastDepth);
  wanted = std::max<int64_t>(wanted, 1);
  int64_t images = divisorUpTo(dims[0], wanted, nn::getConstant(image).value_or(1), StepDepth);
  return {images, divisorUpTo(dims[axes.sides[0]], wanted / images)};
}

void cut(nn::Conv2dWeightGradOp op, std::array<int64_t, 2> parts) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  RankedTensorType whole = op.getType();
  Type f32 = builder.getF32Type();
  SmallVector<int64_t> sizes(parts.begin(), parts.end());
  llvm::append_range(sizes, whole.getShape());
  auto type = RankedTensorType::get(sizes, f32);
  auto sums = builder.create<nn::Conv2dWeightGradOp>(
      loc, type, op.getInput(), op.getGradient(), op.getStrides(), op.getPadding(),
      op.getDilation(), op.getGroups(), op.getChannelsLast(), builder.getDenseI64ArrayAttr(parts));
  sums->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  sizes = {parts[0] * parts[1]};
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
      if (op.getParts() || !op.getType().hasStaticShape())
        return;
      std::array<int64_t, 2> parts = chooseParts(op);
      if (parts[0] * parts[1] == 1)
        return;
      cut(op, parts);
      ++numCut;
    });
  }
};

} // namespace
} // namespace nnc
