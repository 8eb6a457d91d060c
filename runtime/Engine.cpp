#include "runtime/Engine.h"
#include "runtime/SessionState.h"
#include "runtime/format/PlanText.h"

using namespace nnc;

Session::Session(std::unique_ptr<rt::SessionState> state) : self(std::move(state)) {}
Session::Session(Session &&) noexcept = default;
Session &Session::operator=(Session &&) noexcept = default;
Session::~Session() = default;

Result<TensorMap> Session::run(std::string_view entry, const TensorMap &inputs) {
  return self->run(entry, inputs);
}

Result<void> Session::enqueue(std::string_view entry, const TensorMap &inputs,
                              const TensorMap &outputs, void *stream) {
  return self->enqueue(entry, inputs, outputs, stream);
}

Result<void> Session::runInto(std::string_view entry, const TensorMap &inputs,
                              const TensorMap &outputs) {
  return self->runInto(entry, inputs, outputs);
}

Result<TensorMap> Session::makeOutputs(std::string_view entry, const TensorMap &inputs,
                                       Device where) {
  return self->makeOutputs(entry, inputs, where);
}

Result<std::vector<StepTime>> Session::profile(std::string_view entry, const TensorMap &inputs,
                                               unsigned iterations) {
  return self->profile(entry, inputs, iterations);
}

Result<std::optional<NanSource>> Session::findNan(std::string_view entry, const TensorMap &inputs) {
  return self->findNan(entry, inputs);
}

Result<void> Session::reset() { return self->reset(); }

Generator Session::generator() const { return self->generator(); }

void Session::setGenerator(const Generator &generator) { self->setGenerator(generator); }

std::vector<Slot> Session::slots() const { return self->slots(); }

Result<Tensor> Session::state(std::string_view name) { return self->slot(name); }

Result<void> Session::setState(std::string_view name, const Tensor &value) {
  return self->setSlot(name, value);
}

Result<void> Session::save(const std::string &path, const Metadata &metadata) {
  return self->save(path, metadata);
}

Result<Metadata> Session::load(const std::string &path) { return self->load(path); }

Result<Tensor> Session::toDevice(const Tensor &host) { return self->toDevice(host); }

Result<Tensor> Session::toHost(const Tensor &onDevice) { return self->toHost(onDevice); }

Device Session::device() const { return self->device(); }

std::string Session::deviceName() const { return self->deviceName(); }

static Result<std::shared_ptr<rt::EngineState>> makeState(Result<format::Container> container,
                                                          const std::string &name) {
  if (!container)
    return container.error();
  return rt::EngineState::make(std::move(*container), name);
}

Result<Engine> Engine::load(const std::string &path) {
  Result<std::shared_ptr<rt::EngineState>> state = makeState(format::Container::open(path), path);
  if (!state)
    return state.error();
  return Engine(std::move(*state));
}

Result<Engine> Engine::fromMemory(std::span<const std::byte> bytes, const std::string &name) {
  Result<std::shared_ptr<rt::EngineState>> state =
      makeState(format::Container::fromMemory(bytes, name), name);
  if (!state)
    return state.error();
  return Engine(std::move(*state));
}

Result<Session> Engine::session(const SessionOptions &options) const {
  Device device = options.device.value_or(state->defaultDevice());
  Result<std::unique_ptr<rt::Executor>> executor = rt::EngineState::makeExecutor(state, device);
  if (!executor)
    return executor.error();
  Result<std::unique_ptr<rt::SessionState>> session =
      rt::SessionState::open(state, std::move(*executor), options);
  if (!session)
    return session.error();
  return Session(std::move(*session));
}

std::string Engine::info() const {
  return format::planText(state->model(), format::PlanDetail::Summary);
}

const format::ModelT &Engine::plan() const { return state->model(); }
