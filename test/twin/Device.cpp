#include "test/twin/Device.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace nnc;

namespace {

constexpr int DriverVersion = CUDA_VERSION;

/// Contexts are nothing but something to be current.
int primaryContext;
thread_local int contextDepth = 0;

int capability() {
  const char *chosen = std::getenv("NNC_TWIN_CAPABILITY");
  int value = chosen ? std::atoi(chosen) : 0;
  return value > 0 ? value : 90;
}

struct StatusText {
  CUresult status;
  const char *name, *text;
};

constexpr StatusText Texts[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS",
     "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {CUDA_ERROR_ILLEGAL_STATE, "CUDA_ERROR_ILLEGAL_STATE",
     "the operation cannot be performed in the present state"},
};

const StatusText *findText(CUresult status) {
  for (const StatusText &text : Texts)
    if (text.status == status)
      return &text;
  return nullptr;
}

} // namespace

bool twin::hasContext() { return contextDepth > 0; }

CUresult twin::refuse(CUresult status, const char *why) {
  std::fprintf(stderr, "nnc twin: %s\n", why);
  return status;
}

NNC_TWIN_API CUresult cuInit(unsigned) { return CUDA_SUCCESS; }

NNC_TWIN_API CUresult cuDriverGetVersion(int *version) {
  *version = DriverVersion;
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuGetErrorName(CUresult status, const char **name) {
  const StatusText *text = findText(status);
  *name = text ? text->name : nullptr;
  return text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

NNC_TWIN_API CUresult cuGetErrorString(CUresult status, const char **description) {
  const StatusText *text = findText(status);
  *description = text ? text->text : nullptr;
  return text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

NNC_TWIN_API CUresult cuDeviceGetCount(int *count) {
  *count = 1;
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  *device = 0;
  return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

NNC_TWIN_API CUresult cuDeviceGetName(char *name, int length, CUdevice) {
  std::snprintf(name, static_cast<size_t>(length), "the CPU as a GPU");
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice) {
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    *value = capability() / 10;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    *value = capability() % 10;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    *value = 1;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
    *value = 1 << 16;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH:
    *value = 1;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_WARP_SIZE:
    *value = 32;
    return CUDA_SUCCESS;
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    *value = 1024;
    return CUDA_SUCCESS;
  default:
    return twin::refuse(CUDA_ERROR_INVALID_VALUE, "the twin does not know this attribute");
  }
}

NNC_TWIN_API CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice) {
  *context = reinterpret_cast<CUcontext>(&primaryContext);
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuDevicePrimaryCtxRelease(CUdevice) { return CUDA_SUCCESS; }

NNC_TWIN_API CUresult cuCtxPushCurrent(CUcontext context) {
  if (context != reinterpret_cast<CUcontext>(&primaryContext))
    return CUDA_ERROR_INVALID_CONTEXT;
  ++contextDepth;
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuCtxPopCurrent(CUcontext *context) {
  if (contextDepth == 0)
    return CUDA_ERROR_INVALID_CONTEXT;
  --contextDepth;
  if (context)
    *context = reinterpret_cast<CUcontext>(&primaryContext);
  return CUDA_SUCCESS;
}
