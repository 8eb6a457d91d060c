// What GPU this machine has, for the defaults of --target and --arch.
#pragma once

#include <optional>
#include <string>

namespace nnc {

/// The architecture of the first GPU as NVRTC names it ("sm_90a"; the suffix gives Hopper and later
/// their own instructions); none without a GPU or a driver.
std::optional<std::string> localArchitecture();

} // namespace nnc
