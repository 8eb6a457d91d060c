// "Did you mean": the name that is nearest to a misspelt one.
#ifndef NNC_RUNTIME_SUGGEST_H
#define NNC_RUNTIME_SUGGEST_H

#include <span>
#include <string>
#include <string_view>

namespace nnc::rt {

/// "; did you mean `image`?" for the nearest of `names` if it is near enough, else "; there is
/// `image`, `mask`" with all of them.
std::string suggestion(std::string_view wrong, std::span<const std::string_view> names);

} // namespace nnc::rt

#endif
