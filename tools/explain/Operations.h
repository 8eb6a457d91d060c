// Which operations of a model end up in which kernel.
#pragma once

#include "passes/Pipelines.h"
#include "tools/explain/Explanation.h"

namespace nnc::explain {

/// A kernel or a library product as fusion made it.
struct Formed {
  std::string anchor, layout;
  std::vector<unsigned> operations;
  std::vector<std::string> refused;
};

/// One entry point behind fusion.
struct FormedEntry {
  std::vector<ModelOp> operations;
  std::map<std::string, Formed> kernels; ///< by name, which is unique in a model
  std::vector<Formed> products;          ///< in order
};

/// Forms the kernels of a copy of `module`, which is as nn-hoist-constants leaves it; sizes are at
/// their upper bounds. In the order of the entry points. Errors: what the pass says.
Result<std::vector<FormedEntry>> formOperations(mlir::ModuleOp module, Target target);

} // namespace nnc::explain
