// cuBLASLt is column-major and the plan row-major: a row-major matrix is its own transpose there,
// so d = a @ b is computed as d^T = b^T @ a^T with the operands swapped and nothing moved.
#include "runtime/cuda/GemmPlan.h"

#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

#define NNC_BLAS_TRY(FUNCTION, ...)                                                                \
  if (Result<void> status = check(model.blas(), model.blas().FUNCTION(__VA_ARGS__), #FUNCTION);    \
      !status)                                                                                     \
  return status

static std::optional<cudaDataType_t> cudaType(DType type) {
  switch (type) {
  case DType::F32:
    return CUDA_R_32F;
  case DType::F16:
    return CUDA_R_16F;
  case DType::BF16:
    return CUDA_R_16BF;
  default:
    return std::nullopt;
  }
}

Result<std::unique_ptr<GemmPlan>> GemmPlan::make(const CudaModel &model, const EntryT &entry,
                                                 const GemmT &gemm, const CallSizes &sizes,
                                                 const GemmPointers &pointers,
                                                 const GemmWorkspace &workspace) {
  auto type = static_cast<DType>(entry.buffers[gemm.d]->dtype);
  if (!cudaType(type))
    return Error{fmt::format("cuBLASLt does not multiply {}", dtypeName(type))};
  std::unique_ptr<GemmPlan> plan(new GemmPlan(model, pointers, workspace));
  int64_t m = sizes.value(gemm.m), n = sizes.value(gemm.n), k = sizes.value(gemm.k);
  int64_t batch = sizes.value(gemm.batch);
  if (m < 0 || n < 0 || k <= 0 || batch < 0)
    return Error{fmt::format("a product of sizes m = {}, n = {}, k = {}", m, n, k)};
  plan->isEmpty = m == 0 || n == 0 || batch == 0;
  if (plan->isEmpty)
    return plan;

  Matrix b = gemm.transpose_b ? Matrix{k, n, 0} : Matrix{n, k, 0};
  Matrix a = gemm.transpose_a ? Matrix{m, k, 0} : Matrix{k, m, 0};
  Matrix d = {n, m, sizes.value(gemm.stride_d)};
  a.stride = sizes.value(gemm.stride_a);
  b.stride = sizes.value(gemm.stride_b);
  if (Result<void> done = plan->describe(gemm, type); !done)
    return done.error();
  if (Result<void> done = plan->addLayout(plan->left, type, b, batch); !done)
    return done.error();
  if (Result<void> done = plan->addLayout(plan->right, type, a, batch); !done)
    return done.error();
  if (Result<void> done = plan->addLayout(plan->result, type, d, batch); !done)
    return done.error();
  if (Result<void> done = plan->choose(type); !done)
    return done.error();
  return plan;
}

GemmPlan::~GemmPlan() {
  for (cublasLtMatrixLayout_t layout : {left, right, result})
    if (layout)
      model.blas().cublasLtMatrixLayoutDestroy(layout);
  if (operation)
    model.blas().cublasLtMatmulDescDestroy(operation);
}

/// f32 in and out stays f32 unless the model allows TF32: COMPUTE_32F never uses it.
Result<void> GemmPlan::describe(const GemmT &gemm, DType type) {
  cublasComputeType_t compute =
      gemm.tf32 && type == DType::F32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  NNC_BLAS_TRY(cublasLtMatmulDescCreate, &operation, compute, CUDA_R_32F);
  cublasOperation_t transposeLeft = gemm.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  cublasOperation_t transposeRight = gemm.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  NNC_BLAS_TRY(cublasLtMatmulDescSetAttribute, operation, CUBLASLT_MATMUL_DESC_TRANSA,
               &transposeLeft, sizeof(transposeLeft));
  NNC_BLAS_TRY(cublasLtMatmulDescSetAttribute, operation, CUBLASLT_MATMUL_DESC_TRANSB,
               &transposeRight, sizeof(transposeRight));
  if (Result<void> set = setEpilogue(gemm); !set || gemm.bias < 0)
    return set;
  auto *bias = reinterpret_cast<const void *>(pointers.bias);
  NNC_BLAS_TRY(cublasLtMatmulDescSetAttribute, operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
               sizeof(bias));
  cudaDataType_t biasType = *cudaType(type);
  NNC_BLAS_TRY(cublasLtMatmulDescSetAttribute, operation, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE,
               &biasType, sizeof(biasType));
  return {};
}

Result<void> GemmPlan::setEpilogue(const GemmT &gemm) {
  bool bias = gemm.bias >= 0;
  cublasLtEpilogue_t epilogue = bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  if (gemm.epilogue == Epilogue::Relu)
    epilogue = bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
  if (gemm.epilogue == Epilogue::Gelu)
    epilogue = bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
  NNC_BLAS_TRY(cublasLtMatmulDescSetAttribute, operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
               sizeof(epilogue));
  return {};
}

Result<void> GemmPlan::addLayout(cublasLtMatrixLayout_t &layout, DType type, Matrix matrix,
                                 int64_t batch) {
  NNC_BLAS_TRY(cublasLtMatrixLayoutCreate, &layout, *cudaType(type),
               static_cast<uint64_t>(matrix.rows), static_cast<uint64_t>(matrix.columns),
               matrix.rows);
  if (batch == 1)
    return {};
  auto count = static_cast<int32_t>(batch);
  NNC_BLAS_TRY(cublasLtMatrixLayoutSetAttribute, layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
               sizeof(count));
  NNC_BLAS_TRY(cublasLtMatrixLayoutSetAttribute, layout,
               CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &matrix.stride, sizeof(matrix.stride));
  return {};
}

namespace {

/// What to look for in an algorithm; destroys itself.
struct Preference {
  const BlasLtApi &api;
  cublasLtMatmulPreference_t handle = nullptr;
  ~Preference() {
    if (handle)
      api.cublasLtMatmulPreferenceDestroy(handle);
  }
};

} // namespace

/// The library's first choice among algorithms that keep partial sums in f32 and always add them in
/// the same order.
Result<void> GemmPlan::choose(DType type) {
  constexpr uint32_t Aligned = 16;
  CUdeviceptr all = pointers.a | pointers.b | pointers.d | pointers.residual;
  uint32_t alignment = all % Aligned == 0 ? Aligned : static_cast<uint32_t>(dtypeBytes(type));
  uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;

  Preference preference{model.blas()};
  auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto &value) {
    return check(model.blas(),
                 model.blas().cublasLtMatmulPreferenceSetAttribute(preference.handle, attribute,
                                                                   &value, sizeof(value)),
                 "cublasLtMatmulPreferenceSetAttribute");
  };
  NNC_BLAS_TRY(cublasLtMatmulPreferenceCreate, &preference.handle);
  if (Result<void> done = set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace.bytes); !done)
    return done;
  if (Result<void> done = set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, schemes); !done)
    return done;
  for (auto attribute :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    if (Result<void> done = set(attribute, alignment); !done)
      return done;

  cublasLtMatmulHeuristicResult_t found = {};
  int count = 0;
  NNC_BLAS_TRY(cublasLtMatmulAlgoGetHeuristic, model.blasHandle(), operation, left, right, result,
               result, preference.handle, 1, &found, &count);
  if (count == 0)
    return Error{"cuBLASLt has no algorithm for this product"};
  algorithm = found.algo;
  return {};
}

Result<void> GemmPlan::run(const GemmPointers &pointers, CUstream stream) const {
  if (isEmpty)
    return {};
  float alpha = 1, beta = pointers.residual ? 1 : 0;
  CUdeviceptr added = pointers.residual ? pointers.residual : pointers.d;
  auto at = [](CUdeviceptr address) { return reinterpret_cast<void *>(address); };
  return check(model.blas(),
               model.blas().cublasLtMatmul(model.blasHandle(), operation, &alpha, at(pointers.b),
                                           left, at(pointers.a), right, &beta, at(added), result,
                                           at(pointers.d), result, &algorithm,
                                           at(workspace.address), workspace.bytes, stream),
               "cublasLtMatmul");
}
