//===- DeriveWindow.cpp - Derivatives of pools ------------------------------------------------===//
//
// An element gets what the windows that hold it give to it: of a sum the gradient, of a maximum the
// gradient if it is the first that equals it. Sums over these windows are themselves sums over
// windows, of the gradient with zeros between its elements. For a maximum the place of the first is
// found when the maximum is. What the places of a window give, each a tensor of the result's
// dimensions, adds up if they fall on the same phase of the strides, and the phases are
// interleaved.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/DeriveUtils.h"
#include "ir/Unsupported.h"

#include <limits>

using namespace mlir;

namespace nnc::nn {

namespace {

struct Side {
  Side(Pool2dOp op, unsigned side)
      : kernel(op.getKernel()[side]), stride(op.getStrides()[side]),
        dilation(op.getDilation()[side]), before(op.getPadding()[2 * side]),
        after(op.getPadding()[2 * side + 1]), reach(dilation * (kernel - 1) + 1),
        size(getDim(op.getInput().getType(), 2 + side)), windows(getDim(op.getType(), 2 + side)) {}

  /// Rows of one phase beside those of the windows, so that all of the input is there.
  int64_t countExtraRows() const {
    return (reach - 1) / stride + ((reach - 1) % stride > after ? 1 : 0);
  }

  int64_t kernel, stride, dilation, before, after, reach;
  AffineExpr size, windows; ///< of the input, of the result
};

struct Pool : Deriving {
  Pool(OpBuilder &builder, Pool2dOp op)
      : Deriving(builder, op), op(op), sides{Side(op, 0), Side(op, 1)} {}

  SmallVector<AffineExpr> imageDims(AffineExpr height, AffineExpr width) {
    RankedTensorType type = op.getType();
    return {getDim(type, 0), getDim(type, 1), height, width};
  }

  //===- Sums ---------------------------------------------------------------------------------===//

  Value deriveSum(Value g) {
    if (llvm::all_of(sides, isTiled))
      return joinTiles(repeatTiles(g));
    SmallVector<int64_t> low(4, 0), high(4, 0), ones = {1, 1};
    SmallVector<AffineExpr> dims = getDims(op.getInput().getType());
    SmallVector<AffineExpr> padded = dims;
    for (auto [i, side] : llvm::enumerate(sides)) {
      g = spread(g, 2 + i, side.stride);
      low[2 + i] = side.reach - 1 - side.before;
      high[2 + i] = std::max<int64_t>(side.reach - 1 - side.after, 0);
      padded[2 + i] = side.size + side.reach - 1;
    }
    g = crop(pad(g, low, high), padded);
    return make<Pool2dOp>(op.getInput().getType(), PoolKind::Sum, g, op.getKernel(), ones,
                          SmallVector<int64_t>(4, 0), op.getDilation(), /*channels_last=*/false);
  }

  /// Whether windows lie side by side, and a known number of elements behind them.
  static bool isTiled(const Side &side) {
    return side.kernel == side.stride && side.dilation == 1 && side.before == 0 &&
           side.after == 0 && getConstant(side.size - side.windows * side.stride);
  }

  /// [batch, channels, rows, 1, columns, 1] of one number per window, for all places of windows.
  SmallVector<AffineExpr> tileDims() {
    auto [height, width] = sides;
    SmallVector<AffineExpr> dims = imageDims(height.windows, width.windows);
    return {dims[0], dims[1], dims[2], constant(height.kernel), dims[3], constant(width.kernel)};
  }
  Value repeatTiles(Value value) {
    SmallVector<AffineExpr> dims = tileDims(), ones = dims;
    ones[3] = ones[5] = constant(1);
    return broadcast(reshape(value, ones), dims, {0, 1, 2, 3, 4, 5});
  }
  /// The image of such tiles.
  Value joinTiles(Value tiles) {
    auto [height, width] = sides;
    Value image =
        reshape(tiles, imageDims(height.windows * height.kernel, width.windows * width.kernel));
    return pad(image, {0, 0, 0, 0},
               {0, 0, *getConstant(height.size - height.windows * height.stride),
                *getConstant(width.size - width.windows * width.stride)});
  }

  //===- Maxima -------------------------------------------------------------------------------===//

  Value deriveMax(Value g) {
    auto [height, width] = sides;
    Value first = findFirst();
    if (llvm::all_of(sides, isTiled)) {
      Value isFirst = cmp(CmpPredicate::Eq, repeatTiles(first), numberPlaces(getType(first)));
      return joinTiles(keep(isFirst, repeatTiles(g)));
    }
    SmallVector<Value> phases(height.stride * width.stride);
    forPlaces([&](int64_t number, int64_t row, int64_t column) {
      Value &phase = phases[row % height.stride * width.stride + column % width.stride];
      // What is compared is shifted, not the answer: one number is saved, not one per place.
      Value place = shift(first, row, column, -1);
      Value isFirst = cmp(CmpPredicate::Eq, place, full(getType(place), double(number)));
      Value part = keep(isFirst, widen(shift(g, row, column, 0)));
      phase = phase ? add(phase, part) : part;
    });
    for (Value &phase : phases)
      phase = phase ? narrow(phase, g) : phase;
    SmallVector<AffineExpr> starts = {constant(0), constant(0), constant(height.before),
                                      constant(width.before)};
    RankedTensorType type = getTensorType(
        imageDims(height.windows + height.countExtraRows(), width.windows + width.countExtraRows()),
        op.getType().getElementType());
    return slice(interleave(phases, type, height.stride, width.stride), starts,
                 getDims(op.getInput().getType()), {1, 1, 1, 1});
  }

  /// The number of each place of a tile, of the elements of `like`.
  Value numberPlaces(RankedTensorType like) {
    Type i32 = builder.getI32Type();
    auto [height, width] = sides;
    RankedTensorType window = getTensorType({constant(height.kernel), constant(width.kernel)}, i32);
    Value numbers = cast(make<IotaOp>(window, -1), like.getElementType());
    return broadcast(numbers, tileDims(), {3, 5});
  }

  /// The places of a window, with their numbers.
  void forPlaces(llvm::function_ref<void(int64_t, int64_t, int64_t)> body) {
    auto [height, width] = sides;
    for (int64_t i = 0; i < height.kernel; ++i)
      for (int64_t j = 0; j < width.kernel; ++j)
        body(i * width.kernel + j, i * height.dilation, j * width.dilation);
  }

  /// Of each window the number of the first place that equals the maximum; -1 if that is NaN.
  Value findFirst() {
    auto [height, width] = sides;
    Value padded = pad(op.getInput(), {0, 0, height.before, width.before},
                       {0, 0, height.after, width.after}, -std::numeric_limits<double>::infinity());
    bool isSmall = height.kernel * width.kernel <= 128;
    RankedTensorType type = withElementType(op.getType(), builder.getIntegerType(isSmall ? 8 : 32));
    SmallVector<Value> equals;
    forPlaces([&](int64_t, int64_t row, int64_t column) {
      Value element = slice(padded, {constant(0), constant(0), constant(row), constant(column)},
                            getDims(op.getType()), {1, 1, height.stride, width.stride});
      equals.push_back(cmp(CmpPredicate::Eq, element, op.getResult()));
    });
    Value first = full(type, -1);
    for (size_t number = equals.size(); number-- > 0;)
      first = select(equals[number], full(type, double(number)), first);
    return first;
  }

  /// One number per window, at the row of its phase on which this place of the window falls.
  Value shift(Value value, int64_t row, int64_t column, double around) {
    auto [height, width] = sides;
    int64_t down = row / height.stride, right = column / width.stride;
    return pad(value, {0, 0, down, right},
               {0, 0, height.countExtraRows() - down, width.countExtraRows() - right}, around);
  }

  Pool2dOp op;
  std::array<Side, 2> sides;
};

} // namespace

Derived Pool2dOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  if (getChannelsLast()) {
    emitUnsupported(*this) << "gradients of a pool with channels last are not supported yet";
    return {};
  }
  Pool pool(builder, *this);
  Value g = gradients[0];
  if (getKind() == PoolKind::Max)
    return {pool.deriveMax(g)};
  if (getKind() == PoolKind::Avg) {
    auto window = static_cast<double>(getKernel()[0] * getKernel()[1]);
    Value wide = pool.widen(g);
    g = pool.narrow(pool.div(wide, pool.full(nn::getType(wide), window)), g);
  }
  return {pool.deriveSum(g)};
}

} // namespace nnc::nn
