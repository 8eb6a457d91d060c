// How long the steps of a call take, by events on its stream.
#ifndef NNC_RUNTIME_CUDA_STEPTIMER_H
#define NNC_RUNTIME_CUDA_STEPTIMER_H

#include "runtime/cuda/PreparedCall.h"

namespace nnc::rt {

class StepTimer {
public:
  explicit StepTimer(std::shared_ptr<CudaDevice> gpu) : gpu(std::move(gpu)) {}

  /// Runs the call once and adds the time of each step.
  Result<void> addTimes(PreparedCall &call, std::span<double> milliseconds, CUstream stream);
  /// The times of so many runs of all steps but copies, each with nothing in the caches.
  Result<std::vector<double>> sample(PreparedCall &call, const format::EntryT &entry,
                                     unsigned samples, CUstream stream);

private:
  Result<void> reserveEvents(size_t count);
  Result<void> reserveFlush();
  Result<void> runOnce(PreparedCall &call, const format::EntryT &entry, CUevent before,
                       CUevent after, CUstream stream);
  Result<double> between(size_t before, size_t after) const;

  std::shared_ptr<CudaDevice> gpu;
  std::vector<EventOwner> events;
  DeviceMemory flushed; ///< takes the place of all else in the caches
  size_t flushedBytes = 0;
};

} // namespace nnc::rt

#endif
