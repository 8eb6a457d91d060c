// What a session keeps between calls, seen from outside: values by name, and checkpoints.
//
// A slot is a state of the plan, known by the checkpoint key of the weight that it starts as, else
// by its name. Weights that no entry point sets are no slots: a checkpoint holds them too, so that
// it is a whole model, and loading one only compares them.
#include "runtime/SessionState.h"
#include "runtime/Suggest.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <map>

using namespace nnc;
using namespace nnc::format;
using namespace nnc::rt;

namespace {

constexpr const char *SeedKey = "generator.seed";
constexpr const char *CallsKey = "generator.calls";
constexpr const char *FormatKey = "format";

DType typeOf(const StateT &state) { return static_cast<DType>(state.dtype); }

/// The first is what checkpoints are written with.
std::vector<std::string> keysOf(const ModelT &model, const StateT &state) {
  if (state.weight >= 0 && !model.weights[static_cast<size_t>(state.weight)]->keys.empty())
    return model.weights[static_cast<size_t>(state.weight)]->keys;
  return {state.name};
}

/// By index of Model.weights: those that no entry point sets and that a checkpoint has.
std::vector<bool> constantWeights(const ModelT &model) {
  std::vector<bool> isConstant;
  for (const std::unique_ptr<WeightT> &weight : model.weights)
    isConstant.push_back(!weight->keys.empty());
  for (const std::unique_ptr<StateT> &state : model.states)
    if (state->weight >= 0)
      isConstant[static_cast<size_t>(state->weight)] = false;
  return isConstant;
}

Result<uint64_t> parseCount(const std::string &name, const std::string &text) {
  uint64_t value = 0;
  auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || stop != text.data() + text.size())
    return Error{fmt::format("its `{}` is no number: `{}`", name, text)};
  return value;
}

/// What metadata says of the generator; `now` if it says nothing.
Result<Generator> generatorOf(const Metadata &metadata, const Generator &now) {
  Generator generator = now;
  for (auto [name, number] : {std::pair{SeedKey, &generator.seed}, {CallsKey, &generator.calls}}) {
    auto text = metadata.find(name);
    if (text == metadata.end())
      continue;
    Result<uint64_t> value = parseCount(name, text->second);
    if (!value)
      return value.error();
    *number = *value;
  }
  return generator;
}

/// "`fc1.weight`, `fc2.weight` and 3 more".
std::string listSome(const std::vector<std::string> &names) {
  constexpr size_t Shown = 3;
  size_t shown = std::min(names.size(), Shown);
  std::string text = fmt::format("`{}`", fmt::join(names.begin(), names.begin() + shown, "`, `"));
  return names.size() > shown ? text + fmt::format(" and {} more", names.size() - shown) : text;
}

} // namespace

/// The session itself writes the state of the generator.
bool SessionState::isSlot(size_t state) const {
  return static_cast<int64_t>(state) != engine->model().generator;
}

std::vector<Slot> SessionState::slots() const {
  std::vector<Slot> list;
  for (size_t i = 0; i < engine->model().states.size(); ++i) {
    if (!isSlot(i))
      continue;
    const StateT &state = *engine->model().states[i];
    std::span<const int64_t> shape = states.shape(i);
    list.push_back({keysOf(engine->model(), state).front(),
                    typeOf(state),
                    {shape.begin(), shape.end()},
                    states.isFixed(i)});
  }
  return list;
}

Result<size_t> SessionState::findSlot(std::string_view name) const {
  std::vector<std::string> keys;
  for (size_t i = 0; i < engine->model().states.size(); ++i) {
    if (!isSlot(i))
      continue;
    for (std::string &key : keysOf(engine->model(), *engine->model().states[i])) {
      if (key == name)
        return i;
      keys.push_back(std::move(key));
    }
  }
  std::vector<std::string_view> known(keys.begin(), keys.end());
  return Error{fmt::format("no call changes `{}`{}", name,
                           known.empty() ? ": the model keeps nothing between calls"
                                         : suggestion(name, known))};
}

/// Empty if a value of this type and shape may be put into the slot.
std::string SessionState::mismatch(size_t index, DType type, std::span<const int64_t> shape,
                                   bool afterReset) const {
  const StateT &state = *engine->model().states[index];
  if (type == typeOf(state) && states.fits(index, shape, afterReset))
    return "";
  bool isFixed = afterReset ? states.isConstant(index) : states.isFixed(index);
  std::span<const int64_t> expected = isFixed ? states.shape(index) : state.shape;
  return fmt::format("`{}`: expected {}{}, found {}", keysOf(engine->model(), state).front(),
                     isFixed ? "" : "at most ", tensorText(typeOf(state), expected),
                     tensorText(type, shape));
}

Result<Tensor> SessionState::slot(std::string_view name) {
  Result<size_t> index = findSlot(name);
  if (!index)
    return index.error();
  if (!states.isFixed(*index))
    return Error{fmt::format("`{}` has no value: its sizes depend on dimensions that no call has "
                             "fixed",
                             name)};
  Result<Tensor> value =
      Tensor::empty(typeOf(*engine->model().states[*index]), states.shape(*index));
  if (!value)
    return value;
  if (Result<void> read = executor->readState(*index, *value); !read)
    return read.error();
  return value;
}

Result<void> SessionState::setSlot(std::string_view name, const Tensor &value) {
  Result<size_t> index = findSlot(name);
  if (!index)
    return index.error();
  if (std::string wrong = mismatch(*index, value.dtype(), value.shape()); !wrong.empty())
    return Error{wrong};
  Result<Tensor> host = toHost(value);
  return host ? writeSlot(*index, *host) : host.error();
}

/// Gives the state memory if it has none.
Result<void> SessionState::writeSlot(size_t index, const Tensor &host) {
  if (!states.isFixed(index)) {
    states.give(index, host.shape());
    if (Result<void> started = executor->startState(index, states.bytes(index)); !started)
      return started;
  }
  return executor->writeState(index, host);
}

Result<void> SessionState::save(const std::string &path, const Metadata &metadata) {
  const ModelT &model = engine->model();
  std::vector<Tensor> values; // alive until the file is written
  std::vector<StoredTensor> stored;
  for (const Slot &slot : slots()) {
    if (!slot.isFixed)
      continue;
    Result<Tensor> value = this->slot(slot.name);
    if (!value)
      return Error{fmt::format("cannot write {}: {}", path, value.error().message)};
    stored.push_back({slot.name,
                      slot.dtype,
                      slot.shape,
                      {static_cast<const std::byte *>(value->data()), value->bytes()}});
    values.push_back(std::move(*value));
  }
  std::vector<bool> isConstant = constantWeights(model);
  for (size_t i = 0; i < model.weights.size(); ++i)
    if (const WeightT &weight = *model.weights[i]; isConstant[i])
      stored.push_back(
          {weight.keys.front(), static_cast<DType>(weight.dtype), weight.shape, engine->weight(i)});
  // So every tensor is as aligned as its elements.
  std::ranges::sort(stored, {}, [](const StoredTensor &tensor) {
    return std::pair(-static_cast<int>(dtypeBytes(tensor.type)), std::string_view(tensor.name));
  });
  Metadata all = metadata;
  all[FormatKey] = "nnc";
  all[SeedKey] = fmt::format("{}", drawn.seed);
  all[CallsKey] = fmt::format("{}", drawn.calls);
  return writeSafetensors(path, stored, all);
}

/// A weight that calls do not change must be what the model has.
Result<void> SessionState::checkConstant(const StoredTensor &stored) const {
  const ModelT &model = engine->model();
  std::vector<bool> isConstant = constantWeights(model);
  for (size_t i = 0; i < model.weights.size(); ++i) {
    const WeightT &weight = *model.weights[i];
    if (!isConstant[i] || std::ranges::find(weight.keys, stored.name) == weight.keys.end())
      continue;
    if (stored.type == static_cast<DType>(weight.dtype) && stored.shape == weight.shape &&
        std::ranges::equal(stored.data, engine->weight(i)))
      return {};
    return Error{fmt::format("`{}` differs from the model's, and no entry point sets it: compile "
                             "the model with these weights",
                             stored.name)};
  }
  return Error{fmt::format("it has `{}`, the model has not", stored.name)};
}

/// By state what the file has for it. All that is wrong is found here.
Result<SessionState::Stored> SessionState::matchStored(const Checkpoint &file) const {
  const ModelT &model = engine->model();
  std::map<std::string, size_t, std::less<>> slotOf;
  for (size_t i = 0; i < model.states.size(); ++i)
    for (std::string &key : keysOf(model, *model.states[i]))
      if (isSlot(i))
        slotOf.emplace(std::move(key), i);
  Stored found(model.states.size());
  for (const StoredTensor &stored : file.tensors()) {
    auto known = slotOf.find(stored.name);
    if (known == slotOf.end()) {
      if (Result<void> checked = checkConstant(stored); !checked)
        return checked.error();
      continue;
    }
    auto [name, index] = *known;
    if (found[index] && !std::ranges::equal(found[index]->data, stored.data))
      return Error{fmt::format("`{}` and `{}` differ, but are one tensor of the model",
                               found[index]->name, stored.name)};
    found[index] = &stored;
  }
  std::vector<std::string> missing;
  for (size_t i = 0; i < found.size(); ++i)
    if (isSlot(i) && !found[i] && states.isConstant(i))
      missing.push_back(keysOf(model, *model.states[i]).front());
  if (!missing.empty())
    return Error{fmt::format("it lacks {}", listSome(missing))};
  return found;
}

/// Of a session that was reset.
Result<void> SessionState::setStored(const Stored &stored) {
  for (size_t i = 0; i < stored.size(); ++i) {
    if (!stored[i])
      continue;
    Result<Tensor> host = Tensor::empty(stored[i]->type, stored[i]->shape); // aligned
    if (!host)
      return host.error();
    if (host->bytes() > 0)
      std::memcpy(host->data(), stored[i]->data.data(), host->bytes());
    if (Result<void> written = writeSlot(i, *host); !written)
      return written;
  }
  return {};
}

Result<Metadata> SessionState::load(const std::string &path) {
  Result<Checkpoint> file = Checkpoint::open(path);
  if (!file)
    return file.error();
  auto wrong = [&](const std::string &what) {
    return Error{fmt::format("{} does not fit {}: {}", path, engine->name(), what)};
  };
  Result<Stored> stored = matchStored(*file);
  if (!stored)
    return wrong(stored.error().message);
  Result<Generator> generator = generatorOf(file->metadata(), drawn);
  if (!generator)
    return wrong(generator.error().message);
  for (size_t i = 0; i < stored->size(); ++i)
    if (const StoredTensor *item = (*stored)[i])
      if (std::string text = mismatch(i, item->type, item->shape, true); !text.empty())
        return wrong(text);
  states.reset();
  if (Result<void> started = startFreshStates(); !started)
    return started.error();
  if (Result<void> set = setStored(*stored); !set)
    return set.error();
  drawn = *generator;
  Metadata metadata = file->metadata();
  for (const char *own : {SeedKey, CallsKey, FormatKey})
    metadata.erase(own);
  return metadata;
}
