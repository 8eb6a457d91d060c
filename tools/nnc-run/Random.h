// Random inputs, the same on every machine for one seed.
#ifndef NNC_TOOLS_NNCRUN_RANDOM_H
#define NNC_TOOLS_NNCRUN_RANDOM_H

#include "runtime/Tensor.h"
#include "runtime/format/Plan.h"

#include <map>

namespace nnc::run {

/// Adds the inputs that are missing: floats of mean 0 and deviation 1, integers in 0..10, bools.
/// Sizes are those of `dims`, else of the inputs that are there, else the smallest allowed above 0.
/// Errors: `dims` names no dimension, a size is out of bounds.
Result<void> addRandomInputs(TensorMap &inputs, const format::EntryT &entry,
                             const std::map<std::string, int64_t> &dims, uint64_t seed);

} // namespace nnc::run

#endif
