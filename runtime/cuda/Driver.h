// Everything of CUDA that nnc calls, opened at run time: a program linked with this starts on a
// machine without a GPU, a driver or a toolkit, and says what is missing only when it is needed.
//
// NNC_CUDA_TWIN=path makes all three tables come from one library that implements these functions
// on the CPU; it is what the tests use where there is no GPU.
#ifndef NNC_RUNTIME_CUDA_DRIVER_H
#define NNC_RUNTIME_CUDA_DRIVER_H

#include "runtime/format/Result.h"

#include <cuda.h>
#include <nvrtc.h>

// X(function). The headers' macros choose the versions (cuMemAlloc is cuMemAlloc_v2), both for the
// type and for the name that is looked up.

/// libcuda.
#define NNC_CUDA_DRIVER(X)                                                                         \
  X(cuInit)                                                                                        \
  X(cuDriverGetVersion)                                                                            \
  X(cuGetErrorName)                                                                                \
  X(cuGetErrorString)                                                                              \
  X(cuDeviceGetCount)                                                                              \
  X(cuDeviceGet)                                                                                   \
  X(cuDeviceGetName)                                                                               \
  X(cuDeviceGetAttribute)                                                                          \
  X(cuDevicePrimaryCtxRetain)                                                                      \
  X(cuDevicePrimaryCtxRelease)                                                                     \
  X(cuCtxPushCurrent)                                                                              \
  X(cuCtxPopCurrent)                                                                               \
  X(cuModuleLoadDataEx)                                                                            \
  X(cuModuleUnload)                                                                                \
  X(cuModuleGetFunction)                                                                           \
  X(cuFuncSetAttribute)                                                                            \
  X(cuMemGetInfo)                                                                                  \
  X(cuMemAlloc)                                                                                    \
  X(cuMemFree)                                                                                     \
  X(cuMemHostAlloc)                                                                                \
  X(cuMemFreeHost)                                                                                 \
  X(cuMemcpyHtoDAsync)                                                                             \
  X(cuMemcpyDtoHAsync)                                                                             \
  X(cuMemcpyDtoDAsync)                                                                             \
  X(cuMemsetD8Async)                                                                               \
  X(cuStreamCreate)                                                                                \
  X(cuStreamDestroy)                                                                               \
  X(cuStreamSynchronize)                                                                           \
  X(cuStreamBeginCapture)                                                                          \
  X(cuStreamEndCapture)                                                                            \
  X(cuGraphInstantiateWithFlags)                                                                   \
  X(cuGraphLaunch)                                                                                 \
  X(cuGraphExecDestroy)                                                                            \
  X(cuGraphDestroy)                                                                                \
  X(cuEventCreate)                                                                                 \
  X(cuEventRecord)                                                                                 \
  X(cuEventSynchronize)                                                                            \
  X(cuEventElapsedTime)                                                                            \
  X(cuEventDestroy)                                                                                \
  X(cuTensorMapEncodeTiled)                                                                        \
  X(cuTensorMapEncodeIm2col)                                                                       \
  X(cuLaunchKernelEx)                                                                              \
  X(cuLaunchCooperativeKernel)                                                                     \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor)

/// libnvrtc.
#define NNC_NVRTC(X)                                                                               \
  X(nvrtcVersion)                                                                                  \
  X(nvrtcGetErrorString)                                                                           \
  X(nvrtcCreateProgram)                                                                            \
  X(nvrtcCompileProgram)                                                                           \
  X(nvrtcGetCUBINSize)                                                                             \
  X(nvrtcGetCUBIN)                                                                                 \
  X(nvrtcGetPTXSize)                                                                               \
  X(nvrtcGetPTX)                                                                                   \
  X(nvrtcGetProgramLogSize)                                                                        \
  X(nvrtcGetProgramLog)                                                                            \
  X(nvrtcDestroyProgram)

/// libcublasLt; its struct is in BlasLt.h, whose CUDA header is a large one.
#define NNC_CUBLASLT(X)                                                                            \
  X(cublasLtGetVersion)                                                                            \
  X(cublasLtGetStatusString)                                                                       \
  X(cublasLtCreate)                                                                                \
  X(cublasLtDestroy)                                                                               \
  X(cublasLtMatmulDescCreate)                                                                      \
  X(cublasLtMatmulDescDestroy)                                                                     \
  X(cublasLtMatmulDescSetAttribute)                                                                \
  X(cublasLtMatrixLayoutCreate)                                                                    \
  X(cublasLtMatrixLayoutDestroy)                                                                   \
  X(cublasLtMatrixLayoutSetAttribute)                                                              \
  X(cublasLtMatmulPreferenceCreate)                                                                \
  X(cublasLtMatmulPreferenceDestroy)                                                               \
  X(cublasLtMatmulPreferenceSetAttribute)                                                          \
  X(cublasLtMatmulAlgoGetHeuristic)                                                                \
  X(cublasLtMatmul)

#define NNC_CUDA_STRING_(NAME) #NAME
#define NNC_CUDA_STRING(NAME) NNC_CUDA_STRING_(NAME)
#define NNC_CUDA_MEMBER(NAME) decltype(&::NAME) NAME = nullptr;

namespace nnc::rt {

/// The functions of libcuda.
struct DriverApi {
  NNC_CUDA_DRIVER(NNC_CUDA_MEMBER)
};

/// The functions of libnvrtc.
struct NvrtcApi {
  NNC_NVRTC(NNC_CUDA_MEMBER)
};

/// Opens libcuda and initializes it, once per process. Errors: "no CUDA device: ..." with the
/// reason.
Result<const DriverApi *> driverApi();

/// Opens libnvrtc, once per process; it needs no GPU. Errors: which names were looked for.
Result<const NvrtcApi *> nvrtcApi();

/// Success, or an error that names the call and CUDA's reason.
Result<void> check(const DriverApi &api, CUresult status, const char *call);

/// The kinds of libraries that openLibrary looks for.
enum class CudaLibrary { Driver, Nvrtc, CublasLt };

/// Opens one of CUDA's libraries (or the twin): a handle for symbolIn. Looks where the loader does,
/// then in CUDAToolkit_ROOT, CUDA_HOME and the toolkit that this was built with.
Result<void *> openLibrary(CudaLibrary which);

/// The address of a function, or an error that names the library's file and the function.
Result<void *> symbolIn(void *library, const char *name);

} // namespace nnc::rt

#endif
