// A session: checks what the caller passes and hands the call to the device's executor.
#ifndef NNC_RUNTIME_SESSIONSTATE_H
#define NNC_RUNTIME_SESSIONSTATE_H

#include "runtime/Engine.h"
#include "runtime/EngineState.h"
#include "runtime/StateSizes.h"
#include "runtime/format/Safetensors.h"

namespace nnc::rt {

/// What one entry point needs between calls; all of it is made with the session, so that calls
/// allocate nothing.
struct EntryState {
  EntryState(const format::ModelT &model, const format::EntryT &entry);
  /// The caller's memory is not kept alive between calls.
  void release();

  const format::EntryT &entry;
  bool isDrawing; // random numbers
  CallSizes sizes;
  std::vector<int64_t> scalars;        // of the running call, by symbol
  std::vector<Tensor> inputs, outputs; // of the running call, by position
  std::vector<std::vector<std::byte>> convertedInputs, convertedOutputs; // of other float types
};

class SessionState {
public:
  static Result<std::unique_ptr<SessionState>> open(std::shared_ptr<EngineState> engine,
                                                    std::unique_ptr<Executor> executor,
                                                    const SessionOptions &options);

  Result<TensorMap> run(std::string_view entry, const TensorMap &inputs);
  Result<void> runInto(std::string_view entry, const TensorMap &inputs, const TensorMap &outputs);
  Result<void> enqueue(std::string_view entry, const TensorMap &inputs, const TensorMap &outputs,
                       void *stream);
  Result<TensorMap> makeOutputs(std::string_view entry, const TensorMap &inputs, Device where);
  Result<std::vector<StepTime>> profile(std::string_view entry, const TensorMap &inputs,
                                        unsigned iterations);
  Result<std::optional<NanSource>> findNan(std::string_view entry, const TensorMap &inputs);
  /// Milliseconds of `samples` runs of the call's kernels; see Executor.
  Result<std::vector<double>> measure(std::string_view entry, const TensorMap &inputs,
                                      const TensorMap &outputs, unsigned samples);
  Result<void> reset();
  Generator generator() const { return drawn; }
  void setGenerator(const Generator &generator) { drawn = generator; }
  std::vector<Slot> slots() const;
  Result<Tensor> slot(std::string_view name);
  Result<void> setSlot(std::string_view name, const Tensor &value);
  Result<void> save(const std::string &path, const Metadata &metadata);
  Result<Metadata> load(const std::string &path);
  Result<Tensor> toDevice(const Tensor &host);
  Result<Tensor> toHost(const Tensor &onDevice);
  Device device() const { return executor->device(); }
  std::string deviceName() const { return executor->deviceName(); }

private:
  // SessionSlots.cpp
  bool isSlot(size_t state) const;
  Result<size_t> findSlot(std::string_view name) const;
  std::string mismatch(size_t state, DType type, std::span<const int64_t> shape,
                       bool afterReset = false) const;
  Result<void> writeSlot(size_t state, const Tensor &host);
  using Stored = std::vector<const format::StoredTensor *>; // by index of Model.states
  Result<Stored> matchStored(const format::Checkpoint &file) const;
  Result<void> checkConstant(const format::StoredTensor &stored) const;
  Result<void> setStored(const Stored &stored);

  SessionState(std::shared_ptr<EngineState> engine, std::unique_ptr<Executor> executor);
  Result<void> startFreshStates();
  Result<void> resume(EntryState &state);
  Call nextCall(size_t index);
  /// Finds the entry, binds the inputs and solves for the sizes.
  Result<size_t> begin(std::string_view entry, const TensorMap &inputs);
  /// All that comes before the steps: tensors of the ports' types, states of the call's sizes.
  Result<size_t> prepare(std::string_view entry, const TensorMap &inputs, const TensorMap &outputs);
  Result<void> checkOnDevice(const char *what, const TensorMap &tensors) const;
  Result<void> bindInputs(EntryState &state, const TensorMap &inputs);
  Result<void> readScalars(EntryState &state);
  Result<void> bindOutputs(EntryState &state, const TensorMap &outputs);
  Result<void> checkInput(const EntryState &state, size_t index, const Tensor &tensor) const;
  Result<void> checkOutput(const EntryState &state, size_t index, const Tensor &tensor) const;
  Result<void> checkPlace(const char *what, const std::string &port, const Tensor &tensor) const;
  Result<TensorMap> freshOutputs(const EntryState &state, Device where);
  Result<void> convertInputs(EntryState &state);
  Result<void> stageOutputs(EntryState &state);
  void finishOutputs(EntryState &state, const TensorMap &outputs);

  std::shared_ptr<EngineState> engine;
  std::unique_ptr<Executor> executor;
  StateSizes states;
  Generator drawn;
  std::vector<EntryState> entries;
};

} // namespace nnc::rt

#endif
