// The files of prelude/, embedded: the prelude itself, and the packages that are imported.
#pragma once

#include <span>
#include <string_view>

namespace nnc::frontend {

/// The name that diagnostics show for it.
inline constexpr std::string_view kPreludeName = "std.nn";
std::string_view preludeText();

/// A package of the library: `import std.vision (ResNet)`.
struct Package {
  std::string_view name; ///< "vision", or "std" for the prelude
  std::string_view file; ///< what diagnostics show: "std/vision.nn"
  std::string_view text;
};
std::span<const Package> packages();
/// The package of that name, or null.
const Package *findPackage(std::string_view name);

} // namespace nnc::frontend
