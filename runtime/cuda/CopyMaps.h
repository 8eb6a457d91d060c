// What the driver makes of Launch.maps: how kernels copy parts of their operands by themselves.
#ifndef NNC_RUNTIME_CUDA_COPYMAPS_H
#define NNC_RUNTIME_CUDA_COPYMAPS_H

#include "runtime/cuda/CudaModel.h"

#include <vector>

namespace nnc::rt {

/// One map for each of `launch.maps`, of zeros where the GPU knows none. `buffers` are addresses,
/// `values` those of Entry.exprs. Errors: sizes that the driver does not take.
Result<void> makeCopyMaps(const CudaModel &model, const format::LaunchT &launch,
                          std::span<const CUdeviceptr> buffers, std::span<const int64_t> values,
                          std::vector<CUtensorMap> &maps);

} // namespace nnc::rt

#endif
