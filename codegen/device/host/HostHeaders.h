// The embedded text of twin.h and state.h, which kernels are compiled against.
#ifndef NNC_DEVICE_HOST_HOSTHEADERS_H
#define NNC_DEVICE_HOST_HOSTHEADERS_H

#include <string_view>

namespace nnc::twin {

/// The text of "host/twin.h" or "host/state.h"; empty for other names. The definition is generated.
std::string_view hostHeader(std::string_view name);

} // namespace nnc::twin

#endif
