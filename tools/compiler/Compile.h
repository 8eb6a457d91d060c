// The compiler as a library: `.nn` in, a model that runs in this process or is saved as model.bin
// out. Installed as <nnc/Compile.h>.
//
//   auto model = nnc::compile("lenet.nn", {.target = "cuda", .weights = "lenet.safetensors"});
//   if (!model)
//     return fail(model.error().message);
//   auto session = model->session();
#ifndef NNC_TOOLS_COMPILER_COMPILE_H
#define NNC_TOOLS_COMPILER_COMPILE_H

#include "runtime/Engine.h"
#include "runtime/format/Result.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace nnc {

struct CompileOptions {
  /// "cpu" or "cuda"; empty: cuda where a GPU is, else cpu.
  std::string target;
  /// cuda: architectures to compile for, e.g. {"sm_90a", "sm_80"}. Empty: the GPU's own, or both of
  /// these where there is none.
  std::vector<std::string> archs;
  /// cpu: LLVM's name of the processor ("x86-64-v3"), or "native" for this machine's.
  std::string cpu = "native";
  /// A .safetensors file, the index of a sharded one, or a folder with either; empty: the model's
  /// @weights, or fresh weights.
  std::string weights;
  /// Leaves weights in the checkpoint's files where they can be used as they are; model.bin then
  /// refers to these by relative path and hash.
  bool externalWeights = false;
  /// The model to compile, of several in the file.
  std::string model;
  /// The entry points to compile; empty: all.
  std::vector<std::string> entries;
  /// Hyperparameters by name, as on the command line: {{"classes", "100"}}.
  std::vector<std::pair<std::string, std::string>> set;
  /// A JSON file with hyperparameters, by name or by the name after `as`.
  std::string config;
  /// Dimensions to fix: {{"B", 64}}.
  std::map<std::string, int64_t> dims;
  /// Sizes to specialise for, beside the general code: {{"B", {1, 8, 32}}}.
  std::map<std::string, std::vector<int64_t>> variants;
  /// Takes code that was compiled before from the user's cache (`~/.cache/nnc`), and keeps new
  /// code.
  bool cache = true;
  /// What `float` is where no `@precision` says otherwise: "f32" (if empty), "tf32", "f16" or
  /// "bf16".
  std::string precision;
  /// cuda: products of f32 may use TF32 where no `@precision` says otherwise.
  bool allowTf32 = false;
  /// cuda: the file of `nnc --tune` whose choices are made again; empty: the one beside the source,
  /// `lenet.tune` for `lenet.nn`, if it is there.
  std::string lock;
  /// Seed of fresh weights.
  uint64_t seed = 0;
};

/// A compiled model: the bytes of a model.bin.
class CompiledModel {
public:
  explicit CompiledModel(std::vector<std::byte> bytes, std::string warnings)
      : bytes(std::move(bytes)), text(std::move(warnings)) {}

  /// Writes model.bin beside `path` and renames it there.
  Result<void> save(const std::string &path) const;
  /// Loads it in this process, as Engine::load does a file.
  Result<Engine> engine() const;
  /// What the compiler warned about, rendered; empty if nothing.
  const std::string &warnings() const { return text; }

private:
  std::vector<std::byte> bytes;
  std::string text;
};

/// The compiler's version, e.g. "0.1.0".
const char *versionText();

/// Compiles a file. The error's message holds the rendered diagnostics.
Result<CompiledModel> compile(const std::string &path, const CompileOptions &options = {});

/// Compiles source text; `name` stands for the file in diagnostics.
Result<CompiledModel> compileText(const std::string &name, const std::string &text,
                                  const CompileOptions &options = {});

} // namespace nnc

#endif
