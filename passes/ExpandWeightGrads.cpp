//===- ExpandWeightGrads.cpp - Gradients of convolutions' weights as convolutions -------------===//
//
// A convolution of the input with the gradient of the result as its window: batch and channels
// exchange places, as do strides and dilation. For the cpu, whose loops over a long window are
// good, and where nothing is gained by cutting the sum.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"

#include "ir/DeriveUtils.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_EXPANDWEIGHTGRADS
#include "passes/Passes.h.inc"

namespace {

class Expansion : nn::Deriving {
public:
  Expansion(OpBuilder &builder, nn::Conv2dWeightGradOp op)
      : Deriving(builder, op), op(op), groups(static_cast<int64_t>(op.getGroups())),
        input(nn::getDims(op.getInput().getType())), weight(nn::getDims(op.getWeightType())) {}

  Value run() {
    Value x = exchangeGroups(), window = transpose(op.getGradient(), {1, 0, 2, 3});
    SmallVector<AffineExpr> found = {weight[1], weight[0], countWindows(0), countWindows(1)};
    RankedTensorType type = nn::getTensorType(found, nn::getType(x).getElementType());
    auto conv = builder.create<nn::Conv2dOp>(loc, type, x, window, op.getDilation(),
                                             op.getPadding(), op.getStrides(), groups,
                                             /*channels_last=*/false);
    conv->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    Value result = crop(conv, {weight[1], weight[0], weight[2], weight[3]});
    return cast(transpose(result, {1, 0, 2, 3}), op.getType().getElementType());
  }

private:
  /// `floor((size + pads - reach of the window) / stride) + 1`, for the gradient as a window.
  AffineExpr countWindows(unsigned side) {
    AffineExpr window = nn::getDim(op.getGradient().getType(), 2 + side);
    AffineExpr padded = input[2 + side] + op.getPadding()[2 * side] + op.getPadding()[2 * side + 1];
    AffineExpr reach = (window - 1) * op.getStrides()[side] + 1;
    return (padded - reach).floorDiv(op.getDilation()[side]) + 1;
  }

  /// The input from [batch, (groups channels), ..] to [channels, (groups batch), ..].
  Value exchangeGroups() {
    if (groups == 1)
      return transpose(op.getInput(), {1, 0, 2, 3});
    AffineExpr channels = weight[1], all = constant(groups);
    Value split = reshape(op.getInput(), {input[0], all, channels, input[2], input[3]});
    return reshape(transpose(split, {2, 1, 0, 3, 4}),
                   {channels, input[0] * groups, input[2], input[3]});
  }

  nn::Conv2dWeightGradOp op;
  int64_t groups;
  SmallVector<AffineExpr> input, weight;
};

struct ExpandWeightGrads : impl::ExpandWeightGradsBase<ExpandWeightGrads> {
  void runOnOperation() override {
    getOperation().walk([](nn::Conv2dWeightGradOp op) {
      if (op.getChannelsLast() || op.getParts())
        return;
      OpBuilder builder(op);
      op.getResult().replaceAllUsesWith(Expansion(builder, op).run());
      op.erase();
    });
  }
};

} // namespace
} // namespace nnc
