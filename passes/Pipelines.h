//===- Pipelines.h - The order of the passes ----------------------------------------*- C++ -*-===//
//
// What the driver runs between the front end and code generation.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_PIPELINES_H
#define NNC_PASSES_PIPELINES_H

#include <memory>

namespace mlir {
class OpPassManager;
class Pass;
} // namespace mlir

namespace nnc {

/// The machine that kernels are formed for.
enum class Target { Cpu, Cuda };

struct PipelineOptions {
  Target target = Target::Cpu;
};

/// Level 1: inline, canonicalize, fold batch norm, hoist constants. To be added to a pass manager
/// over `builtin.module`; the result is still the `nn` dialect.
void buildNNPipeline(mlir::OpPassManager &, const PipelineOptions &);

/// Level 1 to 2: form kernels, lower their bodies to linalg, clean up, verify.
void buildKernelPipeline(mlir::OpPassManager &, const PipelineOptions &);

/// An integer on nn ops by which reports recognize them: it stays with them in kernels, and
/// `nn.gemm` has an array of them. It must not be there when code is generated.
inline constexpr const char *kNumberAttr = "nn.number";

/// Only the first step of that: kernels and library products of nn ops.
std::unique_ptr<mlir::Pass> createKernelFormation(const PipelineOptions &);

} // namespace nnc

#endif // NNC_PASSES_PIPELINES_H
