// NVRTC: the image is a library of the host.
#include "test/twin/Device.h"

#include "codegen/device/host/Twin.h"

#include <cstring>
#include <nvrtc.h>
#include <string>
#include <string_view>

struct _nvrtcProgram {
  std::string source, image, log;
};

namespace {

/// What the compiler and the runtime pass; a misspelt option fails here as it does there.
bool isKnownOption(std::string_view option) {
  return option == "--minimal" || option == "-lineinfo" || option.starts_with("--std=") ||
         option.starts_with("--gpu-architecture=sm_");
}

nvrtcResult copyText(const std::string &text, char *to) {
  std::memcpy(to, text.c_str(), text.size() + 1);
  return NVRTC_SUCCESS;
}

} // namespace

NNC_TWIN_API nvrtcResult nvrtcVersion(int *major, int *minor) {
  *major = CUDA_VERSION / 1000;
  *minor = CUDA_VERSION % 1000 / 10;
  return NVRTC_SUCCESS;
}

NNC_TWIN_API const char *nvrtcGetErrorString(nvrtcResult status) {
  switch (status) {
  case NVRTC_SUCCESS:
    return "NVRTC_SUCCESS";
  case NVRTC_ERROR_INVALID_OPTION:
    return "NVRTC_ERROR_INVALID_OPTION";
  case NVRTC_ERROR_COMPILATION:
    return "NVRTC_ERROR_COMPILATION";
  case NVRTC_ERROR_INVALID_INPUT:
    return "NVRTC_ERROR_INVALID_INPUT";
  case NVRTC_ERROR_INVALID_PROGRAM:
    return "NVRTC_ERROR_INVALID_PROGRAM";
  default:
    return "NVRTC_ERROR_INTERNAL_ERROR";
  }
}

NNC_TWIN_API nvrtcResult nvrtcCreateProgram(nvrtcProgram *program, const char *source, const char *,
                                            int headers, const char *const *, const char *const *) {
  if (headers != 0)
    return NVRTC_ERROR_INVALID_INPUT; // sources are self-contained
  *program = new _nvrtcProgram{source, {}, {}};
  return NVRTC_SUCCESS;
}

NNC_TWIN_API nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int count,
                                             const char *const *options) {
  for (int i = 0; i < count; ++i)
    if (!isKnownOption(options[i])) {
      program->log = std::string("the twin does not know the option ") + options[i];
      return NVRTC_ERROR_INVALID_OPTION;
    }
  auto image = nnc::twin::compile(program->source);
  if (!image) {
    program->log = image.error().message;
    return NVRTC_ERROR_COMPILATION;
  }
  program->image = std::move(*image);
  return NVRTC_SUCCESS;
}

NNC_TWIN_API nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t *size) {
  *size = program->image.size();
  return program->image.empty() ? NVRTC_ERROR_INVALID_PROGRAM : NVRTC_SUCCESS;
}

NNC_TWIN_API nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char *image) {
  std::memcpy(image, program->image.data(), program->image.size());
  return NVRTC_SUCCESS;
}

/// There is no PTX: asking for it without a GPU's compiler makes no sense.
NNC_TWIN_API nvrtcResult nvrtcGetPTXSize(nvrtcProgram, size_t *) {
  return NVRTC_ERROR_INVALID_PROGRAM;
}
NNC_TWIN_API nvrtcResult nvrtcGetPTX(nvrtcProgram, char *) { return NVRTC_ERROR_INVALID_PROGRAM; }

NNC_TWIN_API nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t *size) {
  *size = program->log.size() + 1;
  return NVRTC_SUCCESS;
}

NNC_TWIN_API nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char *log) {
  return copyText(program->log, log);
}

NNC_TWIN_API nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program) {
  delete *program;
  *program = nullptr;
  return NVRTC_SUCCESS;
}
