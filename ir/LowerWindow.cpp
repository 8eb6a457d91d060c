//===- LowerWindow.cpp - Convolution and pooling as linalg ------------------------------------===//

#include "ir/LoweringUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;

namespace nnc::nn {

namespace {

/// A tensor's value and its type with dimensions.
struct Typed {
  RankedTensorType type;
  Value value;
};

} // namespace

/// Height and width of an image padded by [top, bottom, left, right].
static Typed padImage(Lowering &lowering, Typed input, ImageAxes axes, ArrayRef<int64_t> padding,
                      double value) {
  SmallVector<AffineExpr> dims = getDims(input.type);
  Type element = input.type.getElementType();
  SmallVector<int64_t> low(4, 0), high(4, 0);
  for (unsigned side : {0, 1}) {
    unsigned axis = axes.sides[side];
    low[axis] = padding[2 * side];
    high[axis] = padding[2 * side + 1];
    dims[axis] = dims[axis] + low[axis] + high[axis];
  }
  RankedTensorType padded = getTensorType(dims, element);
  return {padded, lowering.pad(padded, input.value, low, high, getScalarAttr(element, value))};
}

/// With `axis` split into `groups` and the rest.
static Typed splitAxis(Lowering &lowering, Typed input, unsigned axis, int64_t groups) {
  SmallVector<AffineExpr> dims = getDims(input.type);
  dims[axis] = dims[axis].floorDiv(groups);
  dims.insert(dims.begin() + axis, lowering.builder.getAffineConstantExpr(groups));
  RankedTensorType split = getTensorType(dims, input.type.getElementType());
  return {split, lowering.reshape(input.type, split, input.value)};
}

/// The convolution of images that are padded already.
template <class OpTy>
static Value convolve(OpBuilder &builder, Conv2dOp op, Typed input, Typed weight, Typed init) {
  return builder
      .create<OpTy>(op.getLoc(), init.value.getType(), ValueRange{input.value, weight.value},
                    init.value, builder.getI64TensorAttr(op.getStrides()),
                    builder.getI64TensorAttr(op.getDilation()))
      .getResult(0);
}

/// Images [n, y, x, g, c] and weights [g, o, i, j, c], for which linalg has no operation.
static Value convolveGroupsLast(Lowering &lowering, Conv2dOp op, Typed input, Typed weight,
                                Typed init) {
  AffineExpr n, y, x, g, o, i, j, c;
  MLIRContext *context = op.getContext();
  bindDims(context, n, y, x, g, o, i, j, c);
  AffineExpr row = y * op.getStrides()[0] + i * op.getDilation()[0];
  AffineExpr column = x * op.getStrides()[1] + j * op.getDilation()[1];
  SmallVector<AffineMap> maps = {AffineMap::get(8, 0, {n, row, column, g, c}, context),
                                 AffineMap::get(8, 0, {g, o, i, j, c}, context),
                                 AffineMap::get(8, 0, {n, y, x, g, o}, context)};
  return lowering.reduce(init.value, {input.value, weight.value}, maps,
                         {true, true, true, true, true, false, false, false},
                         [](OpBuilder &b, Location loc, ValueRange v) -> Value {
                           Value product = b.create<arith::MulFOp>(loc, widen(b, loc, v[0]),
                                                                   widen(b, loc, v[1]));
                           return b.create<arith::AddFOp>(loc, product, v[2]);
                         });
}

Lowered Conv2dOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  ImageAxes axes(getChannelsLast());
  Typed input = padImage(lowering, {getInput().getType(), operands[0]}, axes, getPadding(), 0.0);
  Typed weight = {getWeight().getType(), operands[1]};
  RankedTensorType accumulator = withElementType(getType(), builder.getF32Type());
  Typed init = {accumulator, lowering.fill(accumulator, 0.0)};
  int64_t groups = getGroups();
  if (groups == 1) {
    Value result = getChannelsLast()
                       ? convolve<linalg::Conv2DNhwcFhwcOp>(builder, *this, input, weight, init)
                       : convolve<linalg::Conv2DNchwFchwOp>(builder, *this, input, weight, init);
    return SmallVector<Value>{lowering.convertTo(getType(), result)};
  }
  input = splitAxis(lowering, input, axes.channel, groups);
  weight = splitAxis(lowering, weight, 0, groups);
  init = splitAxis(lowering, init, axes.channel, groups);
  Value result = getChannelsLast()
                     ? convolveGroupsLast(lowering, *this, input, weight, init)
                     : convolve<linalg::Conv2DNgchwGfchwOp>(builder, *this, input, weight, init);
  result = lowering.reshape(init.type, accumulator, result);
  return SmallVector<Value>{lowering.convertTo(getType(), result)};
}

namespace {

/// The loops of a weight's gradient: parts of images and of rows, group, output of the group, what
/// the weight has of it, and what is added up: images and rows of a part, columns.
class WeightGrad {
public:
  explicit WeightGrad(Conv2dWeightGradOp op) : op(op), axes(op.getChannelsLast()) {
    for (unsigned loop = 0; loop < Count; ++loop)
      loops[loop] = getAffineDimExpr(loop, op.getContext());
    if (op.getParts())
      parts = {(*op.getParts())[0], (*op.getParts())[1]};
    SmallVector<AffineExpr> gradient = getDims(op.getGradient().getType());
    images = gradient[0].floorDiv(parts[0]);
    rows = gradient[axes.sides[0]].floorDiv(parts[1]);
    SmallVector<AffineExpr> weight = getDims(op.getWeightType());
    outputs = weight[0].floorDiv(op.getGroups());
    channels = weight[axes.channel];
    weight[0] = outputs;
    result = {number(parts[0]), number(parts[1]), number(int64_t(op.getGroups()))};
    llvm::append_range(result, weight);
  }

  /// Of the input, the gradient, what only gives the size of a part, and the sums.
  SmallVector<AffineMap> getMaps() const {
    AffineExpr image = loops[Image], row = loops[Y];
    if (parts[0] > 1) // else its size need not be known
      image = loops[PartOfImages] * images + image;
    if (parts[1] > 1)
      row = loops[PartOfRows] * rows + row;
    return {
        map({image}, loops[Group] * channels + loops[Channel], place(0, row), place(1, loops[X])),
        map({image}, loops[Group] * outputs + loops[Output], row, loops[X]),
        AffineMap::get(Count, 0, {loops[Image], loops[Y]}, op.getContext()),
        map({loops[PartOfImages], loops[PartOfRows], loops[Group], loops[Output]}, loops[Channel],
            loops[Row], loops[Column])};
  }
  static SmallVector<bool> getParallel() {
    SmallVector<bool> parallel(Count, true);
    parallel[Image] = parallel[Y] = parallel[X] = false;
    return parallel;
  }

  AffineExpr images, rows;        ///< of a part
  SmallVector<AffineExpr> result; ///< of the sums, with an axis for the groups

private:
  enum { PartOfImages, PartOfRows, Group, Output, Channel, Row, Column, Image, Y, X, Count };

  AffineExpr number(int64_t value) const { return getAffineConstantExpr(value, op.getContext()); }
  AffineExpr place(unsigned side, AffineExpr position) const {
    return position * op.getStrides()[side] + loops[Row + side] * op.getDilation()[side];
  }
  AffineMap map(SmallVector<AffineExpr> indices, AffineExpr channel, AffineExpr row,
                AffineExpr column) const {
    SmallVector<AffineExpr> image(3);
    image[axes.channel - 1] = channel;
    image[axes.sides[0] - 1] = row;
    image[axes.sides[1] - 1] = column;
    llvm::append_range(indices, image);
    return AffineMap::get(Count, 0, indices, op.getContext());
  }

  mutable Conv2dWeightGradOp op;
  ImageAxes axes;
  AffineExpr loops[Count];
  std::array<int64_t, 2> parts = {1, 1};
  AffineExpr channels, outputs; ///< of a group
};

} // namespace

Lowered Conv2dWeightGradOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  Typed input = padImage(lowering, {getInput().getType(), operands[0]},
                         ImageAxes(getChannelsLast()), getPadding(), 0.0);
  WeightGrad grad(*this);
  Type f32 = builder.getF32Type();
  RankedTensorType sums = getTensorType(grad.result, f32);
  Value part = lowering.empty(getTensorType({grad.images, grad.rows}, f32));
  Value result = lowering.reduce(
      lowering.fill(sums, 0.0), {input.value, operands[1], part}, grad.getMaps(),
      WeightGrad::getParallel(), [](OpBuilder &b, Location loc, ValueRange x) -> Value {
        Value product = b.create<arith::MulFOp>(loc, widen(b, loc, x[0]), widen(b, loc, x[1]));
        return b.create<arith::AddFOp>(loc, x[3], product);
      });
  RankedTensorType whole = withElementType(getType(), f32);
  return SmallVector<Value>{lowering.convertTo(getType(), lowering.reshape(sums, whole, result))};
}

/// Maps of a pooling generic: of the image, of the window, of the result.
static SmallVector<AffineMap> getPoolMaps(Pool2dOp op) {
  MLIRContext *context = op.getContext();
  SmallVector<AffineExpr> d;
  for (unsigned loop = 0; loop < 6; ++loop)
    d.push_back(getAffineDimExpr(loop, context));
  SmallVector<AffineExpr> image(d.begin(), d.begin() + 4);
  for (unsigned side : {0, 1}) {
    unsigned axis = ImageAxes(op.getChannelsLast()).sides[side];
    image[axis] = d[axis] * op.getStrides()[side] + d[4 + side] * op.getDilation()[side];
  }
  return {AffineMap::get(6, 0, image, context), AffineMap::get(6, 0, {d[4], d[5]}, context),
          AffineMap::get(6, 0, {d[0], d[1], d[2], d[3]}, context)};
}

Lowered Pool2dOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  bool isMax = getKind() == PoolKind::Max;
  double neutral = isMax ? -std::numeric_limits<double>::infinity() : 0.0;
  Typed input = padImage(lowering, {getInput().getType(), operands[0]},
                         ImageAxes(getChannelsLast()), getPadding(), neutral);
  Type f32 = builder.getF32Type();
  Value init = lowering.fill(withElementType(getType(), f32), neutral);
  // Only its type is used: it tells linalg how many steps the window's loops take.
  Value window = lowering.empty(RankedTensorType::get(getKernel(), f32));
  Value result = lowering.reduce(init, {input.value, window}, getPoolMaps(*this),
                                 {true, true, true, true, false, false},
                                 [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
                                   Value element = widen(b, loc, x[0]);
                                   if (isMax)
                                     return b.create<arith::MaximumFOp>(loc, element, x[2]);
                                   return b.create<arith::AddFOp>(loc, element, x[2]);
                                 });
  if (getKind() != PoolKind::Avg)
    return SmallVector<Value>{lowering.convertTo(getType(), result)};
  double count = static_cast<double>(getKernel()[0]) * static_cast<double>(getKernel()[1]);
  Value divisor = lowering.constant(f32, count);
  result = lowering.map(getType(), result, [&](OpBuilder &b, Location loc, ValueRange x) {
    Value mean = b.create<arith::DivFOp>(loc, x[0], divisor);
    return narrow(b, loc, mean, getType().getElementType());
  });
  return SmallVector<Value>{result};
}

} // namespace nnc::nn
