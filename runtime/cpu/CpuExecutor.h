// Runs plans of the cpu target: blocks of each launch on all cores, straight on the caller's
// tensors and the mapped weights.
#ifndef NNC_RUNTIME_CPU_CPUEXECUTOR_H
#define NNC_RUNTIME_CPU_CPUEXECUTOR_H

#include "runtime/EngineState.h"
#include "runtime/cpu/ObjectLoader.h"

namespace nnc::rt {

/// The code of a model, shared by its sessions.
class CpuModel {
public:
  /// Errors: compiled for another processor, malformed code, a kernel is missing.
  static Result<std::shared_ptr<CpuModel>> load(const format::ModelT &model,
                                                const format::Container &container);

  /// By index of Model.kernels.
  CpuKernelFn kernel(size_t index) const { return kernels[index]; }

private:
  explicit CpuModel(LoadedObject object) : object(std::move(object)) {}
  LoadedObject object;
  std::vector<CpuKernelFn> kernels;
};

/// `engine` keeps the weights mapped.
Result<std::unique_ptr<Executor>> makeCpuExecutor(std::shared_ptr<EngineState> engine,
                                                  std::shared_ptr<CpuModel> code);

} // namespace nnc::rt

#endif
