// The files of page/, which are part of the program.
#pragma once

#include <string_view>

namespace nnc::explain {

/// "page.html", "page.css", "layout.js" or "page.js"; empty for other names.
std::string_view pageFile(std::string_view name);

} // namespace nnc::explain
