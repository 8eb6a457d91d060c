// Which code runs on which GPU.
#ifndef NNC_RUNTIME_CUDA_ARCH_H
#define NNC_RUNTIME_CUDA_ARCH_H

#include "runtime/format/model_generated.h"

#include <string>
#include <string_view>

namespace nnc::rt {

/// How well code for `arch` ("sm_80", "sm_90a", "sm_100f") suits a GPU of compute capability
/// `capability` (e.g. 90); 0: not at all. Code runs on GPUs of its major version from its minor
/// version on; with suffix `a` on exactly its own; the nearest is best.
int suitability(std::string_view arch, int capability);

/// The image that suits best, or null.
const format::ImageT *bestImage(const format::CudaModuleT &module, int capability);

/// What to compile for: with all features of the GPU.
std::string nativeArch(int capability);

} // namespace nnc::rt

#endif
