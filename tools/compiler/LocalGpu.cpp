#include "tools/compiler/LocalGpu.h"

#include "runtime/cuda/Driver.h"

#include <fmt/format.h>

namespace nnc {

std::optional<std::string> localArchitecture() {
  Result<const rt::DriverApi *> driver = rt::driverApi();
  if (!driver)
    return std::nullopt;
  const rt::DriverApi &api = **driver;
  CUdevice device;
  int major = 0, minor = 0;
  if (api.cuInit(0) != CUDA_SUCCESS || api.cuDeviceGet(&device, 0) != CUDA_SUCCESS)
    return std::nullopt;
  if (api.cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device) ||
      api.cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device))
    return std::nullopt;
  return fmt::format("sm_{}{}{}", major, minor, major >= 9 ? "a" : "");
}

} // namespace nnc
