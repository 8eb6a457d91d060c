// Names of documents: `file:` URIs and the paths that they mean.
#pragma once

#include <string>
#include <string_view>

namespace nnc::lsp {

/// The path of a `file:` URI, with its escapes resolved; another URI (`untitled:...`) as it is.
std::string pathOf(std::string_view uri);
/// The URI of an absolute path; what is no path as it is.
std::string uriOf(std::string_view path);

/// Writes a file of the library where an editor can open it (`$XDG_CACHE_HOME/nnc/library/NAME`)
/// and gives its path; empty where that is impossible.
std::string materialise(std::string_view name, std::string_view text);
/// Whether materialise() wrote it.
bool isLibraryPath(std::string_view path);

} // namespace nnc::lsp
