#include "runtime/cuda/CudaDevice.h"
#include "runtime/format/PlanText.h"

#include <algorithm>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::rt;

Result<std::shared_ptr<CudaDevice>> CudaDevice::open(int index) {
  Result<const DriverApi *> api = driverApi();
  if (!api)
    return api.error();
  int count = 0;
  NNC_CUDA_TRY(**api, cuDeviceGetCount, &count);
  if (count == 0)
    return Error{"no CUDA device: the driver finds none"};
  if (index >= count)
    return Error{fmt::format("no CUDA device: there is no cuda:{}, the last one is cuda:{}", index,
                             count - 1)};
  std::shared_ptr<CudaDevice> opened(new CudaDevice(**api, index));
  if (Result<void> initialized = opened->initialize(); !initialized)
    return initialized.error();
  return opened;
}

Result<void> CudaDevice::initialize() {
  NNC_CUDA_TRY(driver, cuDeviceGet, &device, number);
  char text[256] = "";
  NNC_CUDA_TRY(driver, cuDeviceGetName, text, sizeof(text), device);
  title = text;
  int major = 0, minor = 0;
  NNC_CUDA_TRY(driver, cuDeviceGetAttribute, &major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
               device);
  NNC_CUDA_TRY(driver, cuDeviceGetAttribute, &minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
               device);
  sm = major * 10 + minor;
  NNC_CUDA_TRY(driver, cuDeviceGetAttribute, &processors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
               device);
  NNC_CUDA_TRY(driver, cuDeviceGetAttribute, &cooperative, CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH,
               device);
  NNC_CUDA_TRY(driver, cuDeviceGetAttribute, &cache, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, device);
  NNC_CUDA_TRY(driver, cuDriverGetVersion, &driverVersion);
  NNC_CUDA_TRY(driver, cuDevicePrimaryCtxRetain, &primary, device);
  return {};
}

CudaDevice::~CudaDevice() {
  if (primary)
    driver.cuDevicePrimaryCtxRelease(device);
}

Result<DeviceMemory> CudaDevice::allocate(size_t bytes, const std::string &what) {
  ContextScope scope(*this);
  CUdeviceptr address = 0;
  CUresult status = driver.cuMemAlloc(&address, std::max<size_t>(bytes, 1));
  if (status == CUDA_ERROR_OUT_OF_MEMORY) {
    size_t free = 0, total = 0;
    NNC_CUDA_TRY(driver, cuMemGetInfo, &free, &total);
    return Error{fmt::format("not enough memory on {} for {}: needed {}, free {} of {}", title,
                             what, format::bytesText(bytes), format::bytesText(free),
                             format::bytesText(total))};
  }
  if (Result<void> allocated = check(driver, status, "cuMemAlloc"); !allocated)
    return allocated.error();
  return DeviceMemory(shared_from_this(), address);
}
