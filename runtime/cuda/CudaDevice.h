// One GPU, its primary context, and owners for what is made on it. Owners may be destroyed on any
// thread.
#ifndef NNC_RUNTIME_CUDA_CUDADEVICE_H
#define NNC_RUNTIME_CUDA_CUDADEVICE_H

#include "runtime/cuda/Driver.h"

#include <memory>
#include <string>

// Calls a function of the driver; returns its error from the enclosing function.
#define NNC_CUDA_TRY(API, FUNCTION, ...)                                                           \
  if (Result<void> status = check((API), (API).FUNCTION(__VA_ARGS__), #FUNCTION); !status)         \
  return status.error()

namespace nnc::rt {

class DeviceMemory;

class CudaDevice : public std::enable_shared_from_this<CudaDevice> {
public:
  /// Errors: "no CUDA device: ...".
  static Result<std::shared_ptr<CudaDevice>> open(int index);
  ~CudaDevice();

  const DriverApi &api() const { return driver; }
  int index() const { return number; }
  const std::string &name() const { return title; }
  CUcontext context() const { return primary; }
  /// The compute capability, e.g. 90.
  int capability() const { return sm; }
  int multiprocessors() const { return processors; }
  /// Of the cache that all multiprocessors share.
  size_t cacheBytes() const { return static_cast<size_t>(cache); }
  /// Whether all blocks of a grid can wait for each other.
  bool canCooperate() const { return cooperative; }

  /// Whether kernels that copy by tensor maps do so here, and have that much shared memory.
  bool hasPipelines() const { return sm == 90; }
  /// Whether a kernel can be launched while the one before it runs, and a graph hold that.
  bool canStartEarly() const { return sm >= 90 && driverVersion >= 12030; }

  /// Memory that is never null. The error says what for, how much is needed and how much is free.
  Result<DeviceMemory> allocate(size_t bytes, const std::string &what);

private:
  explicit CudaDevice(const DriverApi &driver, int number) : driver(driver), number(number) {}
  Result<void> initialize();

  const DriverApi &driver;
  int number;
  CUdevice device = 0;
  CUcontext primary = nullptr;
  std::string title;
  int sm = 0, processors = 0, cache = 0, cooperative = 0, driverVersion = 0;
};

/// Makes the device current for the calling thread as long as it lives.
class ContextScope {
public:
  explicit ContextScope(const CudaDevice &device) : api(device.api()) {
    api.cuCtxPushCurrent(device.context());
  }
  ~ContextScope() {
    CUcontext previous;
    api.cuCtxPopCurrent(&previous);
  }
  ContextScope(const ContextScope &) = delete;

private:
  const DriverApi &api;
};

/// Owns one handle of the driver; Release names the function that gives it back.
template <typename Handle, auto Release> class CudaOwner {
public:
  CudaOwner() = default;
  CudaOwner(std::shared_ptr<CudaDevice> device, Handle handle)
      : device(std::move(device)), handle(handle) {}
  CudaOwner(CudaOwner &&other) noexcept
      : device(std::move(other.device)), handle(std::exchange(other.handle, Handle())) {}
  CudaOwner &operator=(CudaOwner &&other) noexcept {
    std::swap(device, other.device);
    std::swap(handle, other.handle);
    return *this;
  }
  ~CudaOwner() {
    if (!device || !handle)
      return;
    ContextScope scope(*device);
    (device->api().*Release)(handle);
  }

  Handle get() const { return handle; }
  explicit operator bool() const { return handle != Handle(); }

private:
  std::shared_ptr<CudaDevice> device;
  Handle handle = Handle();
};

using StreamOwner = CudaOwner<CUstream, &DriverApi::cuStreamDestroy>;
using EventOwner = CudaOwner<CUevent, &DriverApi::cuEventDestroy>;
using ModuleOwner = CudaOwner<CUmodule, &DriverApi::cuModuleUnload>;
using GraphOwner = CudaOwner<CUgraph, &DriverApi::cuGraphDestroy>;
using GraphExecOwner = CudaOwner<CUgraphExec, &DriverApi::cuGraphExecDestroy>;
using HostMemoryOwner = CudaOwner<void *, &DriverApi::cuMemFreeHost>;

class DeviceMemory : public CudaOwner<CUdeviceptr, &DriverApi::cuMemFree> {
public:
  using CudaOwner::CudaOwner;
};

} // namespace nnc::rt

#endif
