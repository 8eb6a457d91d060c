// A model on one GPU, shared by all sessions there: its weights and its code.
#ifndef NNC_RUNTIME_CUDA_CUDAMODEL_H
#define NNC_RUNTIME_CUDA_CUDAMODEL_H

#include "runtime/WeightData.h"
#include "runtime/cuda/BlasLt.h"
#include "runtime/cuda/CudaDevice.h"

#include <set>

namespace nnc::rt {

class CudaModel {
public:
  /// Copies the weights and loads each module: the cubin that fits the GPU best, else the source,
  /// compiled by NVRTC. Errors: no such GPU, too little memory, no code for it and no NVRTC.
  static Result<std::shared_ptr<CudaModel>> load(const format::ModelT &model,
                                                 const format::Container &container,
                                                 const WeightData &weights, const std::string &name,
                                                 int gpu);
  ~CudaModel();

  const std::shared_ptr<CudaDevice> &device() const { return gpu; }
  /// By index of Model.weights.
  CUdeviceptr weight(size_t index) const { return weights.get() + offsets[index]; }
  /// By index of Model.kernels.
  CUfunction kernel(size_t index) const { return functions[index]; }
  /// The dynamic shared memory of a block.
  uint32_t sharedOf(const format::LaunchT &launch) const {
    bool isElsewhere = launch.shared_elsewhere && !gpu->hasPipelines();
    return isElsewhere ? launch.shared_elsewhere : launch.shared_bytes;
  }
  /// Whether this GPU can run the loop, of the model's plan, by its one kernel.
  bool runsAsOneLaunch(const format::LoopT &loop) const { return loops.contains(&loop); }
  /// Only of models with gemms.
  const BlasLtApi &blas() const { return *blasApi; }
  cublasLtHandle_t blasHandle() const { return handle; }

private:
  CudaModel(std::shared_ptr<CudaDevice> gpu, const format::ModelT &model,
            const format::Container &container, const WeightData &data, const std::string &name)
      : gpu(std::move(gpu)), model(model), container(container), data(data), name(name) {}

  Result<void> copyWeights();
  Result<void> loadModules();
  Result<ModuleOwner> loadModule(const format::CudaModuleT &module) const;
  Result<ModuleOwner> loadImage(const void *image, const std::string &symbol,
                                bool &isUnusable) const;
  Result<ModuleOwner> compileModule(const format::CudaModuleT &module) const;
  Result<void> findKernels();
  Result<void> allowSharedMemory();
  void allowLoop(const format::LoopT &loop);
  Result<void> openBlas();

  std::shared_ptr<CudaDevice> gpu;
  const format::ModelT &model;
  const format::Container &container;
  const WeightData &data;
  std::string name;
  DeviceMemory weights;
  std::vector<size_t> offsets; // in `weights`
  std::vector<ModuleOwner> modules;
  std::vector<CUfunction> functions;
  std::set<const format::LoopT *> loops; // that can be one launch
  const BlasLtApi *blasApi = nullptr;
  cublasLtHandle_t handle = nullptr;
};

} // namespace nnc::rt

#endif
