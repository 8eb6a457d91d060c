#include "runtime/cuda/Nvrtc.h"
#include "runtime/format/FileCache.h"
#include "runtime/format/Hash.h"

#include <dlfcn.h>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

namespace {

/// A program of NVRTC that destroys itself.
struct Program {
  const NvrtcApi &api;
  nvrtcProgram handle = nullptr;
  ~Program() {
    if (handle)
      api.nvrtcDestroyProgram(&handle);
  }
};

std::string logOf(const Program &program) {
  size_t size = 0;
  if (program.api.nvrtcGetProgramLogSize(program.handle, &size) != NVRTC_SUCCESS || size <= 1)
    return "";
  std::string log(size, '\0');
  program.api.nvrtcGetProgramLog(program.handle, log.data());
  log.resize(size - 1); // the final zero
  return log;
}

Error failure(const NvrtcApi &api, nvrtcResult status, const std::string &what) {
  return Error{fmt::format("{}: {}", what, api.nvrtcGetErrorString(status))};
}

Result<std::vector<char>> imageOf(const Program &program, bool ptx, const std::string &name) {
  const NvrtcApi &api = program.api;
  size_t size = 0;
  nvrtcResult status = ptx ? api.nvrtcGetPTXSize(program.handle, &size)
                           : api.nvrtcGetCUBINSize(program.handle, &size);
  std::vector<char> image(size);
  if (status == NVRTC_SUCCESS)
    status = ptx ? api.nvrtcGetPTX(program.handle, image.data())
                 : api.nvrtcGetCUBIN(program.handle, image.data());
  if (status != NVRTC_SUCCESS)
    return failure(api, status, "NVRTC has no code for " + name);
  if (ptx && !image.empty())
    image.pop_back(); // the final zero
  return image;
}

} // namespace

static Result<NvrtcOutput> compile(const NvrtcApi &api, const std::string &source,
                                   const std::string &name, const std::string &arch,
                                   std::span<const std::string> options) {
  Program program{api};
  nvrtcResult status =
      api.nvrtcCreateProgram(&program.handle, source.c_str(), name.c_str(), 0, nullptr, nullptr);
  if (status != NVRTC_SUCCESS)
    return failure(api, status, "NVRTC cannot take " + name);

  std::string architecture = "--gpu-architecture=" + arch;
  std::vector<const char *> arguments = {architecture.c_str()};
  for (const std::string &option : options)
    arguments.push_back(option.c_str());
  status =
      api.nvrtcCompileProgram(program.handle, static_cast<int>(arguments.size()), arguments.data());
  std::string log = logOf(program);
  if (status != NVRTC_SUCCESS) {
    Error error = failure(api, status, fmt::format("NVRTC cannot compile {} for {}", name, arch));
    return Error{error.message + (log.empty() ? "" : "\n" + log)};
  }

  Result<std::vector<char>> image = imageOf(program, arch.starts_with("compute_"), name);
  if (!image)
    return image.error();
  return NvrtcOutput{std::move(*image), std::move(log)};
}

/// NVRTC by its version and the library's file: updates do not always change the version.
static uint64_t nvrtcIdentity(const NvrtcApi &api) {
  int major = 0, minor = 0;
  api.nvrtcVersion(&major, &minor);
  Dl_info info;
  bool hasFile = dladdr(reinterpret_cast<void *>(api.nvrtcVersion), &info) && info.dli_fname;
  uint64_t file = hasFile ? fileIdentity(info.dli_fname) : 0;
  return hash(CacheKey().add(uint64_t(major)).add(uint64_t(minor)).add(file).text());
}

Result<NvrtcOutput> rt::compileCuda(const NvrtcApi &api, const std::string &source,
                                    const std::string &name, const std::string &arch,
                                    std::span<const std::string> options, bool cached) {
  FileCache &cache = FileCache::shared();
  if (!cached || !cache.isOn())
    return compile(api, source, name, arch, options);
  static const uint64_t identity = nvrtcIdentity(api);
  CacheKey key;
  key.add("nvrtc").add(identity).add(arch).add(name).add(source);
  for (const std::string &option : options)
    key.add(option);
  if (std::optional<std::string> known = cache.find(key.text()))
    return NvrtcOutput{{known->begin(), known->end()}, ""};
  Result<NvrtcOutput> output = compile(api, source, name, arch, options);
  if (output)
    cache.store(key.text(), {output->image.data(), output->image.size()});
  return output;
}
