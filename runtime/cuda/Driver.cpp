// Opening CUDA's libraries, and its errors in words.
#include "runtime/cuda/BlasLt.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <vector>

using namespace nnc;
using namespace nnc::rt;

namespace {

/// NVRTC and cuBLASLt carry the toolkit's major version in their names.
std::vector<std::string> namesOf(CudaLibrary which) {
  switch (which) {
  case CudaLibrary::Driver:
    return {"libcuda.so.1", "libcuda.so"};
  case CudaLibrary::Nvrtc:
    return {fmt::format("libnvrtc.so.{}", CUDA_VERSION / 1000), "libnvrtc.so"};
  case CudaLibrary::CublasLt:
    return {fmt::format("libcublasLt.so.{}", CUDA_VERSION / 1000), "libcublasLt.so"};
  }
  __builtin_unreachable();
}

/// Empty stands for the loader's own search.
std::vector<std::string> folders() {
  std::vector<std::string> found = {""};
  for (const char *variable : {"CUDAToolkit_ROOT", "CUDA_HOME"})
    if (const char *root = std::getenv(variable))
      for (const char *below : {"/lib64/", "/lib/"})
        found.push_back(std::string(root) + below);
  for (const char *below : {"/lib64/", "/lib/"})
    found.push_back(std::string(NNC_CUDA_ROOT) + below);
  return found;
}

Result<void> load(void *library, const char *name, void **slot) {
  Result<void *> address = symbolIn(library, name);
  if (!address)
    return address.error();
  *slot = *address;
  return {};
}

#define NNC_CUDA_LOAD(NAME)                                                                        \
  if (Result<void> loaded =                                                                        \
          load(*library, NNC_CUDA_STRING(NAME), reinterpret_cast<void **>(&api.NAME));             \
      !loaded)                                                                                     \
    return loaded.error();

Result<DriverApi> openDriver() {
  Result<void *> library = openLibrary(CudaLibrary::Driver);
  if (!library)
    return Error{"no CUDA device: there is no NVIDIA driver on this machine (" +
                 library.error().message + ")"};
  DriverApi api;
  NNC_CUDA_DRIVER(NNC_CUDA_LOAD)
  if (Result<void> status = check(api, api.cuInit(0), "cuInit"); !status)
    return Error{"no CUDA device: " + status.error().message};
  return api;
}

/// NVRTC opens a library of its own by name alone, which the loader does not find beside it where
/// it does not search (wheels, CUDA_HOME). One that is open already is found by its name.
void openBuiltins(const NvrtcApi &api) {
  int major = 0, minor = 0;
  Dl_info info;
  if (api.nvrtcVersion(&major, &minor) != NVRTC_SUCCESS ||
      !dladdr(reinterpret_cast<void *>(api.nvrtcVersion), &info) || !info.dli_fname)
    return;
  std::string path = info.dli_fname;
  path.resize(path.rfind('/') + 1); // empty without a folder
  path += fmt::format("libnvrtc-builtins.so.{}.{}", major, minor);
  dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); // else NVRTC says what is missing
}

Result<NvrtcApi> openNvrtc() {
  Result<void *> library = openLibrary(CudaLibrary::Nvrtc);
  if (!library)
    return library.error();
  NvrtcApi api;
  NNC_NVRTC(NNC_CUDA_LOAD)
  openBuiltins(api);
  return api;
}

Result<BlasLtApi> openBlasLt() {
  Result<void *> library = openLibrary(CudaLibrary::CublasLt);
  if (!library)
    return library.error();
  BlasLtApi api;
  NNC_CUBLASLT(NNC_CUDA_LOAD)
  return api;
}

/// A table that is opened once, on first use, or the reason why it could not be.
template <typename Api> Result<const Api *> pointerTo(const Result<Api> &opened) {
  if (!opened)
    return opened.error();
  return &*opened;
}

} // namespace

Result<void *> rt::openLibrary(CudaLibrary which) {
  if (const char *twin = std::getenv("NNC_CUDA_TWIN")) {
    if (void *library = dlopen(twin, RTLD_NOW | RTLD_LOCAL))
      return library;
    return Error{fmt::format("cannot open NNC_CUDA_TWIN: {}", dlerror())};
  }
  std::vector<std::string> names = namesOf(which);
  for (const std::string &folder : folders())
    for (const std::string &name : names)
      if (void *library = dlopen((folder + name).c_str(), RTLD_NOW | RTLD_LOCAL))
        return library;
  return Error{fmt::format("cannot open {}", names.front())};
}

Result<void *> rt::symbolIn(void *library, const char *name) {
  if (void *address = dlsym(library, name))
    return address;
  return Error{fmt::format("too old for this nnc: {}", dlerror())};
}

Result<const DriverApi *> rt::driverApi() {
  static Result<DriverApi> opened = openDriver();
  return pointerTo(opened);
}

Result<const NvrtcApi *> rt::nvrtcApi() {
  static Result<NvrtcApi> opened = openNvrtc();
  return pointerTo(opened);
}

Result<const BlasLtApi *> rt::blasLtApi() {
  static Result<BlasLtApi> opened = openBlasLt();
  return pointerTo(opened);
}

Result<void> rt::check(const DriverApi &api, CUresult status, const char *call) {
  if (status == CUDA_SUCCESS)
    return {};
  const char *name = nullptr, *text = nullptr;
  api.cuGetErrorName(status, &name);
  api.cuGetErrorString(status, &text);
  return Error{fmt::format("{} failed: {} ({})", call, text ? text : "unknown error",
                           name ? name : std::to_string(status).c_str())};
}

Result<void> rt::check(const BlasLtApi &api, cublasStatus_t status, const char *call) {
  if (status == CUBLAS_STATUS_SUCCESS)
    return {};
  return Error{fmt::format("{} failed: {}", call, api.cublasLtGetStatusString(status))};
}
