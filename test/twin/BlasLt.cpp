// cuBLASLt: D = epilogue(op(A) op(B) + beta C + bias), column-major, by loops that sum in f32.
#include "test/twin/Device.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <cublasLt.h>
#include <vector>

using namespace nnc;

namespace {

// What stands behind the library's opaque handles.

struct Operation {
  bool tf32 = false;
  cublasOperation_t transposeA = CUBLAS_OP_N, transposeB = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void *bias = nullptr;
  cudaDataType_t biasType = CUDA_R_32F;
};

struct Layout {
  cudaDataType_t type;
  uint64_t rows, columns;
  int64_t leading;
  int32_t batch = 1;
  int64_t stride = 0; ///< elements from one matrix of the batch to the next
};

template <class T, class Handle> T *behind(Handle handle) { return reinterpret_cast<T *>(handle); }

template <class T> cublasStatus_t assign(T &to, const void *value, size_t bytes) {
  if (bytes != sizeof(T))
    return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&to, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

size_t elementBytes(cudaDataType_t type) { return type == CUDA_R_32F ? 4 : 2; }

float read(const void *memory, int64_t index, cudaDataType_t type) {
  if (type == CUDA_R_32F)
    return static_cast<const float *>(memory)[index];
  if (type == CUDA_R_16F)
    return static_cast<float>(static_cast<const _Float16 *>(memory)[index]);
  uint32_t bits = uint32_t(static_cast<const uint16_t *>(memory)[index]) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

void write(void *memory, int64_t index, cudaDataType_t type, float value) {
  if (type == CUDA_R_32F) {
    static_cast<float *>(memory)[index] = value;
  } else if (type == CUDA_R_16F) {
    static_cast<_Float16 *>(memory)[index] = static_cast<_Float16>(value);
  } else {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bool isNaN = value != value;
    static_cast<uint16_t *>(memory)[index] =
        isNaN ? 0x7fff : static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
}

float activate(float x, cublasLtEpilogue_t epilogue) {
  if (epilogue == CUBLASLT_EPILOGUE_RELU || epilogue == CUBLASLT_EPILOGUE_RELU_BIAS)
    return x > 0 || x != x ? x : 0;
  if (epilogue == CUBLASLT_EPILOGUE_GELU || epilogue == CUBLASLT_EPILOGUE_GELU_BIAS)
    return 0.5f * x * (1 + std::tanh(0.7978845608f * (x + 0.044715f * x * x * x)));
  return x;
}

bool hasBias(cublasLtEpilogue_t epilogue) {
  return epilogue == CUBLASLT_EPILOGUE_BIAS || epilogue == CUBLASLT_EPILOGUE_RELU_BIAS ||
         epilogue == CUBLASLT_EPILOGUE_GELU_BIAS;
}

bool isKnown(cublasLtEpilogue_t epilogue) {
  return epilogue == CUBLASLT_EPILOGUE_DEFAULT || hasBias(epilogue) ||
         epilogue == CUBLASLT_EPILOGUE_RELU || epilogue == CUBLASLT_EPILOGUE_GELU;
}

/// All that one product needs, by value: it may run later.
struct Product {
  Operation operation;
  Layout layoutA, layoutB, layoutC, layoutD;
  const void *a, *b, *c;
  void *d;
  float alpha, beta;

  /// A float of 10 bits of fraction, as tensor cores take them.
  static float roundToTf32(float value) {
    uint32_t bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7f800000u) == 0x7f800000u)
      return value;
    return std::bit_cast<float>((bits + 0x1000u) & 0xffffe000u);
  }

  /// op(matrix), column-major and dense, as floats.
  std::vector<float> gather(const void *memory, const Layout &layout, int64_t batch,
                            bool transposed) const {
    auto rows = static_cast<int64_t>(layout.rows), columns = static_cast<int64_t>(layout.columns);
    std::vector<float> result(static_cast<size_t>(rows * columns));
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t i = 0; i < rows; ++i)
        result[static_cast<size_t>(transposed ? i * columns + j : j * rows + i)] =
            read(memory, batch * layout.stride + j * layout.leading + i, layout.type);
    if (operation.tf32 && layout.type == CUDA_R_32F)
      std::transform(result.begin(), result.end(), result.begin(), roundToTf32);
    return result;
  }

  bool fits() const {
    bool ta = operation.transposeA != CUBLAS_OP_N, tb = operation.transposeB != CUBLAS_OP_N;
    uint64_t m = ta ? layoutA.columns : layoutA.rows, k = ta ? layoutA.rows : layoutA.columns;
    uint64_t kb = tb ? layoutB.columns : layoutB.rows, n = tb ? layoutB.rows : layoutB.columns;
    return m == layoutD.rows && n == layoutD.columns && k == kb && isInside(a, layoutA) &&
           isInside(b, layoutB) && isInside(d, layoutD) && (beta == 0 || isInside(c, layoutC)) &&
           (!hasBias(operation.epilogue) || operation.bias);
  }

  static bool isInside(const void *memory, const Layout &layout) {
    int64_t last = (layout.batch - 1) * layout.stride +
                   (static_cast<int64_t>(layout.columns) - 1) * layout.leading +
                   static_cast<int64_t>(layout.rows);
    return twin::isDeviceMemory(reinterpret_cast<CUdeviceptr>(memory),
                                static_cast<size_t>(last) * elementBytes(layout.type));
  }

  void runMatrix(int64_t batch) const {
    auto m = static_cast<int64_t>(layoutD.rows), n = static_cast<int64_t>(layoutD.columns);
    bool ta = operation.transposeA != CUBLAS_OP_N, tb = operation.transposeB != CUBLAS_OP_N;
    std::vector<float> left = gather(a, layoutA, batch, ta), right = gather(b, layoutB, batch, tb);
    int64_t depth = m == 0 ? 0 : static_cast<int64_t>(left.size()) / m;
    std::vector<float> column(static_cast<size_t>(m));
    for (int64_t j = 0; j < n; ++j) {
      std::fill(column.begin(), column.end(), 0.0f);
      for (int64_t k = 0; k < depth; ++k)
        for (int64_t i = 0; i < m; ++i)
          column[i] += left[k * m + i] * right[j * depth + k];
      for (int64_t i = 0; i < m; ++i)
        store(batch, i, j, alpha * column[i]);
    }
  }

  void store(int64_t batch, int64_t i, int64_t j, float value) const {
    if (beta != 0)
      value += beta * read(c, batch * layoutC.stride + j * layoutC.leading + i, layoutC.type);
    if (hasBias(operation.epilogue))
      value += read(operation.bias, i, operation.biasType);
    write(d, batch * layoutD.stride + j * layoutD.leading + i, layoutD.type,
          activate(value, operation.epilogue));
  }
};

int libraryHandle;

} // namespace

NNC_TWIN_API size_t cublasLtGetVersion() { return 130000; }

NNC_TWIN_API const char *cublasLtGetStatusString(cublasStatus_t status) {
  switch (status) {
  case CUBLAS_STATUS_SUCCESS:
    return "CUBLAS_STATUS_SUCCESS";
  case CUBLAS_STATUS_INVALID_VALUE:
    return "CUBLAS_STATUS_INVALID_VALUE";
  case CUBLAS_STATUS_NOT_SUPPORTED:
    return "CUBLAS_STATUS_NOT_SUPPORTED";
  default:
    return "CUBLAS_STATUS_EXECUTION_FAILED";
  }
}

NNC_TWIN_API cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
  *handle = reinterpret_cast<cublasLtHandle_t>(&libraryHandle);
  return CUBLAS_STATUS_SUCCESS;
}

NNC_TWIN_API cublasStatus_t cublasLtDestroy(cublasLtHandle_t) { return CUBLAS_STATUS_SUCCESS; }

NNC_TWIN_API cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *operation,
                                                     cublasComputeType_t compute,
                                                     cudaDataType_t scale) {
  bool tf32 = compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  if ((compute != CUBLAS_COMPUTE_32F && !tf32) || scale != CUDA_R_32F)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  *operation = reinterpret_cast<cublasLtMatmulDesc_t>(new Operation{tf32});
  return CUBLAS_STATUS_SUCCESS;
}

NNC_TWIN_API cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  delete behind<Operation>(operation);
  return CUBLAS_STATUS_SUCCESS;
}

NNC_TWIN_API cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle,
                                                           cublasLtMatmulDescAttributes_t attribute,
                                                           const void *value, size_t bytes) {
  auto *operation = behind<Operation>(handle);
  switch (attribute) {
  case CUBLASLT_MATMUL_DESC_TRANSA:
    return assign(operation->transposeA, value, bytes);
  case CUBLASLT_MATMUL_DESC_TRANSB:
    return assign(operation->transposeB, value, bytes);
  case CUBLASLT_MATMUL_DESC_EPILOGUE:
    return assign(operation->epilogue, value, bytes);
  case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
    return assign(operation->bias, value, bytes);
  case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
    return assign(operation->biasType, value, bytes);
  default:
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

NNC_TWIN_API cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout,
                                                       cudaDataType type, uint64_t rows,
                                                       uint64_t columns, int64_t leading) {
  if (type != CUDA_R_32F && type != CUDA_R_16F && type != CUDA_R_16BF)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (rows == 0 || columns == 0 || leading < static_cast<int64_t>(rows))
    return CUBLAS_STATUS_INVALID_VALUE;
  *layout = reinterpret_cast<cublasLtMatrixLayout_t>(new Layout{type, rows, columns, leading});
  return CUBLAS_STATUS_SUCCESS;
}

NNC_TWIN_API cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete behind<Layout>(layout);
  return CUBLAS_STATUS_SUCCESS;
}

NNC_TWIN_API cublasStatus_t cublasLtMatrixLayoutSetAttribute(
    cublasLtMatrixLayout_t handle, cublasLtMatrixLayoutAttribute_t attribute, const void *value,
    size_t bytes) {
  auto *layout = behind<Layout>(handle);
  if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT)
    return assign(layout->batch, value, bytes);
  if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET)
    return assign(layout->stride, value, bytes);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

NNC_TWIN_API cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
  *preference = reinterpret_cast<cublasLtMatmulPreference_t>(&libraryHandle);
  return CUBLAS_STATUS_SUCCESS;
}

NNC_TWIN_API cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t) {
  return CUBLAS_STATUS_SUCCESS;
}

NNC_TWIN_API cublasStatus_t cublasLtMatmulPreferenceSetAttribute(
    cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t, const void *, size_t) {
  return CUBLAS_STATUS_SUCCESS;
}

NNC_TWIN_API cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t, cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t,
    cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
    cublasLtMatmulPreference_t, int, cublasLtMatmulHeuristicResult_t results[], int *count) {
  *count = isKnown(behind<Operation>(operation)->epilogue) ? 1 : 0;
  results[0] = {};
  return CUBLAS_STATUS_SUCCESS;
}

NNC_TWIN_API cublasStatus_t cublasLtMatmul(
    cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void *alpha, const void *a,
    cublasLtMatrixLayout_t layoutA, const void *b, cublasLtMatrixLayout_t layoutB, const void *beta,
    const void *c, cublasLtMatrixLayout_t layoutC, void *d, cublasLtMatrixLayout_t layoutD,
    const cublasLtMatmulAlgo_t *, void *, size_t, cudaStream_t stream) {
  Product product{*behind<Operation>(operation),
                  *behind<Layout>(layoutA),
                  *behind<Layout>(layoutB),
                  *behind<Layout>(layoutC),
                  *behind<Layout>(layoutD),
                  a,
                  b,
                  c,
                  d,
                  *static_cast<const float *>(alpha),
                  *static_cast<const float *>(beta)};
  if (!product.fits()) {
    twin::refuse(CUDA_ERROR_INVALID_VALUE, "the matrices of a product do not fit");
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  CUresult status = twin::enqueue(stream, [product] {
    for (int64_t batch = 0; batch < product.layoutD.batch; ++batch)
      product.runMatrix(batch);
    return CUDA_SUCCESS;
  });
  return status == CUDA_SUCCESS ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
