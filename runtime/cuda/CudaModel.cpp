#include "runtime/cuda/CudaModel.h"
#include "runtime/cpu/ThreadPool.h"
#include "runtime/cuda/Arch.h"
#include "runtime/cuda/Nvrtc.h"

#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

Result<std::shared_ptr<CudaModel>> CudaModel::load(const ModelT &model, const Container &container,
                                                   const WeightData &weights,
                                                   const std::string &name, int gpu) {
  Result<std::shared_ptr<CudaDevice>> device = CudaDevice::open(gpu);
  if (!device)
    return device.error();
  std::shared_ptr<CudaModel> loaded(new CudaModel(*device, model, container, weights, name));
  ContextScope scope(**device);
  for (auto stage : {&CudaModel::copyWeights, &CudaModel::loadModules, &CudaModel::findKernels,
                     &CudaModel::allowSharedMemory, &CudaModel::openBlas})
    if (Result<void> done = (*loaded.*stage)(); !done)
      return Error{fmt::format("cannot load {}: {}", name, done.error().message)};
  return loaded;
}

CudaModel::~CudaModel() {
  if (!handle)
    return;
  ContextScope scope(*gpu);
  blasApi->cublasLtDestroy(handle);
}

/// One piece of device memory holds all weights that kernels read, each as aligned as cuMemAlloc
/// would make it.
Result<void> CudaModel::copyWeights() {
  constexpr size_t Alignment = 256;
  std::vector<bool> isRead = weightsOfSteps(model);
  size_t total = 0;
  for (size_t i = 0; i < model.weights.size(); ++i) {
    offsets.push_back(total);
    if (isRead[i])
      total += (data[i].size() + Alignment - 1) / Alignment * Alignment;
  }
  Result<DeviceMemory> memory = gpu->allocate(total, "the weights");
  if (!memory)
    return memory.error();
  weights = std::move(*memory);
  for (size_t i = 0; i < model.weights.size(); ++i)
    if (isRead[i] && !data[i].empty())
      NNC_CUDA_TRY(gpu->api(), cuMemcpyHtoDAsync, weight(i), data[i].data(), data[i].size(),
                   nullptr);
  if (total > 0)
    NNC_CUDA_TRY(gpu->api(), cuStreamSynchronize, nullptr);
  return {};
}

/// Modules that need NVRTC take their time, so all are loaded in parallel.
Result<void> CudaModel::loadModules() {
  const auto &list = model.cuda->modules;
  modules.resize(list.size());
  std::vector<std::string> errors(list.size());
  ThreadPool::shared().forEach(static_cast<int64_t>(list.size()), [&](int64_t i) {
    auto index = static_cast<size_t>(i);
    ContextScope scope(*gpu);
    Result<ModuleOwner> module = loadModule(*list[index]);
    if (module)
      modules[index] = std::move(*module);
    else
      errors[index] = module.error().message;
  });
  for (const std::string &error : errors)
    if (!error.empty())
      return Error{error};
  return {};
}

Result<ModuleOwner> CudaModel::loadModule(const CudaModuleT &module) const {
  if (const ImageT *image = bestImage(module, gpu->capability())) {
    std::span<const std::byte> bytes =
        container.section(section::Cubins).subspan(image->blob.offset(), image->blob.size());
    bool isUnusable = false;
    Result<ModuleOwner> loaded = loadImage(bytes.data(), module.symbol, isUnusable);
    if (loaded || !isUnusable)
      return loaded;
  }
  return compileModule(module);
}

/// `isUnusable`: the driver cannot run such code, but may run what is compiled anew.
Result<ModuleOwner> CudaModel::loadImage(const void *image, const std::string &symbol,
                                         bool &isUnusable) const {
  CUmodule module = nullptr;
  CUresult status = gpu->api().cuModuleLoadDataEx(&module, image, 0, nullptr, nullptr);
  isUnusable = status == CUDA_ERROR_NO_BINARY_FOR_GPU || status == CUDA_ERROR_INVALID_IMAGE;
  Result<void> loaded = check(gpu->api(), status, "cuModuleLoadDataEx");
  if (!loaded)
    return Error{fmt::format("kernel `{}`: {}", symbol, loaded.error().message)};
  return ModuleOwner(gpu, module);
}

Result<ModuleOwner> CudaModel::compileModule(const CudaModuleT &module) const {
  std::string arch = nativeArch(gpu->capability());
  Result<const NvrtcApi *> nvrtc = nvrtcApi();
  if (!nvrtc)
    return Error{fmt::format("it has no code for {} ({}), and there is no NVRTC to compile it "
                             "({}); compile the model with --arch {}",
                             gpu->name(), arch, nvrtc.error().message, arch)};
  std::span<const std::byte> text =
      container.section(section::Source).subspan(module.source.offset(), module.source.size());
  std::string source(reinterpret_cast<const char *>(text.data()), text.size());
  Result<NvrtcOutput> compiled =
      compileCuda(**nvrtc, source, module.symbol + ".cu", arch, model.cuda->options);
  if (!compiled)
    return compiled.error();
  bool isUnusable = false;
  return loadImage(compiled->image.data(), module.symbol, isUnusable);
}

Result<void> CudaModel::findKernels() {
  for (const std::unique_ptr<KernelT> &kernel : model.kernels) {
    CUfunction function = nullptr;
    CUmodule module = modules[kernel->cuda_module].get();
    CUresult status = gpu->api().cuModuleGetFunction(&function, module, kernel->symbol.c_str());
    if (Result<void> found = check(gpu->api(), status, "cuModuleGetFunction"); !found)
      return Error{fmt::format("kernel `{}`: {}", kernel->symbol, found.error().message)};
    functions.push_back(function);
  }
  return {};
}

/// A loop whose kernel needs more than a block of this GPU can have runs step by step.
void CudaModel::allowLoop(const LoopT &loop) {
  CUresult status = gpu->api().cuFuncSetAttribute(functions[static_cast<size_t>(loop.kernel)],
                                                  CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                                  static_cast<int>(loop.shared_bytes));
  int perProcessor = 0;
  if (status == CUDA_SUCCESS)
    status = gpu->api().cuOccupancyMaxActiveBlocksPerMultiprocessor(
        &perProcessor, functions[static_cast<size_t>(loop.kernel)], static_cast<int>(loop.threads),
        loop.shared_bytes);
  if (status == CUDA_SUCCESS && perProcessor > 0 && gpu->canCooperate())
    loops.insert(&loop);
}

/// Unless it is asked for, 48 KiB hold a kernel's dynamic shared memory and what it declares
/// itself.
Result<void> CudaModel::allowSharedMemory() {
  std::vector<uint32_t> most(model.kernels.size());
  for (const std::unique_ptr<EntryT> &entry : model.entries)
    forEachStep(entry->steps, [&](const StepT &step) {
      if (const LaunchT *launch = step.what.AsLaunch())
        most[launch->kernel] = std::max(most[launch->kernel], sharedOf(*launch));
      else if (const LoopT *loop = step.what.AsLoop(); loop && loop->kernel >= 0)
        allowLoop(*loop);
    });
  for (size_t i = 0; i < most.size(); ++i) {
    if (most[i] == 0)
      continue;
    CUresult status = gpu->api().cuFuncSetAttribute(
        functions[i], CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, static_cast<int>(most[i]));
    if (Result<void> allowed = check(gpu->api(), status, "cuFuncSetAttribute"); !allowed)
      return Error{fmt::format("kernel `{}` needs {} bytes of shared memory: {}",
                               model.kernels[i]->symbol, most[i], allowed.error().message)};
  }
  return {};
}

Result<void> CudaModel::openBlas() {
  bool hasGemm = false;
  for (const std::unique_ptr<EntryT> &entry : model.entries)
    forEachStep(entry->steps,
                [&](const StepT &step) { hasGemm |= step.what.type == StepKind::Gemm; });
  if (!hasGemm)
    return {};
  Result<const BlasLtApi *> api = blasLtApi();
  if (!api)
    return Error{fmt::format("it needs cuBLASLt: {}", api.error().message)};
  blasApi = *api;
  return check(*blasApi, blasApi->cublasLtCreate(&handle), "cublasLtCreate");
}
