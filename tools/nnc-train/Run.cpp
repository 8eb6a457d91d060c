#include "tools/nnc-train/Run.h"

#include "runtime/format/AtomicFile.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::train;

namespace {

constexpr const char *LastName = "last.safetensors", *BestName = "best.safetensors";

/// Whether less of it is better.
bool isCost(std::string_view name) {
  for (std::string_view part : {"loss", "error", "perplexity"})
    if (name.find(part) != std::string_view::npos)
      return true;
  return false;
}

/// All numbers of an evaluation; accuracy also where eval_step does not say it.
std::vector<Scalar> valuesOf(const Evaluation &evaluation) {
  std::vector<Scalar> values = evaluation.means.values();
  if (evaluation.confusion && !evaluation.means.find("accuracy"))
    values.push_back({"accuracy", evaluation.confusion->accuracy()});
  return values;
}

/// What a run that was killed while it wrote a checkpoint has left beside it (format::AtomicFile).
void removeTemporaries(const std::string &folder) {
  constexpr size_t Suffix = 7; // ".XXXXXX"
  std::error_code error;
  std::vector<std::filesystem::path> found;
  for (std::filesystem::directory_iterator item(folder, error), end; !error && item != end;
       item.increment(error))
    for (std::string_view name : {LastName, BestName})
      if (std::string file = item->path().filename();
          file.starts_with(std::string(name) + ".") && file.size() == name.size() + Suffix)
        found.push_back(item->path());
  for (const std::filesystem::path &path : found)
    std::filesystem::remove(path, error);
}

std::string listText(const std::vector<Scalar> &values) {
  std::string text;
  for (const Scalar &scalar : values)
    text += fmt::format("{}{} {:.4g}", text.empty() ? "" : ", ", scalar.name, scalar.value);
  return text;
}

} // namespace

//===- Beginning ------------------------------------------------------------------------------===//

Result<void> Run::begin() {
  std::error_code error;
  std::filesystem::create_directories(setup.options.out, error);
  if (error)
    return Error{fmt::format("cannot make the folder {}: {}", setup.options.out, error.message())};
  if (!setup.options.resume.empty()) {
    if (Result<void> resumed = resume(); !resumed)
      return resumed;
    removeTemporaries(setup.options.out);
  } else if (std::filesystem::exists(pathOf(LastName), error)) {
    return Error{
        fmt::format("{0} holds a run: go on with --resume {0}/{1}, or choose another --out",
                    setup.options.out, LastName)};
  }
  Result<MetricsLog> opened =
      MetricsLog::open(setup.options.out, !setup.options.resume.empty(), position.step);
  if (!opened)
    return opened.error();
  log.emplace(std::move(*opened));
  return {};
}

Result<void> Run::resume() {
  if (Result<void> loaded = load(setup.options.resume); !loaded)
    return loaded;
  progress.line(fmt::format("going on from {} after step {}", restart, position.step));
  return {};
}

Result<void> Run::load(const std::string &path) {
  Result<Metadata> said = session.load(path);
  if (!said)
    return said.error();
  struct Field {
    const char *name;
    uint64_t *number;
  };
  uint64_t examples = 0;
  for (auto [name, number] : {Field{"train.epoch", &position.epoch},
                              {"train.batch", &position.batch},
                              {"train.step", &position.step},
                              {"train.examples", &examples}}) {
    Result<uint64_t> value = numberIn(*said, name, path);
    if (!value)
      return value.error();
    *number = *value;
  }
  size_t now = setup.data.train->size(setup.training.length);
  if (examples != now)
    return Error{fmt::format("the run of {} had {} examples to train with, now there are {}: it "
                             "would not go on as it began",
                             path, examples, now)};
  if (position.batch >= batchesOf(*setup.data.train, setup.training) && position.batch > 0)
    return Error{fmt::format("{} is malformed: it is at batch {} of {}", path, position.batch,
                             batchesOf(*setup.data.train, setup.training))};
  if (auto best = said->find("train.best"); best != said->end())
    position.best = std::strtod(best->second.c_str(), nullptr);
  restart = path;
  return {};
}

Metadata Run::metadata() const {
  Metadata said = {
      {"train.epoch", std::to_string(position.epoch)},
      {"train.batch", std::to_string(position.batch)},
      {"train.step", std::to_string(position.step)},
      {"train.seed", std::to_string(setup.options.seed)},
      {"train.batch_size", std::to_string(setup.training.batch)},
      {"train.examples", std::to_string(setup.data.train->size(setup.training.length))},
  };
  if (position.best)
    said["train.best"] = fmt::format("{:.17g}", *position.best);
  return said;
}

Result<void> Run::save(const std::string &name) {
  Result<void> saved = session.save(pathOf(name), metadata());
  if (saved && name == LastName)
    restart = pathOf(name);
  return saved;
}

//===- Training -------------------------------------------------------------------------------===//

uint64_t Run::totalSteps() const {
  uint64_t all = setup.options.epochs * batchesOf(*setup.data.train, setup.training);
  return setup.options.maxSteps > 0 ? std::min(all, setup.options.maxSteps) : all;
}

bool Run::isFinished() const { return position.step >= totalSteps(); }

Place Run::place() const {
  return {std::min(position.epoch + 1, setup.options.epochs), setup.options.epochs, position.batch,
          batchesOf(*setup.data.train, setup.training),       position.step,        totalSteps()};
}

Result<void> Run::train(const volatile std::sig_atomic_t &isStopped) {
  if (isFinished())
    progress.line(
        fmt::format("nothing is left to do: {} of {} steps are done", position.step, totalSteps()));
  while (!isFinished() && !isStopped) {
    if (Result<void> trained = trainEpoch(isStopped); !trained)
      return trained;
    if (isStopped)
      break;
    if (Result<void> ended = endEpoch(isStopped); !ended)
      return ended;
  }
  if (!isStopped)
    return {};
  if (Result<void> saved = save(LastName); !saved)
    return saved;
  progress.line(fmt::format("stopped after step {}; go on with --resume {}", position.step,
                            pathOf(LastName)));
  return {};
}

/// Of the batches of the running epoch that are left.
LoaderOptions Run::loaderOptions() const {
  return {.isTraining = true,
          .seed = setup.options.seed,
          .epoch = position.epoch,
          .first = position.batch,
          .workers = setup.options.workers};
}

/// The batches of the running epoch that are left.
Result<void> Run::trainEpoch(const volatile std::sig_atomic_t &isStopped) {
  Loader loader(*setup.data.train, setup.training, setup.transform, loaderOptions());
  while (!isFinished() && !isStopped) {
    Result<std::optional<Batch>> batch = loader.next();
    if (!batch) { // what was learned is kept
      Result<void> saved = save(LastName);
      return saved ? batch.error() : saved;
    }
    if (!*batch)
      break;
    if (Result<void> done = step(**batch); !done)
      return done;
  }
  if (position.batch == batchesOf(*setup.data.train, setup.training)) {
    ++position.epoch;
    position.batch = 0;
  }
  return {};
}

Result<void> Run::step(const Batch &batch) {
  if (setup.options.onNan == OnNan::Skip) {
    before.clear();
    for (const Slot &slot : session.slots()) {
      Result<Tensor> value = session.state(slot.name);
      if (value) // others have no sizes yet
        before.push_back({slot.name, std::move(*value)});
    }
  }
  Result<TensorMap> outputs = session.run("train_step", batch.tensors);
  if (!outputs)
    return outputs.error();
  double loss = numberOf((*outputs)[setup.loss]).value_or(0);
  if (!std::isfinite(loss)) {
    if (Result<void> handled = onNan(batch, loss); !handled)
      return handled;
  } else {
    interval.add(*outputs, batch.count);
  }
  ++position.batch;
  ++position.step;
  return afterStep(batch.count);
}

/// The step is undone, or the run ends with the checkpoint that it has.
Result<void> Run::onNan(const Batch &batch, double loss) {
  std::string where = fmt::format("the loss is {} in step {}, batch {} of epoch {}",
                                  std::isnan(loss) ? std::abs(loss) : loss, position.step + 1,
                                  position.batch + 1, position.epoch + 1);
  if (setup.options.onNan == OnNan::Stop) {
    Result<std::string> source = explainNan(batch);
    if (!source)
      return source.error();
    std::string hint = restart.empty() ? "" : fmt::format("; {} is from before it", restart);
    return Error{where + *source + hint + "; --nan=skip leaves such steps out"};
  }
  for (const NamedTensor &slot : before)
    if (Result<void> set = session.setState(slot.name, slot.tensor); !set)
      return set;
  progress.line(where + ": skipped");
  return {};
}

/// What made it. The step has been made, so the run is made again up to it: it is the same one.
Result<std::string> Run::explainNan(const Batch &batch) {
  progress.line(fmt::format("looking for what made it: from {} to step {} again",
                            restart.empty() ? "the beginning" : restart, position.step + 1));
  if (Result<void> replayed = replay(position.step); !replayed)
    return replayed.error();
  Result<std::optional<NanSource>> source = session.findNan("train_step", batch.tensors);
  if (!source)
    return source.error();
  if (!*source)
    return std::string();
  const NanSource &found = **source;
  switch (found.kind) {
  case NanSource::Kind::Input:
    return fmt::format(": the data has it, in the input `{}`", found.name);
  case NanSource::Kind::Slot:
    return fmt::format(": the step before left it in `{}`", found.name);
  case NanSource::Kind::Step:
    break;
  }
  return fmt::format(": the first kernel that makes one is `{}`{}", found.name,
                     found.location.empty() ? "" : " at " + found.location);
}

/// From the last checkpoint, or the beginning, to `step`.
Result<void> Run::replay(uint64_t step) {
  if (restart.empty()) {
    if (Result<void> reset = session.reset(); !reset)
      return reset;
    position = {};
  } else if (Result<void> loaded = load(restart); !loaded) {
    return loaded;
  }
  for (; position.step < step; ++position.epoch, position.batch = 0) {
    Loader loader(*setup.data.train, setup.training, setup.transform, loaderOptions());
    for (; position.step < step; ++position.step) {
      Result<std::optional<Batch>> batch = loader.next();
      if (!batch)
        return batch.error();
      if (!*batch)
        break;
      if (Result<TensorMap> outputs = session.run("train_step", (*batch)->tensors); !outputs)
        return outputs.error();
    }
  }
  return {};
}

Result<void> Run::afterStep(size_t examples) {
  const Options &options = setup.options;
  progress.step(place(), interval, examples);
  if (position.step % options.logEvery == 0 || isFinished()) {
    std::vector<Scalar> values = interval.values();
    progress.line(progress.text(place(), values));
    values.push_back({"examples_per_second", progress.examplesPerSecond()});
    double batches = static_cast<double>(batchesOf(*setup.data.train, setup.training));
    double done =
        static_cast<double>(position.epoch) + static_cast<double>(position.batch) / batches;
    if (Result<void> added = log->add({"train", position.step, done, std::move(values)}); !added)
      return added;
    interval.clear();
  }
  if (options.saveEvery > 0 && position.step % options.saveEvery == 0 &&
      position.batch < batchesOf(*setup.data.train, setup.training))
    return save(LastName);
  return {};
}

/// Also where --max-steps ends the run.
Result<void> Run::endEpoch(const volatile std::sig_atomic_t &isStopped) {
  if (Result<void> saved = save(LastName); !saved)
    return saved;
  bool isDue = position.epoch % setup.options.evalEvery == 0 || isFinished();
  if (setup.data.test && isDue) {
    Result<std::optional<Evaluation>> evaluation = evaluateNow(isStopped);
    if (!evaluation)
      return evaluation.error();
    if (*evaluation)
      if (Result<void> done = afterEvaluation(**evaluation); !done)
        return done;
  }
  return format::writeFile(pathOf("curves.svg"), curves(log->all()));
}

//===- Evaluation -----------------------------------------------------------------------------===//

Result<std::optional<Evaluation>> Run::evaluateNow(const volatile std::sig_atomic_t &isStopped) {
  progress.pause();
  Generator generator = session.generator(); // training goes on as if nothing had drawn
  Loader loader(*setup.data.test, setup.testing, setup.transform,
                {.workers = setup.options.workers});
  Result<std::optional<Evaluation>> evaluation =
      evaluate(session, loader, setup.classifier, isStopped);
  session.setGenerator(generator);
  progress.resume();
  return evaluation;
}

Result<bool> Run::isBetter(const Evaluation &evaluation) {
  std::vector<Scalar> values = valuesOf(evaluation);
  auto find = [&](std::string_view name) { return std::ranges::find(values, name, &Scalar::name); };
  auto value = setup.options.best.empty() ? find("accuracy") : find(setup.options.best);
  if (value == values.end() && !setup.options.best.empty())
    return Error{
        fmt::format("`eval_step` has no output `{}`, which --best names", setup.options.best)};
  if (value == values.end())
    value = values.begin();
  if (value == values.end() || std::isnan(value->value))
    return false;
  if (position.best &&
      (isCost(value->name) ? value->value >= *position.best : value->value <= *position.best))
    return false;
  position.best = value->value;
  return true;
}

Result<void> Run::afterEvaluation(const Evaluation &evaluation) {
  std::vector<Scalar> values = valuesOf(evaluation);
  Result<bool> better = isBetter(evaluation);
  if (!better)
    return better.error();
  progress.line(fmt::format("epoch {}/{}  evaluation of {} examples: {}{}",
                            position.epoch + (position.batch > 0 ? 1 : 0), setup.options.epochs,
                            evaluation.means.examples(), listText(values),
                            *better ? ", the best so far" : ""));
  auto epochs = static_cast<double>(position.step) /
                static_cast<double>(batchesOf(*setup.data.train, setup.training));
  if (Result<void> added = log->add({"eval", position.step, epochs, std::move(values)}); !added)
    return added;
  if (isFinished())
    if (Result<void> written = writeReport(evaluation); !written)
      return written;
  if (!*better)
    return {};
  if (Result<void> saved = save(BestName); !saved)
    return saved;
  return save(LastName); // it knows of the best
}

Result<void> Run::writeReport(const Evaluation &evaluation) {
  std::vector<std::string> names = setup.data.test->classes();
  if (evaluation.confusion)
    progress.line(evaluation.confusion->text(names));
  return format::writeFile(pathOf("report.json"), reportJson(evaluation, names));
}

Result<void> Run::evaluateOnly(const volatile std::sig_atomic_t &isStopped) {
  if (!setup.data.test)
    return Error{
        fmt::format("{} has no part to evaluate with: give --eval-data", setup.data.train->name())};
  std::error_code error;
  std::filesystem::create_directories(setup.options.out, error);
  if (!setup.options.resume.empty())
    if (Result<void> resumed = resume(); !resumed)
      return resumed;
  Result<std::optional<Evaluation>> evaluation = evaluateNow(isStopped);
  if (!evaluation || !*evaluation)
    return evaluation ? Result<void>() : evaluation.error();
  progress.line(fmt::format("evaluation of {} examples: {}", (*evaluation)->means.examples(),
                            listText(valuesOf(**evaluation))));
  return writeReport(**evaluation);
}
