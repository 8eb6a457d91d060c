//===- DeriveConvolution.cpp - Derivatives of convolutions ------------------------------------===//
//
// The gradient of the weight is a convolution of the input with the gradient of the result as its
// window: batch and channels exchange places, as do strides and dilation. That of the input is a
// transposed convolution. With stride s, the elements of an input at places p, p + s, p + 2 s, ..
// see only every s-th element of the window, so it is s convolutions of stride 1 with windows of
// kernel / s elements, and their results interleaved, rather than multiplications by zeros between
// the elements of the gradient.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/DeriveUtils.h"
#include "ir/Unsupported.h"

using namespace mlir;

namespace nnc::nn {

namespace {

/// One side of the image: positions of the padded input are `phases * row + phase`.
struct Side {
  Side(Conv2dOp op, unsigned side)
      : axis(2 + side), kernel(*getConstant(getDim(op.getWeight().getType(), axis))),
        spacing(op.getDilation()[side]), phases(op.getStrides()[side]),
        dilation(phases == 1 ? spacing : 1) {
    int64_t reach = spacing * (kernel - 1) + 1, before = op.getPadding()[2 * side],
            after = op.getPadding()[2 * side + 1];
    taps = phases == 1 ? kernel : (reach + phases - 1) / phases;
    int64_t border = dilation * (taps - 1);
    low = std::max<int64_t>(border - before / phases, 0);
    // Up to phases - 1 elements at the end of the input are in no window.
    high = std::max<int64_t>(llvm::divideFloorSigned(reach + phases - after - 2, phases), 0);
    skipped = before - phases * (border - low);
    rows = getDim(op.getType(), axis) + low + high - border;
    size = getDim(op.getInput().getType(), axis);
  }

  unsigned axis;
  int64_t kernel, spacing;
  int64_t phases;         ///< the stride
  int64_t dilation, taps; ///< of the window of one phase
  int64_t low, high;      ///< padding of the gradient
  int64_t skipped;        ///< places before the first of the input
  AffineExpr rows, size;  ///< of the result of the phases, of the input
};

struct Convolution : Deriving {
  Convolution(OpBuilder &builder, Conv2dOp op)
      : Deriving(builder, op), op(op), groups(static_cast<int64_t>(op.getGroups())),
        input(op.getInput().getType()), weight(op.getWeight().getType()) {}

  Value convolve(Value x, Value w, ArrayRef<int64_t> strides, ArrayRef<int64_t> padding,
                 ArrayRef<int64_t> dilation, ArrayRef<AffineExpr> dims) {
    auto type = getTensorType(dims, input.getElementType());
    auto result = builder.create<Conv2dOp>(loc, type, x, w, strides, padding, dilation, groups,
                                           /*channels_last=*/false);
    result->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    return result;
  }

  /// `floor((size + pads - reach of the window) / stride) + 1`, for the gradient as a window.
  AffineExpr countWindows(unsigned side) {
    AffineExpr window = getDim(op.getType(), 2 + side), size = getDim(input, 2 + side);
    AffineExpr padded = size + op.getPadding()[2 * side] + op.getPadding()[2 * side + 1];
    AffineExpr reach = (window - 1) * op.getStrides()[side] + 1;
    return (padded - reach).floorDiv(op.getDilation()[side]) + 1;
  }

  Value deriveWeight(Value g) {
    Value x = transposeGroups();
    SmallVector<AffineExpr> dims = getDims(weight);
    SmallVector<AffineExpr> found = {dims[1], dims[0], countWindows(0), countWindows(1)};
    Value result = convolve(x, transpose(g, {1, 0, 2, 3}), op.getDilation(), op.getPadding(),
                            op.getStrides(), found);
    result = crop(result, {dims[1], dims[0], dims[2], dims[3]});
    return transpose(result, {1, 0, 2, 3});
  }

  /// From [batch, (groups channels), ..] to [channels, (groups batch), ..].
  Value transposeGroups() {
    if (groups == 1)
      return transpose(op.getInput(), {1, 0, 2, 3});
    SmallVector<AffineExpr> dims = getDims(input);
    AffineExpr channels = getDim(weight, 1), all = constant(groups);
    Value split = reshape(op.getInput(), {dims[0], all, channels, dims[2], dims[3]});
    return reshape(transpose(split, {2, 1, 0, 3, 4}),
                   {channels, dims[0] * groups, dims[2], dims[3]});
  }

  Value deriveInput(Value g) {
    Side height(op, 0), width(op, 1);
    Value window = arrangeWindow(height, width);
    Value phases =
        convolve(g, window, {1, 1}, {height.low, height.high, width.low, width.high},
                 {height.dilation, width.dilation},
                 {getDim(input, 0), getDim(getType(window), 0), height.rows, width.rows});
    Value result = interleave(phases, height, width);
    return slice(result,
                 {constant(0), constant(0), constant(height.skipped), constant(width.skipped)},
                 getDims(input), {1, 1, 1, 1});
  }

  /// The window of one side with zeros between its elements where it is dilated, and behind them
  /// up to a multiple of the phases.
  Value fillUp(Value window, const Side &side) {
    if (side.phases == 1)
      return window;
    SmallVector<AffineExpr> dims = getDims(getType(window));
    Value result = spread(window, side.axis, side.spacing);
    int64_t size = side.kernel * side.spacing, wanted = side.taps * side.phases;
    dims[side.axis] = constant(std::min(size, wanted));
    SmallVector<int64_t> low(dims.size(), 0), high = low;
    high[side.axis] = std::max<int64_t>(wanted - size, 0);
    return pad(crop(result, dims), low, high);
  }

  /// From [(groups outputs), inputs, (taps phases)..] to [(groups inputs phases), outputs, taps..],
  /// taps in the opposite order.
  Value arrangeWindow(const Side &height, const Side &width) {
    AffineExpr inputs = getDim(weight, 1), outputs = getDim(weight, 0).floorDiv(groups);
    if (height.phases == 1 && width.phases == 1) {
      Value flat = reshape(op.getWeight(),
                           {constant(groups), outputs, inputs, constant(height.taps * width.taps)});
      return reshape(transpose(flip(flat, 3), {0, 2, 1, 3}),
                     {inputs * groups, outputs, constant(height.taps), constant(width.taps)});
    }
    Value window = fillUp(fillUp(op.getWeight(), height), width);
    window =
        reshape(window, {constant(groups), outputs, inputs, constant(height.taps),
                         constant(height.phases), constant(width.taps), constant(width.phases)});
    window = transpose(flip(flip(window, 3), 5), {0, 2, 4, 6, 1, 3, 5});
    return reshape(window, {inputs * (groups * height.phases * width.phases), outputs,
                            constant(height.taps), constant(width.taps)});
  }

  /// From [batch, (channels phases), rows..] to [batch, channels, (rows phases)..].
  Value interleave(Value x, const Side &height, const Side &width) {
    if (height.phases == 1 && width.phases == 1)
      return x;
    AffineExpr batch = getDim(input, 0), channels = getDim(input, 1);
    x = reshape(x, {batch, channels, constant(height.phases), constant(width.phases), height.rows,
                    width.rows});
    return reshape(transpose(x, {0, 1, 4, 2, 5, 3}),
                   {batch, channels, height.rows * height.phases, width.rows * width.phases});
  }

  Conv2dOp op;
  int64_t groups;
  RankedTensorType input, weight;
};

} // namespace

Derived Conv2dOp::buildDerivative(OpBuilder &builder, ValueRange gradients) {
  RankedTensorType weight = getWeight().getType();
  if (getChannelsLast() || weight.isDynamicDim(2) || weight.isDynamicDim(3)) {
    emitUnsupported(*this) << (getChannelsLast()
                                   ? "gradients of a convolution with channels last"
                                   : "gradients of a convolution whose window has sizes that are "
                                     "known at run time only")
                           << " are not supported yet";
    return {};
  }
  Convolution convolution(builder, *this);
  return {convolution.deriveInput(gradients[0]), convolution.deriveWeight(gradients[0])};
}

} // namespace nnc::nn
