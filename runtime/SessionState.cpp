#include "runtime/SessionState.h"
#include "runtime/Suggest.h"
#include "runtime/format/Half.h"

#include <fmt/format.h>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

namespace {

using Ports = std::vector<std::unique_ptr<PortT>>;

DType typeOf(const PortT &port) { return static_cast<DType>(port.dtype); }

size_t findPort(const Ports &ports, std::string_view name) {
  for (size_t i = 0; i < ports.size(); ++i)
    if (ports[i]->name == name)
      return i;
  return ports.size();
}

/// A 16-bit float port takes f32 on the host; nothing else is converted.
bool isConverted(const PortT &port, const Tensor &tensor) {
  bool half = typeOf(port) == DType::F16 || typeOf(port) == DType::BF16;
  return half && tensor.dtype() == DType::F32 && tensor.device().kind == Device::Kind::Cpu;
}

/// Every port gets its tensor, and every tensor has a port.
Result<void> matchNames(const char *what, const EntryT &entry, const Ports &ports,
                        const TensorMap &tensors) {
  for (auto item = tensors.begin(); item != tensors.end(); ++item) {
    if (findPort(ports, item->name) == ports.size()) {
      std::vector<std::string_view> names;
      for (const std::unique_ptr<PortT> &port : ports)
        names.push_back(port->name);
      return Error{fmt::format("`{}` has no {} `{}`{}", entry.name, what, item->name,
                               suggestion(item->name, names))};
    }
    if (tensors.find(item->name) != &item->tensor)
      return Error{fmt::format("{} `{}` is given twice", what, item->name)};
  }
  for (const std::unique_ptr<PortT> &port : ports)
    if (!tensors.find(port->name))
      return Error{fmt::format("`{}` needs the {} `{}`: {}", entry.name, what, port->name,
                               portText(*port, entry))};
  return {};
}

/// A host tensor of the port's type in `storage`, which only ever grows.
Result<Tensor> stagedTensor(const PortT &port, std::span<const int64_t> shape,
                            std::vector<std::byte> &storage) {
  Result<size_t> bytes = byteSize(typeOf(port), shape);
  if (!bytes)
    return bytes.error();
  if (storage.size() < *bytes)
    storage.resize(*bytes);
  return Tensor::view(typeOf(port), shape, storage.data());
}

} // namespace

EntryState::EntryState(const ModelT &model, const EntryT &entry)
    : entry(entry), isDrawing(drawsNumbers(model, entry)), sizes(entry), scalars(entry.dims.size()),
      inputs(entry.inputs.size()), outputs(entry.outputs.size()),
      convertedInputs(entry.inputs.size()), convertedOutputs(entry.outputs.size()) {}

void EntryState::release() {
  std::ranges::fill(inputs, Tensor());
  std::ranges::fill(outputs, Tensor());
}

SessionState::SessionState(std::shared_ptr<EngineState> engine, std::unique_ptr<Executor> executor)
    : engine(std::move(engine)), executor(std::move(executor)), states(this->engine->model()) {
  for (const std::unique_ptr<EntryT> &entry : this->engine->model().entries)
    entries.emplace_back(this->engine->model(), *entry);
}

Result<std::unique_ptr<SessionState>> SessionState::open(std::shared_ptr<EngineState> engine,
                                                         std::unique_ptr<Executor> executor,
                                                         const SessionOptions &options) {
  std::unique_ptr<SessionState> session(new SessionState(std::move(engine), std::move(executor)));
  session->drawn.seed = options.seed;
  if (Result<void> opened = session->states.open(options.dims); !opened)
    return opened.error();
  if (Result<void> started = session->startFreshStates(); !started)
    return started.error();
  return session;
}

Result<void> SessionState::startFreshStates() {
  for (size_t state : states.fresh())
    if (Result<void> started = executor->startState(state, states.bytes(state)); !started) {
      states.unfix();
      return started;
    }
  return {};
}

Result<void> SessionState::reset() {
  states.reset();
  drawn.calls = 0;
  return startFreshStates();
}

/// The entry's call, with random numbers of its own.
Call SessionState::nextCall(size_t index) {
  EntryState &state = entries[index];
  Call call = {index, state.sizes, state.inputs, state.outputs};
  if (state.isDrawing) {
    call.generator = drawn;
    ++drawn.calls;
  }
  return call;
}

Result<void> SessionState::checkPlace(const char *what, const std::string &port,
                                      const Tensor &tensor) const {
  if (tensor.device().kind == Device::Kind::Cpu || tensor.device() == device())
    return {};
  return Error{fmt::format("{} `{}` is on {}, this session runs on {}", what, port,
                           tensor.device().text(), device().text())};
}

Result<void> SessionState::checkInput(const EntryState &state, size_t index,
                                      const Tensor &tensor) const {
  const PortT &port = *state.entry.inputs[index];
  bool typeFits = tensor.dtype() == typeOf(port) || isConverted(port, tensor);
  if (!typeFits || tensor.rank() != port.shape.size())
    return Error{fmt::format("input `{}`: expected {}, found {}", port.name,
                             portText(port, state.entry),
                             tensorText(tensor.dtype(), tensor.shape()))};
  if (!tensor.data() && tensor.bytes() > 0)
    return Error{fmt::format("input `{}` has no memory", port.name)};
  return checkPlace("input", port.name, tensor);
}

Result<void> SessionState::bindInputs(EntryState &state, const TensorMap &inputs) {
  const EntryT &entry = state.entry;
  if (Result<void> matched = matchNames("input", entry, entry.inputs, inputs); !matched)
    return matched;
  for (size_t i = 0; i < state.inputs.size(); ++i) {
    const Tensor &tensor = *inputs.find(entry.inputs[i]->name);
    if (Result<void> checked = checkInput(state, i, tensor); !checked)
      return checked;
    state.inputs[i] = tensor;
  }
  if (Result<void> read = readScalars(state); !read)
    return read;
  return state.sizes.update(state.inputs, state.scalars);
}

/// The values that guards, and on the cpu kernels, need on the host.
Result<void> SessionState::readScalars(EntryState &state) {
  for (size_t symbol = 0; symbol < state.scalars.size(); ++symbol) {
    const DimT &scalar = *state.entry.dims[symbol];
    if (scalar.kind != SymbolKind::Scalar)
      continue;
    if (scalar.source == ScalarSource::State) {
      Result<int64_t> value = executor->stateScalar(scalar.index);
      if (!value)
        return value.error();
      state.scalars[symbol] = *value;
      continue;
    }
    const Tensor &input = state.inputs[scalar.index];
    std::array<std::byte, sizeof(int64_t)> bytes{};
    Result<Tensor> host = Tensor::view(input.dtype(), {}, bytes.data());
    if (!host)
      return host.error();
    bool isHere = input.device().kind == Device::Kind::Cpu;
    if (Result<void> read = isHere ? Result<void>() : executor->download(input, *host); !read)
      return read;
    state.scalars[symbol] = scalarValue(input.dtype(), isHere ? input.data() : bytes.data());
  }
  return {};
}

Result<size_t> SessionState::begin(std::string_view entry, const TensorMap &inputs) {
  Result<size_t> index = engine->findEntry(entry, inputs);
  if (!index)
    return index;
  *index = engine->chooseVariant(*index, inputs);
  if (Result<void> bound = bindInputs(entries[*index], inputs); !bound)
    return bound.error();
  return index;
}

Result<void> SessionState::checkOutput(const EntryState &state, size_t index,
                                       const Tensor &tensor) const {
  const PortT &port = *state.entry.outputs[index];
  std::array<int64_t, Tensor::MaxRank> storage;
  std::span<const int64_t> shape = state.sizes.shapeOf(port, storage);
  bool typeFits = tensor.dtype() == typeOf(port) || isConverted(port, tensor);
  if (!typeFits || !std::ranges::equal(shape, tensor.shape()))
    return Error{fmt::format("output `{}`: expected {}, found {}", port.name,
                             tensorText(typeOf(port), shape),
                             tensorText(tensor.dtype(), tensor.shape()))};
  if (!tensor.data() && tensor.bytes() > 0)
    return Error{fmt::format("output `{}` has no memory", port.name)};
  return checkPlace("output", port.name, tensor);
}

Result<void> SessionState::bindOutputs(EntryState &state, const TensorMap &outputs) {
  const EntryT &entry = state.entry;
  if (Result<void> matched = matchNames("output", entry, entry.outputs, outputs); !matched)
    return matched;
  for (size_t i = 0; i < state.outputs.size(); ++i) {
    const Tensor &tensor = *outputs.find(entry.outputs[i]->name);
    if (Result<void> checked = checkOutput(state, i, tensor); !checked)
      return checked;
    state.outputs[i] = tensor;
  }
  return {};
}

Result<void> SessionState::convertInputs(EntryState &state) {
  for (size_t i = 0; i < state.inputs.size(); ++i) {
    const PortT &port = *state.entry.inputs[i];
    Tensor &tensor = state.inputs[i];
    if (tensor.dtype() == typeOf(port))
      continue;
    Result<Tensor> staged = stagedTensor(port, tensor.shape(), state.convertedInputs[i]);
    if (!staged)
      return staged.error();
    convertFloats(tensor.dtype(), tensor.data(), staged->dtype(), staged->data(),
                  tensor.elements());
    tensor = std::move(*staged);
  }
  return {};
}

Result<void> SessionState::stageOutputs(EntryState &state) {
  for (size_t i = 0; i < state.outputs.size(); ++i) {
    const PortT &port = *state.entry.outputs[i];
    Tensor &tensor = state.outputs[i];
    if (tensor.dtype() == typeOf(port))
      continue;
    Result<Tensor> staged = stagedTensor(port, tensor.shape(), state.convertedOutputs[i]);
    if (!staged)
      return staged.error();
    tensor = std::move(*staged);
  }
  return {};
}

/// Converts what was staged.
void SessionState::finishOutputs(EntryState &state, const TensorMap &outputs) {
  for (size_t i = 0; i < state.outputs.size(); ++i) {
    const Tensor &target = *outputs.find(state.entry.outputs[i]->name);
    const Tensor &computed = state.outputs[i];
    if (computed.dtype() != target.dtype())
      convertFloats(computed.dtype(), computed.data(), target.dtype(), target.data(),
                    target.elements());
  }
}

Result<size_t> SessionState::prepare(std::string_view entry, const TensorMap &inputs,
                                     const TensorMap &outputs) {
  Result<size_t> index = begin(entry, inputs);
  if (!index)
    return index;
  EntryState &state = entries[*index];
  if (Result<void> bound = bindOutputs(state, outputs); !bound)
    return bound.error();
  if (Result<void> converted = convertInputs(state); !converted)
    return converted.error();
  if (Result<void> staged = stageOutputs(state); !staged)
    return staged.error();
  if (Result<void> fixed = states.fix(state.entry, state.sizes); !fixed)
    return fixed.error();
  if (Result<void> started = startFreshStates(); !started)
    return started.error();
  return index;
}

Result<void> SessionState::runInto(std::string_view entry, const TensorMap &inputs,
                                   const TensorMap &outputs) {
  Result<size_t> index = prepare(entry, inputs, outputs);
  if (!index)
    return index.error();
  EntryState &state = entries[*index];
  Result<void> ran = executor->run(nextCall(*index));
  if (ran)
    finishOutputs(state, outputs);
  state.release();
  return ran;
}

Result<void> SessionState::checkOnDevice(const char *what, const TensorMap &tensors) const {
  for (const NamedTensor &item : tensors)
    if (item.tensor.device() != device())
      return Error{fmt::format("{} `{}` is on {}, a queued call takes tensors of {}", what,
                               item.name, item.tensor.device().text(), device().text())};
  return {};
}

Result<void> SessionState::enqueue(std::string_view entry, const TensorMap &inputs,
                                   const TensorMap &outputs, void *stream) {
  if (device().kind != Device::Kind::Cuda)
    return Error{fmt::format("only a session on a GPU can queue calls, this one runs on {}",
                             device().text())};
  if (Result<void> checked = checkOnDevice("input", inputs); !checked)
    return checked;
  if (Result<void> checked = checkOnDevice("output", outputs); !checked)
    return checked;
  Result<size_t> index = prepare(entry, inputs, outputs);
  if (!index)
    return index.error();
  EntryState &state = entries[*index];
  Result<void> queued = executor->enqueue(nextCall(*index), stream);
  state.release();
  return queued;
}

Result<TensorMap> SessionState::freshOutputs(const EntryState &state, Device where) {
  TensorMap outputs;
  std::array<int64_t, Tensor::MaxRank> storage;
  for (const std::unique_ptr<PortT> &port : state.entry.outputs) {
    std::span<const int64_t> shape = state.sizes.shapeOf(*port, storage);
    Result<Tensor> tensor = where.kind == Device::Kind::Cpu
                                ? Tensor::empty(typeOf(*port), shape)
                                : executor->allocate(typeOf(*port), shape);
    if (!tensor)
      return tensor.error();
    outputs.add(port->name, std::move(*tensor));
  }
  return outputs;
}

Result<TensorMap> SessionState::makeOutputs(std::string_view entry, const TensorMap &inputs,
                                            Device where) {
  if (where.kind == Device::Kind::Cuda && where != device())
    return Error{fmt::format("this session runs on {}, not on {}", device().text(), where.text())};
  Result<size_t> index = begin(entry, inputs);
  if (!index)
    return index.error();
  return freshOutputs(entries[*index], where);
}

Result<TensorMap> SessionState::run(std::string_view entry, const TensorMap &inputs) {
  Result<TensorMap> outputs = makeOutputs(entry, inputs, Device::cpu());
  if (!outputs)
    return outputs;
  if (Result<void> ran = runInto(entry, inputs, *outputs); !ran)
    return ran.error();
  return outputs;
}

/// Before the same call again: what scalars are now, and whether they allow it.
Result<void> SessionState::resume(EntryState &state) {
  if (Result<void> read = readScalars(state); !read)
    return read;
  if (Result<void> updated = state.sizes.update(state.inputs, state.scalars); !updated)
    return updated;
  if (Result<void> fixed = states.fix(state.entry, state.sizes); !fixed)
    return fixed;
  return startFreshStates();
}

Result<Tensor> SessionState::toDevice(const Tensor &host) {
  if (host.device() == device())
    return host;
  if (Result<void> checked = checkPlace("tensor", "host", host); !checked)
    return checked.error();
  Result<Tensor> copy = executor->allocate(host.dtype(), host.shape());
  if (!copy)
    return copy;
  if (Result<void> uploaded = executor->upload(host, *copy); !uploaded)
    return uploaded.error();
  return copy;
}

Result<Tensor> SessionState::toHost(const Tensor &onDevice) {
  if (onDevice.device().kind == Device::Kind::Cpu)
    return onDevice;
  if (Result<void> checked = checkPlace("tensor", "onDevice", onDevice); !checked)
    return checked.error();
  Result<Tensor> copy = Tensor::empty(onDevice.dtype(), onDevice.shape());
  if (!copy)
    return copy;
  if (Result<void> downloaded = executor->download(onDevice, *copy); !downloaded)
    return downloaded.error();
  return copy;
}
