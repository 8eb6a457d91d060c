// The files of prelude/, embedded: the prelude itself, and the packages that are imported.
#pragma once

#include "frontend/syntax/AST.h"
#include "frontend/syntax/Diagnostics.h"

#include <memory>
#include <span>
#include <string_view>

namespace nnc::frontend {

/// A package of the library: `import std.vision (ResNet)`.
struct Package {
  std::string_view name; ///< "vision", or "std" for the prelude
  std::string_view file; ///< what diagnostics show: "std/vision.nn", "std.nn"
  std::string_view text;
};
std::span<const Package> packages();
/// The package of that name, or null.
const Package *findPackage(std::string_view name);

/// What the parser made of a package. Its text is shared (SourceManager::share).
struct ParsedPackage {
  std::shared_ptr<const syntax::File> tree;
  syntax::Diagnostics diags; ///< empty, unless the library itself is wrong
};
/// Parses a package when it is first asked for in this process; from any thread.
const ParsedPackage &parsePackage(const Package &package);
/// The prelude.
const ParsedPackage &parsePrelude();

} // namespace nnc::frontend
