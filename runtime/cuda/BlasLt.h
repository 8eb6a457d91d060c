// The functions of cuBLASLt; see Driver.h.
#ifndef NNC_RUNTIME_CUDA_BLASLT_H
#define NNC_RUNTIME_CUDA_BLASLT_H

#include "runtime/cuda/Driver.h"

#include <cublasLt.h>

namespace nnc::rt {

struct BlasLtApi {
  NNC_CUBLASLT(NNC_CUDA_MEMBER)
};

/// Opens libcublasLt, once per process, when the first model with a gemm is loaded.
Result<const BlasLtApi *> blasLtApi();

/// Success, or an error that names the call and the library's reason.
Result<void> check(const BlasLtApi &api, cublasStatus_t status, const char *call);

} // namespace nnc::rt

#endif
