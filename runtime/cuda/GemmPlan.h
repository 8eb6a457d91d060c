// One product of matrices as cuBLASLt takes it, for one set of sizes.
#ifndef NNC_RUNTIME_CUDA_GEMMPLAN_H
#define NNC_RUNTIME_CUDA_GEMMPLAN_H

#include "runtime/CallSizes.h"
#include "runtime/cuda/CudaModel.h"

#include <cublasLt.h>

namespace nnc::rt {

/// Device addresses of the operands; 0 for those that the gemm does not have.
struct GemmPointers {
  CUdeviceptr a, b, bias, residual, d;
};

/// The scratch memory that an algorithm may use.
struct GemmWorkspace {
  CUdeviceptr address;
  size_t bytes;
};

class GemmPlan {
public:
  /// Asks the library for its best algorithm. Errors: an element type that it cannot multiply, or
  /// the library's own.
  static Result<std::unique_ptr<GemmPlan>> make(const CudaModel &model, const format::EntryT &entry,
                                                const format::GemmT &gemm, const CallSizes &sizes,
                                                const GemmPointers &pointers,
                                                const GemmWorkspace &workspace);
  ~GemmPlan();

  /// Runs it on other addresses, which must be aligned like those that it was made for.
  Result<void> run(const GemmPointers &pointers, CUstream stream) const;

private:
  /// What the library wants to know about one stored matrix, column-major.
  struct Matrix {
    int64_t rows, columns, stride;
  };

  GemmPlan(const CudaModel &model, const GemmPointers &pointers, const GemmWorkspace &workspace)
      : model(model), pointers(pointers), workspace(workspace) {}
  Result<void> describe(const format::GemmT &gemm, DType type);
  Result<void> setEpilogue(const format::GemmT &gemm);
  Result<void> addLayout(cublasLtMatrixLayout_t &layout, DType type, Matrix matrix, int64_t batch);
  Result<void> choose(DType type);

  const CudaModel &model;
  GemmPointers pointers;
  GemmWorkspace workspace;
  bool isEmpty = false; // m, n or the batch is 0
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t left = nullptr, right = nullptr, result = nullptr;
  cublasLtMatmulAlgo_t algorithm;
};

} // namespace nnc::rt

#endif
