//===- LowerReduce.cpp - Reductions as linalg -------------------------------------------------===//
//
// A reduction is a linalg.fill and a linalg.generic whose reduction loops are the axes. Floats
// accumulate in f32.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/LoweringUtils.h"
#include "ir/Spread.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;

namespace nnc::nn {

namespace {

/// The loops of a reduction over axes of a tensor.
struct Axes {
  Axes(RankedTensorType input, ArrayRef<int64_t> axes) : parallel(input.getRank(), true) {
    MLIRContext *context = input.getContext();
    for (int64_t axis : axes)
      parallel[axis] = false;
    SmallVector<AffineExpr> kept;
    for (int64_t axis = 0; axis < input.getRank(); ++axis) {
      if (!parallel[axis])
        continue;
      kept.push_back(getAffineDimExpr(axis, context));
      dims.push_back(getDim(input, axis));
    }
    all = AffineMap::getMultiDimIdentityMap(input.getRank(), context);
    row = AffineMap::get(input.getRank(), 0, kept, context);
  }

  /// The type of one element per row.
  RankedTensorType getRowType(Type element) const { return getTensorType(dims, element); }

  AffineMap all, row;
  SmallVector<bool> parallel;
  SmallVector<AffineExpr> dims;
};

} // namespace

static Value combine(OpBuilder &b, Location loc, ReduceKind kind, Value x, Value y) {
  bool isFloat = isa<FloatType>(x.getType());
  switch (kind) {
  case ReduceKind::Sum:
  case ReduceKind::Mean:
    return isFloat ? b.create<arith::AddFOp>(loc, x, y).getResult()
                   : b.create<arith::AddIOp>(loc, x, y).getResult();
  case ReduceKind::Max:
    return isFloat ? b.create<arith::MaximumFOp>(loc, x, y).getResult()
                   : b.create<arith::MaxSIOp>(loc, x, y).getResult();
  case ReduceKind::Min:
    return isFloat ? b.create<arith::MinimumFOp>(loc, x, y).getResult()
                   : b.create<arith::MinSIOp>(loc, x, y).getResult();
  }
  llvm_unreachable("a reduction without a combiner");
}

/// What combines with anything without a change.
static TypedAttr getNeutral(Type element, ReduceKind kind) {
  if (kind == ReduceKind::Sum || kind == ReduceKind::Mean)
    return getScalarAttr(element, 0);
  bool isMax = kind == ReduceKind::Max;
  if (isa<FloatType>(element)) {
    double infinity = std::numeric_limits<double>::infinity();
    return getScalarAttr(element, isMax ? -infinity : infinity);
  }
  unsigned width = element.getIntOrFloatBitWidth();
  return IntegerAttr::get(element, isMax ? APInt::getSignedMinValue(width)
                                         : APInt::getSignedMaxValue(width));
}

/// Combines `inputs[0]` over the axes; the accumulator is f32 for floats.
static Value reduceRows(Lowering &lowering, const Axes &axes, ReduceKind kind, Value input) {
  Type element = getAccumulatorType(getElementTypeOrSelf(input));
  Value neutral =
      lowering.builder.create<arith::ConstantOp>(lowering.loc, getNeutral(element, kind));
  Value init = lowering.fill(axes.getRowType(element), neutral);
  return lowering.reduce(init, input, {axes.all, axes.row}, axes.parallel,
                         [&](OpBuilder &b, Location loc, ValueRange x) {
                           return combine(b, loc, kind, widen(b, loc, x[0]), x[1]);
                         });
}

/// The sum of the squared distances of `input` from `means`, one per row.
static Value sumSquaredDistances(Lowering &lowering, const Axes &axes, Value input, Value means) {
  Type f32 = lowering.builder.getF32Type();
  Value init = lowering.fill(axes.getRowType(f32), lowering.constant(f32, 0));
  Value sums = lowering.reduce(init, {input, means}, {axes.all, axes.row, axes.row}, axes.parallel,
                               [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
                                 Value distance =
                                     b.create<arith::SubFOp>(loc, widen(b, loc, x[0]), x[1]);
                                 Value square = b.create<arith::MulFOp>(loc, distance, distance);
                                 return b.create<arith::AddFOp>(loc, square, x[2]);
                               });
  sums.getDefiningOp()->setAttr(kSpreadAttr, lowering.builder.getUnitAttr());
  return sums;
}

Lowered ReduceOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  RankedTensorType input = getInput().getType();
  Axes axes(input, getAxes());
  Value result = reduceRows(lowering, axes, getKind(), operands[0]);
  if (getKind() != ReduceKind::Mean)
    return SmallVector<Value>{lowering.convertTo(getType(), result)};
  AffineExpr count = builder.getAffineConstantExpr(1);
  for (int64_t axis : getAxes())
    count = count * getDim(input, axis);
  Value divisor = lowering.sizeAsFloat(count);
  auto divide = [&](RankedTensorType type, Value sums) {
    return lowering.map(type, sums, [&](OpBuilder &b, Location loc, ValueRange x) {
      Value mean = b.create<arith::DivFOp>(loc, x[0], divisor);
      return narrow(b, loc, mean, type.getElementType());
    });
  };
  if ((*this)->hasAttr(kSpreadAttr))
    result = sumSquaredDistances(lowering, axes, operands[0],
                                 divide(axes.getRowType(builder.getF32Type()), result));
  return SmallVector<Value>{divide(getType(), result)};
}

/// Is `x` the extremum of its row, or a NaN (then the extremum is one too)?
static Value isExtreme(OpBuilder &b, Location loc, Value x, Value extremum) {
  if (!isa<FloatType>(x.getType()))
    return b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, x, extremum);
  Value wide = widen(b, loc, x);
  Value equal = b.create<arith::CmpFOp>(loc, arith::CmpFPredicate::OEQ, wide, extremum);
  Value isNaN = b.create<arith::CmpFOp>(loc, arith::CmpFPredicate::UNO, wide, wide);
  return b.create<arith::OrIOp>(loc, equal, isNaN);
}

Lowered ArgReduceOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  int64_t axis = getAxis();
  Axes axes(getInput().getType(), axis);
  ReduceKind kind = getKind() == ArgReduceKind::Max ? ReduceKind::Max : ReduceKind::Min;
  Value extrema = reduceRows(lowering, axes, kind, operands[0]);
  Type i32 = builder.getI32Type();
  Value none = lowering.constant(i32, std::numeric_limits<int32_t>::max());
  Value result = lowering.reduce(
      lowering.fill(getType(), none), {operands[0], extrema}, {axes.all, axes.row, axes.row},
      axes.parallel, [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
        Value place = b.create<arith::IndexCastOp>(loc, i32, b.create<linalg::IndexOp>(loc, axis));
        Value candidate =
            b.create<arith::SelectOp>(loc, isExtreme(b, loc, x[0], x[1]), place, none);
        return b.create<arith::MinSIOp>(loc, candidate, x[2]);
      });
  return SmallVector<Value>{result};
}

//===- Softmax --------------------------------------------------------------------------------===//

namespace {

/// Row-wise normalization along one axis of a tensor, in f32.
struct Softmax {
  Softmax(Lowering &lowering, RankedTensorType type, int64_t axis)
      : lowering(lowering), wide(withElementType(type, lowering.builder.getF32Type())),
        axes(type, axis) {}

  /// One element from one of `input` and one of each of the row's values.
  Value mapRows(RankedTensorType result, Value input, ValueRange rows, ScalarBody body) {
    SmallVector<Value> inputs = {input};
    inputs.append(rows.begin(), rows.end());
    SmallVector<AffineMap> maps(inputs.size(), axes.row);
    maps[0] = axes.all;
    return lowering.map(result, inputs, maps, body);
  }

  static Value shift(OpBuilder &b, Location loc, ValueRange x) {
    return b.create<arith::SubFOp>(loc, widen(b, loc, x[0]), x[1]);
  }

  Value exponentials(Value input, Value maxima) {
    return mapRows(wide, input, maxima, [](OpBuilder &b, Location loc, ValueRange x) -> Value {
      return b.create<math::ExpOp>(loc, shift(b, loc, x));
    });
  }

  Lowering &lowering;
  RankedTensorType wide;
  Axes axes;
};

} // namespace

Value lowerSoftmax(Lowering &lowering, RankedTensorType type, int64_t axis, Value input) {
  Softmax softmax(lowering, type, axis);
  Value maxima = reduceRows(lowering, softmax.axes, ReduceKind::Max, input);
  Value exponentials = softmax.exponentials(input, maxima);
  Value sums = reduceRows(lowering, softmax.axes, ReduceKind::Sum, exponentials);
  return softmax.mapRows(type, exponentials, sums, [&](OpBuilder &b, Location loc, ValueRange x) {
    Value quotient = b.create<arith::DivFOp>(loc, x[0], x[1]);
    return narrow(b, loc, quotient, type.getElementType());
  });
}

Value lowerLogSumExp(Lowering &lowering, RankedTensorType type, int64_t axis, Value input) {
  Softmax softmax(lowering, type, axis);
  Value maxima = reduceRows(lowering, softmax.axes, ReduceKind::Max, input);
  Value sums =
      reduceRows(lowering, softmax.axes, ReduceKind::Sum, softmax.exponentials(input, maxima));
  return lowering.map(
      softmax.axes.getRowType(lowering.builder.getF32Type()), {maxima, sums},
      [](OpBuilder &b, Location loc, ValueRange x) -> Value {
        Value least = b.create<arith::ConstantOp>(
            loc, getScalarAttr(x[0].getType(), -std::numeric_limits<double>::infinity()));
        Value isNone = b.create<arith::CmpFOp>(loc, arith::CmpFPredicate::OEQ, x[0], least);
        Value log = b.create<math::LogOp>(loc, x[1]);
        Value sum = b.create<arith::AddFOp>(loc, x[0], log);
        return b.create<arith::SelectOp>(loc, isNone, least, sum);
      });
}

Lowered SoftmaxOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  return SmallVector<Value>{lowerSoftmax(lowering, getType(), getAxis(), operands[0])};
}

Lowered LogSoftmaxOp::lowerToLinalg(OpBuilder &builder, ValueRange operands) {
  Lowering lowering(builder, getLoc());
  Softmax softmax(lowering, getType(), getAxis());
  Value maxima = reduceRows(softmax.lowering, softmax.axes, ReduceKind::Max, operands[0]);
  Value exponentials = softmax.exponentials(operands[0], maxima);
  Value sums = reduceRows(softmax.lowering, softmax.axes, ReduceKind::Sum, exponentials);
  Value logs = softmax.lowering.map(softmax.axes.getRowType(builder.getF32Type()), sums,
                                    [](OpBuilder &b, Location loc, ValueRange x) -> Value {
                                      return b.create<math::LogOp>(loc, x[0]);
                                    });
  Value result = softmax.mapRows(
      getType(), operands[0], {maxima, logs}, [&](OpBuilder &b, Location loc, ValueRange x) {
        Value value = b.create<arith::SubFOp>(loc, Softmax::shift(b, loc, x), x[2]);
        return narrow(b, loc, value, getType().getElementType());
      });
  return SmallVector<Value>{result};
}

} // namespace nnc::nn
