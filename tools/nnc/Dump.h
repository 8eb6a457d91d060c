// Looking into a compilation: `--emit` prints one level, `--dump-dir` writes a numbered file after
// every pass.
#pragma once

#include "tools/compiler/Compilation.h"

#include <optional>
#include <string>

namespace nnc {

/// What `nnc` can print instead of writing model.bin.
enum class EmitKind { Bin, Tokens, Ast, NN, Kernels, Plan, Cuda, Ptx };

/// The last phase that has to run before `kind` can be printed; none for the syntax alone.
std::optional<Phase> phaseOf(EmitKind kind);

/// The text of one level of a compilation that has run `phaseOf(kind)`.
Result<std::string> emitText(Compilation &compilation, EmitKind kind,
                             const CompileOptions &options);

/// The files of dumpPasses: how many there are, and why one could not be written.
struct PassDumps {
  unsigned count = 0;
  std::optional<Error> failure;
};

/// Makes every pass manager write `NNN-pass.mlir` into `folder`, which is created.
/// \param dumps must outlive the compilation.
Result<void> dumpPasses(Compilation &compilation, const std::string &folder, PassDumps &dumps);

/// Writes a text beside `path` and renames it there; "-" is standard output.
Result<void> writeText(const std::string &path, std::string_view text);

} // namespace nnc
