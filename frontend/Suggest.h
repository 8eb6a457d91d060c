// "Did you mean", for the evaluator.
#pragma once

#include "frontend/syntax/Suggest.h"

namespace nnc::frontend {

using syntax::closestName;

/// What a parameter of PyTorch's functions and modules is called here ("dim" is "axis"), if it is
/// one of `candidates`.
std::optional<std::string_view> localName(std::string_view foreign,
                                          const std::vector<std::string_view> &candidates);

/// What to do instead of giving a parameter of PyTorch's that is not there.
std::optional<std::string_view> argumentAdvice(std::string_view foreign);

/// What a name of Python, NumPy or PyTorch is here: one of `local` and `advice` is there.
struct ForeignName {
  std::string_view foreign, local, advice;
  bool isPackage = false; ///< a prefix of others
};
const ForeignName *findForeignName(std::string_view name);

} // namespace nnc::frontend
