// --bench and --profile.
#ifndef NNC_TOOLS_NNCRUN_MEASURE_H
#define NNC_TOOLS_NNCRUN_MEASURE_H

#include "runtime/Engine.h"

namespace nnc::run {

/// Prints the times of calls with host tensors and, on a GPU, with tensors that stay there.
Result<void> bench(Session &session, const std::string &entry, const TensorMap &inputs);

/// Prints the time of every step, the slowest first.
Result<void> profile(Session &session, const std::string &entry, const TensorMap &inputs);

} // namespace nnc::run

#endif
