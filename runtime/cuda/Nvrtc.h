// CUDA C++ to machine code, for the compiler and for models that meet a new architecture at load.
#ifndef NNC_RUNTIME_CUDA_NVRTC_H
#define NNC_RUNTIME_CUDA_NVRTC_H

#include "runtime/cuda/Driver.h"

#include <span>
#include <string>
#include <vector>

namespace nnc::rt {

struct NvrtcOutput {
  std::vector<char> image; ///< a cubin, or PTX text without the final zero
  std::string log;         ///< warnings; empty if there were none
};

/// Compiles `source` for `arch`: "sm_90a" makes a cubin, "compute_90a" PTX. `name` stands for the
/// file in messages. What was compiled before is taken from format::FileCache::shared() (unless
/// `cached` is false), without its log. Safe to call from several threads. Errors carry NVRTC's
/// log.
Result<NvrtcOutput> compileCuda(const NvrtcApi &api, const std::string &source,
                                const std::string &name, const std::string &arch,
                                std::span<const std::string> options, bool cached = true);

} // namespace nnc::rt

#endif
