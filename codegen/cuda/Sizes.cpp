//===- Sizes.cpp - Sizes of tensors and other indices known at entry --------------------------===//
#include "codegen/cuda/Sizes.h"

#include "ir/Dims.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc::codegen;

AffineExpr nnc::codegen::combineIndices(Operation *op, ArrayRef<AffineExpr> operands) {
  if (llvm::is_contained(operands, AffineExpr()))
    return {};
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    AffineMap map = apply.getAffineMap();
    auto dims = operands.take_front(map.getNumDims());
    return map.getResult(0).replaceDimsAndSymbols(dims, operands.drop_front(map.getNumDims()));
  }
  bool isScale = operands.size() == 2 && operands[1].isSymbolicOrConstant();
  bool scales = isScale || (operands.size() == 2 && operands[0].isSymbolicOrConstant());
  return llvm::TypeSwitch<Operation *, AffineExpr>(op)
      .Case([&](arith::AddIOp) { return operands[0] + operands[1]; })
      .Case([&](arith::SubIOp) { return operands[0] - operands[1]; })
      .Case([&](arith::MulIOp) {
        return !scales   ? AffineExpr()
               : isScale ? operands[0] * operands[1]
                         : operands[1] * operands[0];
      })
      .Case([&](arith::FloorDivSIOp) {
        return isScale ? operands[0].floorDiv(operands[1]) : AffineExpr();
      })
      .Case([&](arith::CeilDivSIOp) {
        return isScale ? operands[0].ceilDiv(operands[1]) : AffineExpr();
      })
      .Case([&](arith::IndexCastOp) { return operands[0]; })
      .Default(AffineExpr());
}

AffineExpr Sizes::computeIndex(Operation *op) {
  if (std::optional<unsigned> symbol = symbolOf(op))
    return getAffineSymbolExpr(*symbol, op->getContext());
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto number = dyn_cast<IntegerAttr>(constant.getValue());
    return number ? math.constant(number.getInt()) : AffineExpr();
  }
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> axis = dim.getConstantIndex();
    IndexList dims = dimsOf(dim.getSource());
    return axis && *axis >= 0 && *axis < (int64_t)dims.size() ? dims[*axis] : AffineExpr();
  }
  if (!isa<affine::AffineDialect, arith::ArithDialect>(op->getDialect()))
    return {};
  SmallVector<AffineExpr> operands;
  for (Value operand : op->getOperands())
    operands.push_back(indexOf(operand));
  return combineIndices(op, operands);
}

AffineExpr Sizes::indexOf(Value value) {
  auto place = known.find(value);
  if (place != known.end())
    return place->second[0];
  Operation *op = value.getDefiningOp();
  if (!op || !(value.getType().isIndex() || isa<IntegerType>(value.getType())))
    return {};
  AffineExpr index = computeIndex(op);
  if (index)
    index = math.simplify(index);
  known[value] = {index};
  return index;
}

AffineExpr Sizes::indexOf(OpFoldResult value) {
  if (auto attribute = dyn_cast<Attribute>(value))
    return math.constant(cast<IntegerAttr>(attribute).getInt());
  return indexOf(cast<Value>(value));
}

IndexList Sizes::indicesOf(ArrayRef<OpFoldResult> values) {
  IndexList result;
  for (OpFoldResult value : values)
    result.push_back(indexOf(value));
  return result;
}

IndexList Sizes::dimsOf(Value tensor) {
  auto place = known.find(tensor);
  if (place != known.end())
    return place->second;
  IndexList dims = computeDims(tensor);
  auto type = cast<RankedTensorType>(tensor.getType());
  dims.resize(type.getRank());
  for (auto [dim, size] : llvm::zip(dims, type.getShape()))
    if (!ShapedType::isDynamic(size))
      dim = math.constant(size);
  return known[tensor] = dims;
}

IndexList Sizes::computeDims(Value tensor) {
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return argument.getOwner() == body.block ? body.argumentDims[argument.getArgNumber()]
                                             : IndexList();
  Operation *op = tensor.getDefiningOp();
  Builder builder(op->getContext());
  return llvm::TypeSwitch<Operation *, IndexList>(op)
      .Case([&](linalg::LinalgOp structured) {
        unsigned number = cast<OpResult>(tensor).getResultNumber();
        return dimsOf(structured.getDpsInits()[number]);
      })
      .Case([&](tensor::EmptyOp empty) { return indicesOf(empty.getMixedSizes()); })
      .Case([&](tensor::CastOp cast) { return dimsOf(cast.getSource()); })
      .Case([&](tensor::InsertSliceOp insert) { return dimsOf(insert.getDest()); })
      .Case([&](tensor::ExpandShapeOp expand) {
        return indicesOf(
            getMixedValues(expand.getStaticOutputShape(), expand.getOutputShape(), builder));
      })
      .Case([&](tensor::CollapseShapeOp collapse) {
        IndexList dims, source = dimsOf(collapse.getSrc());
        for (const ReassociationIndices &group : collapse.getReassociationIndices()) {
          IndexList parts;
          for (int64_t axis : group)
            parts.push_back(source[axis]);
          bool known = !llvm::is_contained(parts, AffineExpr());
          dims.push_back(known ? math.product(parts) : AffineExpr());
        }
        return dims;
      })
      .Case([&](tensor::ExtractSliceOp slice) {
        IndexList dims, sizes = indicesOf(slice.getMixedSizes());
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        for (auto [axis, size] : llvm::enumerate(sizes))
          if (!dropped.test(axis))
            dims.push_back(size);
        return dims;
      })
      .Case([&](tensor::PadOp pad) {
        IndexList dims = dimsOf(pad.getSource());
        IndexList low = indicesOf(pad.getMixedLowPad()), high = indicesOf(pad.getMixedHighPad());
        for (auto [axis, dim] : llvm::enumerate(dims))
          dim = dim && low[axis] && high[axis] ? math.simplify(low[axis] + dim + high[axis])
                                               : AffineExpr();
        return dims;
      })
      .Default([&](Operation *) { // what is not lowered has its dimensions in its type
        auto type = cast<RankedTensorType>(tensor.getType());
        return type.getEncoding() ? nn::getDims(type) : IndexList();
      });
}

IndexList Sizes::extentsOf(linalg::LinalgOp op) {
  IndexList extents(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    IndexList dims = dimsOf(operand.get());
    for (auto [axis, expr] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr); loop && !extents[loop.getPosition()])
        extents[loop.getPosition()] = dims[axis];
  }
  return extents;
}
