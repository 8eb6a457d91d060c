// What a session asks of a device.
#ifndef NNC_RUNTIME_EXECUTOR_H
#define NNC_RUNTIME_EXECUTOR_H

#include "runtime/CallSizes.h"
#include "runtime/Engine.h"

namespace nnc::rt {

/// One call of an entry point, checked: tensors by position, of exactly the types and sizes of the
/// ports, on the host or on the executor's device.
struct Call {
  size_t entry; ///< index of Model.entries
  const CallSizes &sizes;
  std::span<const Tensor> inputs;
  std::span<const Tensor> outputs;
  /// Of a call that draws random numbers: what the state of Model.generator holds in it.
  std::optional<Generator> generator = {};
};

/// The number in memory of an i32 or i64.
int64_t scalarValue(DType type, const void *memory);

/// Runs plans on one device with the memory of one session.
class Executor {
public:
  virtual ~Executor() = default;
  virtual Device device() const = 0;
  virtual std::string deviceName() const = 0;
  /// Runs all steps and waits for them.
  virtual Result<void> run(const Call &call) = 0;
  /// Enqueues all steps on a stream of the caller's, without waiting; all tensors are on the
  /// device.
  virtual Result<void> enqueue(const Call &call, void *stream) = 0;
  /// Runs the call once, adding to `milliseconds[i]` the time of step i.
  virtual Result<void> profile(const Call &call, std::span<double> milliseconds) = 0;
  /// Runs the steps one by one, until one has left something that is no number: its position.
  virtual Result<std::optional<size_t>> findNan(const Call &call) = 0;
  /// Runs the call, then its kernels and products alone `samples` times; the milliseconds of each,
  /// with nothing in the caches of a GPU. Only on a GPU.
  virtual Result<std::vector<double>> measure(const Call &call, unsigned samples) {
    return Error{"only what runs on a GPU is measured"};
  }
  /// Gives a state memory for so many bytes, with its initial value in them.
  virtual Result<void> startState(size_t state, uint64_t bytes) = 0;
  /// The value of a state of rank 0, i32 or i64, after the last call.
  virtual Result<int64_t> stateScalar(size_t state) = 0;
  /// Copies a state that was started to or from a host tensor of its type and sizes.
  virtual Result<void> readState(size_t state, const Tensor &host) = 0;
  virtual Result<void> writeState(size_t state, const Tensor &host) = 0;
  /// Uninitialized memory on the device.
  virtual Result<Tensor> allocate(DType type, std::span<const int64_t> shape) = 0;
  /// Copies a host tensor into one of the device, of equal size.
  virtual Result<void> upload(const Tensor &host, const Tensor &device) = 0;
  /// The other way.
  virtual Result<void> download(const Tensor &device, const Tensor &host) = 0;
};

} // namespace nnc::rt

#endif
