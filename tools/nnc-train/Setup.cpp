#include "tools/nnc-train/Run.h"

#include "runtime/format/Safetensors.h"
#include "tools/Say.h"

#include <algorithm>
#include <charconv>
#include <numeric>

using namespace nnc;
using namespace nnc::train;
using nnc::format::EntryT;

namespace {

/// General entries of one name: several if some inputs are optional.
std::vector<const EntryT *> entriesNamed(const format::ModelT &model, std::string_view name) {
  std::vector<const EntryT *> found;
  for (const std::unique_ptr<EntryT> &entry : model.entries)
    if (entry->name == name && entry->variant.empty())
      found.push_back(entry.get());
  return found;
}

Error lacksEntry(const Options &options, const format::ModelT &model, std::string_view name) {
  std::string names;
  for (const std::unique_ptr<EntryT> &entry : model.entries)
    if (entry->variant.empty() && names.find("`" + entry->name + "`") == std::string::npos)
      names += (names.empty() ? "`" : ", `") + entry->name + "`";
  return Error{
      fmt::format("{} has no entry point `{}`, only {}: compile a file with a `train` block",
                  options.model, name, names)};
}

/// The first of these entries that the data fits; the error is that of the first.
Result<Binding> bindAny(const std::vector<const EntryT *> &entries, const Dataset &data,
                        const BindingOptions &options) {
  Result<Binding> first = bindInputs(data, *entries[0], options);
  for (size_t i = 1; i < entries.size() && !first; ++i)
    if (Result<Binding> other = bindInputs(data, *entries[i], options))
      return other;
  return first;
}

/// The loss is the first result.
Result<std::string> lossOf(const EntryT &entry) {
  if (entry.outputs.empty())
    return Error{fmt::format("`{}` has no results; its first must be the loss", entry.name)};
  const format::PortT &port = *entry.outputs[0];
  if (port.shape.empty() && static_cast<DType>(port.dtype) == DType::F32)
    return port.name;
  return Error{fmt::format("the first result of `{}`, `{}`, is {}; it must be the loss, f32[]",
                           entry.name, port.name, portText(port, entry))};
}

/// Some examples, chosen by the seed, move from the training data to the test data.
void holdOut(Data &data, double part, uint64_t seed, int64_t length) {
  std::vector<size_t> examples(data.train->size(length));
  std::iota(examples.begin(), examples.end(), size_t{0});
  constexpr uint64_t Stream = 3; // Loader.cpp has the others
  Random random{seed, Stream};
  for (size_t i = examples.size(); i > 1; --i)
    std::swap(examples[i - 1], examples[random.below(i)]);
  auto count = static_cast<ptrdiff_t>(part * static_cast<double>(examples.size()));
  std::vector<size_t> held(examples.begin(), examples.begin() + count);
  examples.erase(examples.begin(), examples.begin() + count);
  std::ranges::sort(held);
  std::ranges::sort(examples);
  data.test = subset(data.train, std::move(held));
  data.train = subset(data.train, std::move(examples));
}

Result<Data> openAllData(const Options &options) {
  Result<Data> data = openData(options.data);
  if (!data)
    return data;
  if (!options.evalData.empty()) {
    Result<Data> other = openData(options.evalData);
    if (!other)
      return other;
    data->test = other->test ? other->test : other->train;
  }
  return data;
}

/// Pixel statistics that the user gave, else those of the data.
ImageTransform transformOf(const Options &options, const Data &data) {
  bool isGiven = !options.mean.empty() || !options.deviation.empty();
  return {isGiven ? options.mean : data.mean, isGiven ? options.deviation : data.deviation,
          options.augmentation};
}

/// What does not divide by a batch that cannot be smaller.
void warnOfRest(const char *what, const Dataset &data, const Binding &binding) {
  if (size_t rest = examplesLeftOut(data, binding))
    say("{}: {} of {} examples are left out, for batches have {}\n", what, rest,
        data.size(binding.length), binding.batch);
}

Result<void> checkSize(const Dataset &data, const Binding &binding, const char *entry) {
  if (batchesOf(data, binding) > 0)
    return {};
  return Error{fmt::format("{} has {} examples, fewer than the smallest batch of `{}`", data.name(),
                           data.size(binding.length), entry)};
}

Result<void> bindData(Setup &setup) {
  const format::ModelT &model = setup.engine->plan();
  const Options &options = setup.options;
  auto trains = entriesNamed(model, "train_step"), evaluates = entriesNamed(model, "eval_step");
  if (trains.empty())
    return lacksEntry(options, model, "train_step");
  Result<std::string> loss = lossOf(*trains[0]);
  if (!loss)
    return loss.error();
  setup.loss = *loss;
  Result<Binding> training = bindAny(trains, *setup.data.train, options.binding);
  if (!training)
    return training.error();
  setup.training = std::move(*training);
  if (options.holdout > 0)
    holdOut(setup.data, options.holdout, options.seed, setup.training.length);
  if (Result<void> checked = checkSize(*setup.data.train, setup.training, "train_step"); !checked)
    return checked;
  if (!setup.data.test)
    return {};
  if (evaluates.empty())
    return lacksEntry(options, model, "eval_step");
  Result<Binding> testing = bindAny(evaluates, *setup.data.test, options.binding);
  if (!testing)
    return testing.error();
  setup.testing = std::move(*testing);
  return checkSize(*setup.data.test, setup.testing, "eval_step");
}

/// The seed and the batch of the run that goes on.
Result<void> adopt(Options &options) {
  Result<format::Checkpoint> file = format::Checkpoint::open(options.resume);
  if (!file)
    return file.error();
  Result<uint64_t> seed = numberIn(file->metadata(), "train.seed", options.resume);
  Result<uint64_t> batch = numberIn(file->metadata(), "train.batch_size", options.resume);
  if (!seed || !batch)
    return (seed ? batch : seed).error();
  auto check = [&](const char *what, bool isGiven, uint64_t given, uint64_t then) -> Result<void> {
    if (!isGiven || given == then)
      return {};
    return Error{fmt::format("the run of {} had --{} {}, not {}: it would not go on as it began",
                             options.resume, what, then, given)};
  };
  if (Result<void> same = check("seed", options.isSeedGiven, options.seed, *seed); !same)
    return same;
  auto given = static_cast<uint64_t>(options.binding.batch);
  if (Result<void> same = check("batch", options.isBatchGiven, given, *batch); !same)
    return same;
  options.seed = *seed;
  options.binding.batch = static_cast<int64_t>(*batch);
  return {};
}

Result<void> findClasses(Setup &setup) {
  const std::shared_ptr<const Dataset> &test = setup.data.test;
  const Dataset &data = test ? *test : *setup.data.train;
  const Binding &binding = test ? setup.testing : setup.training;
  setup.classifier = findClassifier(setup.engine->plan(), data, binding, setup.options.binding);
  if (!setup.classifier)
    return {};
  if (Result<void> checked = checkLabels(data, binding, *setup.classifier); !checked || !test)
    return checked;
  return checkLabels(*setup.data.train, setup.training, *setup.classifier);
}

} // namespace

Result<uint64_t> train::numberIn(const Metadata &metadata, const char *name,
                                 const std::string &path) {
  auto text = metadata.find(name);
  if (text == metadata.end())
    return Error{fmt::format("{} is no checkpoint of nnc-train: it lacks `{}` (to begin with its "
                             "weights, compile the model with --weights)",
                             path, name)};
  uint64_t value = 0;
  const std::string &digits = text->second;
  auto [stop, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failure == std::errc() && stop == digits.data() + digits.size())
    return value;
  return Error{fmt::format("{}: its `{}` is no number: `{}`", path, name, digits)};
}

Result<Setup> train::openRun(Options options) {
  if (!options.resume.empty())
    if (Result<void> adopted = adopt(options); !adopted)
      return adopted.error();
  Setup setup;
  setup.options = options;
  Result<Engine> engine = Engine::load(options.model);
  if (!engine)
    return engine.error();
  setup.engine = std::move(*engine);
  Result<Data> data = openAllData(options);
  if (!data)
    return data.error();
  setup.data = std::move(*data);
  setup.transform = transformOf(options, setup.data);
  if (Result<void> bound = bindData(setup); !bound)
    return bound.error();
  if (Result<void> found = findClasses(setup); !found)
    return found.error();
  warnOfRest("training", *setup.data.train, setup.training);
  if (setup.data.test)
    warnOfRest("evaluation", *setup.data.test, setup.testing);
  Result<Session> session =
      setup.engine->session(SessionOptions{.device = options.device, .seed = options.seed});
  if (!session)
    return session.error();
  setup.session = std::move(*session);
  return setup;
}
