//===- Pipelines.cpp - The order of the passes ------------------------------------------------===//
#include "passes/Pipelines.h"

#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace nnc {

namespace {
/// Inlining already canonicalizes callees by default; once, after it, is enough.
std::unique_ptr<Pass> createPlainInliner() {
  return createInlinerPass({}, [](OpPassManager &) {});
}
} // namespace

void buildNNPipeline(OpPassManager &pm, const PipelineOptions &options) {
  // The model's modules disappear; their paths stay in locations.
  pm.addPass(createPlainInliner());
  pm.addPass(createSymbolDCEPass());
  pm.addPass(createNameLocations());
  pm.addPass(createNumberDraws()); // before equal operations are merged

  // Arithmetic on shapes and numbers.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());

  // Loops keep only what waits for the step before.
  pm.addPass(createHoistInvariants());
  pm.addPass(createBatchSteps());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());

  if (options.target == Target::Cuda)
    pm.addPass(createAlignProducts());

  // Behind what makes loops small, so that their backward passes are too.
  pm.addPass(createDifferentiate());
  if (options.target == Target::Cpu)
    pm.addPass(createExpandWeightGrads());

  // Weights as they are stored, read where they are needed.
  pm.addPass(createQuantizeWeights());
  pm.addPass(createCSEPass());

  // What is known once the weights are.
  pm.addPass(createFoldBatchNorm());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());

  if (options.target == Target::Cuda) {
    pm.addPass(createChooseLayouts());
    pm.addPass(createCutWeightGrads());
    pm.addPass(createMergeProducts());
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCSEPass());
    pm.addPass(createTransposeWeights());
  } else {
    pm.addPass(createUseWinograd());
  }
  pm.addPass(createHoistConstants());
}

std::unique_ptr<Pass> createKernelFormation(const PipelineOptions &options) {
  return createFormKernels(FormKernelsOptions{options.target});
}

void buildKernelPipeline(OpPassManager &pm, const PipelineOptions &options) {
  pm.addPass(createKernelFormation(options));
  pm.addPass(createLowerToLinalg());
  pm.addPass(createSimplifyKernels());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());

  // Nothing moves any more: where values live, and what is launched together.
  pm.addPass(createPlaceStates(PlaceStatesOptions{options.target}));
  if (options.target == Target::Cuda) {
    pm.addPass(createJoinLaunches());
    pm.addPass(createJoinNeighbours());
  }
  pm.addPass(createVerifyKernels());
}

namespace {

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

struct TargetOption : PassPipelineOptions<TargetOption> {
  Option<Target> target{*this, "target", llvm::cl::desc("Machine to compile for"),
                        llvm::cl::init(Target::Cpu),
                        llvm::cl::values(clEnumValN(Target::Cpu, "cpu", "x86-64"),
                                         clEnumValN(Target::Cuda, "cuda", "NVIDIA GPUs"))};
};

} // namespace

void registerNNPasses() {
  registerOwnPasses();
  registerInlinerPass();
  registerSymbolDCEPass();
  registerCanonicalizerPass();
  registerCSEPass();
  PassPipelineRegistration<TargetOption>(
      "nn-pipeline", "Level 1: inline, canonicalize, fold batch norm, hoist constants",
      [](OpPassManager &pm, const TargetOption &options) {
        buildNNPipeline(pm, {options.target});
      });
  PassPipelineRegistration<TargetOption>(
      "nn-kernel-pipeline", "Level 1 to 2: form kernels, lower them to linalg, clean up",
      [](OpPassManager &pm, const TargetOption &options) {
        buildKernelPipeline(pm, {options.target});
      });
}

} // namespace nnc
