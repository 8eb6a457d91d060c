//===- VerifyKernels.cpp - Check what code generation relies on -------------------------------===//
//
// Code generators are written against the table in ir/README.md. What is not in it is an error of
// the compiler, said here rather than far from its cause.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_VERIFYKERNELS
#include "passes/Passes.h.inc"

namespace {

bool mayBeInKernel(Operation *op) {
  return isa<nn::YieldOp, nn::SymbolOp, affine::AffineApplyOp, affine::AffineMinOp>(op) ||
         isa<linalg::LinalgDialect, tensor::TensorDialect, arith::ArithDialect, math::MathDialect>(
             op->getDialect());
}

bool hasEncoding(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getEncoding();
}

bool reduces(Operation &op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  return linalgOp && linalgOp.getNumReductionLoops() > 0;
}

LogicalResult verifyOps(nn::KernelOp kernel, unsigned numDims) {
  WalkResult result = kernel.getBodyRegion().walk([&](Operation *op) {
    if (!mayBeInKernel(op))
      return WalkResult(op->emitOpError("must have been lowered in kernel '")
                        << kernel.getKernelName() << "'");
    if (llvm::any_of(op->getResultTypes(), hasEncoding))
      return WalkResult(op->emitOpError("has a type with dimensions in kernel '")
                        << kernel.getKernelName() << "'");
    auto symbol = dyn_cast<nn::SymbolOp>(op);
    if (symbol && uint64_t(symbol.getPosition()) >= numDims)
      return WalkResult(symbol.emitOpError("reads dimension ")
                        << symbol.getPosition() << " of an entry point that has " << numDims);
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

/// A reduction may go over its rows several times, a product may make its rows of sums and have
/// another one beside it; other anchors stand alone.
LogicalResult verifyAnchor(nn::KernelOp kernel) {
  unsigned found = llvm::count_if(*kernel.getBody(), reduces);
  std::optional<nn::FusionRole> role = nn::parseAnchor(kernel.getAnchor());
  bool elementwise = role == nn::FusionRole::Pointwise || role == nn::FusionRole::Gather;
  bool mayHaveMore = role == nn::FusionRole::Reduction || role == nn::FusionRole::Contraction;
  bool right = elementwise ? found == 0 : mayHaveMore ? found >= 1 : found == 1;
  if (right)
    return success();
  return kernel.emitOpError("with the anchor '")
         << kernel.getAnchor() << "' has " << found << " ops that reduce";
}

/// One operation of the anchor's role, views of its operands and of its results.
LogicalResult verifyAttention(nn::KernelOp kernel, nn::FusionRole role) {
  unsigned found = 0;
  for (Operation &op : kernel.getBody()->without_terminator()) {
    auto fusable = dyn_cast<nn::FusionInterface>(op);
    bool isAnchor = fusable && fusable.getFusionRole() == role;
    found += isAnchor;
    if (!isAnchor && !isa<nn::TransposeOp, nn::BroadcastOp, nn::SliceOp, nn::ConcatOp>(op))
      return op.emitOpError("cannot be in kernel '")
             << kernel.getKernelName() << "' beside attention";
  }
  auto attention = llvm::to_vector(kernel.getBody()->getOps<nn::AttentionOp>());
  if (found == 1 && (attention.empty() || !attention[0].getResult().use_empty()))
    return success();
  return kernel.emitOpError("with the anchor '")
         << kernel.getAnchor() << "' has " << found << " ops of attention";
}

/// One scatter of block arguments.
LogicalResult verifyScatter(nn::KernelOp kernel) {
  Block &body = *kernel.getBody();
  auto scatter = dyn_cast<nn::ScatterAddOp>(body.front());
  if (scatter && scatter->getNextNode() == body.getTerminator())
    return success();
  return kernel.emitOpError("with the anchor 'scatter' has other ops than one scatter");
}

LogicalResult verifyKernel(nn::KernelOp kernel, unsigned numDims) {
  std::optional<nn::FusionRole> role = nn::parseAnchor(kernel.getAnchor());
  if (role == nn::FusionRole::Scatter)
    return verifyScatter(kernel);
  if (role && nn::isAttention(*role))
    return verifyAttention(kernel, *role);
  for (Type type : kernel.getBody()->getArgumentTypes())
    if (hasEncoding(type))
      return kernel.emitOpError("has an argument with dimensions: ") << type;
  if (failed(verifyOps(kernel, numDims)))
    return failure();
  return verifyAnchor(kernel);
}

/// A function's block, or the body of a loop in it.
LogicalResult verifyBlock(Block &block, StringRef function, unsigned numDims) {
  for (Operation &op : block) {
    if (auto kernel = dyn_cast<nn::KernelOp>(op)) {
      if (failed(verifyKernel(kernel, numDims)))
        return failure();
    } else if (auto scan = dyn_cast<nn::ScanOp>(op)) {
      if (failed(verifyBlock(*scan.getBody(), function, numDims)))
        return failure();
    } else if (!isa<nn::GemmOp, nn::GetOp, nn::SetOp, nn::ReshapeOp, nn::YieldOp, func::ReturnOp>(
                   op)) {
      return op.emitOpError("is outside of a kernel in '") << function << "'";
    }
  }
  return success();
}

LogicalResult verifyFunction(func::FuncOp function) {
  auto dims = function->getAttrOfType<ArrayAttr>(nn::kDimsAttr);
  return verifyBlock(function.getBody().front(), function.getName(), dims ? dims.size() : 0);
}

struct VerifyKernels : impl::VerifyKernelsBase<VerifyKernels> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(nn::kEntryAttr) || function->hasAttr(nn::kPrepareAttr))
        if (failed(verifyFunction(function)))
          return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace nnc
