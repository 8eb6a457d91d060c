// --bench.
#ifndef NNC_TOOLS_NNCRUN_MEASURE_H
#define NNC_TOOLS_NNCRUN_MEASURE_H

#include "runtime/Engine.h"
#include "runtime/format/Plan.h"

namespace nnc::run {

/// Prints the times of calls with host tensors of the entry's own types (others are converted
/// before) and, on a GPU, with tensors that stay there.
Result<void> bench(Session &session, const format::EntryT &entry, const TensorMap &inputs);

} // namespace nnc::run

#endif
