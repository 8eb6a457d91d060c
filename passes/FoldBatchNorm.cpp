//===- FoldBatchNorm.cpp - Per-channel scale and shift go into the weights before them --------===//
//
// y = conv(x, w) is linear in w's output channels, so s*y + t is conv(x, w*s) + t if s and t depend
// on the channel only. The chain after the anchor is read as such a function step by step, in
// whatever order it is written. Only f32 is folded: in 16 bits the product w*s would round where
// the model does not.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "passes/TacticRules.h"
#include "passes/WeightValues.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_FOLDBATCHNORM
#include "passes/Passes.h.inc"

namespace {

/// A convolution or a product whose weight may take factors per output channel.
struct Anchor {
  Operation *op;
  unsigned weightOperand;
  int64_t channelAxis; ///< of the result
  int64_t weightAxis;  ///< of the weight, the same channels

  RankedTensorType type() const { return cast<RankedTensorType>(op->getResult(0).getType()); }
  Value weight() const { return op->getOperand(weightOperand); }
  int64_t channels() const { return type().getDimSize(channelAxis); }
};

/// One op of the chain: `op(value, factor)` with `value` at operand `position`. `factor` is
/// null for a negation. Its axis `factorAxis` follows the channels; -1: one number for all.
struct Step {
  Operation *op;
  unsigned position;
  Value factor;
  int64_t factorAxis;

  bool scales() const { return isa<nn::MulOp, nn::DivOp, nn::NegOp>(op) || negates(); }
  bool negates() const { return isa<nn::SubOp>(op) && position == 1; }
};

std::optional<Anchor> matchAnchor(Operation *op, const WeightValues &weights) {
  std::optional<Anchor> anchor;
  if (auto conv = dyn_cast<nn::Conv2dOp>(op))
    anchor = Anchor{op, 1, nn::ImageAxes(conv.getChannelsLast()).channel, 0};
  else if (auto matmul = dyn_cast<nn::MatmulOp>(op)) {
    int64_t rank = cast<RankedTensorType>(matmul.getType()).getRank();
    if (cast<RankedTensorType>(matmul.getRhs().getType()).getRank() == 2)
      anchor = Anchor{op, 1, rank - 1, matmul.getTransposeB() ? 0 : 1};
  }
  if (!anchor || !weights.contains(anchor->weight()) || isDequantized(anchor->weight()) ||
      !anchor->type().getElementType().isF32() || ShapedType::isDynamic(anchor->channels()))
    return std::nullopt;
  return anchor;
}

/// The axis of `value` that becomes axis `channelAxis` when `dims` places its axes; -1 if all axes
/// have size 1; nothing if it varies along another axis.
std::optional<int64_t> findChannelAxis(RankedTensorType type, ArrayRef<int64_t> dims,
                                       int64_t channelAxis) {
  int64_t found = -1;
  for (auto [axis, place] : llvm::enumerate(dims)) {
    if (type.getDimSize(axis) == 1)
      continue;
    if (place != channelAxis)
      return std::nullopt;
    found = axis;
  }
  return found;
}

/// Whether `value`, of the anchor's shape, depends on weights and on the channel only.
bool matchFactor(Value value, const Anchor &anchor, const WeightValues &weights, Step &step) {
  SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(0, anchor.type().getRank()));
  if (auto broadcast = value.getDefiningOp<nn::BroadcastOp>()) {
    value = broadcast.getInput();
    dims.assign(broadcast.getDims().begin(), broadcast.getDims().end());
  }
  auto full = value.getDefiningOp<nn::FullOp>();
  if (!full && !weights.contains(value))
    return false;
  std::optional<int64_t> axis = -1;
  if (!full)
    axis = findChannelAxis(cast<RankedTensorType>(value.getType()), dims, anchor.channelAxis);
  step.factor = value;
  step.factorAxis = axis.value_or(-1);
  return axis.has_value();
}

/// The only user of `value` as a step; nothing if it is not affine in `value` with such factors.
std::optional<Step> matchStep(Value value, const Anchor &anchor, const WeightValues &weights) {
  if (!value.hasOneUse())
    return std::nullopt;
  OpOperand &use = *value.use_begin();
  if (use.getOwner()->getBlock() != anchor.op->getBlock())
    return std::nullopt; // in a loop
  Step step{use.getOwner(), use.getOperandNumber(), Value(), -1};
  if (isa<nn::NegOp>(step.op))
    return step;
  bool affine = isa<nn::AddOp, nn::SubOp, nn::MulOp>(step.op) ||
                (isa<nn::DivOp>(step.op) && step.position == 0);
  if (!affine || !matchFactor(step.op->getOperand(1 - step.position), anchor, weights, step))
    return std::nullopt;
  return step;
}

/// The steps after the anchor up to the last that is affine; none if they only add.
SmallVector<Step> collectSteps(const Anchor &anchor, const WeightValues &weights) {
  SmallVector<Step> steps;
  Value value = anchor.op->getResult(0);
  while (std::optional<Step> step = matchStep(value, anchor, weights)) {
    steps.push_back(*step);
    value = step->op->getResult(0);
  }
  if (llvm::none_of(steps, [](const Step &step) { return step.scales(); }))
    steps.clear();
  return steps;
}

/// Composes the steps as `scale * y + shift`, both f32 vectors over the channels. A null value is
/// the identity: 1 for the scale, 0 for the shift.
class AffineBuilder {
public:
  AffineBuilder(OpBuilder &builder, int64_t channels)
      : builder(builder), type(RankedTensorType::get({channels}, builder.getF32Type())) {}

  Value scale, shift;

  void apply(const Step &step) {
    loc = step.op->getLoc();
    if (isa<nn::NegOp>(step.op))
      return negate();
    Value factor = toVector(step.factor, step.factorAxis);
    if (step.negates())
      negate();
    if (isa<nn::MulOp>(step.op)) {
      scale = scale ? make<nn::MulOp>(scale, factor) : factor;
      shift = shift ? make<nn::MulOp>(shift, factor) : Value();
    } else if (isa<nn::DivOp>(step.op)) {
      scale = make<nn::DivOp>(scale ? scale : number(1), factor);
      shift = shift ? make<nn::DivOp>(shift, factor) : Value();
    } else if (isa<nn::SubOp>(step.op) && !step.negates()) {
      shift = shift ? make<nn::SubOp>(shift, factor)
                    : builder.create<nn::NegOp>(*loc, type, factor).getResult();
    } else {
      shift = shift ? make<nn::AddOp>(shift, factor) : factor;
    }
  }

private:
  template <typename OpTy> Value make(Value lhs, Value rhs) {
    return builder.create<OpTy>(*loc, type, lhs, rhs);
  }
  Value number(double value) { return builder.create<nn::FullOp>(*loc, type, value); }

  void negate() {
    scale = scale ? builder.create<nn::NegOp>(*loc, type, scale).getResult() : number(-1);
    if (shift)
      shift = builder.create<nn::NegOp>(*loc, type, shift);
  }

  /// The factor with its unit axes dropped and, if it is one number, repeated.
  Value toVector(Value factor, int64_t axis) {
    if (auto full = factor.getDefiningOp<nn::FullOp>())
      return builder.create<nn::FullOp>(*loc, type, full.getValue());
    auto from = cast<RankedTensorType>(factor.getType());
    int64_t size = axis < 0 ? 1 : from.getDimSize(axis);
    auto flat = RankedTensorType::get({size}, from.getElementType());
    if (from != flat)
      factor = builder.create<nn::ReshapeOp>(*loc, flat, factor);
    if (flat != type)
      factor = builder.create<nn::BroadcastOp>(*loc, type, factor, ArrayRef<int64_t>{0});
    return factor;
  }

  OpBuilder &builder;
  RankedTensorType type;
  std::optional<Location> loc;
};

/// Replaces anchor and chain by `anchor(x, w * scale) + shift`.
void fold(const Anchor &anchor, ArrayRef<Step> steps) {
  Operation *last = steps.back().op;
  OpBuilder builder(last); // after everything that the factors need
  AffineBuilder affine(builder, anchor.channels());
  for (const Step &step : steps)
    affine.apply(step);

  Location loc = anchor.op->getLoc();
  Type weightType = anchor.weight().getType();
  Value factor =
      builder.create<nn::BroadcastOp>(loc, weightType, affine.scale, ArrayRef{anchor.weightAxis});
  Value weight = builder.create<nn::MulOp>(loc, weightType, anchor.weight(), factor);
  Operation *scaled = builder.clone(*anchor.op);
  scaled->setOperand(anchor.weightOperand, weight);
  Value result = scaled->getResult(0);
  if (affine.shift) {
    Value shift = builder.create<nn::BroadcastOp>(loc, anchor.type(), affine.shift,
                                                  ArrayRef{anchor.channelAxis});
    result = builder.create<nn::AddOp>(last->getLoc(), anchor.type(), result, shift);
  }
  last->getResult(0).replaceAllUsesWith(result);
  for (const Step &step : llvm::reverse(steps))
    step.op->erase();
  anchor.op->erase();
}

struct FoldBatchNorm : impl::FoldBatchNormBase<FoldBatchNorm> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(nn::kEntryAttr))
        foldIn(function);
  }

  void foldIn(func::FuncOp function) {
    WeightValues weights(function);
    SmallVector<Anchor> anchors;
    for (Operation &op : function.getBody().front())
      if (std::optional<Anchor> anchor = matchAnchor(&op, weights))
        anchors.push_back(*anchor);
    for (const Anchor &anchor : anchors) {
      SmallVector<Step> steps = collectSteps(anchor, weights);
      if (steps.empty())
        continue;
      fold(anchor, steps);
      ++numFolded;
    }
  }
};

} // namespace
} // namespace nnc
