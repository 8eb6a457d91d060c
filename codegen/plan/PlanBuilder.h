// From level 2 (entry functions of nn.kernel and nn.gemm) to the plan that model.bin holds:
// buffers, steps in order, and one arena with a place for every intermediate value.
#pragma once

#include "codegen/cuda/TensorMaps.h"
#include "runtime/format/Result.h"

#include "mlir/IR/AffineMap.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

#include <array>
#include <cstdint>

namespace mlir {
class ModuleOp;
class Operation;
} // namespace mlir

namespace nnc::nn {
class KernelOp;
} // namespace nnc::nn

namespace nnc::format {
struct ModelT;
struct StepT;
} // namespace nnc::format

namespace nnc::codegen {

/// How one nn.kernel is launched.
struct LaunchInfo {
  uint32_t kernel;      ///< Model.kernels
  mlir::AffineMap grid; ///< ()[dimensions] -> (x[, y, z])
  std::array<unsigned, 3> block{1, 1, 1};
  unsigned sharedBytes = 0;
  mlir::AffineMap phaseGrid = {}; ///< as part of a loop's kernel, if it can be one
  unsigned sharedElsewhere = 0;   ///< CudaKernel::sharedElsewhere
  unsigned persists = 0;          ///< CudaKernel::persists
  std::vector<MappedTensor> maps = {};
  bool hasTable = false;        ///< CudaKernel::hasTable
  mlir::AffineMap scratch = {}; ///< CudaKernel::scratch
};

/// A step of a loop that a kernel may run as a whole.
struct LoopLaunch {
  mlir::Operation *kernel;
  uint32_t grid; ///< Entry.exprs: LaunchInfo::phaseGrid
};
using LoopLaunches = llvm::DenseMap<const format::StepT *, LoopLaunch>;

/// What the plan refers to by index.
struct PlanContext {
  llvm::DenseMap<mlir::Operation *, LaunchInfo> launches; ///< of every nn.kernel of the entries
  llvm::StringMap<uint32_t> weights;                      ///< symbol to Model.weights
  llvm::StringMap<uint32_t> states;                       ///< symbol to Model.states
};

/// What the step of `parts` kernels that are launched together is called: "conv1 and 7 more".
std::string launchName(nn::KernelOp first, size_t parts);

/// Appends an Entry to `model` for every function with the attribute nn.entry (or nn.prepare).
/// Errors: sizes that overflow or have no upper bound, types that buffers cannot hold.
/// `launches` gets the launches within loops.
Result<void> buildEntries(mlir::ModuleOp module, const PlanContext &context, format::ModelT &model,
                          LoopLaunches &launches);

} // namespace nnc::codegen
