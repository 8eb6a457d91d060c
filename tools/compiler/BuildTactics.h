// The choices of one build: where its lock file is, what of it is wrong, and who asked for what.
#pragma once

#include "codegen/cuda/Tactics.h"
#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Source.h"

#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>

namespace nnc {

class BuildTactics {
public:
  /// The lock file of a model at `source`: lenet.tune for lenet.nn.
  static std::string pathBeside(const std::string &source);

  /// Choices for `arch` by the lock file at `path`. False after errors, which are in the
  /// diagnostics at their lines.
  bool load(syntax::SourceManager &, syntax::Diagnostics &, const std::string &path,
            const std::string &arch);

  /// Gives products that are to be done otherwise than by rule the attribute that says how.
  void chooseProducts(mlir::ModuleOp module);

  /// Warns of lines of the file that changed nothing.
  void reportUnused(const syntax::SourceManager &, syntax::Diagnostics &) const;

  codegen::TacticBook book;

private:
  std::optional<syntax::FileId> file;
};

} // namespace nnc
