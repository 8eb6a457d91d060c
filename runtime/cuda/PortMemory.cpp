#include "runtime/cuda/PortMemory.h"

#include <cstring>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

static bool isOnHost(const Tensor &tensor) { return tensor.device().kind == Device::Kind::Cpu; }

Result<CUdeviceptr> PortMemory::place(const Tensor &tensor) {
  if (!isOnHost(tensor))
    return reinterpret_cast<CUdeviceptr>(tensor.data());
  if (!memory) {
    std::string what = fmt::format("`{}` of `{}` at the upper bounds", port.name, entry.name);
    Result<DeviceMemory> allocated = device->allocate(maxPortBytes(port, entry), what);
    if (!allocated)
      return allocated.error();
    memory = std::move(*allocated);
  }
  return memory.get();
}

Result<void> PortMemory::reservePinned(size_t bytes) {
  if (bytes <= pinnedBytes)
    return {};
  void *address = nullptr;
  NNC_CUDA_TRY(device->api(), cuMemHostAlloc, &address, bytes, 0);
  pinned = HostMemoryOwner(device, address);
  pinnedBytes = bytes;
  return {};
}

Result<void> PortMemory::send(const Tensor &tensor, CUstream stream) {
  size_t bytes = tensor.bytes();
  if (!isOnHost(tensor) || bytes == 0)
    return {};
  if (Result<void> reserved = reservePinned(bytes); !reserved)
    return reserved;
  std::memcpy(pinned.get(), tensor.data(), bytes);
  NNC_CUDA_TRY(device->api(), cuMemcpyHtoDAsync, memory.get(), pinned.get(), bytes, stream);
  return {};
}

Result<void> PortMemory::fetch(const Tensor &tensor, CUstream stream) {
  size_t bytes = tensor.bytes();
  if (!isOnHost(tensor) || bytes == 0)
    return {};
  if (Result<void> reserved = reservePinned(bytes); !reserved)
    return reserved;
  NNC_CUDA_TRY(device->api(), cuMemcpyDtoHAsync, pinned.get(), memory.get(), bytes, stream);
  return {};
}

void PortMemory::finish(const Tensor &tensor) {
  if (isOnHost(tensor) && tensor.bytes() > 0)
    std::memcpy(tensor.data(), pinned.get(), tensor.bytes());
}
