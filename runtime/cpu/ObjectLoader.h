//===- ObjectLoader.h - loads the cpu code of a model -----------*- C++ -*-===//
//
// A small loader for ELF x86-64 relocatable objects, so that the runtime needs neither LLVM nor a
// linker. The bytes are not trusted to be well formed: every offset and size is checked before it
// is used. (Code that is loaded is trusted to run: whoever can write a model's code section runs as
// its user.)
//
//===----------------------------------------------------------------------===//
#ifndef NNC_RUNTIME_CPU_OBJECTLOADER_H
#define NNC_RUNTIME_CPU_OBJECTLOADER_H

#include "runtime/format/Result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nnc::rt {

/// A kernel of the cpu target; codegen/cpu/CpuTarget.h describes the arguments.
using CpuKernelFn = void (*)(void *const *buffers, const int64_t *dims, int64_t block);

/// Fails with a sentence naming the first feature that the host's CPU or operating system lacks.
/// Names are those of CpuFeatures.def; an unknown name fails as well.
Result<void> checkCpuFeatures(std::span<const std::string> features);

/// The code of one object, mapped executable (never writable and executable at once).
class LoadedObject {
public:
  /// Maps `elf`, applies its relocations and resolves externs against Externs.def only.
  static Result<LoadedObject> load(std::span<const std::byte> elf);

  LoadedObject(LoadedObject &&other) noexcept;
  LoadedObject &operator=(LoadedObject &&other) noexcept;
  LoadedObject(const LoadedObject &) = delete;
  ~LoadedObject();

  /// The global function named `symbol`, or null if the object has none.
  CpuKernelFn find(std::string_view symbol) const;

private:
  LoadedObject() = default;

  void *memory = nullptr;
  size_t bytes = 0;
  std::unordered_map<std::string, uintptr_t> functions;
};

} // namespace nnc::rt

#endif
