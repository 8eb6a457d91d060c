//===- DeriveConvolution.cpp - Derivatives of convolutions ------------------------------------===//
//
// The gradient of the weight is an operation of its own. That of the input is a transposed
// convolution: with stride s, the elements of an input at places p, p + s, p + 2 s, .. see only
// every s-th element of the window, so it is s convolutions of stride 1, each with a part of the
// window, and their results interleaved, rather than multiplications by zeros between the elements
// of the gradient.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/DeriveUtils.h"
#include "ir/Unsupported.h"

#include <numeric>

using namespace mlir;

namespace nnc::nn {

namespace {

/// One side of the image: position u of the padded input is `stride * row + phase`.
struct Side {
  Side(Conv2dOp op, unsigned side)
      : axis(2 + side), kernel(*getConstant(getDim(op.getWeight().getType(), axis))),
        spacing(op.getDilation()[side]), stride(op.getStrides()[side]),
        before(op.getPadding()[2 * side]), common(std::gcd(stride, spacing)),
        windows(getDim(op.getType(), axis)) {
    // Elements at the end of the input that no window holds have rows too.
    int64_t reach = spacing * (kernel - 1) + 1, after = op.getPadding()[2 * side + 1];
    extra = std::max<int64_t>(llvm::divideCeilSigned(reach - after - 1, stride), 0);
    for (int64_t phase = 0; phase < stride; ++phase)
      extra = std::max(extra, Taps(*this, phase).delay);
    origin = before / stride;
    for (int64_t phase = 0; phase < stride; ++phase)
      if (Taps taps(*this, phase); taps.count)
        origin = std::min(origin, taps.low);
  }

  /// The elements i of the window with `i * spacing = phase + stride * t`: one phase's input at a
  /// row sees them in the windows `row - t`.
  struct Taps {
    Taps(const Side &side, int64_t phase) : step(side.stride / side.common) {
      while (first < side.kernel && (first * side.spacing - phase) % side.stride != 0)
        ++first;
      count = first < side.kernel ? llvm::divideCeil(side.kernel - first, step) : 0;
      delay = count ? (first * side.spacing - phase) / side.stride : 0;
      dilation = count > 1 ? side.spacing / side.common : 1;
      low = count ? delay + (count - 1) * dilation : 0;
      high = side.extra - delay;
    }
    int64_t first = 0, step, count, delay, dilation;
    int64_t low, high; ///< padding of the gradient
  };

  AffineExpr rows() const { return windows + (extra - origin); } ///< of a phase
  /// The place of the input's first element in the interleaved phases.
  int64_t start() const { return before - stride * origin; }

  unsigned axis;
  int64_t kernel, spacing, stride, before, common;
  int64_t extra = 0;  ///< rows of a phase behind those of the gradient
  int64_t origin = 0; ///< the first row that is computed
  AffineExpr windows;
};

struct Convolution : Deriving {
  Convolution(OpBuilder &builder, Conv2dOp op)
      : Deriving(builder, op), op(op), groups(static_cast<int64_t>(op.getGroups())),
        input(op.getInput().getType()), weight(op.getWeight().getType()) {}

  Value deriveWeight(Value g) {
    auto result = builder.create<Conv2dWeightGradOp>(
        loc, weight, op.getInput(), g, op.getStrides(), op.getPadding(), op.getDilation(), groups,
        /*channels_last=*/false, /*parts=*/DenseI64ArrayAttr());
    result->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    return result;
  }

  Value deriveInput(Value g) {
    Side height(op, 0), width(op, 1);
    SmallVector<Value> phases;
    for (int64_t row = 0; row < height.stride; ++row)
      for (int64_t column = 0; column < width.stride; ++column)
        phases.push_back(derivePhase(g, height, width, {height, row}, {width, column}));
    SmallVector<AffineExpr> dims = getDims(input);
    RankedTensorType type =
        getTensorType({dims[0], dims[1], height.rows(), width.rows()}, input.getElementType());
    Value result = interleave(phases, type, height.stride, width.stride);
    return slice(result,
                 {constant(0), constant(0), constant(height.start()), constant(width.start())},
                 dims, {1, 1, 1, 1});
  }

  /// Null if no window holds elements of this phase.
  Value derivePhase(Value g, const Side &height, const Side &width, Side::Taps rows,
                    Side::Taps columns) {
    if (rows.count == 0 || columns.count == 0)
      return {};
    Value window = arrangeWindow(rows, columns);
    auto type = getTensorType({getDim(input, 0), getDim(input, 1), height.rows(), width.rows()},
                              input.getElementType());
    auto result = builder.create<Conv2dOp>(
        loc, type, g, window, ArrayRef<int64_t>{1, 1},
        ArrayRef<int64_t>{rows.low - height.origin, rows.high, columns.low - width.origin,
                          columns.high},
        ArrayRef<int64_t>{rows.dilation, columns.dilation}, groups, /*channels_last=*/false);
    result->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    return result;
  }

  /// Some elements of the window, from [(groups outputs), inputs, ..] to [(groups inputs), outputs,
  /// ..], in the opposite order.
  Value arrangeWindow(const Side::Taps &rows, const Side::Taps &columns) {
    AffineExpr outputs = getDim(weight, 0), inputs = getDim(weight, 1);
    AffineExpr height = constant(rows.count), width = constant(columns.count);
    auto firstOf = [&](const Side::Taps &taps, unsigned axis) {
      return getDim(weight, axis) - (1 + taps.first + (taps.count - 1) * taps.step);
    };
    Value window =
        slice(turnRound(), {constant(0), constant(0), firstOf(rows, 2), firstOf(columns, 3)},
              {outputs, inputs, height, width}, {1, 1, rows.step, columns.step});
    if (groups == 1)
      return transpose(window, {1, 0, 2, 3});
    outputs = outputs.floorDiv(groups);
    Value split = reshape(window, {constant(groups), outputs, inputs, height, width});
    return reshape(transpose(split, {0, 2, 1, 3, 4}), {inputs * groups, outputs, height, width});
  }

  /// The whole window in the opposite order, once for all phases.
  Value turnRound() {
    SmallVector<AffineExpr> dims = getDims(weight);
    if (!turned)
      turned =
          reshape(flip(reshape(op.getWeight(), {dims[0], dims[1], dims[2] * dims[3]}), 2), dims);
    return turned;
  }

  Conv2dOp op;
  int64_t groups;
  RankedTensorType input, weight;
  Value turned;
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
