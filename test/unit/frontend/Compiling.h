// Runs the front end on a text and keeps what came out: what every test here starts with.
#pragma once

#include "frontend/Frontend.h"
#include "frontend/syntax/Render.h"
#include "mlir/IR/MLIRContext.h"

#include <optional>
#include <string>

namespace nnc::frontend::testing {

/// One run of the front end. The name of the source is "model.nn" unless said otherwise.
class Compilation {
public:
  explicit Compilation(std::string text, FrontendOptions options = {},
                       std::string name = "model.nn")
      : options(std::move(options)) {
    file = sources.addText(std::move(name), std::move(text), diags);
  }
  /// Reads a file of the repository, by its path from the root.
  static std::string read(const std::string &path);

  Compilation &emit() {
    if (file)
      module = emitModel(sources, *file, options, diags, context, &info);
    return *this;
  }
  Compilation &check() {
    if (file)
      checkFile(sources, *file, options, diags, context);
    return *this;
  }

  /// All diagnostics as the user sees them.
  std::string messages() const { return syntax::render(sources, diags); }
  /// The module as text, without locations unless asked for.
  std::string ir(bool withLocations = false);
  const SlotInfo *slot(const std::string &key) const;

  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  syntax::SourceManager sources;
  syntax::Diagnostics diags;
  FrontendOptions options;
  std::optional<syntax::FileId> file;
  ModelInfo info;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// A model with some members and the body of its `forward(x: float[B, 4]) -> float[B, 4]`.
std::string model(const std::string &members, const std::string &body);

/// The messages of `nnc check` for a text.
std::string checked(const std::string &text, const std::string &name = "model.nn");
/// The messages of compiling it.
std::string compiled(const std::string &text, FrontendOptions options = {});

} // namespace nnc::frontend::testing
