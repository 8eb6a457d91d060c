#include "runtime/cuda/CopyMaps.h"

#include <algorithm>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

namespace {

/// Elements are copied as they are, in rows of 128 bytes that lie in shared memory as wgmma reads
/// them.
constexpr CUtensorMapDataType Elements = CU_TENSOR_MAP_DATA_TYPE_UINT16;
constexpr cuuint32_t BoxDepth = 64;
constexpr CUtensorMapInterleave Interleave = CU_TENSOR_MAP_INTERLEAVE_NONE;
constexpr CUtensorMapSwizzle Swizzle = CU_TENSOR_MAP_SWIZZLE_128B;
constexpr CUtensorMapL2promotion Promotion = CU_TENSOR_MAP_L2_PROMOTION_L2_256B;
constexpr CUtensorMapFloatOOBfill Fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;

Result<void> makeMap(const DriverApi &api, const CopyMapT &map, CUdeviceptr address,
                     std::span<const int64_t> values, CUtensorMap &made) {
  cuuint64_t sizes[5] = {}, strides[4] = {};
  for (size_t i = 0; i < map.sizes.size(); ++i)
    sizes[i] = static_cast<cuuint64_t>(values[map.sizes[i]]);
  for (size_t i = 0; i < map.strides.size(); ++i)
    strides[i] = static_cast<cuuint64_t>(values[map.strides[i]]) * 2;
  auto *memory = reinterpret_cast<void *>(address);
  if (map.window.empty()) {
    auto rank = static_cast<cuuint32_t>(map.sizes.size());
    cuuint32_t box[5] = {BoxDepth}, steps[5] = {1, 1, 1, 1, 1}, rows = map.rows;
    for (size_t i = 1; i + 1 < rank; ++i) { // rows that are dealt together
      box[i] = std::max<cuuint32_t>(static_cast<cuuint32_t>(sizes[i]), 1);
      rows /= box[i];
    }
    box[rank - 1] = rows;
    NNC_CUDA_TRY(api, cuTensorMapEncodeTiled, &made, Elements, rank, memory, sizes, strides, box,
                 steps, Interleave, Swizzle, Promotion, Fill);
    return {};
  }
  const int *before = map.window.data(), *behind = before + 2, *step = before + 4;
  cuuint32_t steps[4] = {1, static_cast<cuuint32_t>(step[0]), static_cast<cuuint32_t>(step[1]), 1};
  NNC_CUDA_TRY(api, cuTensorMapEncodeIm2col, &made, Elements, 4, memory, sizes, strides, before,
               behind, BoxDepth, map.rows, steps, Interleave, Swizzle, Promotion, Fill);
  return {};
}

} // namespace

Result<void> rt::makeCopyMaps(const CudaModel &model, const LaunchT &launch,
                              std::span<const CUdeviceptr> buffers, std::span<const int64_t> values,
                              std::vector<CUtensorMap> &maps) {
  maps.assign(launch.maps.size(), CUtensorMap{});
  if (!model.device()->hasPipelines())
    return {};
  for (size_t i = 0; i < maps.size(); ++i) {
    const CopyMapT &map = *launch.maps[i];
    if (Result<void> made = makeMap(model.device()->api(), map,
                                    buffers[launch.buffers[map.operand]], values, maps[i]);
        !made)
      return made;
  }
  return {};
}
