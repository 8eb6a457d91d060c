// Finding what is not a number: which memory a step leaves behind, and what is in it.
#ifndef NNC_RUNTIME_NANSEARCH_H
#define NNC_RUNTIME_NANSEARCH_H

#include "runtime/Tensor.h"
#include "runtime/format/Plan.h"

namespace nnc::rt {

/// Entry.buffers that hold something after the step: those that it writes, and of a launch also
/// those that it reads.
std::vector<uint32_t> buffersAfter(const format::StepT &step);

/// Whether one of the elements on the host is not a number; false of other types than floats.
bool hasNan(DType type, std::span<const std::byte> elements);

} // namespace nnc::rt

#endif
