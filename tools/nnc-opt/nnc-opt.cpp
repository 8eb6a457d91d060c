//===- nnc-opt.cpp - Runs any pass on any level's text ----------------------------------------===//
//
// The `mlir-opt` of nnc: tests are written against it.
//
//===------------------------------------------------------------------------------------------===//

#include "ir/NNDialect.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  nnc::nn::registerAllDialects(registry);
  registry.insert<mlir::bufferization::BufferizationDialect, mlir::cf::ControlFlowDialect,
                  mlir::scf::SCFDialect, mlir::vector::VectorDialect>();
  nnc::registerNNPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "nnc-opt: passes over the nn dialect and its kernels\n", registry));
}
