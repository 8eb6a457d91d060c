// What a step of a plan has to do at given sizes, and how long a GPU needs for that at least.
#ifndef NNC_RUNTIME_FORMAT_WORK_H
#define NNC_RUNTIME_FORMAT_WORK_H

#include "runtime/format/Plan.h"

namespace nnc::format {

/// Bytes that come from memory and go there, and operations, of one run of a step.
struct StepWork {
  double read = 0, written = 0; ///< bytes, each tensor once
  double products = 0;          ///< operations of products and convolutions, two a multiplication
  double operations = 0;        ///< all other arithmetic
  Precision precision = Precision::F32; ///< of the products
  double launches = 0;                  ///< of kernels, library calls and copies

  double bytes() const { return read + written; }
};

/// Of a step at the sizes `dims`, by symbol; counters of loops are 0 there. A loop that runs as one
/// kernel reads what it does not change once, and what its steps leave each other stays on the
/// chip.
StepWork workOf(const StepT &step, const EntryT &entry, std::span<const int64_t> dims);

/// By index of Entry.buffers: bytes that a launch, a product or a copy reads (first) or writes.
struct BufferTraffic {
  uint32_t buffer;
  double bytes;
  bool isWritten;
};
std::vector<BufferTraffic> trafficOf(const StepT &step, const EntryT &entry,
                                     std::span<const int64_t> dims);

/// How fast a GPU is. The only place for such numbers.
struct GpuRates {
  const char *name;
  bool isMeasured;   ///< else from the data sheet, which no program reaches
  double copy, read; ///< bytes per second
  double half;       ///< operations per second: products of 16-bit floats
  double tf32, f32;  ///< of products in TF32; of everything in f32
  double launch;     ///< seconds that a kernel of a graph takes beside its work
};

/// The GPU that `name` names or contains ("h200", "NVIDIA H200"), whatever its case; null if there
/// are no numbers for it.
const GpuRates *findGpuRates(std::string_view name);
/// "H200, H100, A100": for errors.
std::string knownGpus();

/// What of a step's work takes longest.
enum class Bound { Launch, Memory, Products, Arithmetic };
const char *boundName(Bound bound);

/// The least time of a step: that of what takes longest, and of its launches.
struct Floor {
  double milliseconds = 0;
  Bound bound = Bound::Launch;
};
Floor floorOf(const StepWork &work, const GpuRates &rates);

/// "1.50 G", "20.0 k", "7": of operations.
std::string countText(double count);

} // namespace nnc::format

#endif
