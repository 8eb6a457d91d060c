// Tensor maps: what the twin's bulk copies read, with the limits that CUDA's documentation gives.
#include "codegen/device/host/state.h"
#include "test/twin/Device.h"

#include <cstring>

using namespace nnc;

namespace {

/// The longest side of a box, and of a row of it in elements; what strides are multiples of.
constexpr unsigned MostRows = 256, MostPixels = 1024, RowElements = 64, StrideUnit = 16;
constexpr unsigned MostBytes = 227 << 10; ///< of a box, which lies in shared memory

bool areValid(NncTwinMap &map, const cuuint64_t *sizes, const cuuint64_t *strides) {
  bool valid = reinterpret_cast<uintptr_t>(map.base) % StrideUnit == 0;
  for (unsigned i = 0; i < map.rank; ++i) {
    valid = valid && sizes[i] > 0 && sizes[i] <= UINT32_MAX;
    map.sizes[i] = static_cast<long>(sizes[i]);
  }
  for (unsigned i = 0; i + 1 < map.rank; ++i) {
    valid = valid && strides[i] % StrideUnit == 0 && strides[i] < (cuuint64_t(1) << 40);
    map.strides[i] = static_cast<long>(strides[i]);
  }
  return valid;
}

CUresult finish(CUtensorMap *made, const NncTwinMap &map, bool valid) {
  static_assert(sizeof(NncTwinMap) <= sizeof(CUtensorMap));
  if (!valid)
    return twin::refuse(CUDA_ERROR_INVALID_VALUE, "a tensor map that CUDA does not take");
  std::memcpy(made, &map, sizeof map);
  return CUDA_SUCCESS;
}

/// The one kind that kernels of this project use.
bool isKnown(CUtensorMapDataType type, CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
             CUtensorMapFloatOOBfill fill) {
  return type == CU_TENSOR_MAP_DATA_TYPE_UINT16 && interleave == CU_TENSOR_MAP_INTERLEAVE_NONE &&
         swizzle == CU_TENSOR_MAP_SWIZZLE_128B && fill == CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;
}

} // namespace

NNC_TWIN_API CUresult cuTensorMapEncodeTiled(CUtensorMap *made, CUtensorMapDataType type,
                                             cuuint32_t rank, void *memory, const cuuint64_t *sizes,
                                             const cuuint64_t *strides, const cuuint32_t *box,
                                             const cuuint32_t *steps,
                                             CUtensorMapInterleave interleave,
                                             CUtensorMapSwizzle swizzle, CUtensorMapL2promotion,
                                             CUtensorMapFloatOOBfill fill) {
  NncTwinMap map{};
  map.base = static_cast<const char *>(memory);
  map.rank = rank;
  map.rows = 1;
  // Rows alone, or dealt by sizes of which boxes have all.
  bool valid = (rank == 2 || rank == 5) && box[0] == RowElements && steps[0] == 1 &&
               isKnown(type, interleave, swizzle, fill);
  for (unsigned i = 1; valid && i < rank; ++i) {
    valid =
        box[i] > 0 && box[i] <= MostRows && steps[i] == 1 && (i + 1 == rank || box[i] == sizes[i]);
    map.rows *= box[i];
  }
  valid = valid && map.rows * RowElements * 2 <= MostBytes;
  return finish(made, map, valid && areValid(map, sizes, strides));
}

NNC_TWIN_API CUresult cuTensorMapEncodeIm2col(
    CUtensorMap *made, CUtensorMapDataType type, cuuint32_t rank, void *memory,
    const cuuint64_t *sizes, const cuuint64_t *strides, const int *lower, const int *upper,
    cuuint32_t channels, cuuint32_t pixels, const cuuint32_t *steps,
    CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle, CUtensorMapL2promotion,
    CUtensorMapFloatOOBfill fill) {
  NncTwinMap map{};
  map.base = static_cast<const char *>(memory);
  map.rank = rank;
  map.rows = pixels;
  bool valid = rank == 4 && channels == RowElements && pixels > 0 && pixels <= MostPixels &&
               steps[0] == 1 && steps[3] == 1 && isKnown(type, interleave, swizzle, fill);
  for (unsigned i = 0; i < 2; ++i) {
    map.lower[i] = lower[i];
    map.upper[i] = upper[i];
    map.steps[i] = static_cast<int>(steps[i + 1]);
    valid = valid && lower[i] >= -128 && lower[i] <= 127 && upper[i] >= -128 && upper[i] <= 127 &&
            steps[i + 1] > 0 && steps[i + 1] <= 8;
  }
  return finish(made, map, valid && areValid(map, sizes, strides));
}
