// A session's states on the GPU, the scalars among them also on the host, and the numbers from
// which its calls draw.
#ifndef NNC_RUNTIME_CUDA_CUDASTATES_H
#define NNC_RUNTIME_CUDA_CUDASTATES_H

#include "runtime/EngineState.h"
#include "runtime/Executor.h"
#include "runtime/cuda/CudaDevice.h"

#include <array>

namespace nnc::rt {

/// By index of Model.states. Everything is in the order of the stream that is given.
class CudaStates {
public:
  CudaStates(std::shared_ptr<CudaDevice> gpu, std::shared_ptr<EngineState> engine)
      : gpu(std::move(gpu)), engine(std::move(engine)) {}

  /// The states' memory comes when sizes are known; that of the scalars on the host now.
  Result<void> prepare();
  /// Gives a state memory of that many bytes, if it has less, and what it holds at the beginning.
  /// Waits for the stream.
  Result<void> start(size_t state, uint64_t bytes, CUstream stream);

  CUdeviceptr address(size_t state) const { return memory[state].get(); }
  /// A scalar's value when it was fetched last.
  int64_t scalar(size_t state) const;
  /// Copies scalars to the host: what guards of the next call need to know of states.
  Result<void> fetchScalars(CUstream stream);
  Result<void> fetchScalar(size_t state, CUstream stream);
  /// Tells a call where its random numbers come from.
  Result<void> placeGenerator(const Call &call, CUstream stream);

private:
  Result<void> fill(size_t index, uint64_t bytes, CUstream stream);
  const format::StateT &stateOf(size_t state) const { return *engine->model().states[state]; }
  int64_t *shadowOf(size_t state) const { return static_cast<int64_t *>(shadows.get()) + state; }

  std::shared_ptr<CudaDevice> gpu;
  std::shared_ptr<EngineState> engine;
  std::vector<DeviceMemory> memory;
  std::vector<uint64_t> sizes;                        ///< of the memory
  HostMemoryOwner shadows;                            ///< 8 bytes each
  std::array<std::byte, sizeof(Generator)> numbers{}; ///< what the generator's state holds
};

} // namespace nnc::rt

#endif
