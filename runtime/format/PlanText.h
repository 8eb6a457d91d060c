// The plan as text: for `nnc --emit=plan` and `nnc-run --info`.
#ifndef NNC_RUNTIME_FORMAT_PLANTEXT_H
#define NNC_RUNTIME_FORMAT_PLANTEXT_H

#include "runtime/format/Plan.h"

namespace nnc::format {

/// Summary: per entry point its type, ranges, guards, memory and steps. Full adds weights, buffers
/// with their places, and what every step reads and writes. The model must be verified.
enum class PlanDetail { Summary, Full };

std::string planText(const ModelT &model, PlanDetail detail);

/// Device memory of a session that runs only this entry, at the upper bounds of its dimensions.
struct PeakMemory {
  uint64_t weights = 0, states = 0, arena = 0, inputs = 0, outputs = 0;
  uint64_t total() const { return weights + states + arena + inputs + outputs; }
};
PeakMemory peakMemory(const ModelT &model, const EntryT &entry);

/// E.g. "512 B", "1.5 KiB", "24.0 MiB".
std::string bytesText(uint64_t bytes);

} // namespace nnc::format

#endif
