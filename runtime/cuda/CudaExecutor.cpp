#include "runtime/cuda/CudaExecutor.h"
#include "runtime/cuda/CudaStates.h"
#include "runtime/cuda/PortMemory.h"
#include "runtime/cuda/PreparedCall.h"
#include "runtime/cuda/StepTimer.h"

#include "runtime/Heaviest.h"
#include "runtime/NanSearch.h"
#include "runtime/format/Counters.h"

#include <algorithm>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

namespace {

/// How many sets of sizes (and addresses) keep their graphs; the least recently used one goes.
constexpr size_t MaxPreparedCalls = 64;

/// What cuBLASLt's documentation recommends for Hopper and later, and before it.
size_t workspaceBytes(int capability) { return (capability >= 90 ? 32 : 4) * size_t{1 << 20}; }

class CudaExecutor : public Executor {
public:
  CudaExecutor(std::shared_ptr<EngineState> engine, std::shared_ptr<CudaModel> shared)
      : engine(std::move(engine)), shared(std::move(shared)), gpu(this->shared->device()),
        states(gpu, this->engine), timer(gpu) {}

  ~CudaExecutor() override { (void)settle(); }

  Result<void> prepare();
  Device device() const override { return Device::cuda(gpu->index()); }
  std::string deviceName() const override { return gpu->name(); }
  Result<void> run(const Call &call) override;
  Result<void> enqueue(const Call &call, void *stream) override;
  Result<void> profile(const Call &call, std::span<double> milliseconds) override;
  Result<std::optional<size_t>> findNan(const Call &call) override;
  Result<std::vector<double>> measure(const Call &call, unsigned samples) override;
  Result<void> startState(size_t state, uint64_t bytes) override;
  Result<int64_t> stateScalar(size_t state) override;
  Result<void> readState(size_t state, const Tensor &host) override;
  Result<void> writeState(size_t state, const Tensor &host) override;
  Result<Tensor> allocate(DType type, std::span<const int64_t> shape) override;
  Result<void> upload(const Tensor &host, const Tensor &device) override;
  Result<void> download(const Tensor &device, const Tensor &host) override;

private:
  struct Ports {
    std::vector<PortMemory> inputs, outputs;
  };

  Result<void> allocateMemory();
  Result<void> placePorts(const Call &call);
  CUdeviceptr addressOf(const BufferT &buffer);
  Result<Tensor> memoryOf(size_t state, const Tensor &host) const;
  Result<void> markQueued(CUstream stream);
  Result<void> settle();
  Result<PreparedCall *> prepareCall(const Call &call);
  Result<PreparedCall *> addPrepared(std::unique_ptr<PreparedCall> made);
  Result<PreparedCall *> begin(const Call &call);
  Result<void> fetch(const Call &call);
  Result<void> synchronize(const Call &call);

  const EntryT &entryOf(const Call &call) const { return *engine->model().entries[call.entry]; }

  std::shared_ptr<EngineState> engine;
  std::shared_ptr<CudaModel> shared;
  std::shared_ptr<CudaDevice> gpu;
  DeviceMemory arena, workspace, arrived;
  size_t workspaceSize = 0;
  CudaStates states;
  std::vector<Ports> ports;                          // by index of Model.entries
  std::vector<CUdeviceptr> inputs, outputs, buffers; // of the running call
  std::vector<CUdeviceptr> scalars;                  // of the running call, by symbol
  std::vector<std::unique_ptr<PreparedCall>> cache;
  uint64_t useCount = 0;
  StepTimer timer;
  EventOwner queued;        // after the last call on a stream of the caller's
  CUstream queue = nullptr; // that stream
  bool isPending = false;   // nobody has waited for it
  StreamOwner owner;        // last: destroyed first
  CUstream stream = nullptr;
};

Result<void> CudaExecutor::prepare() {
  ContextScope scope(*gpu);
  NNC_CUDA_TRY(gpu->api(), cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
  owner = StreamOwner(gpu, stream);
  size_t most = 0;
  for (const std::unique_ptr<EntryT> &entry : engine->model().entries) {
    Ports &made = ports.emplace_back();
    for (const std::unique_ptr<PortT> &port : entry->inputs)
      made.inputs.emplace_back(gpu, *entry, *port);
    for (const std::unique_ptr<PortT> &port : entry->outputs)
      made.outputs.emplace_back(gpu, *entry, *port);
    most = std::max({most, entry->buffers.size(), entry->inputs.size(), entry->outputs.size(),
                     entry->dims.size()});
  }
  for (std::vector<CUdeviceptr> *list : {&inputs, &outputs, &buffers, &scalars})
    list->reserve(most);
  cache.reserve(MaxPreparedCalls);
  if (Result<void> allocated = allocateMemory(); !allocated)
    return allocated;
  NNC_CUDA_TRY(gpu->api(), cuStreamSynchronize, stream); // other streams see what this one did
  return {};
}

Result<void> CudaExecutor::allocateMemory() {
  const std::vector<std::unique_ptr<EntryT>> &entries = engine->model().entries;
  auto largest = std::ranges::max_element(
      entries, {}, [](const std::unique_ptr<EntryT> &entry) { return entry->arena_bytes; });
  const uint64_t arenaBytes = largest == entries.end() ? 0 : (*largest)->arena_bytes;
  Result<DeviceMemory> memory = gpu->allocate(arenaBytes, "the arena of " + engine->name());
  if (!memory) {
    std::string heaviest = arenaBytes ? heaviestOf(**largest) : "";
    return Error{memory.error().message + (heaviest.empty() ? "" : "; " + heaviest)};
  }
  arena = std::move(*memory);
  if (Result<void> allocated = states.prepare(); !allocated)
    return allocated;
  Result<DeviceMemory> counter = gpu->allocate(CounterBytes, "the counters of " + engine->name());
  if (!counter)
    return counter.error();
  arrived = std::move(*counter);
  NNC_CUDA_TRY(gpu->api(), cuMemsetD8Async, arrived.get(), 0, CounterBytes, stream);
  if (!shared->blasHandle())
    return {};
  workspaceSize = workspaceBytes(gpu->capability());
  Result<DeviceMemory> scratch = gpu->allocate(workspaceSize, "cuBLASLt's workspace");
  if (!scratch)
    return scratch.error();
  workspace = std::move(*scratch);
  return {};
}

Result<void> CudaExecutor::startState(size_t index, uint64_t bytes) {
  if (Result<void> settled = settle(); !settled)
    return settled;
  ContextScope scope(*gpu);
  return states.start(index, bytes, stream);
}

Result<int64_t> CudaExecutor::stateScalar(size_t state) {
  if (Result<void> settled = settle(); !settled)
    return settled.error();
  return states.scalar(state);
}

Result<void> CudaExecutor::readState(size_t state, const Tensor &host) {
  Result<Tensor> memory = memoryOf(state, host);
  return memory ? download(*memory, host) : memory.error();
}

Result<void> CudaExecutor::writeState(size_t state, const Tensor &host) {
  Result<Tensor> memory = memoryOf(state, host);
  if (!memory)
    return memory.error();
  if (Result<void> sent = upload(host, *memory); !sent)
    return sent;
  ContextScope scope(*gpu);
  if (Result<void> fetched = states.fetchScalar(state, stream); !fetched)
    return fetched;
  NNC_CUDA_TRY(gpu->api(), cuStreamSynchronize, stream);
  return {};
}

/// The state's memory as a tensor like `host`.
Result<Tensor> CudaExecutor::memoryOf(size_t state, const Tensor &host) const {
  return Tensor::view(host.dtype(), host.shape(), reinterpret_cast<void *>(states.address(state)),
                      device());
}

/// The device addresses of all inputs and outputs of the call.
Result<void> CudaExecutor::placePorts(const Call &call) {
  auto placeAll = [](std::vector<PortMemory> &memory, std::span<const Tensor> tensors,
                     std::vector<CUdeviceptr> &addresses) -> Result<void> {
    addresses.clear();
    for (size_t i = 0; i < tensors.size(); ++i) {
      Result<CUdeviceptr> address = memory[i].place(tensors[i]);
      if (!address)
        return address.error();
      addresses.push_back(*address);
    }
    return {};
  };
  Ports &own = ports[call.entry];
  if (Result<void> placed = placeAll(own.inputs, call.inputs, inputs); !placed)
    return placed;
  return placeAll(own.outputs, call.outputs, outputs);
}

CUdeviceptr CudaExecutor::addressOf(const BufferT &buffer) {
  switch (buffer.kind) {
  case BufferKind::Arena:
    return arena.get() + buffer.offset;
  case BufferKind::Weight:
    return shared->weight(buffer.index);
  case BufferKind::Input:
    return inputs[buffer.index];
  case BufferKind::Output:
    return outputs[buffer.index];
  case BufferKind::State:
    return states.address(buffer.index);
  case BufferKind::Loop:
    return 0; // loops place it
  }
  __builtin_unreachable();
}

/// The call's steps at its sizes and addresses, from the cache or made now.
Result<PreparedCall *> CudaExecutor::prepareCall(const Call &call) {
  if (Result<void> placed = placePorts(call); !placed)
    return placed.error();
  const EntryT &entry = entryOf(call);
  buffers.clear();
  for (const std::unique_ptr<BufferT> &buffer : entry.buffers)
    buffers.push_back(addressOf(*buffer));
  scalars.clear();
  for (const std::unique_ptr<DimT> &dim : entry.dims)
    scalars.push_back(dim->kind != SymbolKind::Scalar      ? 0
                      : dim->source == ScalarSource::State ? states.address(dim->index)
                                                           : inputs[dim->index]);
  for (std::unique_ptr<PreparedCall> &known : cache)
    if (known->matches(entry, call.sizes, buffers, scalars)) {
      known->lastUse = ++useCount;
      return known.get();
    }
  Result<std::unique_ptr<PreparedCall>> made =
      PreparedCall::make(*shared, engine->model(), entry, call.sizes, buffers, scalars,
                         {workspace.get(), workspaceSize}, arrived.get());
  if (!made)
    return made.error();
  return addPrepared(std::move(*made));
}

Result<PreparedCall *> CudaExecutor::addPrepared(std::unique_ptr<PreparedCall> made) {
  made->lastUse = ++useCount;
  if (Result<void> settled = settle(); !settled) // a graph that is dropped may still run
    return settled.error();
  if (cache.size() < MaxPreparedCalls) {
    cache.push_back(std::move(made));
    return cache.back().get();
  }
  auto oldest = std::ranges::min_element(cache, {}, [](const auto &call) { return call->lastUse; });
  *oldest = std::move(made);
  return oldest->get();
}

/// Prepares a call on the own stream, and everything that its steps read.
Result<PreparedCall *> CudaExecutor::begin(const Call &call) {
  Result<PreparedCall *> prepared = prepareCall(call);
  if (!prepared)
    return prepared;
  for (size_t i = 0; i < call.inputs.size(); ++i)
    if (Result<void> sent = ports[call.entry].inputs[i].send(call.inputs[i], stream); !sent)
      return sent.error();
  if (Result<void> placed = states.placeGenerator(call, stream); !placed)
    return placed.error();
  return prepared;
}

Result<void> CudaExecutor::fetch(const Call &call) {
  for (size_t i = 0; i < call.outputs.size(); ++i)
    if (Result<void> got = ports[call.entry].outputs[i].fetch(call.outputs[i], stream); !got)
      return got;
  if (Result<void> got = states.fetchScalars(stream); !got)
    return got;
  if (Result<void> done = synchronize(call); !done)
    return done;
  for (size_t i = 0; i < call.outputs.size(); ++i)
    ports[call.entry].outputs[i].finish(call.outputs[i]);
  return {};
}

Result<void> CudaExecutor::synchronize(const Call &call) {
  CUresult status = gpu->api().cuStreamSynchronize(stream);
  if (Result<void> done = check(gpu->api(), status, "cuStreamSynchronize"); !done)
    return Error{fmt::format("running `{}`: {}", entryOf(call).name, done.error().message)};
  return {};
}

/// The first call with given sizes runs step by step, so that libraries load what they need; then
/// its graph is made for the calls to come.
Result<void> CudaExecutor::run(const Call &call) {
  if (Result<void> settled = settle(); !settled)
    return settled;
  ContextScope scope(*gpu);
  Result<PreparedCall *> prepared = begin(call);
  if (!prepared)
    return prepared.error();
  if (Result<void> ran = (*prepared)->run(stream); !ran)
    return ran;
  if (Result<void> fetched = fetch(call); !fetched)
    return fetched;
  if ((*prepared)->isCaptured())
    return {};
  return (*prepared)->capture(stream);
}

/// Calls on one stream follow each other there; the arena is used by one at a time.
Result<void> CudaExecutor::enqueue(const Call &call, void *handle) {
  auto *other = static_cast<CUstream>(handle);
  if (other != queue)
    if (Result<void> settled = settle(); !settled)
      return settled;
  ContextScope scope(*gpu);
  Result<PreparedCall *> prepared = prepareCall(call);
  if (!prepared)
    return prepared.error();
  if (Result<void> placed = states.placeGenerator(call, other); !placed)
    return placed;
  Result<void> ran = (*prepared)->run(other);
  if (ran)
    ran = states.fetchScalars(other);
  if (Result<void> marked = markQueued(other); !ran || !marked)
    return ran ? marked : ran;
  if ((*prepared)->isCaptured())
    return {};
  return (*prepared)->capture(stream);
}

Result<void> CudaExecutor::markQueued(CUstream other) {
  if (!queued) {
    CUevent event = nullptr;
    NNC_CUDA_TRY(gpu->api(), cuEventCreate, &event, CU_EVENT_DISABLE_TIMING);
    queued = EventOwner(gpu, event);
  }
  NNC_CUDA_TRY(gpu->api(), cuEventRecord, queued.get(), other);
  queue = other;
  isPending = true;
  return {};
}

/// Waits for what runs on a stream of the caller's.
Result<void> CudaExecutor::settle() {
  if (!std::exchange(isPending, false))
    return {};
  ContextScope scope(*gpu);
  NNC_CUDA_TRY(gpu->api(), cuEventSynchronize, queued.get());
  return {};
}

Result<void> CudaExecutor::profile(const Call &call, std::span<double> milliseconds) {
  if (Result<void> settled = settle(); !settled)
    return settled;
  ContextScope scope(*gpu);
  Result<PreparedCall *> prepared = begin(call);
  if (!prepared)
    return prepared.error();
  return timer.addTimes(**prepared, milliseconds, stream);
}

Result<std::optional<size_t>> CudaExecutor::findNan(const Call &call) {
  if (Result<void> settled = settle(); !settled)
    return settled.error();
  ContextScope scope(*gpu);
  Result<PreparedCall *> prepared = begin(call);
  if (!prepared)
    return prepared.error();
  const EntryT &entry = entryOf(call);
  std::vector<std::byte> host;
  for (size_t step = 0; step < entry.steps.size(); ++step) {
    if (Result<void> ran = (*prepared)->runStep(step, stream); !ran)
      return ran.error();
    for (uint32_t number : buffersAfter(*entry.steps[step])) {
      const BufferT &buffer = *entry.buffers[number];
      host.resize(static_cast<size_t>(call.sizes.value(buffer.bytes)));
      if (!host.empty())
        NNC_CUDA_TRY(gpu->api(), cuMemcpyDtoHAsync, host.data(), (*prepared)->address(number),
                     host.size(), stream);
      if (Result<void> done = synchronize(call); !done)
        return done.error();
      if (hasNan(static_cast<DType>(buffer.dtype), host))
        return std::optional(step);
    }
  }
  return std::optional<size_t>();
}

Result<std::vector<double>> CudaExecutor::measure(const Call &call, unsigned samples) {
  if (Result<void> ran = run(call); !ran)
    return ran.error();
  ContextScope scope(*gpu);
  Result<PreparedCall *> prepared = prepareCall(call);
  if (!prepared)
    return prepared.error();
  return timer.sample(**prepared, entryOf(call), samples, stream);
}

Result<Tensor> CudaExecutor::allocate(DType type, std::span<const int64_t> shape) {
  Result<size_t> bytes = byteSize(type, shape);
  if (!bytes)
    return bytes.error();
  Result<DeviceMemory> memory = gpu->allocate(*bytes, tensorText(type, shape));
  if (!memory)
    return memory.error();
  auto *address = reinterpret_cast<void *>(memory->get());
  auto keep = std::make_shared<DeviceMemory>(std::move(*memory));
  return Tensor::owned(type, shape, std::shared_ptr<void>(keep, address), device());
}

Result<void> CudaExecutor::upload(const Tensor &host, const Tensor &device) {
  if (host.bytes() == 0)
    return {};
  if (Result<void> settled = settle(); !settled)
    return settled;
  ContextScope scope(*gpu);
  NNC_CUDA_TRY(gpu->api(), cuMemcpyHtoDAsync, reinterpret_cast<CUdeviceptr>(device.data()),
               host.data(), host.bytes(), stream);
  NNC_CUDA_TRY(gpu->api(), cuStreamSynchronize, stream);
  return {};
}

Result<void> CudaExecutor::download(const Tensor &device, const Tensor &host) {
  if (host.bytes() == 0)
    return {};
  if (Result<void> settled = settle(); !settled)
    return settled;
  ContextScope scope(*gpu);
  NNC_CUDA_TRY(gpu->api(), cuMemcpyDtoHAsync, host.data(),
               reinterpret_cast<CUdeviceptr>(device.data()), host.bytes(), stream);
  NNC_CUDA_TRY(gpu->api(), cuStreamSynchronize, stream);
  return {};
}

} // namespace

Result<std::unique_ptr<Executor>> rt::makeCudaExecutor(std::shared_ptr<EngineState> engine,
                                                       std::shared_ptr<CudaModel> model) {
  auto executor = std::make_unique<CudaExecutor>(std::move(engine), std::move(model));
  if (Result<void> prepared = executor->prepare(); !prepared)
    return prepared.error();
  return std::unique_ptr<Executor>(std::move(executor));
}
