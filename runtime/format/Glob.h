// Patterns of checkpoint keys, as in `ignore` of @weights and in @quant.
#ifndef NNC_RUNTIME_FORMAT_GLOB_H
#define NNC_RUNTIME_FORMAT_GLOB_H

#include <string_view>

namespace nnc::format {

/// `*` matches one step of a key, `**` any number of steps (also none).
bool matchesGlob(std::string_view glob, std::string_view key);

} // namespace nnc::format

#endif
