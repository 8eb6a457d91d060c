#include "runtime/cpu/CpuExecutor.h"
#include "runtime/LoopBuffers.h"
#include "runtime/NanSearch.h"
#include "runtime/cpu/ThreadPool.h"

#include "runtime/StateSizes.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

/// "avx2,fma" as names.
static std::vector<std::string> featureNames(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    size_t end = std::min(text.find(','), text.size());
    names.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return names;
}

Result<std::shared_ptr<CpuModel>> CpuModel::load(const ModelT &model, const Container &container) {
  std::string_view triple = model.cpu->triple;
  if (!triple.starts_with("x86_64"))
    return Error{fmt::format("it is compiled for {}, this machine is x86_64", triple)};
  if (Result<void> checked = checkCpuFeatures(featureNames(model.cpu->features)); !checked)
    return checked.error();
  if (model.kernels.empty() && container.section(section::Cpu).empty())
    return std::shared_ptr<CpuModel>(nullptr);
  Result<LoadedObject> object = LoadedObject::load(container.section(section::Cpu));
  if (!object)
    return object.error();
  std::shared_ptr<CpuModel> loaded(new CpuModel(std::move(*object)));
  for (const std::unique_ptr<KernelT> &kernel : model.kernels) {
    CpuKernelFn function = loaded->object.find(kernel->symbol);
    if (!function)
      return Error{fmt::format("its code lacks the kernel `{}`", kernel->symbol)};
    loaded->kernels.push_back(function);
  }
  return loaded;
}

namespace {

Result<void> copyTensor(const Tensor &source, const Tensor &target) {
  if (source.bytes() > 0)
    std::memcpy(target.data(), source.data(), source.bytes());
  return {};
}

class CpuExecutor : public Executor {
public:
  CpuExecutor(std::shared_ptr<EngineState> engine, std::shared_ptr<CpuModel> code)
      : engine(std::move(engine)), code(std::move(code)) {}

  Result<void> prepare();
  Device device() const override { return Device::cpu(); }
  std::string deviceName() const override { return "cpu"; }
  Result<void> run(const Call &call) override;
  /// There are no streams: it runs at once.
  Result<void> enqueue(const Call &call, void *) override { return run(call); }
  Result<void> profile(const Call &call, std::span<double> milliseconds) override;
  Result<std::optional<size_t>> findNan(const Call &call) override;
  Result<void> startState(size_t state, uint64_t bytes) override;
  Result<int64_t> stateScalar(size_t state) override {
    return scalarValue(static_cast<DType>(model().states[state]->dtype),
                       states[state].bytes().data());
  }
  Result<void> readState(size_t state, const Tensor &host) override {
    if (host.bytes() > 0)
      std::memcpy(host.data(), states[state].bytes().data(), host.bytes());
    return {};
  }
  Result<void> writeState(size_t state, const Tensor &host) override {
    if (host.bytes() > 0)
      std::memcpy(states[state].writable().data(), host.data(), host.bytes());
    return {};
  }
  Result<Tensor> allocate(DType type, std::span<const int64_t> shape) override {
    return Tensor::empty(type, shape);
  }
  Result<void> upload(const Tensor &host, const Tensor &device) override {
    return copyTensor(host, device);
  }
  Result<void> download(const Tensor &device, const Tensor &host) override {
    return copyTensor(device, host);
  }

private:
  Result<void> placeGenerator(const Call &call);
  void *addressOf(const BufferT &buffer, const Call &call);
  void resolveBuffers(const EntryT &entry, const Call &call);
  void runStep(const EntryT &entry, const StepT &step, const Call &call);
  void launch(const LaunchT &launch, const Call &call);
  void loop(const EntryT &entry, const LoopT &loop, const Call &call);

  const ModelT &model() const { return engine->model(); }

  std::shared_ptr<EngineState> engine;
  std::shared_ptr<CpuModel> code;
  MappedFile arena;               // of the largest entry
  std::vector<MappedFile> states; // by index of Model.states
  std::vector<void *> buffers;    // of the running call, by index of Entry.buffers
  std::vector<void *> operands;   // of the running launch
  std::vector<int64_t> dims;      // of the running call, with the counters of its loops
};

/// Gets all memory that any call needs.
Result<void> CpuExecutor::prepare() {
  uint64_t arenaBytes = 0;
  size_t mostBuffers = 0, mostOperands = 0, mostDims = 0;
  for (const std::unique_ptr<EntryT> &entry : model().entries) {
    arenaBytes = std::max(arenaBytes, entry->arena_bytes);
    mostBuffers = std::max(mostBuffers, entry->buffers.size());
    mostDims = std::max(mostDims, entry->dims.size());
    forEachStep(entry->steps, [&](const StepT &step) {
      if (const LaunchT *launch = step.what.AsLaunch())
        mostOperands = std::max(mostOperands, launch->buffers.size());
    });
  }
  dims.resize(mostDims);
  buffers.resize(mostBuffers);
  operands.resize(mostOperands);
  Result<MappedFile> memory = MappedFile::anonymous(arenaBytes);
  if (!memory)
    return Error{fmt::format("cannot open a session of {}: {} for its arena", engine->name(),
                             memory.error().message)};
  arena = std::move(*memory);
  states.resize(model().states.size());
  return {};
}

Result<void> CpuExecutor::startState(size_t index, uint64_t bytes) {
  const StateT &state = *model().states[index];
  MappedFile &memory = states[index];
  bool isNew = memory.bytes().size() < std::max<uint64_t>(bytes, sizeof(int64_t));
  if (isNew) {
    Result<MappedFile> kept = MappedFile::anonymous(std::max<uint64_t>(bytes, sizeof(int64_t)));
    if (!kept)
      return Error{fmt::format("a session of {}: {} for the state `{}`", engine->name(),
                               kept.error().message, state.name)};
    memory = std::move(*kept);
  }
  std::byte *target = memory.writable().data();
  if (state.weight >= 0) {
    WeightData::Bytes initial = engine->weight(static_cast<size_t>(state.weight));
    std::memcpy(target, initial.data(), bytes);
    return {};
  }
  if (isNew && state.value == 0)
    return {};
  std::vector<std::byte> element = initialElement(state);
  for (uint64_t at = 0; at + element.size() <= bytes; at += element.size())
    std::memcpy(target + at, element.data(), element.size());
  return {};
}

/// Where the random numbers of the call come from.
Result<void> CpuExecutor::placeGenerator(const Call &call) {
  if (!call.generator)
    return {};
  std::span<std::byte> memory = states[static_cast<size_t>(model().generator)].writable();
  if (memory.size() < sizeof(Generator))
    return Error{fmt::format("the random numbers of {} have no memory", engine->name())};
  std::memcpy(memory.data(), &*call.generator, sizeof(Generator));
  return {};
}

/// Weights are read-only memory; kernels take all buffers as `void *`.
static void *mutableAddress(const std::byte *address) { return const_cast<std::byte *>(address); }

void *CpuExecutor::addressOf(const BufferT &buffer, const Call &call) {
  switch (buffer.kind) {
  case BufferKind::Arena:
    return arena.writable().data() + buffer.offset;
  case BufferKind::Weight:
    return mutableAddress(engine->weight(buffer.index).data());
  case BufferKind::Input:
    return call.inputs[buffer.index].data();
  case BufferKind::Output:
    return call.outputs[buffer.index].data();
  case BufferKind::State:
    return states[buffer.index].writable().data();
  case BufferKind::Loop:
    return nullptr; // loops place it
  }
  __builtin_unreachable();
}

void CpuExecutor::resolveBuffers(const EntryT &entry, const Call &call) {
  for (size_t i = 0; i < entry.buffers.size(); ++i)
    buffers[i] = addressOf(*entry.buffers[i], call);
  std::ranges::copy(call.sizes.dims(), dims.begin());
}

void CpuExecutor::launch(const LaunchT &launch, const Call &call) {
  for (size_t i = 0; i < launch.buffers.size(); ++i)
    operands[i] = buffers[launch.buffers[i]];
  CpuKernelFn kernel = code->kernel(launch.kernel);
  void *const *pointers = operands.data();
  const int64_t *values = dims.data();
  ThreadPool::shared().forEach(call.sizes.value(launch.grid[0]),
                               [=](int64_t block) { kernel(pointers, values, block); });
}

void CpuExecutor::runStep(const EntryT &entry, const StepT &step, const Call &call) {
  if (const LaunchT *what = step.what.AsLaunch())
    return launch(*what, call);
  if (const LoopT *what = step.what.AsLoop())
    return loop(entry, *what, call);
  const CopyT &copy = *step.what.AsCopy();
  auto bytes = static_cast<size_t>(call.sizes.value(copy.bytes));
  if (bytes > 0)
    std::memmove(buffers[copy.dst], buffers[copy.src], bytes);
}

void CpuExecutor::loop(const EntryT &entry, const LoopT &loop, const Call &call) {
  LoopBuffers<void *> moving(loop, buffers);
  int64_t length = call.sizes.value(loop.length);
  for (int64_t iteration = 0; iteration < length; ++iteration) {
    int64_t counter = loop.reverse ? length - 1 - iteration : iteration;
    dims[loop.counter] = counter;
    moving.begin([&](void *address, uint32_t slot) -> void * {
      return static_cast<std::byte *>(address) +
             counter * call.sizes.value(entry.buffers[slot]->bytes);
    });
    for (const std::unique_ptr<StepT> &step : loop.steps)
      runStep(entry, *step, call);
    moving.end();
  }
  moving.finish();
}

Result<void> CpuExecutor::run(const Call &call) {
  if (Result<void> placed = placeGenerator(call); !placed)
    return placed;
  const EntryT &entry = *model().entries[call.entry];
  resolveBuffers(entry, call);
  for (const std::unique_ptr<StepT> &step : entry.steps)
    runStep(entry, *step, call);
  return {};
}

Result<void> CpuExecutor::profile(const Call &call, std::span<double> milliseconds) {
  if (Result<void> placed = placeGenerator(call); !placed)
    return placed;
  using Clock = std::chrono::steady_clock;
  const EntryT &entry = *model().entries[call.entry];
  resolveBuffers(entry, call);
  for (size_t i = 0; i < entry.steps.size(); ++i) {
    Clock::time_point start = Clock::now();
    runStep(entry, *entry.steps[i], call);
    milliseconds[i] += std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  }
  return {};
}

Result<std::optional<size_t>> CpuExecutor::findNan(const Call &call) {
  if (Result<void> placed = placeGenerator(call); !placed)
    return placed.error();
  const EntryT &entry = *model().entries[call.entry];
  resolveBuffers(entry, call);
  for (size_t i = 0; i < entry.steps.size(); ++i) {
    runStep(entry, *entry.steps[i], call);
    for (uint32_t number : buffersAfter(*entry.steps[i])) {
      const BufferT &buffer = *entry.buffers[number];
      if (hasNan(static_cast<DType>(buffer.dtype),
                 {static_cast<const std::byte *>(buffers[number]),
                  static_cast<size_t>(call.sizes.value(buffer.bytes))}))
        return std::optional(i);
    }
  }
  return std::optional<size_t>();
}

} // namespace

Result<std::unique_ptr<Executor>> rt::makeCpuExecutor(std::shared_ptr<EngineState> engine,
                                                      std::shared_ptr<CpuModel> code) {
  auto executor = std::make_unique<CpuExecutor>(std::move(engine), std::move(code));
  if (Result<void> prepared = executor->prepare(); !prepared)
    return prepared.error();
  return std::unique_ptr<Executor>(std::move(executor));
}
