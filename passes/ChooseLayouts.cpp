//===- ChooseLayouts.cpp - Images with their channels last, where convolutions want them so ---===//
//
// Tensor cores read 16 bytes of the depth at once, which for a convolution are neighbouring
// channels: they must be neighbours in memory. So convolutions that run on tensor cores take and
// give NHWC, and whatever lies between them follows: elementwise ops, pools, grouped convolutions,
// concatenations, means over the image, and views that leave batch and channels as they are, of
// images whose sides are cut into several axes too (as where backward passes interleave phases). A
// transposition is left only where such a part of the model begins or ends.
//
// Two walks over the function: backwards to learn which values a convolution wants channels last,
// forwards to make the twin of every value that has or should have that layout. Linear.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_CHOOSELAYOUTS
#include "passes/Passes.h.inc"

namespace {

/// The bits that tensor cores are given together: neighbouring channels.
constexpr int64_t BitsPerLoad = 128;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Of [batch, channels, ..], the axes that those of [batch, .., channels] are: 0, 2, 3, 1.
SmallVector<int64_t> toLast(int64_t rank) {
  SmallVector<int64_t> axes{0};
  for (int64_t axis = 2; axis < rank; ++axis)
    axes.push_back(axis);
  axes.push_back(1);
  return axes;
}
/// The reverse: 0, 3, 1, 2.
SmallVector<int64_t> toFirst(int64_t rank) {
  SmallVector<int64_t> axes{0, rank - 1};
  for (int64_t axis = 1; axis < rank - 1; ++axis)
    axes.push_back(axis);
  return axes;
}
/// Where an axis of [batch, channels, ..] is in [batch, .., channels].
int64_t placeOf(int64_t axis, int64_t rank) {
  return axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1;
}
template <typename Range>
SmallVector<int64_t> permute(const Range &values, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> result;
  for (int64_t axis : axes)
    result.push_back(values[axis]);
  return result;
}

RankedTensorType permuted(RankedTensorType type, ArrayRef<int64_t> permutation) {
  SmallVector<AffineExpr> dims = nn::getDims(type), result;
  for (int64_t axis : permutation)
    result.push_back(dims[axis]);
  return nn::getTensorType(result, type.getElementType());
}

/// A convolution of images that are not NHWC yet, and whether its groups are as given.
nn::Conv2dOp matchConvolution(Operation *op, bool isGrouped) {
  auto conv = dyn_cast<nn::Conv2dOp>(op);
  bool fits = conv && !conv.getChannelsLast() && (conv.getGroups() != 1) == isGrouped;
  return fits ? conv : nn::Conv2dOp();
}

int64_t channelsPerLoad(RankedTensorType type) {
  return BitsPerLoad / type.getElementTypeBitWidth();
}
int64_t channelsPerLoad(nn::Conv2dOp conv) { return channelsPerLoad(typeOf(conv.getWeight())); }

/// Whether tensor cores multiply such elements: of 16 bits, or f32 that may be rounded to TF32.
bool areMultiplied(Operation *product, RankedTensorType factor) {
  Type element = factor.getElementType();
  return element.isBF16() || element.isF16() ||
         (element.isF32() && product->hasAttr(nn::kTf32Attr));
}

/// A convolution that tensor cores compute.
nn::Conv2dOp matchWanting(Operation *op) {
  nn::Conv2dOp conv = matchConvolution(op, /*isGrouped=*/false);
  if (!conv)
    return {};
  RankedTensorType weight = typeOf(conv.getWeight());
  // Of one or two channels, most of every load would be zeros.
  bool suits = areMultiplied(conv, weight) && weight.hasStaticShape() &&
               weight.getDimSize(0) >= 8 && weight.getDimSize(1) >= 3;
  return suits ? conv : nn::Conv2dOp();
}

/// The gradient of the weight of such a convolution.
nn::Conv2dWeightGradOp matchWeightGrad(Operation *op) {
  auto grad = dyn_cast<nn::Conv2dWeightGradOp>(op);
  bool suits = grad && !grad.getChannelsLast() && !grad.getParts() && grad.getGroups() == 1 &&
               areMultiplied(grad, typeOf(grad.getInput())) && grad.getType().hasStaticShape() &&
               grad.getType().getDimSize(0) >= 8 && grad.getType().getDimSize(1) >= 3;
  return suits ? grad : nn::Conv2dWeightGradOp();
}

/// A view that leaves batch and channels where they are.
bool keepsChannels(Operation *op) {
  if (isa<nn::PadOp, nn::SliceOp>(op))
    return true;
  if (auto transpose = dyn_cast<nn::TransposeOp>(op))
    return transpose.getPermutation()[0] == 0 && transpose.getPermutation()[1] == 1;
  if (!isa<nn::ReshapeOp, nn::BroadcastOp>(op))
    return false;
  SmallVector<AffineExpr> from = nn::getDims(typeOf(op->getOperand(0)));
  SmallVector<AffineExpr> to = nn::getDims(typeOf(op->getResult(0)));
  if (auto broadcast = dyn_cast<nn::BroadcastOp>(op))
    return from.size() == to.size();
  return from.size() >= 4 && nn::areEqual(from[0], to[0]) && nn::areEqual(from[1], to[1]);
}

/// An op that computes the same on either layout.
bool isFollowing(Operation *op) {
  if (op->getNumResults() != 1 || !isa<RankedTensorType>(op->getResult(0).getType()) ||
      typeOf(op->getResult(0)).getRank() < 4)
    return false;
  if (auto pool = dyn_cast<nn::Pool2dOp>(op))
    return !pool.getChannelsLast();
  if (matchConvolution(op, /*isGrouped=*/true) || isa<nn::BarrierOp, nn::ConcatOp>(op) ||
      keepsChannels(op))
    return true;
  auto fusion = dyn_cast<nn::FusionInterface>(op);
  return fusion && fusion.getFusionRole() == nn::FusionRole::Pointwise;
}

/// The operands that have the layout of the result.
OperandRange imagesOf(Operation *op) {
  return isa<nn::Conv2dOp>(op) ? op->getOperands().take_front() : op->getOperands();
}

class LayoutChooser {
public:
  explicit LayoutChooser(Block &block) : block(block), builder(block.getParentOp()) {}

  /// The number of convolutions that were changed.
  unsigned run() {
    for (Operation &op : llvm::reverse(block))
      if (matchWanting(&op) || matchWeightGrad(&op) ||
          (isFollowing(&op) && wanted.contains(op.getResult(0))))
        for (Value image : imagesOf(&op))
          wanted.insert(image);
    if (wanted.empty())
      return 0;
    unsigned count = 0;
    for (Operation &op : llvm::make_early_inc_range(block)) {
      builder.setInsertionPoint(&op);
      if (nn::Conv2dOp conv = matchWanting(&op)) {
        rebuild(conv, /*pads=*/true);
        ++count;
      } else if (nn::Conv2dWeightGradOp grad = matchWeightGrad(&op)) {
        rebuild(grad);
        ++count;
      } else if (isFollowing(&op) && (wanted.contains(op.getResult(0)) || hasTwin(&op))) {
        follow(op);
      } else if (auto reduce = dyn_cast<nn::ReduceOp>(op)) {
        readTwin(reduce);
      } else if (auto reshape = dyn_cast<nn::ReshapeOp>(op)) {
        readTwin(reshape);
      }
    }
    retire();
    return count;
  }

private:
  bool hasTwin(Operation *op) const {
    return llvm::any_of(imagesOf(op), [&](Value image) { return twins.contains(image); });
  }

  Value transpose(Value value, ArrayRef<int64_t> permutation) {
    return builder.create<nn::TransposeOp>(value.getLoc(), permuted(typeOf(value), permutation),
                                           value, permutation);
  }

  /// `value` with its channels last.
  Value last(Value value) {
    if (Value twin = twins.lookup(value))
      return twin;
    Value &view = views[value];
    if (view)
      return view;
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfterValue(value);
    auto broadcast = value.getDefiningOp<nn::BroadcastOp>();
    view = broadcast ? repeatLast(broadcast) : Value();
    if (!view)
      view = transpose(value, toLast(typeOf(value).getRank()));
    return view;
  }

  /// What a broadcast repeats, repeated as NHWC; null if its axes would change their order.
  Value repeatLast(nn::BroadcastOp broadcast) {
    RankedTensorType type = typeOf(broadcast.getResult());
    SmallVector<int64_t> dims;
    for (int64_t axis : broadcast.getDims())
      dims.push_back(placeOf(axis, type.getRank()));
    if (!llvm::is_sorted(dims))
      return {};
    return builder.create<nn::BroadcastOp>(
        broadcast.getLoc(), permuted(type, toLast(type.getRank())), broadcast.getInput(), dims);
  }

  /// Zeros around columns (axis 2) and after channels (axis 3).
  Value pad(Value value, int64_t columnsBefore, int64_t columnsAfter, int64_t channels) {
    if (columnsBefore == 0 && columnsAfter == 0 && channels == 0)
      return value;
    SmallVector<AffineExpr> dims = nn::getDims(typeOf(value));
    dims[2] = dims[2] + columnsBefore + columnsAfter;
    dims[3] = dims[3] + channels;
    RankedTensorType type = nn::getTensorType(dims, typeOf(value).getElementType());
    return builder.create<nn::PadOp>(value.getLoc(), type, value,
                                     ArrayRef<int64_t>{0, 0, columnsBefore, 0},
                                     ArrayRef<int64_t>{0, 0, columnsAfter, channels}, 0.0);
  }

  /// `step` neighbouring pixels of a row as the channels of one.
  Value foldPixels(Value value, int64_t step) {
    SmallVector<AffineExpr> dims = nn::getDims(typeOf(value));
    dims[2] = dims[2].floorDiv(step);
    dims[3] = dims[3] * step;
    RankedTensorType type = nn::getTensorType(dims, typeOf(value).getElementType());
    return builder.create<nn::ReshapeOp>(value.getLoc(), type, value);
  }

  void replace(nn::Conv2dOp conv, Value input, Value weight, ArrayRef<int64_t> strides,
               ArrayRef<int64_t> padding, ArrayRef<int64_t> dilation) {
    auto made = builder.create<nn::Conv2dOp>(
        conv.getLoc(), permuted(typeOf(conv.getResult()), toLast(4)), input, weight, strides,
        padding, dilation, conv.getGroups(), /*channels_last=*/true);
    if (conv->hasAttr(nn::kTf32Attr))
      made->setAttr(nn::kTf32Attr, builder.getUnitAttr());
    twins[conv.getResult()] = made.getResult();
  }

  void rebuild(nn::Conv2dOp conv, bool pads) {
    if (pads && rebuildFolded(conv))
      return;
    pads = pads && !isReadDirectly(conv);
    int64_t channels = typeOf(conv.getWeight()).getDimSize(1);
    int64_t missing = pads ? int64_t(llvm::alignTo(channels, channelsPerLoad(conv))) - channels : 0;
    replace(conv, pad(last(conv.getInput()), 0, 0, missing),
            pad(transpose(conv.getWeight(), toLast(4)), 0, 0, missing), conv.getStrides(),
            conv.getPadding(), conv.getDilation());
  }

  Value makeGrad(nn::Conv2dWeightGradOp grad, ArrayRef<int64_t> sizes, Value input,
                 ArrayRef<int64_t> strides, ArrayRef<int64_t> padding, ArrayRef<int64_t> dilation) {
    auto made = builder.create<nn::Conv2dWeightGradOp>(
        grad.getLoc(), RankedTensorType::get(sizes, grad.getType().getElementType()), input,
        last(grad.getGradient()), strides, padding, dilation, grad.getGroups(),
        /*channels_last=*/true, /*parts=*/DenseI64ArrayAttr());
    made->setDiscardableAttrs(grad->getDiscardableAttrDictionary());
    return made;
  }

  /// The columns of `value` from `column` on, and as many of each axis as `type` has.
  Value crop(Value value, int64_t column, RankedTensorType type) {
    if (value.getType() == type)
      return value;
    SmallVector<AffineExpr> starts(4, builder.getAffineConstantExpr(0));
    starts[2] = builder.getAffineConstantExpr(column);
    return builder.create<nn::SliceOp>(value.getLoc(), type, value,
                                       nn::getSymbolMap(starts, builder.getContext()),
                                       ArrayRef<int64_t>{1, 1, 1, 1});
  }

  /// Of images with few channels the same padded or folded ones as the convolution.
  void rebuild(nn::Conv2dWeightGradOp grad) {
    RankedTensorType weight = grad.getType();
    Value result;
    if (std::optional<Folding> fold = foldingOf(grad, weight)) {
      result = rebuildFolded(grad, *fold);
    } else {
      int64_t channels = weight.getDimSize(1);
      auto padded = int64_t(llvm::alignTo(channels, channelsPerLoad(typeOf(grad.getInput()))));
      Value sums =
          makeGrad(grad, {weight.getDimSize(0), weight.getDimSize(2), weight.getDimSize(3), padded},
                   pad(last(grad.getInput()), 0, 0, padded - channels), grad.getStrides(),
                   grad.getPadding(), grad.getDilation());
      result = crop(sums, 0, permuted(weight, toLast(4)));
    }
    grad.getResult().replaceAllUsesWith(transpose(result, toFirst(4)));
    grad.erase();
  }

  /// A large convolution of few channels and few filters, which a kernel computes from the images
  /// as they lie (direct.cuh): it reads less than one that loads zeros for the missing channels.
  static bool isReadDirectly(nn::Conv2dOp conv) {
    constexpr int64_t MostDepth = 96, MostFilters = 64, LeastPositions = 1 << 16;
    RankedTensorType weight = typeOf(conv.getWeight()), result = typeOf(conv.getResult());
    int64_t filters = weight.getDimSize(0), channels = weight.getDimSize(1);
    bool isLarge = !result.hasStaticShape() || result.getNumElements() / filters >= LeastPositions;
    bool isNarrow = weight.getElementTypeBitWidth() == 16 && channels < channelsPerLoad(conv);
    return isLarge && isNarrow && filters <= MostFilters && filters % channelsPerLoad(conv) == 0 &&
           weight.getNumElements() / filters <= MostDepth;
  }

  /// Images of few channels read with steps of several pixels: the pixels of a step become
  /// channels, so that loads are full of what counts. The windows then begin at whole steps, with
  /// zeros in the weights where they began before.
  struct Folding {
    int64_t step, channels;    ///< pixels in one, their channels with zeros behind
    int64_t before, after;     ///< zeros in a row of a window
    int64_t padding[2], steps; ///< steps around a row of the image, of a row of a window
  };

  /// Nothing if that is no gain. `weight` is OIHW.
  template <typename Convolution>
  static std::optional<Folding> foldingOf(Convolution conv, RankedTensorType weight) {
    int64_t channels = weight.getDimSize(1), width = weight.getDimSize(3);
    int64_t perLoad = channelsPerLoad(typeOf(conv.getInput()));
    int64_t step = conv.getStrides()[1], left = conv.getPadding()[2], right = conv.getPadding()[3];
    AffineExpr columns = nn::getDim(typeOf(conv.getInput()), 3);
    if (step == 1 || step > width || channels >= perLoad || conv.getDilation()[1] != 1 ||
        nn::getConstant(columns % step) != 0)
      return std::nullopt;
    int64_t padded = channels;
    while (padded * step % perLoad != 0)
      ++padded;
    int64_t stepsLeft = llvm::divideCeil(left, step), before = stepsLeft * step - left;
    int64_t steps = llvm::divideCeil(width + before, step), after = steps * step - before - width;
    int64_t stepsRight = llvm::divideFloorSigned(left + right - width, step) - stepsLeft + steps;
    if (stepsRight < 0 || steps * step * padded >= width * perLoad)
      return std::nullopt;
    return Folding{step, padded, before, after, {stepsLeft, stepsRight}, steps};
  }

  /// False if that is no gain.
  bool rebuildFolded(nn::Conv2dOp conv) {
    std::optional<Folding> fold = foldingOf(conv, typeOf(conv.getWeight()));
    if (!fold)
      return false;
    int64_t missing = fold->channels - typeOf(conv.getWeight()).getDimSize(1);
    Value input = foldPixels(pad(last(conv.getInput()), 0, 0, missing), fold->step);
    Value weight = pad(transpose(conv.getWeight(), toLast(4)), fold->before, fold->after, missing);
    replace(conv, input, foldPixels(weight, fold->step), {conv.getStrides()[0], 1},
            {conv.getPadding()[0], conv.getPadding()[1], fold->padding[0], fold->padding[1]},
            {conv.getDilation()[0], 1});
    return true;
  }

  /// The gradient of the weight of such a convolution, without what belongs to the zeros.
  Value rebuildFolded(nn::Conv2dWeightGradOp grad, const Folding &fold) {
    RankedTensorType weight = grad.getType();
    int64_t filters = weight.getDimSize(0), channels = weight.getDimSize(1);
    int64_t height = weight.getDimSize(2), columns = fold.steps * fold.step;
    Value input = foldPixels(pad(last(grad.getInput()), 0, 0, fold.channels - channels), fold.step);
    Value sums =
        makeGrad(grad, {filters, height, fold.steps, fold.step * fold.channels}, input,
                 {grad.getStrides()[0], 1},
                 {grad.getPadding()[0], grad.getPadding()[1], fold.padding[0], fold.padding[1]},
                 {grad.getDilation()[0], 1});
    auto flat =
        RankedTensorType::get({filters, height, columns, fold.channels}, weight.getElementType());
    return crop(builder.create<nn::ReshapeOp>(grad.getLoc(), flat, sums), fold.before,
                permuted(weight, toLast(4)));
  }

  void follow(Operation &op) {
    if (auto conv = dyn_cast<nn::Conv2dOp>(op))
      return rebuild(conv, /*pads=*/false);
    IRMapping mapping;
    for (Value operand : op.getOperands())
      mapping.map(operand, last(operand));
    Operation *made = builder.clone(op, mapping);
    int64_t rank = typeOf(op.getResult(0)).getRank();
    SmallVector<int64_t> axes = toLast(rank);
    made->getResult(0).setType(permuted(typeOf(op.getResult(0)), axes));
    if (auto pool = dyn_cast<nn::Pool2dOp>(made)) {
      pool.setChannelsLast(true);
    } else if (auto concat = dyn_cast<nn::ConcatOp>(made)) {
      concat.setAxis(placeOf(int64_t(concat.getAxis()), rank));
    } else if (auto pad = dyn_cast<nn::PadOp>(made)) {
      pad.setLow(permute(pad.getLow(), axes));
      pad.setHigh(permute(pad.getHigh(), axes));
    } else if (auto slice = dyn_cast<nn::SliceOp>(made)) {
      SmallVector<unsigned> results(axes.begin(), axes.end());
      slice.setStart(slice.getStart().getSubMap(results));
      slice.setStep(permute(slice.getStep(), axes));
    } else if (auto transpose = dyn_cast<nn::TransposeOp>(made)) {
      SmallVector<int64_t> permutation = permute(transpose.getPermutation(), axes);
      for (int64_t &axis : permutation)
        axis = placeOf(axis, rank);
      transpose.setPermutation(permutation);
    }
    twins[op.getResult(0)] = made->getResult(0);
  }

  /// A reduction whose remaining axes keep their order reads the twin as it is.
  void readTwin(nn::ReduceOp reduce) {
    Value twin = twins.lookup(reduce.getInput());
    if (!twin)
      return;
    int64_t rank = typeOf(reduce.getInput()).getRank();
    SmallVector<int64_t> axes, kept;
    for (auto [place, axis] : llvm::enumerate(toLast(rank)))
      if (llvm::is_contained(reduce.getAxes(), axis))
        axes.push_back(int64_t(place));
      else
        kept.push_back(axis);
    if (axes.empty() || !llvm::is_sorted(kept))
      return;
    reduce.getInputMutable().assign(twin);
    reduce.setAxes(axes);
  }

  /// [n, c, h * w] becomes a transposition of [n, h * w, c], which is the twin as it lies.
  void readTwin(nn::ReshapeOp reshape) {
    Value twin = twins.lookup(reshape.getInput());
    SmallVector<AffineExpr> dims = nn::getDims(typeOf(reshape.getResult()));
    SmallVector<AffineExpr> from = nn::getDims(typeOf(reshape.getInput()));
    if (!twin || dims.size() != 3 || !nn::areEqual(dims[0], from[0]) ||
        !nn::areEqual(dims[1], from[1]))
      return;
    RankedTensorType type = typeOf(reshape.getResult());
    RankedTensorType flat = nn::getTensorType({dims[0], dims[2], dims[1]}, type.getElementType());
    Value rows = builder.create<nn::ReshapeOp>(reshape.getLoc(), flat, twin);
    Value view =
        builder.create<nn::TransposeOp>(reshape.getLoc(), type, rows, ArrayRef<int64_t>{0, 2, 1});
    reshape.getResult().replaceAllUsesWith(view);
    reshape.erase();
  }

  /// Who still reads an original reads its twin through a view.
  void retire() {
    for (auto &[original, twin] : llvm::reverse(twins)) {
      bool isRead = llvm::any_of(original.getUsers(), [&](Operation *user) {
        return user->getNumResults() != 1 || !twins.contains(user->getResult(0));
      });
      if (isRead) {
        builder.setInsertionPointAfterValue(twin);
        original.replaceAllUsesWith(transpose(twin, toFirst(typeOf(twin).getRank())));
      }
      original.getDefiningOp()->erase();
    }
  }

  Block &block;
  OpBuilder builder;
  DenseSet<Value> wanted;
  llvm::MapVector<Value, Value> twins; ///< by original: with channels last
  DenseMap<Value, Value> views;        ///< of values without a twin, with channels last
};

struct ChooseLayouts : impl::ChooseLayoutsBase<ChooseLayouts> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(nn::kEntryAttr))
        numConvolutions += LayoutChooser(function.getBody().front()).run();
  }
};

} // namespace
} // namespace nnc
