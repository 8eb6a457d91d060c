// "Did you mean", for the evaluator.
#pragma once

#include "frontend/syntax/Suggest.h"

namespace nnc::frontend {

using syntax::closestName;

/// What a parameter of PyTorch's functions and modules is called here ("dim" is "axis"), if it is
/// one of `candidates`.
std::optional<std::string_view> localName(std::string_view foreign,
                                          const std::vector<std::string_view> &candidates);

} // namespace nnc::frontend
