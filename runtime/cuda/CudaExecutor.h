// Runs plans of the cuda target: one CUDA graph per set of sizes.
#ifndef NNC_RUNTIME_CUDA_CUDAEXECUTOR_H
#define NNC_RUNTIME_CUDA_CUDAEXECUTOR_H

#include "runtime/EngineState.h"
#include "runtime/cuda/CudaModel.h"

namespace nnc::rt {

/// `engine` keeps the plan alive.
Result<std::unique_ptr<Executor>> makeCudaExecutor(std::shared_ptr<EngineState> engine,
                                                   std::shared_ptr<CudaModel> model);

} // namespace nnc::rt

#endif
