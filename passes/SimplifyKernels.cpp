//===- SimplifyKernels.cpp - Fuse and clean up linalg inside kernels --------------------------===//
//
// Generics are visited in order, and each takes in the elementwise producers of its inputs, which
// have taken in theirs. A producer with several readers is copied if that is cheap; one that is
// expensive stays a tensor of its own inside the kernel, as does what is needed once per row.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"

#include "ir/NNOps.h"
#include "ir/Spread.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_SIMPLIFYKERNELS
#include "passes/Passes.h.inc"

namespace {

/// Scalar ops of a producer that several readers may each compute.
constexpr size_t MaxCopiedOps = 4;

bool isCheapScalar(Operation &op) {
  if (isa<arith::DivFOp, arith::RemFOp, arith::FloorDivSIOp, arith::RemSIOp>(op))
    return false;
  return isa<arith::ArithDialect>(op.getDialect()) || isa<linalg::IndexOp>(op);
}

/// Whether computing an element again costs less than storing it.
bool isCheap(linalg::GenericOp producer) {
  auto scalars = producer.getBody()->without_terminator();
  return size_t(std::distance(scalars.begin(), scalars.end())) <= MaxCopiedOps &&
         llvm::all_of(scalars, isCheapScalar);
}

bool hasOtherReader(linalg::GenericOp producer, Operation *consumer) {
  return llvm::any_of(producer->getUsers(), [&](Operation *user) { return user != consumer; });
}

/// Whether elements read through `map` are read in several iterations.
bool isRepeated(AffineMap map) {
  unsigned along =
      llvm::count_if(map.getResults(), [](AffineExpr e) { return isa<AffineDimExpr>(e); });
  return along < map.getNumDims();
}

/// Whether each operand is read again for what another one is not.
bool isProduct(linalg::GenericOp op) {
  return op.getNumReductionLoops() > 0 && op.getNumDpsInputs() > 1 &&
         llvm::all_of(op.getDpsInputOperands(), [&](OpOperand *input) {
           return isRepeated(op.getMatchingIndexingMap(input));
         });
}

/// Whether the op is computed from sums, directly or not.
bool readsSums(linalg::LinalgOp op) {
  SmallVector<Value> pending(op->getOperands());
  llvm::SmallPtrSet<Operation *, 16> seen;
  while (!pending.empty()) {
    Operation *maker = pending.pop_back_val().getDefiningOp();
    if (!maker || !seen.insert(maker).second)
      continue;
    auto structured = dyn_cast<linalg::LinalgOp>(maker);
    if (structured && structured.getNumReductionLoops() > 0)
      return true;
    pending.append(maker->operand_begin(), maker->operand_end());
  }
  return false;
}

/// Whether `consumer` should compute the elementwise producer of this input itself. A product reads
/// rows that are made of sums, such as a norm's, as they are when they have been made.
bool shouldFuse(linalg::GenericOp producer, linalg::GenericOp consumer, OpOperand &input) {
  if (!linalg::areElementwiseOpsFusable(&input) || (isProduct(consumer) && readsSums(producer)))
    return false;
  bool repeated = isRepeated(consumer.getMatchingIndexingMap(&input));
  return isCheap(producer) || (!repeated && !hasOtherReader(producer, consumer));
}

/// Fuses the producer of one input of `consumer`; null if there is none to fuse.
linalg::GenericOp fuseOne(RewriterBase &rewriter, linalg::GenericOp consumer) {
  for (OpOperand *input : consumer.getDpsInputOperands()) {
    auto producer = input->get().getDefiningOp<linalg::GenericOp>();
    if (!producer || !shouldFuse(producer, consumer, *input))
      continue;
    if (hasOtherReader(producer, consumer)) {
      rewriter.setInsertionPoint(consumer);
      Operation *copy = rewriter.clone(*producer);
      input->set(copy->getResult(cast<OpResult>(input->get()).getResultNumber()));
      producer = cast<linalg::GenericOp>(copy);
    }
    rewriter.setInsertionPoint(consumer);
    FailureOr<linalg::ElementwiseOpFusionResult> fused =
        linalg::fuseElementwiseOps(rewriter, input);
    if (failed(fused))
      continue;
    for (auto [old, replacement] : fused->replacements)
      rewriter.replaceUsesWithIf(
          old, replacement, [&](OpOperand &use) { return use.get().getDefiningOp() != producer; });
    if (consumer->hasAttr(nn::kSpreadAttr))
      fused->fusedOp->setAttr(nn::kSpreadAttr, rewriter.getUnitAttr());
    rewriter.eraseOp(consumer);
    if (producer->use_empty())
      rewriter.eraseOp(producer);
    return cast<linalg::GenericOp>(fused->fusedOp);
  }
  return {};
}

void fuseGenerics(nn::KernelOp kernel) {
  IRRewriter rewriter(kernel.getContext());
  SmallVector<linalg::GenericOp> generics(kernel.getBody()->getOps<linalg::GenericOp>());
  // In order, so that producers are done; fusing erases producers only before the consumer.
  for (linalg::GenericOp generic : generics)
    while (generic)
      generic = fuseOne(rewriter, generic);
}

struct SimplifyKernels : impl::SimplifyKernelsBase<SimplifyKernels> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    // Only for the clean-up in it: fills and splats become scalars.
    linalg::populateElementwiseOpsFusionPatterns(set, [](OpOperand *) { return false; });
    linalg::populateEraseUnusedOperandsAndResultsPatterns(set);
    patterns = std::move(set);
    return success();
  }

  void runOnOperation() override {
    GreedyRewriteConfig config;
    config.enableRegionSimplification = GreedySimplifyRegionLevel::Disabled;
    SmallVector<nn::KernelOp> kernels;
    getOperation().walk([&](nn::KernelOp kernel) { kernels.push_back(kernel); });
    for (nn::KernelOp kernel : kernels) {
      if (failed(applyPatternsAndFoldGreedily(kernel.getBodyRegion(), patterns, config)))
        return signalPassFailure();
      fuseGenerics(kernel);
      if (failed(applyPatternsAndFoldGreedily(kernel.getBodyRegion(), patterns, config)))
        return signalPassFailure();
    }
  }

  FrozenRewritePatternSet patterns;
};

} // namespace
} // namespace nnc
