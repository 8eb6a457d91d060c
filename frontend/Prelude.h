// The text of prelude/std.nn, embedded.
#pragma once

#include <string_view>

namespace nnc::frontend {

/// The name that diagnostics show for it.
inline constexpr std::string_view kPreludeName = "std.nn";
std::string_view preludeText();

} // namespace nnc::frontend
