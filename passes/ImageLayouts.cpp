//===- ImageLayouts.cpp - Which ops take images in which layout -------------------------------===//
#include "passes/ImageLayouts.h"

using namespace mlir;

namespace nnc {
namespace {

/// The bits that products read together: neighbouring channels.
constexpr int64_t BitsPerLoad = 128;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// A convolution of images that are not NHWC yet, and whether its groups are as given.
nn::Conv2dOp matchConvolution(Operation *op, bool isGrouped) {
  auto conv = dyn_cast<nn::Conv2dOp>(op);
  bool fits = conv && !conv.getChannelsLast() && (conv.getGroups() != 1) == isGrouped;
  return fits ? conv : nn::Conv2dOp();
}

/// Whether tiles of such elements are copied by neighbours along the depth.
bool areCopied(RankedTensorType factor) {
  Type element = factor.getElementType();
  return nn::is16BitFloat(element) || element.isF32();
}

/// Below so many channels most of every load would be zeros.
constexpr int64_t LeastChannels = 3;

/// Below so many filters tiles have little to do.
constexpr int64_t LeastFilters = 8;

/// Of so few channels or filters, elements are read one by one, in either layout.
bool isReadByElements(Operation *op) {
  nn::Conv2dOp conv = matchConvolution(op, /*isGrouped=*/false);
  RankedTensorType weight = conv ? typeOf(conv.getWeight()) : RankedTensorType();
  return weight && weight.hasStaticShape() &&
         (weight.getDimSize(0) < LeastFilters || weight.getDimSize(1) < LeastChannels);
}

/// Whether a product in exact f32, which few channels hardly slow down, would pay for zeros behind
/// them: a launch, and products with zeros. `weight` is of the convolution, or its gradient.
bool isSpoiledByZeros(Operation *op, RankedTensorType weight) {
  constexpr int64_t MostRagged = 16;
  auto isRagged = [&](int64_t channels) {
    return channels > LeastChannels && channels < MostRagged &&
           channels % channelsPerLoad(weight) != 0;
  };
  return weight.getElementType().isF32() && !op->hasAttr(nn::kTf32Attr) &&
         (isRagged(weight.getDimSize(0)) || isRagged(weight.getDimSize(1)));
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

template <typename Convolution>
std::optional<Folding> findFolding(Convolution conv, RankedTensorType weight) {
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

} // namespace

SmallVector<int64_t> toLast(int64_t rank) {
  SmallVector<int64_t> axes{0};
  for (int64_t axis = 2; axis < rank; ++axis)
    axes.push_back(axis);
  axes.push_back(1);
  return axes;
}

SmallVector<int64_t> toFirst(int64_t rank) {
  SmallVector<int64_t> axes{0, rank - 1};
  for (int64_t axis = 1; axis < rank - 1; ++axis)
    axes.push_back(axis);
  return axes;
}

int64_t placeOf(int64_t axis, int64_t rank) {
  return axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1;
}

RankedTensorType permuted(RankedTensorType type, ArrayRef<int64_t> permutation) {
  SmallVector<AffineExpr> dims = nn::getDims(type), result;
  for (int64_t axis : permutation)
    result.push_back(dims[axis]);
  return nn::getTensorType(result, type.getElementType());
}

int64_t channelsPerLoad(RankedTensorType type) {
  return BitsPerLoad / type.getElementTypeBitWidth();
}

nn::Conv2dOp matchWanting(Operation *op) {
  nn::Conv2dOp conv = matchConvolution(op, /*isGrouped=*/false);
  if (!conv)
    return {};
  RankedTensorType weight = typeOf(conv.getWeight());
  bool suits = areCopied(weight) && weight.hasStaticShape() &&
               weight.getDimSize(0) >= LeastFilters && weight.getDimSize(1) >= LeastChannels &&
               !isSpoiledByZeros(conv, weight);
  return suits ? conv : nn::Conv2dOp();
}

nn::Conv2dWeightGradOp matchWeightGrad(Operation *op) {
  auto grad = dyn_cast<nn::Conv2dWeightGradOp>(op);
  bool suits = grad && !grad.getChannelsLast() && !grad.getParts() && grad.getGroups() == 1 &&
               areCopied(typeOf(grad.getInput())) && grad.getType().hasStaticShape() &&
               grad.getType().getDimSize(0) >= LeastFilters &&
               grad.getType().getDimSize(1) >= LeastChannels &&
               !isSpoiledByZeros(grad, grad.getType());
  return suits ? grad : nn::Conv2dWeightGradOp();
}

bool isFollowing(Operation *op) {
  if (op->getNumResults() != 1 || !isa<RankedTensorType>(op->getResult(0).getType()) ||
      typeOf(op->getResult(0)).getRank() < 4)
    return false;
  if (auto pool = dyn_cast<nn::Pool2dOp>(op))
    return !pool.getChannelsLast();
  if (matchConvolution(op, /*isGrouped=*/true) || isReadByElements(op) ||
      isa<nn::BarrierOp, nn::ConcatOp>(op) || keepsChannels(op))
    return true;
  auto fusion = dyn_cast<nn::FusionInterface>(op);
  return fusion && fusion.getFusionRole() == nn::FusionRole::Pointwise;
}

OperandRange imagesOf(Operation *op) {
  return isa<nn::Conv2dOp>(op) ? op->getOperands().take_front() : op->getOperands();
}

bool isReadDirectly(nn::Conv2dOp conv) {
  constexpr int64_t MostDepth = 96, MostFilters = 64, LeastPositions = 1 << 16;
  RankedTensorType weight = typeOf(conv.getWeight()), result = typeOf(conv.getResult());
  int64_t filters = weight.getDimSize(0), channels = weight.getDimSize(1);
  bool isLarge = !result.hasStaticShape() || result.getNumElements() / filters >= LeastPositions;
  bool isNarrow = weight.getElementTypeBitWidth() == 16 && channels < channelsPerLoad(weight);
  return isLarge && isNarrow && filters <= MostFilters && filters % channelsPerLoad(weight) == 0 &&
         weight.getNumElements() / filters <= MostDepth;
}

std::optional<Folding> foldingOf(nn::Conv2dOp conv) {
  return findFolding(conv, typeOf(conv.getWeight()));
}
std::optional<Folding> foldingOf(nn::Conv2dWeightGradOp grad) {
  return findFolding(grad, grad.getType());
}

} // namespace nnc
