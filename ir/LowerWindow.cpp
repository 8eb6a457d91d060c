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

/// Height and width of an NCHW tensor padded by [top, bottom, left, right].
static Typed padImage(Lowering &lowering, Typed input, ArrayRef<int64_t> padding, double value) {
  SmallVector<AffineExpr> dims = getDims(input.type);
  Type element = input.type.getElementType();
  dims[2] = dims[2] + padding[0] + padding[1];
  dims[3] = dims[3] + padding[2] + padding[3];
  RankedTensorType padded = getTensorType(dims, element);
  Value result = lowering.pad(padded, input.value, {0, 0, padding[0], padding[2]},
                              {0, 0, padding[1], padding[3]}, getScalarAttr(element, value));
  return {padded, result};
}

/// With `axis` split into `groups` and the rest.
static Typed splitAxis(Lowering &lowering, Typed input, unsigned axis, int64_t groups) {
  SmallVector<AffineExpr> dims = getDims(input.type);
  dims[axis] = dims[axis].floorDiv(groups);
  dims.insert(dims.begin() + axis, lowering.builder.getAffineConstantExpr(groups));
  RankedTensorType split = getTensorType(dims, input.type.getElementType());
  return {split, lowering.reshape(input.type, split, input.value)};
}

Lowered Conv2dOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  Typed input = padImage(lowering, {getInput().getType(), operands[0]}, getPadding(), 0.0);
  Typed weight = {getWeight().getType(), operands[1]};
  RankedTensorType accumulator = withElementType(getType(), builder.getF32Type());
  Typed init = {accumulator, lowering.fill(accumulator, 0.0)};
  int64_t groups = getGroups();
  auto strides = builder.getI64TensorAttr(getStrides());
  auto dilations = builder.getI64TensorAttr(getDilation());
  Value result;
  if (groups == 1) {
    result = builder
                 .create<linalg::Conv2DNchwFchwOp>(getLoc(), init.value.getType(),
                                                   ValueRange{input.value, weight.value},
                                                   init.value, strides, dilations)
                 .getResult(0);
  } else {
    input = splitAxis(lowering, input, 1, groups);
    weight = splitAxis(lowering, weight, 0, groups);
    init = splitAxis(lowering, init, 1, groups);
    result = builder
                 .create<linalg::Conv2DNgchwGfchwOp>(getLoc(), init.value.getType(),
                                                     ValueRange{input.value, weight.value},
                                                     init.value, strides, dilations)
                 .getResult(0);
    result = lowering.reshape(init.type, accumulator, result);
  }
  return SmallVector<Value>{lowering.convertTo(getType(), result)};
}

/// Maps of a pooling generic: of the image, of the window, of the result.
static SmallVector<AffineMap> getPoolMaps(Pool2dOp op) {
  MLIRContext *context = op.getContext();
  SmallVector<AffineExpr> d;
  for (unsigned loop = 0; loop < 6; ++loop)
    d.push_back(getAffineDimExpr(loop, context));
  AffineExpr row = d[2] * op.getStrides()[0] + d[4] * op.getDilation()[0];
  AffineExpr column = d[3] * op.getStrides()[1] + d[5] * op.getDilation()[1];
  return {AffineMap::get(6, 0, {d[0], d[1], row, column}, context),
          AffineMap::get(6, 0, {d[4], d[5]}, context),
          AffineMap::get(6, 0, {d[0], d[1], d[2], d[3]}, context)};
}

Lowered Pool2dOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  bool isMax = getKind() == PoolKind::Max;
  double neutral = isMax ? -std::numeric_limits<double>::infinity() : 0.0;
  Typed input = padImage(lowering, {getInput().getType(), operands[0]}, getPadding(), neutral);
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
