//===- Sizes.cpp - shapes of the tensors of a body ------------------------===//

#include "codegen/cpu/KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc::codegen;

Poly KernelEmitter::indexOf(Value scalar) {
  return toCoord(scalar.getLoc(), evaluateScalar(scalar)).poly;
}

Poly KernelEmitter::indexOf(OpFoldResult value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return *constant;
  return indexOf(cast<Value>(value));
}

ArrayRef<Poly> KernelEmitter::sizes(Value tensor) {
  auto at = knownSizes.find(tensor);
  if (at != knownSizes.end())
    return at->second;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(prologueEnd);
  SmallVector<Poly> computed = computeSizes(tensor);
  ArrayRef<int64_t> shape = cast<RankedTensorType>(tensor.getType()).getShape();
  for (auto [size, fixed] : llvm::zip_equal(computed, shape))
    if (!ShapedType::isDynamic(fixed))
      size = fixed;
  return knownSizes[tensor] = std::vector<Poly>(computed.begin(), computed.end());
}

SmallVector<Poly> KernelEmitter::computeSizes(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.hasStaticShape())
    return SmallVector<Poly>(type.getShape().begin(), type.getShape().end());
  auto each = [&](ArrayRef<OpFoldResult> values) {
    return llvm::map_to_vector(values, [&](OpFoldResult value) { return indexOf(value); });
  };
  return TypeSwitch<Operation *, SmallVector<Poly>>(tensor.getDefiningOp())
      .Case([&](linalg::LinalgOp op) {
        unsigned result = cast<OpResult>(tensor).getResultNumber();
        return SmallVector<Poly>(sizes(op.getDpsInits()[result]));
      })
      .Case([&](tensor::EmptyOp op) { return each(op.getMixedSizes()); })
      .Case([&](tensor::ExpandShapeOp op) {
        return each(getMixedValues(op.getStaticOutputShape(), op.getOutputShape(), builder));
      })
      .Case([&](tensor::CastOp op) { return SmallVector<Poly>(sizes(op.getSource())); })
      .Case([&](tensor::CollapseShapeOp op) {
        SmallVector<Poly> from(sizes(op.getSrc())), result;
        for (const ReassociationIndices &group : op.getReassociationIndices()) {
          Poly product = 1;
          for (int64_t axis : group)
            product = product * from[axis];
          result.push_back(product);
        }
        return result;
      })
      .Case([&](tensor::ReshapeOp op) {
        auto shape = op.getShape().getDefiningOp<tensor::FromElementsOp>();
        if (shape)
          return llvm::map_to_vector(shape.getElements(), [&](Value v) { return indexOf(v); });
        fail(op, "has a shape that is not made by tensor.from_elements");
        return SmallVector<Poly>(type.getRank(), 1);
      })
      .Case([&](tensor::ExtractSliceOp op) {
        SmallVector<Poly> result;
        llvm::SmallBitVector dropped = op.getDroppedDims();
        for (auto [axis, size] : llvm::enumerate(op.getMixedSizes()))
          if (!dropped[axis])
            result.push_back(indexOf(size));
        return result;
      })
      .Case([&](tensor::PadOp op) {
        SmallVector<Poly> result(sizes(op.getSource()));
        for (auto [axis, size] : llvm::enumerate(result))
          size = size + indexOf(op.getMixedLowPad()[axis]) + indexOf(op.getMixedHighPad()[axis]);
        return result;
      })
      .Case([&](tensor::InsertSliceOp op) { return SmallVector<Poly>(sizes(op.getDest())); })
      .Case([&](tensor::SplatOp op) {
        SmallVector<Poly> result;
        unsigned next = 0;
        for (int64_t size : type.getShape())
          result.push_back(ShapedType::isDynamic(size) ? indexOf(op.getDynamicSizes()[next++])
                                                       : Poly(size));
        return result;
      })
      .Default([&](Operation *op) {
        fail(op, "is not supported by the cpu target");
        return SmallVector<Poly>(type.getRank(), 1);
      });
}

/// The number of iterations of every loop of `op`.
SmallVector<Poly> KernelEmitter::loopSizes(linalg::LinalgOp op) {
  SmallVector<Poly> result(op.getNumLoops(), 1);
  llvm::SmallBitVector known(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim || (known[dim.getPosition()] && result[dim.getPosition()].constant()))
        continue;
      known.set(dim.getPosition());
      result[dim.getPosition()] = sizes(operand.get())[axis];
    }
  }
  if (!known.all())
    fail(op, "has a loop whose size no operand tells");
  return result;
}
