//===- Differentiate.cpp - Gradients become the operations that compute them ------------------===//
//
// Each `nn.gradient` of an entry point is replaced by a backward pass of what stands before it.
// The forward pass stays as it is, so that its values are shared with the backward pass; what is
// cheap is computed again where kernels are formed. `nn.stop_gradient` has done its work then.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Backward.h"
#include "passes/EraseDead.h"
#include "passes/ModulePath.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "passes/Passes.h.inc"

namespace {

/// Names what is made for the backward pass: "conv1.matmul" becomes "conv1.grad.matmul".
struct GradientNames : OpBuilder::Listener {
  void notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) override {
    auto name = dyn_cast<NameLoc>(op->getLoc());
    if (!name)
      return;
    StringRef path = name.getName();
    auto [module, last] = path.contains('.') ? path.rsplit('.') : std::pair(StringRef(), path);
    if (module == "grad" || module.ends_with(".grad"))
      return;
    std::string named = (module + (module.empty() ? "grad." : ".grad.") + last).str();
    op->setLoc(NameLoc::get(StringAttr::get(op->getContext(), named), name.getChildLoc()));
  }
};

/// All reads of a slot as one value, so that a gradient by one of them is one by all.
void mergeReads(Block &block) {
  DenseMap<Attribute, nn::GetOp> first;
  for (nn::GetOp get : llvm::make_early_inc_range(block.getOps<nn::GetOp>())) {
    auto [it, isNew] = first.try_emplace(get.getNameAttr(), get);
    if (isNew || it->second.getType() != get.getType())
      continue;
    get.replaceAllUsesWith(it->second.getResult());
    get.erase();
  }
}

/// The seed, as a gradient of the loss.
Value makeSeed(OpBuilder &builder, nn::GradientOp op) {
  RankedTensorType type = op.getLoss().getType();
  if (!op.getSeed())
    return builder.create<nn::FullOp>(op.getLoc(), type, 1.0);
  if (op.getSeed().getType() == type)
    return op.getSeed();
  return builder.create<nn::CastOp>(op.getLoc(), type, op.getSeed());
}

LogicalResult replaceGradient(nn::GradientOp op) {
  GradientNames names;
  OpBuilder builder(op->getContext(), &names);
  builder.setInsertionPoint(op);
  Block &block = *op->getBlock();
  ActiveValues active;
  for (Value value : op.getWrt())
    active.insert(value);
  active.extend(block.begin(), op->getIterator());
  Backward backward(builder, active);
  backward.add(op.getLoss(), makeSeed(builder, op));
  Operation *last = op->getPrevNode(); // the seed or what stands before it
  if (last && failed(backward.run(block.begin(), std::next(last->getIterator()))))
    return failure();
  for (auto [value, result] : llvm::zip_equal(op.getWrt(), op.getGradients())) {
    Value gradient = backward.take(value);
    if (!gradient)
      gradient =
          builder.create<nn::FullOp>(op.getLoc(), cast<RankedTensorType>(value.getType()), 0.0);
    result.replaceAllUsesWith(gradient);
  }
  op.erase();
  eraseDead(block.begin(), std::prev(block.end()));
  return success();
}

/// What only the backward pass asks for.
void dropMarks(func::FuncOp function) {
  function.walk([](Operation *op) {
    op->removeAttr(kRematAttr);
    if (auto stop = dyn_cast<nn::StopGradientOp>(op)) {
      stop.replaceAllUsesWith(stop.getInput());
      stop.erase();
    }
  });
}

struct Differentiate : impl::DifferentiateBase<Differentiate> {
  void runOnOperation() override {
    bool isAny = false;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      SmallVector<nn::GradientOp> gradients;
      function.walk([&](nn::GradientOp gradient) { gradients.push_back(gradient); });
      if (!gradients.empty())
        mergeReads(function.getBody().front());
      for (nn::GradientOp gradient : gradients) {
        if (gradient->getParentOp() != function) {
          gradient.emitOpError("must not be in a loop");
          return signalPassFailure();
        }
        if (failed(replaceGradient(gradient)))
          return signalPassFailure();
        ++numGradients;
        isAny = true;
      }
      dropMarks(function);
    }
    if (isAny && failed(tidy()))
      signalPassFailure();
  }

  /// What nothing reads goes, numbers fold, and loops keep only what waits for the step before.
  LogicalResult tidy() {
    OpPassManager passes(ModuleOp::getOperationName());
    passes.addPass(createHoistInvariants());
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
    return runPipeline(passes, getOperation());
  }
};

} // namespace
} // namespace nnc
