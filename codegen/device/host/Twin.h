// The host twin: CUDA C++ of this project, compiled for the CPU by clang and run thread by thread.
//
// The source is the very text that NVRTC gets; the prelude's host half (twin.h) takes the place of
// the intrinsics. Threads of a block are fibers; blocks run one after another.
#ifndef NNC_DEVICE_HOST_TWIN_LIBRARY_H
#define NNC_DEVICE_HOST_TWIN_LIBRARY_H

#include "runtime/format/Result.h"

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nnc::twin {

/// Compiles a self-contained translation unit to a shared library of the host; returns its bytes.
/// Libraries are cached in NNC_TWIN_CACHE, else in a folder of the user's in the temporary
/// directory. Errors hold the compiler's messages.
Result<std::string> compile(std::string_view source);

/// A loaded library with kernels.
class Module {
public:
  /// `image` is what compile() returned.
  static Result<std::shared_ptr<Module>> load(std::string_view image);
  ~Module();

  /// Whether there is a kernel of that name.
  bool has(const std::string &symbol) const;

  /// The size of each of a kernel's parameters; empty if there is no such kernel.
  std::vector<size_t> parameterBytes(const std::string &symbol) const;

  /// Runs all blocks before it returns. `params` points to each parameter, as for cuLaunchKernel.
  /// Errors: no such kernel, sizes out of range, threads that wait for each other forever.
  /// Blocks run one after another, those of a cooperative launch taking turns at barriers of the
  /// grid.
  Result<void> launch(const std::string &symbol, std::array<unsigned, 3> grid,
                      std::array<unsigned, 3> block, unsigned sharedBytes, void **params,
                      bool isCooperative = false);

private:
  Module(void *library, int file) : library(library), file(file) {}
  void *library;
  int file; ///< open as long as the library: its number is the name that the loader knows it by
};

/// The order in which the threads of a block run between two barriers. Kernels must not depend on
/// it: running both ways finds missing barriers. Initially Forward, or what NNC_TWIN_ORDER says
/// ("forward" or "reverse").
enum class ThreadOrder { Forward, Reverse };
void setThreadOrder(ThreadOrder order);

} // namespace nnc::twin

#endif
