// "Did you mean": the known name that a mistyped one resembles most.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace nnc::syntax {

/// What a type of other languages is called here ("float32" is "f32").
std::optional<std::string_view> localTypeName(std::string_view foreign);

/// The candidate that differs in case and underscores only, else the one with the fewest edits
/// (insert, delete, replace, swap of neighbours), if they are few for the name's length; the first
/// of equals.
std::optional<std::string_view> closestName(std::string_view name,
                                            const std::vector<std::string_view> &candidates);

} // namespace nnc::syntax
