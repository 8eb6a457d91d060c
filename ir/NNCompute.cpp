//===- NNCompute.cpp - Definitions and verifiers ----------------------------------------------===//

#include "ir/NNOps.h"
#include "ir/Verify.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "ir/NNCompute.cpp.inc"

namespace nnc::nn {

FailureOr<RankedTensorType> ReduceOp::inferResultType() {
  RankedTensorType input = getInput().getType();
  if (failed(verifyIncreasing(*this, "axes", getAxes(), input.getRank()))) // (C1)
    return failure();
  if (getKind() == ReduceKind::Mean && !isa<FloatType>(input.getElementType())) // (C2)
    return emitOpError() << "expected floats to take the mean of, found " << input.getElementType();
  SmallVector<AffineExpr> dims;
  for (int64_t axis = 0; axis < input.getRank(); ++axis)
    if (!llvm::is_contained(getAxes(), axis))
      dims.push_back(getDim(input, axis)); // (C3)
  return getTensorType(dims, input.getElementType());
}

FailureOr<RankedTensorType> ArgReduceOp::inferResultType() {
  RankedTensorType input = getInput().getType();
  if (failed(verifyAxis(*this, getAxis(), input.getRank()))) // (C1)
    return failure();
  SmallVector<AffineExpr> dims = getDims(input);
  if (getConstant(dims[getAxis()]) == 0) // (C1)
    return emitOpError() << "expected an operand that is not empty along axis " << getAxis();
  dims.erase(dims.begin() + getAxis());
  Type element = IntegerType::get(getContext(), 32);
  return getTensorType(dims, element); // (C2)
}

LogicalResult SoftmaxOp::verify() {
  return verifyAxis(*this, getAxis(), getType().getRank()); // (C1)
}

LogicalResult LogSoftmaxOp::verify() {
  return verifyAxis(*this, getAxis(), getType().getRank()); // (C1)
}

FailureOr<RankedTensorType> MatmulOp::inferResultType() {
  FailureOr<RankedTensorType> type = inferMatmulType(*this, getLhs().getType(), getRhs().getType(),
                                                     getTransposeA(), getTransposeB());
  if (failed(type))
    return failure();
  Type element = type->getElementType(), own = getType().getElementType();
  return own.isF32() && is16BitFloat(element) ? withElementType(*type, own) : *type; // (C5)
}

/// (C2): `part` has one number for all, for each or for each group of the elements of an axis.
static LogicalResult verifyRuns(DequantizeOp op, RankedTensorType whole, RankedTensorType part) {
  bool fits = part.getRank() == whole.getRank() && part.hasStaticShape();
  for (int64_t axis = 0; fits && axis < whole.getRank(); ++axis) {
    int64_t size = whole.getDimSize(axis), runs = part.getDimSize(axis);
    auto group = static_cast<int64_t>(op.getGroup().value_or(1));
    fits = runs == 1 || runs == size || runs == (size + group - 1) / group;
  }
  if (fits)
    return success();
  return op.emitOpError() << "expected scales and zeros for the groups of " << whole << ", found "
                          << part;
}

LogicalResult DequantizeOp::verify() {
  RankedTensorType values = getValues().getType(), result = getType();
  SmallVector<int64_t> stored(result.getShape());
  if (getPacked() && !stored.empty() && !result.isDynamicDim(result.getRank() - 1))
    stored.back() = (stored.back() + 1) / 2;
  bool isInteger = values.getElementType().isInteger(8);
  if (!result.hasStaticShape() || values.getShape() != ArrayRef(stored) ||
      (getPacked() && (!isInteger || stored.empty()))) // (C1)
    return emitOpError() << "expected values of the shape of " << result << ", found " << values;
  if (getZeros() && (!getScales() || getZeros().getType() != getScales().getType())) // (C2) (C3)
    return emitOpError() << "expected zeros only beside scales of the same type";
  if (!getScales())
    return success();
  if (!isa<FloatType>(result.getElementType())) // (C3)
    return emitOpError() << "expected a result of floats, found " << result;
  return verifyRuns(*this, result, getScales().getType());
}

/// `floor((in + padding - extent) / stride) + 1`, refused if provably below 1.
static FailureOr<AffineExpr> inferWindows(Operation *op, AffineExpr in, int64_t padding,
                                          AffineExpr extent, int64_t stride, StringRef side) {
  AffineExpr padded = in + padding;
  AffineExpr windows = (padded - extent).floorDiv(stride) + 1;
  std::optional<int64_t> count = getConstant(windows);
  if (count && *count < 1)
    return op->emitOpError() << "expected a padded " << side << " of at least " << toString(extent)
                             << ", found " << toString(padded);
  return windows;
}

/// (C1) of windows: 4 axes.
static LogicalResult verifyRank4(Operation *op, RankedTensorType type, StringRef what) {
  if (type.getRank() == 4)
    return success();
  return op->emitOpError() << "expected " << what << " of rank 4, found " << type;
}

/// (C3): groups divide the channels of input and weight.
template <typename Convolution>
static LogicalResult verifyGroups(Convolution op, RankedTensorType weight) {
  int64_t groups = static_cast<int64_t>(op.getGroups());
  if (groups < 1)
    return op.emitOpError() << "expected at least 1 group, found " << groups;
  unsigned channelAxis = ImageAxes(op.getChannelsLast()).channel;
  AffineExpr channels = getDim(op.getInput().getType(), channelAxis);
  AffineExpr perGroup = getDim(weight, channelAxis);
  AffineExpr outputs = getDim(weight, 0);
  if (!mayBeEqual(perGroup * groups, channels))
    return op.emitOpError() << "expected " << groups << " groups of input channels in "
                            << toString(channels) << ", found groups of " << toString(perGroup);
  if (!mayBeEqual(outputs % groups, getAffineConstantExpr(0, op.getContext())))
    return op.emitOpError() << "expected output channels divisible by " << groups
                            << " groups, found " << toString(outputs);
  return success();
}

/// (C2) to (C4): the result of a convolution of op's input, and of its attributes, with `weight`.
template <typename Convolution>
static FailureOr<RankedTensorType> inferConvolved(Convolution op, RankedTensorType weight) {
  RankedTensorType input = op.getInput().getType();
  if (failed(verifyRank4(op, input, "an input")) || failed(verifyRank4(op, weight, "a weight")) ||
      failed(verifyEntries(op, "strides", op.getStrides(), 2, 1)) ||   // (C2)
      failed(verifyEntries(op, "padding", op.getPadding(), 4, 0)) ||   // (C2)
      failed(verifyEntries(op, "dilation", op.getDilation(), 2, 1)) || // (C2)
      failed(verifyGroups(op, weight)))                                // (C3)
    return failure();
  ImageAxes axes(op.getChannelsLast());
  SmallVector<AffineExpr> dims = getDims(input);
  dims[axes.channel] = getDim(weight, 0);
  for (unsigned side : {0, 1}) { // (C4)
    AffineExpr extent = (getDim(weight, axes.sides[side]) - 1) * op.getDilation()[side] + 1;
    FailureOr<AffineExpr> windows =
        inferWindows(op, getDim(input, axes.sides[side]),
                     op.getPadding()[2 * side] + op.getPadding()[2 * side + 1], extent,
                     op.getStrides()[side], side ? "width" : "height");
    if (failed(windows))
      return failure();
    dims[axes.sides[side]] = *windows;
  }
  return getTensorType(dims, input.getElementType());
}

FailureOr<RankedTensorType> Conv2dOp::inferResultType() {
  RankedTensorType input = getInput().getType(), weight = getWeight().getType();
  if (failed(verifyRank4(*this, input, "an input")) ||
      failed(verifyRank4(*this, weight, "a weight")) ||
      failed(verifySameElement(*this, input, weight))) // (C1)
    return failure();
  return inferConvolved(*this, weight);
}

FailureOr<RankedTensorType> WinogradConv2dOp::inferResultType() {
  RankedTensorType input = getInput().getType(), weight = getWeight().getType();
  if (failed(verifyRank4(*this, input, "an input")) ||             // (C1)
      failed(verifyRank4(*this, weight, "a weight")) ||            // (C1)
      failed(verifyEntries(*this, "padding", getPadding(), 4, 0))) // (C2)
    return failure();
  auto tile = static_cast<int64_t>(getTile());
  if (tile < 2 || tile > 4) // (C2)
    return emitOpError() << "expected a tile of 2 to 4 rows, found " << tile;
  SmallVector<AffineExpr> dims = getDims(input), window = getDims(weight);
  if (getConstant(window[0]) != tile + 2 || !mayBeEqual(window[2], dims[1]) ||
      getConstant(window[3]) != 3) // (C3)
    return emitOpError() << "expected a weight of " << tile + 2 << " products, "
                         << toString(dims[1]) << " channels and 3 columns, found " << weight;
  dims[1] = window[1];
  for (unsigned side : {0, 1}) { // (C4)
    FailureOr<AffineExpr> windows =
        inferWindows(*this, dims[2 + side], getPadding()[2 * side] + getPadding()[2 * side + 1],
                     getAffineConstantExpr(3, getContext()), 1, side ? "width" : "height");
    if (failed(windows))
      return failure();
    dims[2 + side] = *windows;
  }
  return getTensorType(dims, input.getElementType());
}

RankedTensorType Conv2dWeightGradOp::getWeightType() {
  SmallVector<AffineExpr> dims = getDims(getType());
  if (getParts() && dims.size() >= 2)
    dims.erase(dims.begin(), dims.begin() + 2);
  return getTensorType(dims, getType().getElementType());
}

/// (C5): what is cut has a size that is known, and is cut evenly.
static LogicalResult verifyParts(Conv2dWeightGradOp op, ArrayRef<int64_t> parts) {
  if (failed(verifyEntries(op, "parts", parts, 2, 1)))
    return failure();
  RankedTensorType gradient = op.getGradient().getType(), result = op.getType();
  const unsigned axes[] = {0, ImageAxes(op.getChannelsLast()).sides[0]};
  const StringRef names[] = {"images", "rows"};
  for (auto [axis, count, name] : llvm::zip(axes, parts, names)) {
    AffineExpr size = getDim(gradient, axis);
    if (count > 1 && getConstant(size % count) != 0)
      return op.emitOpError() << "expected a number of " << name << " that " << count
                              << " parts divide, found " << toString(size);
  }
  if (!result.getElementType().isF32() || result.getShape().take_front(2) != parts)
    return op.emitOpError() << "expected a result of f32 for " << parts[0] << " x " << parts[1]
                            << " parts, found " << result;
  return success();
}

LogicalResult Conv2dWeightGradOp::verify() {
  RankedTensorType input = getInput().getType(), gradient = getGradient().getType();
  RankedTensorType weight = getWeightType();
  if (failed(verifySameElement(*this, input, gradient))) // (C1)
    return failure();
  if (!weight.getElementType().isF32() && weight.getElementType() != input.getElementType()) // (C1)
    return emitOpError() << "expected a result of f32 or of the operands' elements, found "
                         << getType();
  FailureOr<RankedTensorType> wanted = inferConvolved(*this, weight);
  if (failed(wanted))
    return failure();
  if (gradient.getRank() != 4 || !mayBeEqual(getDims(gradient), getDims(*wanted))) // (C4)
    return emitOpError() << "expected a gradient of type " << *wanted << ", found " << gradient;
  return getParts() ? verifyParts(*this, *getParts()) : success();
}

/// (C2) of pools: no window lies in the padding only.
static LogicalResult verifyPoolPadding(Pool2dOp op, unsigned side, int64_t extent) {
  int64_t low = op.getPadding()[2 * side], high = op.getPadding()[2 * side + 1];
  if (low > extent / 2)
    return op.emitOpError() << "expected padding of at most half of the window of " << extent
                            << ", found " << low;
  if (high >= extent)
    return op.emitOpError() << "expected padding of less than the window of " << extent
                            << ", found " << high;
  return success();
}

FailureOr<RankedTensorType> Pool2dOp::inferResultType() {
  RankedTensorType input = getInput().getType();
  if (failed(verifyRank4(*this, input, "an input")) ||                 // (C1)
      failed(verifyEntries(*this, "kernel", getKernel(), 2, 1)) ||     // (C2)
      failed(verifyEntries(*this, "strides", getStrides(), 2, 1)) ||   // (C2)
      failed(verifyEntries(*this, "dilation", getDilation(), 2, 1)) || // (C2)
      failed(verifyEntries(*this, "padding", getPadding(), 4, 0)))     // (C2)
    return failure();
  ImageAxes axes(getChannelsLast());
  SmallVector<AffineExpr> dims = getDims(input);
  for (unsigned side : {0, 1}) {
    int64_t extent = (getKernel()[side] - 1) * getDilation()[side] + 1;
    if (failed(verifyPoolPadding(*this, side, extent))) // (C2)
      return failure();
    FailureOr<AffineExpr> windows = inferWindows( // (C3)
        *this, getDim(input, axes.sides[side]), getPadding()[2 * side] + getPadding()[2 * side + 1],
        getAffineConstantExpr(extent, getContext()), getStrides()[side], side ? "width" : "height");
    if (failed(windows))
      return failure();
    dims[axes.sides[side]] = *windows;
  }
  return getTensorType(dims, input.getElementType());
}

/// (C1) and (C2) of attention: keys and values that suit the queries.
template <class Op> static LogicalResult verifyKeys(Op op) {
  RankedTensorType query = op.getQuery().getType(), key = op.getKey().getType();
  RankedTensorType value = op.getValue().getType();
  if (failed(verifyRank4(op, query, "queries")) || failed(verifyRank4(op, key, "keys")) ||
      failed(verifyRank4(op, value, "values")) || failed(verifySameElement(op, query, key)) ||
      failed(verifySameElement(op, key, value)))
    return failure();
  if (!mayBeEqual(getDims(key), getDims(value)))
    return op.emitOpError() << "expected keys and values of equal dimensions, found "
                            << toString(getDims(key)) << " and " << toString(getDims(value));
  for (unsigned axis : {0, 3})
    if (!mayBeEqual(getDim(query, axis), getDim(key, axis)))
      return op.emitOpError() << "expected queries and keys of equal "
                              << (axis ? "head size" : "batch") << ", found "
                              << toString(getDim(query, axis)) << " and "
                              << toString(getDim(key, axis));
  std::optional<int64_t> headSize = getConstant(getDim(query, 3));
  if (!headSize || *headSize < 1)
    return op.emitOpError() << "expected a constant head size of at least 1, found "
                            << toString(getDim(query, 3));
  return success();
}

/// (C1) to (C5) of attention.
template <class Op> static LogicalResult verifyAttention(Op op) {
  if (failed(verifyKeys(op))) // (C1), (C2)
    return failure();
  RankedTensorType query = op.getQuery().getType(), key = op.getKey().getType();
  AffineExpr heads = getDim(query, 1), keyHeads = getDim(key, 1);
  std::optional<int64_t> groups = getConstant(keyHeads);
  if ((groups && *groups < 1) ||
      !mayBeEqual(heads % keyHeads, getAffineConstantExpr(0, op.getContext()))) // (C3)
    return op.emitOpError() << "expected query heads that are a multiple of the key heads "
                            << toString(keyHeads) << ", found " << toString(heads);
  if (op.getMask()) { // (C4)
    SmallVector<AffineExpr> wanted = {getDim(query, 0), heads, getDim(query, 2), getDim(key, 2)};
    SmallVector<AffineExpr> found = getDims(op.getMask().getType());
    if (found.size() != 4 || !mayBeEqual(found, wanted))
      return op.emitOpError() << "expected a mask of " << toString(wanted) << ", found "
                              << toString(found);
  }
  if (op.getOffset() && (!op.getCausal() || op.getOffset().getType().getRank() != 0)) // (C5)
    return op.emitOpError() << "expected 'offset' of rank 0, and only with 'causal'";
  return success();
}

/// `type` has a number for each row of the queries.
static LogicalResult verifyRows(Operation *op, RankedTensorType query, RankedTensorType type,
                                StringRef what) {
  SmallVector<AffineExpr> wanted = getDims(query), found = getDims(type);
  wanted.pop_back();
  if (found.size() == wanted.size() && mayBeEqual(found, wanted))
    return success();
  return op->emitOpError() << "expected " << what << " of " << toString(wanted) << ", found "
                           << toString(found);
}

FailureOr<RankedTensorType> AttentionOp::inferResultType() {
  if (failed(verifyAttention(*this)))
    return failure();
  return getQuery().getType();
}

LogicalResult AttentionOp::verify() {
  if (!getLse())
    return success();
  return verifyRows(*this, getQuery().getType(), getLse().getType(), "'lse'"); // (C6)
}

LogicalResult AttentionGradOp::verify() {
  if (failed(verifyAttention(*this))) // (C1)
    return failure();
  RankedTensorType query = getQuery().getType();
  if (failed(verifyRows(*this, query, getLse().getType(), "'lse'")) ||
      failed(verifyRows(*this, query, getDelta().getType(), "'delta'"))) // (C2)
    return failure();
  auto isLike = [](RankedTensorType type, RankedTensorType like) {
    return type.getElementType() == like.getElementType() && type.getRank() == like.getRank() &&
           mayBeEqual(getDims(type), getDims(like));
  };
  if (!isLike(getGradient().getType(), query)) // (C2)
    return emitOpError() << "expected a gradient of type " << query << ", found "
                         << getGradient().getType();
  for (auto [result, operand] : llvm::zip(getResults(), getOperands())) // (C3)
    if (!isLike(cast<RankedTensorType>(result.getType()),
                cast<RankedTensorType>(operand.getType())))
      return emitOpError() << "expected result " << cast<OpResult>(result).getResultNumber()
                           << " of type " << operand.getType() << ", found " << result.getType();
  return success();
}

void NNDialect::registerComputeOps() {
  addOperations<
#define GET_OP_LIST
#include "ir/NNCompute.cpp.inc"
      >();
}

} // namespace nnc::nn
