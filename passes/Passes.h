//===- Passes.h - Constructors and registration of the passes -----------------------*- C++ -*-===//
//
// The passes between the front end and code generation; each is described in Passes.td.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_PASSES_H
#define NNC_PASSES_PASSES_H

#include "passes/Pipelines.h"

#include "mlir/Pass/Pass.h"

namespace mlir {
class DialectRegistry;
class ModuleOp;
namespace affine {
class AffineDialect;
}
namespace arith {
class ArithDialect;
}
namespace func {
class FuncDialect;
}
namespace linalg {
class LinalgDialect;
}
namespace math {
class MathDialect;
}
namespace tensor {
class TensorDialect;
}
} // namespace mlir

namespace nnc {
namespace nn {
class NNDialect;
}

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

/// Lets upstream's inliner work on functions of nn ops. The pass nn-name-locations, which follows
/// it in every pipeline, adds this to the context; nobody else needs to.
void addInlining(mlir::DialectRegistry &registry);

/// Registers every pass of this folder, those of upstream that the pipelines use, and the pipelines
/// themselves as `nn-pipeline{target=}` and `nn-kernel-pipeline{target=}`.
void registerNNPasses();

} // namespace nnc

#endif // NNC_PASSES_PASSES_H
