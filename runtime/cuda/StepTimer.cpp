#include "runtime/cuda/StepTimer.h"

#include <algorithm>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

Result<void> StepTimer::reserveEvents(size_t count) {
  while (events.size() < count) {
    CUevent event = nullptr;
    NNC_CUDA_TRY(gpu->api(), cuEventCreate, &event, CU_EVENT_DEFAULT);
    events.emplace_back(gpu, event);
  }
  return {};
}

Result<double> StepTimer::between(size_t before, size_t after) const {
  float elapsed = 0;
  NNC_CUDA_TRY(gpu->api(), cuEventElapsedTime, &elapsed, events[before].get(), events[after].get());
  return elapsed;
}

Result<void> StepTimer::addTimes(PreparedCall &call, std::span<double> milliseconds,
                                 CUstream stream) {
  if (Result<void> reserved = reserveEvents(milliseconds.size() + 1); !reserved)
    return reserved;
  NNC_CUDA_TRY(gpu->api(), cuEventRecord, events[0].get(), stream);
  for (size_t step = 0; step < milliseconds.size(); ++step) {
    if (Result<void> ran = call.runStep(step, stream); !ran)
      return ran;
    NNC_CUDA_TRY(gpu->api(), cuEventRecord, events[step + 1].get(), stream);
  }
  NNC_CUDA_TRY(gpu->api(), cuEventSynchronize, events[milliseconds.size()].get());
  for (size_t step = 0; step < milliseconds.size(); ++step) {
    Result<double> elapsed = between(step, step + 1);
    if (!elapsed)
      return elapsed.error();
    milliseconds[step] += *elapsed;
  }
  return {};
}

Result<void> StepTimer::reserveFlush() {
  if (flushed.get())
    return {};
  flushedBytes = 2 * std::max<size_t>(gpu->cacheBytes(), size_t{1} << 20);
  Result<DeviceMemory> memory = gpu->allocate(flushedBytes, "what caches are filled with");
  if (!memory)
    return memory.error();
  flushed = std::move(*memory);
  return {};
}

/// One run between two events. The memory that is written before it takes so long that all of it is
/// queued when it begins.
Result<void> StepTimer::runOnce(PreparedCall &call, const EntryT &entry, CUevent before,
                                CUevent after, CUstream stream) {
  NNC_CUDA_TRY(gpu->api(), cuMemsetD8Async, flushed.get(), 0, flushedBytes, stream);
  NNC_CUDA_TRY(gpu->api(), cuEventRecord, before, stream);
  for (size_t step = 0; step < entry.steps.size(); ++step)
    if (!entry.steps[step]->what.AsCopy())
      if (Result<void> ran = call.runStep(step, stream); !ran)
        return ran;
  NNC_CUDA_TRY(gpu->api(), cuEventRecord, after, stream);
  return {};
}

Result<std::vector<double>> StepTimer::sample(PreparedCall &call, const EntryT &entry,
                                              unsigned samples, CUstream stream) {
  if (Result<void> reserved = reserveFlush(); !reserved)
    return reserved.error();
  if (Result<void> reserved = reserveEvents(size_t{2} * samples); !reserved)
    return reserved.error();
  for (unsigned i = 0; i < samples; ++i)
    if (Result<void> ran =
            runOnce(call, entry, events[2 * i].get(), events[2 * i + 1].get(), stream);
        !ran)
      return ran.error();
  NNC_CUDA_TRY(gpu->api(), cuStreamSynchronize, stream);
  std::vector<double> times;
  for (unsigned i = 0; i < samples; ++i) {
    Result<double> elapsed = between(size_t{2} * i, size_t{2} * i + 1);
    if (!elapsed)
      return elapsed.error();
    times.push_back(*elapsed);
  }
  return times;
}
