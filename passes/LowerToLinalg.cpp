//===- LowerToLinalg.cpp - Bodies of kernels become linalg ------------------------------------===//
//
// Every op lowers itself; this pass only rebuilds blocks around that, on types without encodings.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_LOWERTOLINALG
#include "passes/Passes.h.inc"

namespace {

Type strip(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? Type(nn::stripDims(tensor)) : type;
}

LogicalResult lowerBlock(Block &old, Block &block, IRMapping &mapping);

/// A loop stays one, over lowered values.
LogicalResult lowerScan(nn::ScanOp scan, OpBuilder &builder, IRMapping &mapping) {
  Operation *copy = scan->cloneWithoutRegions(mapping);
  for (Value result : copy->getResults())
    result.setType(strip(result.getType()));
  builder.insert(copy);
  mapping.map(scan.getResults(), copy->getResults());
  return lowerBlock(*scan.getBody(), copy->getRegion(0).emplaceBlock(), mapping);
}

LogicalResult lowerOp(Operation &op, OpBuilder &builder, IRMapping &mapping) {
  if (auto scan = dyn_cast<nn::ScanOp>(op))
    return lowerScan(scan, builder, mapping);
  auto lowering = dyn_cast<nn::LinalgLoweringInterface>(op);
  if (!lowering) {
    builder.clone(op, mapping);
    return success();
  }
  SmallVector<Value> operands;
  for (Value operand : op.getOperands())
    operands.push_back(mapping.lookup(operand));
  FailureOr<SmallVector<Value>> results = lowering.lowerToLinalg(builder, operands);
  if (failed(results))
    return failure();
  mapping.map(op.getResults(), *results);
  return success();
}

LogicalResult lowerBlock(Block &old, Block &block, IRMapping &mapping) {
  for (BlockArgument argument : old.getArguments())
    mapping.map(argument, block.addArgument(strip(argument.getType()), argument.getLoc()));
  auto builder = OpBuilder::atBlockEnd(&block);
  for (Operation &op : old)
    if (failed(lowerOp(op, builder, mapping)))
      return failure();
  return success();
}

/// Replaces the only block of `region` by its lowering.
LogicalResult lowerRegion(Region &region) {
  Block &old = region.front();
  IRMapping mapping;
  if (failed(lowerBlock(old, region.emplaceBlock(), mapping)))
    return failure();
  old.dropAllReferences();
  old.erase();
  return success();
}

/// Whether code for the kernel is written from its nn operation.
bool isWrittenWhole(nn::KernelOp kernel) {
  std::optional<nn::FusionRole> role = nn::parseAnchor(kernel.getAnchor());
  return role && nn::isWrittenWhole(*role);
}

struct LowerToLinalg : impl::LowerToLinalgBase<LowerToLinalg> {
  using LowerToLinalgBase::LowerToLinalgBase;

  void runOnOperation() override {
    WalkResult result = getOperation().walk([](nn::KernelOp kernel) {
      // What linalg's operations do not say of the product in the kernel.
      if (llvm::any_of(kernel.getBody()->without_terminator(),
                       [](Operation &op) { return op.hasAttr(nn::kTf32Attr); }))
        kernel->setAttr(nn::kTf32Attr, UnitAttr::get(kernel.getContext()));
      return isWrittenWhole(kernel) ? WalkResult::advance()
                                    : WalkResult(lowerRegion(kernel.getBodyRegion()));
    });
    if (result.wasInterrupted() || (functions && failed(lowerFunctions())))
      signalPassFailure();
  }

  LogicalResult lowerFunctions() {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function.getBody().hasOneBlock())
        return function.emitOpError("must have one block to be lowered");
      if (failed(lowerRegion(function.getBody())))
        return failure();
      Block &block = function.getBody().front();
      function.setType(FunctionType::get(&getContext(), block.getArgumentTypes(),
                                         block.getTerminator()->getOperandTypes()));
    }
    return success();
  }
};

} // namespace
} // namespace nnc
