#include "runtime/EngineState.h"
#include "runtime/Suggest.h"
#include "runtime/cpu/CpuExecutor.h"
#include "runtime/cuda/CudaExecutor.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

EngineState::EngineState(Container container, std::string name)
    : file(std::move(container)), title(std::move(name)) {}

EngineState::~EngineState() = default;

Result<std::shared_ptr<EngineState>> EngineState::make(Container container, const std::string &name,
                                                       std::vector<WeightData::Bytes> given) {
  std::shared_ptr<EngineState> state(new EngineState(std::move(container), name));
  Result<std::unique_ptr<ModelT>> model = readModel(state->file, name);
  if (!model)
    return model.error();
  state->plan = std::move(*model);
  Result<WeightData> weights = WeightData::open(*state->plan, state->file, name, std::move(given));
  if (!weights)
    return weights.error();
  state->weights = std::move(*weights);
  if (state->plan->target == Target::Cpu) {
    Result<std::shared_ptr<CpuModel>> code = CpuModel::load(*state->plan, state->file);
    if (!code)
      return Error{fmt::format("cannot load {}: {}", name, code.error().message)};
    state->cpu = std::move(*code);
  }
  return state;
}

static bool takesExactly(const EntryT &entry, const TensorMap &inputs) {
  return entry.inputs.size() == inputs.size() &&
         std::ranges::all_of(entry.inputs, [&](const std::unique_ptr<PortT> &port) {
           return inputs.find(port->name) != nullptr;
         });
}

Result<size_t> EngineState::findEntry(std::string_view entry, const TensorMap &inputs) const {
  std::optional<size_t> first;
  for (size_t i = 0; i < plan->entries.size(); ++i) {
    if (plan->entries[i]->name != entry || !plan->entries[i]->variant.empty())
      continue;
    if (takesExactly(*plan->entries[i], inputs))
      return i;
    first = first.value_or(i);
  }
  if (first)
    return *first;
  std::vector<std::string_view> names;
  for (const std::unique_ptr<EntryT> &known : plan->entries)
    if (known->variant.empty())
      names.push_back(known->name);
  return Error{fmt::format("{} has no entry point `{}`{}", title, entry, suggestion(entry, names))};
}

/// Whether the inputs have the sizes that are numbers in the entry's ports.
static bool fits(const EntryT &entry, const TensorMap &inputs) {
  for (const std::unique_ptr<PortT> &port : entry.inputs) {
    const Tensor *tensor = inputs.find(port->name);
    if (!tensor || tensor->rank() != port->shape.size())
      return false;
    for (size_t axis = 0; axis < port->shape.size(); ++axis) {
      const std::vector<ExprNode> &nodes = entry.exprs[port->shape[axis]]->nodes;
      bool isNumber = nodes.size() == 1 && nodes[0].op() == ExprOp::Const;
      if (isNumber && nodes[0].value() != tensor->shape()[axis])
        return false;
    }
  }
  return true;
}

/// Of several variants the first fits best: they fix the same dimensions.
size_t EngineState::chooseVariant(size_t general, const TensorMap &inputs) const {
  const std::string &name = plan->entries[general]->name;
  for (size_t i = general + 1; i < plan->entries.size(); ++i)
    if (plan->entries[i]->name == name && !plan->entries[i]->variant.empty() &&
        takesExactly(*plan->entries[i], inputs) && fits(*plan->entries[i], inputs))
      return i;
  return general;
}

Device EngineState::defaultDevice() const {
  return plan->target == Target::Cuda ? Device::cuda() : Device::cpu();
}

Result<void> EngineState::checkDevice(Device device) const {
  if (device.kind == defaultDevice().kind)
    return {};
  bool wantsCuda = device.kind == Device::Kind::Cuda;
  return Error{fmt::format("{} is compiled for {}, not for {}: compile it with --target {}", title,
                           wantsCuda ? "cpu" : "cuda", wantsCuda ? "cuda" : "cpu",
                           wantsCuda ? "cuda" : "cpu")};
}

/// The weights and code on a GPU: made by the first session there, then shared.
Result<std::shared_ptr<CudaModel>> EngineState::cudaModel(int index) {
  std::lock_guard lock(mutex);
  for (const auto &[gpu, model] : gpus)
    if (gpu == index)
      return model;
  Result<std::shared_ptr<CudaModel>> made = CudaModel::load(*plan, file, weights, title, index);
  if (made)
    gpus.push_back({index, *made});
  return made;
}

Result<std::unique_ptr<Executor>> EngineState::makeExecutor(std::shared_ptr<EngineState> state,
                                                            Device device) {
  if (Result<void> checked = state->checkDevice(device); !checked)
    return checked.error();
  if (device.kind == Device::Kind::Cpu)
    return makeCpuExecutor(state, state->cpu);
  Result<std::shared_ptr<CudaModel>> code = state->cudaModel(device.index);
  if (!code)
    return code.error();
  return makeCudaExecutor(state, *code);
}
