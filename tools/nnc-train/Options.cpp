#include "tools/nnc-train/Options.h"

#include "tools/Say.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <thread>

using namespace nnc;
using namespace nnc::train;

int train::report(const Error &error) {
  say(stderr, "nnc-train: error: {}\n", error.message);
  return 1;
}

namespace {

/// What the command line says, as text.
struct Texts {
  std::string device, onNan = "stop";
  std::vector<std::string> fields, dims;
};

/// An option that may be repeated, with one value each time.
void addList(CLI::App &app, const char *name, std::vector<std::string> &list, const char *text) {
  app.add_option(name, list, text)->allow_extra_args(false);
}

void declareRun(CLI::App &app, Options &options, Texts &texts) {
  app.add_option("model", options.model, "a model.bin with train_step, and eval_step to evaluate")
      ->required();
  app.add_option("--data", options.data,
                 "mnist:DIR, fashion-mnist:DIR, cifar10:DIR, cifar100:DIR, images:DIR, "
                 "tensors:FILE.safetensors, arrays:NAME=FILE.npy,... or text:FILE")
      ->required();
  app.add_option("--eval-data", options.evalData, "data to evaluate with (default: its test part)");
  app.add_option("--holdout", options.holdout,
                 "evaluate with this part of the training data, which is not trained on")
      ->check(CLI::Range(0.0, 0.9));
  app.add_option("--out", options.out, "folder for checkpoints, metrics and curves")
      ->capture_default_str();
  app.add_option("--resume", options.resume,
                 "go on from a checkpoint, exactly as if never stopped");
  app.add_option("--epochs", options.epochs, "passes over the data")->capture_default_str();
  app.add_option("--max-steps", options.maxSteps, "stop after so many steps in all");
  app.add_option("--batch", options.binding.batch, "examples per step")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of the order, of augmentation and of the model's draws")
      ->capture_default_str();
  app.add_option("--device", texts.device, "cpu, cuda or cuda:N (default: what the model is for)");
  app.add_option("--workers", options.workers, "threads that make batches; 0: none of their own")
      ->check(CLI::Range(0U, 256U))
      ->capture_default_str();
  app.add_option("--eval-every", options.evalEvery, "epochs from one evaluation to the next")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--save-every", options.saveEvery, "steps between checkpoints within an epoch");
  app.add_option("--log-every", options.logEvery, "steps between lines of metrics")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--best", options.best,
                 "the output of eval_step that decides on best.safetensors");
  app.add_option("--nan", texts.onNan, "stop or skip a step whose loss is not a number")
      ->check(CLI::IsMember({"stop", "skip"}))
      ->capture_default_str();
  app.add_flag("--evaluate", options.evaluatesOnly, "only evaluate, e.g. what --resume names");
}

void declareData(CLI::App &app, Options &options, Texts &texts) {
  addList(app, "--map", texts.fields, "INPUT=FIELD: which field of the data an input gets");
  addList(app, "--dim", texts.dims, "NAME=SIZE: a dimension that the data leaves open");
  app.add_option("--mean", options.mean, "of pixels in 0..1, one or one per channel")
      ->delimiter(',');
  app.add_option("--std", options.deviation, "what pixels are divided by, as --mean")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--crop-padding", options.augmentation.padding,
                 "crop at random after so many black pixels were put around")
      ->check(CLI::Range(0, 1024));
  app.add_flag("--flip", options.augmentation.isFlipped, "mirror half of the images");
  app.add_option("--rotate", options.augmentation.rotation, "turn by up to so many degrees")
      ->check(CLI::Range(0.0, 180.0));
  app.add_option("--jitter", options.augmentation.jitter,
                 "change brightness, contrast and saturation by up to this part")
      ->check(CLI::Range(0.0, 1.0));
}

/// "NAME=VALUE"
Result<std::pair<std::string, std::string>> split(const char *option, const std::string &text,
                                                  const char *form) {
  size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || equals + 1 == text.size())
    return Error{fmt::format("{} takes {}, found `{}`", option, form, text)};
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<void> convert(const Texts &texts, Options &options) {
  for (const std::string &text : texts.fields) {
    auto item = split("--map", text, "INPUT=FIELD");
    if (!item)
      return item.error();
    options.binding.fields.insert(*item);
  }
  for (const std::string &text : texts.dims) {
    auto item = split("--dim", text, "NAME=SIZE");
    if (!item)
      return item.error();
    const std::string &number = item->second;
    int64_t size = 0;
    auto [stop, failure] = std::from_chars(number.data(), number.data() + number.size(), size);
    if (failure != std::errc() || stop != number.data() + number.size() || size < 1)
      return Error{fmt::format("--dim takes NAME=SIZE, found `{}`", text)};
    options.binding.dims[item->first] = size;
  }
  if (!texts.device.empty()) {
    Result<Device> device = Device::parse(texts.device);
    if (!device)
      return device.error();
    options.device = *device;
  }
  while (options.out.size() > 1 && options.out.ends_with("/"))
    options.out.pop_back();
  options.onNan = texts.onNan == "skip" ? OnNan::Skip : OnNan::Stop;
  if (!options.evalData.empty() && options.holdout > 0)
    return Error{"give either --eval-data or --holdout"};
  return {};
}

} // namespace

std::optional<Options> train::parseOptions(int argc, char **argv, int &status) {
  Options options;
  options.workers = std::clamp(std::thread::hardware_concurrency() / 4, 2U, 8U);
  Texts texts;
  CLI::App app("Trains a model.bin whose source has a train block.", "nnc-train");
  declareRun(app, options, texts);
  declareData(app, options, texts);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp &) {
    say("{}", app.help());
    Result<void> written = flushOutput();
    status = written ? 0 : report(written.error());
    return std::nullopt;
  } catch (const CLI::ParseError &error) {
    status = report({error.what()});
    return std::nullopt;
  }
  options.isBatchGiven = app.count("--batch") > 0;
  options.isSeedGiven = app.count("--seed") > 0;
  if (Result<void> converted = convert(texts, options); !converted) {
    status = report(converted.error());
    return std::nullopt;
  }
  return options;
}
