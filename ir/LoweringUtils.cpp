//===- LoweringUtils.cpp - Making linalg ------------------------------------------------------===//

#include "ir/LoweringUtils.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace nnc::nn {

Type getAccumulatorType(Type element) {
  return isa<FloatType>(element) ? Float32Type::get(element.getContext()) : element;
}

Value widen(OpBuilder &builder, Location loc, Value scalar) {
  Type wide = getAccumulatorType(scalar.getType());
  return wide == scalar.getType() ? scalar : builder.create<arith::ExtFOp>(loc, wide, scalar);
}

Value narrow(OpBuilder &builder, Location loc, Value scalar, Type element) {
  return element == scalar.getType() ? scalar
                                     : builder.create<arith::TruncFOp>(loc, element, scalar);
}

Value Lowering::empty(RankedTensorType type) {
  return builder.create<tensor::EmptyOp>(loc, stripDims(type),
                                         materializeDynamicDims(builder, loc, type));
}

Value Lowering::fill(RankedTensorType type, Value scalar) {
  return builder.create<linalg::FillOp>(loc, scalar, empty(type)).getResult(0);
}

Value Lowering::fill(RankedTensorType type, double scalar) {
  return fill(type, constant(type.getElementType(), scalar));
}

Value Lowering::constant(Type element, double value) {
  return builder.create<arith::ConstantOp>(loc, getScalarAttr(element, value));
}

Value Lowering::size(AffineExpr dim) { return materializeDimValue(builder, loc, dim); }

Value Lowering::sizeAsFloat(AffineExpr dim) {
  if (std::optional<int64_t> value = getConstant(dim))
    return constant(builder.getF32Type(), static_cast<double>(*value));
  Value number = builder.create<arith::IndexCastOp>(loc, builder.getI64Type(), size(dim));
  return builder.create<arith::SIToFPOp>(loc, builder.getF32Type(), number);
}

Value Lowering::generic(Value init, ValueRange inputs, ArrayRef<AffineMap> maps,
                        ArrayRef<bool> parallel, ScalarBody body) {
  SmallVector<utils::IteratorType> iterators;
  for (bool isParallel : parallel)
    iterators.push_back(isParallel ? utils::IteratorType::parallel
                                   : utils::IteratorType::reduction);
  auto op = builder.create<linalg::GenericOp>(
      loc, init.getType(), inputs, init, maps, iterators,
      [&](OpBuilder &nested, Location nestedLoc, ValueRange elements) {
        nested.create<linalg::YieldOp>(nestedLoc, body(nested, nestedLoc, elements));
      });
  return op.getResult(0);
}

Value Lowering::map(RankedTensorType type, ValueRange inputs, ScalarBody body) {
  SmallVector<AffineMap> maps(inputs.size(), builder.getMultiDimIdentityMap(type.getRank()));
  return map(type, inputs, maps, body);
}

Value Lowering::map(RankedTensorType type, ValueRange inputs, ArrayRef<AffineMap> maps,
                    ScalarBody body) {
  SmallVector<AffineMap> all(maps);
  all.push_back(builder.getMultiDimIdentityMap(type.getRank()));
  SmallVector<bool> parallel(type.getRank(), true);
  return generic(empty(type), inputs, all, parallel, body);
}

Value Lowering::reduce(Value init, ValueRange inputs, ArrayRef<AffineMap> maps,
                       ArrayRef<bool> parallel, ScalarBody body) {
  return generic(init, inputs, maps, parallel, body);
}

Value Lowering::convertTo(RankedTensorType type, Value value) {
  if (getElementTypeOrSelf(value) == type.getElementType())
    return value;
  return map(type, value, [&](OpBuilder &b, Location l, ValueRange elements) {
    return narrow(b, l, elements[0], type.getElementType());
  });
}

Value Lowering::pad(RankedTensorType padded, Value input, ArrayRef<int64_t> low,
                    ArrayRef<int64_t> high, TypedAttr value) {
  auto isZero = [](int64_t amount) { return amount == 0; };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return input;
  Value scalar = builder.create<arith::ConstantOp>(loc, value);
  return builder.create<tensor::PadOp>(loc, stripDims(padded), input,
                                       getAsIndexOpFoldResult(builder.getContext(), low),
                                       getAsIndexOpFoldResult(builder.getContext(), high), scalar);
}

namespace {

/// How axes of one shape correspond to axes of another with the same elements: group i of the one
/// has as many elements as group i of the other.
struct ReshapeGroups {
  SmallVector<ReassociationIndices> from, to;
};

} // namespace

static bool hasZero(ArrayRef<AffineExpr> dims) {
  return llvm::any_of(dims, [](AffineExpr dim) { return getConstant(dim) == 0; });
}

static ReassociationIndices getRange(int64_t begin, int64_t end) {
  return llvm::to_vector<2>(llvm::seq(begin, end));
}

/// The finest groups that provably agree; one group of everything if nothing does. Ranks > 0.
static ReshapeGroups getGroups(ArrayRef<AffineExpr> from, ArrayRef<AffineExpr> to) {
  ReshapeGroups groups;
  MLIRContext *context = from.front().getContext();
  int64_t fromBegin = 0, toBegin = 0, fromRank = from.size(), toRank = to.size();
  for (int64_t i = 1; i < fromRank && !hasZero(from) && !hasZero(to); ++i) {
    AffineExpr product = getProduct(from.slice(fromBegin, i - fromBegin), context);
    for (int64_t j = toBegin + 1; j < toRank; ++j) {
      if (!areEqual(product, getProduct(to.slice(toBegin, j - toBegin), context)))
        continue;
      groups.from.push_back(getRange(fromBegin, i));
      groups.to.push_back(getRange(toBegin, j));
      fromBegin = i;
      toBegin = j;
      break;
    }
  }
  groups.from.push_back(getRange(fromBegin, fromRank));
  groups.to.push_back(getRange(toBegin, toRank));
  return groups;
}

/// The type with each group as one axis.
static RankedTensorType getCollapsedType(RankedTensorType type,
                                         ArrayRef<ReassociationIndices> groups) {
  SmallVector<int64_t> sizes;
  for (const ReassociationIndices &group : groups) {
    int64_t product = 1;
    for (int64_t axis : group)
      product = type.isDynamicDim(axis) || product == ShapedType::kDynamic
                    ? ShapedType::kDynamic
                    : product * type.getDimSize(axis);
    sizes.push_back(product);
  }
  return RankedTensorType::get(sizes, type.getElementType());
}

Value Lowering::reshape(RankedTensorType from, RankedTensorType to, Value input) {
  ReshapeGroups groups;
  if (from.getRank() != 0 && to.getRank() != 0)
    groups = getGroups(getDims(from), getDims(to));
  RankedTensorType collapsed = getCollapsedType(from, groups.from);
  RankedTensorType between = getCollapsedType(to, groups.to);
  if (collapsed.getRank() != from.getRank())
    input = builder.create<tensor::CollapseShapeOp>(loc, collapsed, input, groups.from);
  if (collapsed != between)
    input = builder.create<tensor::CastOp>(loc, between, input);
  if (between.getRank() == to.getRank())
    return input;
  SmallVector<OpFoldResult> sizes;
  for (AffineExpr dim : getDims(to))
    sizes.push_back(materializeDim(builder, loc, dim));
  return builder.create<tensor::ExpandShapeOp>(loc, stripDims(to), input, groups.to, sizes);
}

} // namespace nnc::nn
