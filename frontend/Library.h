// The files of library/, embedded: the prelude, which is in scope everywhere, and the packages that
// are imported.
#pragma once

#include "frontend/syntax/AST.h"
#include "frontend/syntax/Diagnostics.h"

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace nnc::frontend {

/// A file of the library.
struct LibraryFile {
  std::string_view name; ///< "conv", "vision"
  std::string_view file; ///< what diagnostics show: "prelude/conv.nn", "std/vision.nn"
  std::string_view text;
};
/// The prelude: one scope, in a file per subject.
std::span<const LibraryFile> preludeFiles();
/// The packages, one file each: `import std.vision (ResNet)`.
std::span<const LibraryFile> packages();
/// The package of that name, or null.
const LibraryFile *findPackage(std::string_view name);

/// Whether a file that was read is of the library.
bool isLibrary(syntax::FileId file);

/// What the parser made of a file of the library. Its text is shared (SourceManager::share).
struct ParsedLibraryFile {
  std::shared_ptr<const syntax::File> tree;
  syntax::Diagnostics diags; ///< empty, unless the library itself is wrong
};
/// Parses a file of the library when it is first asked for in this process; from any thread.
const ParsedLibraryFile &parseLibraryFile(const LibraryFile &file);
/// The trees of the prelude.
std::vector<std::shared_ptr<const syntax::File>> preludeTrees();

} // namespace nnc::frontend
