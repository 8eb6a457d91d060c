// Where the inputs and outputs of an entry point are on the GPU: the caller's device tensors in
// place, or memory of the session that host tensors travel to and from through pinned memory.
#ifndef NNC_RUNTIME_CUDA_PORTMEMORY_H
#define NNC_RUNTIME_CUDA_PORTMEMORY_H

#include "runtime/Executor.h"
#include "runtime/cuda/CudaDevice.h"

namespace nnc::rt {

/// One port of one session. Allocates when the first host tensor comes (on the device, at the upper
/// bound) and when a larger one comes (pinned).
class PortMemory {
public:
  PortMemory(std::shared_ptr<CudaDevice> device, const format::EntryT &entry,
             const format::PortT &port)
      : device(std::move(device)), entry(entry), port(port) {}

  /// The address that kernels see for this tensor.
  Result<CUdeviceptr> place(const Tensor &tensor);
  /// Enqueues the copy of a host tensor to the device; nothing for a device tensor.
  Result<void> send(const Tensor &tensor, CUstream stream);
  /// Enqueues the copy to pinned memory; nothing for a device tensor.
  Result<void> fetch(const Tensor &tensor, CUstream stream);
  /// After the stream is done: gives a host tensor what was fetched.
  void finish(const Tensor &tensor);

private:
  Result<void> reservePinned(size_t bytes);

  std::shared_ptr<CudaDevice> device;
  const format::EntryT &entry;
  const format::PortT &port;
  DeviceMemory memory;
  HostMemoryOwner pinned;
  size_t pinnedBytes = 0;
};

} // namespace nnc::rt

#endif
