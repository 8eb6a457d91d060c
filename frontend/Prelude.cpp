// Holds the texts that CMake made of prelude/*.nn.
#include "frontend/Prelude.h"

#include <algorithm>

namespace nnc::frontend {

static constexpr Package kPackages[] = {
#include "frontend/prelude/packages.inc"
};

std::span<const Package> packages() { return kPackages; }

const Package *findPackage(std::string_view name) {
  auto *found = std::ranges::find(kPackages, name, &Package::name);
  return found == std::end(kPackages) ? nullptr : found;
}

std::string_view preludeText() { return findPackage("std")->text; }

} // namespace nnc::frontend
