// Images and launches.
#include "test/twin/Device.h"

#include "codegen/device/host/Twin.h"
#include "codegen/device/host/state.h"

#include <atomic>
#include <cstring>
#include <elf.h>
#include <map>
#include <mutex>
#include <vector>

using namespace nnc;

struct CUmod_st {
  std::shared_ptr<twin::Module> library;
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<CUfunc_st>> functions;
};

struct CUfunc_st {
  std::shared_ptr<twin::Module> library;
  std::string symbol;
  std::vector<size_t> parameterBytes;
  /// Of 48 KiB, the rest for what the kernel declares itself.
  std::atomic<unsigned> allowedShared = 32 << 10;
};

namespace {

/// The size of an ELF file, which says so itself if its section headers come last.
size_t imageBytes(const Elf64_Ehdr &header) {
  return header.e_shoff + size_t(header.e_shnum) * header.e_shentsize;
}

/// The parameters of one launch, copied, because it may run later.
class Parameters {
public:
  Parameters(const std::vector<size_t> &sizes, void **values) {
    for (size_t i = 0; i < sizes.size(); ++i) {
      const char *bytes = static_cast<const char *>(values[i]);
      storage.emplace_back(bytes, bytes + sizes[i]);
    }
  }
  std::vector<void *> pointers() {
    std::vector<void *> result;
    for (std::vector<char> &value : storage)
      result.push_back(value.data());
    return result;
  }

private:
  std::vector<std::vector<char>> storage;
};

} // namespace

NNC_TWIN_API CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned,
                                         CUjit_option *, void **) {
  if (!twin::hasContext())
    return CUDA_ERROR_INVALID_CONTEXT;
  Elf64_Ehdr header;
  std::memcpy(&header, image, sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return CUDA_ERROR_INVALID_IMAGE;
  if (header.e_machine != EM_X86_64) // made by the real NVRTC
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
  auto library = twin::Module::load({static_cast<const char *>(image), imageBytes(header)});
  if (!library)
    return twin::refuse(CUDA_ERROR_INVALID_IMAGE, library.error().message.c_str());
  *module = new CUmod_st{*library, {}, {}};
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuModuleUnload(CUmodule module) {
  delete module;
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  std::lock_guard lock(module->mutex);
  if (!module->library->has(name))
    return CUDA_ERROR_NOT_FOUND;
  std::unique_ptr<CUfunc_st> &known = module->functions[name];
  if (!known) {
    known = std::make_unique<CUfunc_st>();
    known->library = module->library;
    known->symbol = name;
    known->parameterBytes = module->library->parameterBytes(name);
  }
  *function = known.get();
  return CUDA_SUCCESS;
}

NNC_TWIN_API CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute,
                                         int value) {
  constexpr int Most = 227 << 10;
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 || value > Most)
    return CUDA_ERROR_INVALID_VALUE;
  function->allowedShared = static_cast<unsigned>(value);
  return CUDA_SUCCESS;
}

/// As many blocks as the twin runs at once in a cooperative launch: enough for them to wait for one
/// another, and fewer than most kernels ask for.
static constexpr unsigned ResidentBlocks = 3;

NNC_TWIN_API CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *count, CUfunction, int,
                                                                  size_t) {
  *count = ResidentBlocks;
  return CUDA_SUCCESS;
}

static CUresult launch(CUfunction function, NncTwinIndex grid, NncTwinIndex block,
                       unsigned sharedBytes, CUstream stream, void **params, bool isCooperative) {
  if (sharedBytes > function->allowedShared)
    return twin::refuse(CUDA_ERROR_INVALID_VALUE, "more shared memory than was allowed");
  auto parameters = std::make_shared<Parameters>(function->parameterBytes, params);
  auto work = [=]() -> CUresult {
    auto done = function->library->launch(function->symbol, {grid.x, grid.y, grid.z},
                                          {block.x, block.y, block.z}, sharedBytes,
                                          parameters->pointers().data(), isCooperative);
    return done ? CUDA_SUCCESS
                : twin::refuse(CUDA_ERROR_LAUNCH_FAILED, done.error().message.c_str());
  };
  unsigned blocks = grid.x * grid.y * grid.z, threads = block.x * block.y * block.z;
  if (blocks == 0 || threads == 0 || threads > 1024)
    return twin::refuse(CUDA_ERROR_INVALID_VALUE, "a launch of no blocks or no threads");
  if (isCooperative && (blocks > ResidentBlocks || threads % 32 != 0))
    return twin::refuse(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE,
                        "a cooperative launch of more blocks than run at once");
  return twin::enqueue(stream, work);
}

NNC_TWIN_API CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function,
                                       void **params, void **) {
  for (unsigned i = 0; i < config->numAttrs; ++i)
    if (config->attrs[i].id != CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION)
      return CUDA_ERROR_INVALID_VALUE;
  return launch(function, {config->gridDimX, config->gridDimY, config->gridDimZ},
                {config->blockDimX, config->blockDimY, config->blockDimZ}, config->sharedMemBytes,
                config->hStream, params, /*isCooperative=*/false);
}

NNC_TWIN_API CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned gridX, unsigned gridY,
                                                unsigned gridZ, unsigned blockX, unsigned blockY,
                                                unsigned blockZ, unsigned sharedBytes,
                                                CUstream stream, void **params) {
  return launch(function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, sharedBytes, stream,
                params, /*isCooperative=*/true);
}
