//===- Cubin.h - CUDA C++ text to device code ---------------------------------------*- C++ -*-===//
//
// Compiles generated CUDA C++ by NVRTC, which is opened at run time and needs no GPU. Knows nothing
// of MLIR.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_CUBIN_H
#define NNC_CODEGEN_CUDA_CUBIN_H

#include "runtime/format/Result.h"
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nnc::codegen {

/// Device code of one translation unit for one architecture.
struct Cubin {
  std::string arch;  ///< as asked for: "sm_90a"
  std::string bytes; ///< an ELF image that cuModuleLoadData takes
};

/// The text of a file of codegen/device ("prelude.cuh", "gemm.cuh"), embedded at build time; empty
/// if there is none of that name.
std::string_view deviceHeader(std::string_view name);

/// `source` with its `#include "x.cuh"` lines replaced by the embedded files: self-contained CUDA
/// C++ which compilers get and model.bin carries. The same text compiles for the host against
/// codegen/device/host (the twin).
std::string translationUnit(std::string_view source);

/// The options that every kernel is compiled with, but for --gpu-architecture. The runtime uses the
/// same when it compiles the carried source for an architecture that is missing.
std::span<const char *const> nvrtcOptions();

/// Compiles each of `sources` (as in CudaKernel::source) for each of `archs` in parallel threads.
/// The result of source i and architecture j is at i * archs.size() + j. Errors hold NVRTC's log.
/// With `cached`, images that were compiled before come from the user's cache.
Result<std::vector<Cubin>> compileCubins(std::span<const std::string> sources,
                                         std::span<const std::string> archs, bool cached = true);

/// The PTX of one source for one architecture ("sm_90a"), for reading.
Result<std::string> compilePtx(std::string_view source, std::string_view arch);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_CUBIN_H
