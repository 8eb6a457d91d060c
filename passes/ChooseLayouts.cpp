//===- ChooseLayouts.cpp - Images with their channels last, where convolutions want them so ---===//
//
// Tiles of products are copied by 16 bytes of the depth at once, which for a convolution are
// neighbouring channels: they must be neighbours in memory. So convolutions take and give NHWC, and
// whatever lies between them follows: elementwise ops, pools, grouped convolutions, concatenations,
// means over the image, and views that leave batch and channels as they are, of images whose sides
// are cut into several axes too (as where backward passes interleave phases). A transposition is
// left only where such a part of the model begins or ends.
//
// Two walks over the function: backwards to learn which values a convolution wants channels last,
// forwards to make the twin of every value that has or should have that layout. Linear.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/ImageLayouts.h"
#include "passes/Passes.h"
#include "passes/TacticRules.h"
#include "passes/WeightValues.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_CHOOSELAYOUTS
#include "passes/Passes.h.inc"

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

template <typename Range>
SmallVector<int64_t> permute(const Range &values, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> result;
  for (int64_t axis : axes)
    result.push_back(values[axis]);
  return result;
}

class LayoutChooser {
public:
  explicit LayoutChooser(func::FuncOp function)
      : block(function.getBody().front()), builder(function), weights(function) {}

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
    int64_t missing =
        pads
            ? int64_t(llvm::alignTo(channels, channelsPerLoad(typeOf(conv.getWeight())))) - channels
            : 0;
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
    if (std::optional<Folding> fold = foldingOf(grad)) {
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

  /// False if that is no gain.
  bool rebuildFolded(nn::Conv2dOp conv) {
    std::optional<Folding> fold = foldingOf(conv);
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
    if (twin && isFlattenedForWeights(reshape))
      return multiplyFlat(reshape, twin);
    if (twin && splitsChannels(reshape))
      return splitTwin(reshape, twin);
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

  /// Whether [n, c * p * q, h, w] becomes [n, c, p, q, h, w], as where phases interleave.
  bool splitsChannels(nn::ReshapeOp reshape) const {
    RankedTensorType from = typeOf(reshape.getInput()), to = typeOf(reshape.getResult());
    SmallVector<AffineExpr> before = nn::getDims(from), after = nn::getDims(to);
    return before.size() == 4 && after.size() > 4 && nn::areEqual(before[0], after[0]) &&
           nn::areEqual(before[2], after[after.size() - 2]) &&
           nn::areEqual(before[3], after.back()) &&
           llvm::none_of(to.getShape().drop_front().drop_back(2), ShapedType::isDynamic);
  }

  /// A transposition of [n, h, w, c, p, q], which is the twin as it lies, or of [n, h, w, p, q, c],
  /// so that what lies together stays so, if the filters can be given that order.
  void splitTwin(nn::ReshapeOp reshape, Value twin) {
    RankedTensorType type = typeOf(reshape.getResult());
    SmallVector<AffineExpr> dims = nn::getDims(type);
    ArrayRef<int64_t> parts = type.getShape().drop_front().drop_back(2);
    const auto count = int64_t(parts.size());
    bool isReordered = reorderFilters(twin, reshape, parts);
    SmallVector<AffineExpr> split{dims[0], *(dims.end() - 2), dims.back()};
    SmallVector<int64_t> axes{0};
    for (int64_t part = 0; part < count; ++part) {
      split.push_back(dims[1 + (isReordered ? (part + 1) % count : part)]);
      axes.push_back(3 + (isReordered ? (part + count - 1) % count : part));
    }
    axes.append({1, 2});
    Value rows = builder.create<nn::ReshapeOp>(
        reshape.getLoc(), nn::getTensorType(split, type.getElementType()), twin);
    reshape.getResult().replaceAllUsesWith(
        builder.create<nn::TransposeOp>(reshape.getLoc(), type, rows, axes));
    reshape.erase();
  }

  /// A weight's elements, of `sizes` when its axes are cut, come in the order of `axes`.
  void reorder(OpOperand &weight, ArrayRef<int64_t> sizes, ArrayRef<int64_t> axes) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(weight.getOwner());
    Location loc = weight.getOwner()->getLoc();
    RankedTensorType type = typeOf(weight.get());
    Value split = builder.create<nn::ReshapeOp>(
        loc, RankedTensorType::get(sizes, type.getElementType()), weight.get());
    weight.set(builder.create<nn::ReshapeOp>(loc, type, transpose(split, axes)));
  }

  /// Of a convolution that only `reader` reads, by a weight, the filters (c, p, q) become (p, q,
  /// c).
  bool reorderFilters(Value twin, nn::ReshapeOp reader, ArrayRef<int64_t> parts) {
    auto made = twin.getDefiningOp<nn::Conv2dOp>();
    auto conv = reader.getInput().getDefiningOp<nn::Conv2dOp>();
    if (!made || !conv || !conv->hasOneUse() || !weights.contains(conv.getWeight()))
      return false;
    RankedTensorType type = typeOf(made.getWeight());
    SmallVector<int64_t> sizes(parts), axes;
    llvm::append_range(sizes, type.getShape().drop_front());
    for (size_t axis = 0; axis < sizes.size(); ++axis)
      axes.push_back(int64_t(axis < parts.size() ? (axis + 1) % parts.size() : axis));
    reorder(made.getWeightMutable(), sizes, axes);
    return true;
  }

  /// Whether [n, c, h, w] becomes [n, c * h * w] for nothing but products with weights.
  bool isFlattenedForWeights(nn::ReshapeOp reshape) const {
    RankedTensorType from = typeOf(reshape.getInput()), to = typeOf(reshape.getResult());
    bool isFlat = from.getRank() == 4 && to.getRank() == 2 &&
                  llvm::none_of(from.getShape().drop_front(), ShapedType::isDynamic) &&
                  nn::areEqual(nn::getDim(from, 0), nn::getDim(to, 0));
    return isFlat && llvm::all_of(reshape->getUsers(), [&](Operation *user) {
             auto product = dyn_cast<nn::MatmulOp>(user);
             return product && product.getLhs() == reshape.getResult() &&
                    typeOf(product.getRhs()).getRank() == 2 && weights.contains(product.getRhs()) &&
                    !isDequantized(product.getRhs());
           });
  }

  /// The twin as it lies, by weights whose rows are in its order.
  void multiplyFlat(nn::ReshapeOp reshape, Value twin) {
    ArrayRef<int64_t> image = typeOf(reshape.getInput()).getShape().drop_front();
    for (Operation *user : reshape->getUsers()) {
      auto product = cast<nn::MatmulOp>(user);
      RankedTensorType type = typeOf(product.getRhs());
      bool isAcross = product.getTransposeB();
      SmallVector<int64_t> sizes(image),
          axes = isAcross ? toLast(4) : SmallVector<int64_t>{1, 2, 0, 3};
      sizes.insert(isAcross ? sizes.begin() : sizes.end(), type.getDimSize(isAcross ? 0 : 1));
      reorder(product.getRhsMutable(), sizes, axes);
    }
    reshape.getInputMutable().assign(twin);
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
  WeightValues weights;
  DenseSet<Value> wanted;
  llvm::MapVector<Value, Value> twins; ///< by original: with channels last
  DenseMap<Value, Value> views;        ///< of values without a twin, with channels last
};

struct ChooseLayouts : impl::ChooseLayoutsBase<ChooseLayouts> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(nn::kEntryAttr))
        numConvolutions += LayoutChooser(function).run();
  }
};

} // namespace
} // namespace nnc
