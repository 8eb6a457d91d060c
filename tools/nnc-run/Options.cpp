#include "tools/nnc-run/Options.h"

#include "tools/Say.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::run;

int run::report(const Error &error) {
  say(stderr, "nnc-run: error: {}\n", error.message);
  return 1;
}

namespace {

/// What the command line says, as text.
struct Texts {
  std::string device;
  std::vector<std::string> inputs, then, outputs, compares, dims;
};

std::vector<Place> placesOf(const std::vector<std::string> &texts) {
  std::vector<Place> places;
  for (const std::string &text : texts) {
    size_t equals = text.find('=');
    if (equals == std::string::npos)
      places.push_back({"", text});
    else
      places.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return places;
}

Result<void> parseDims(const std::vector<std::string> &texts, Options &options) {
  for (const std::string &text : texts) {
    size_t equals = std::min(text.find('='), text.size());
    const char *begin = text.data() + std::min(equals + 1, text.size());
    const char *end = text.data() + text.size();
    int64_t size = 0;
    auto [stop, failure] = std::from_chars(begin, end, size);
    if (equals == 0 || failure != std::errc() || stop != end || size < 0)
      return Error{fmt::format("--dim takes NAME=SIZE, found `{}`", text)};
    options.dims[text.substr(0, equals)] = size;
  }
  return {};
}

/// An option that may be repeated, with one value each time.
void addList(CLI::App &app, const char *name, std::vector<std::string> &list, const char *text) {
  app.add_option(name, list, text)->allow_extra_args(false);
}

void declare(CLI::App &app, Options &options, Texts &texts) {
  app.add_option("model", options.model, "the model.bin to run")->required();
  app.add_option("--entry", options.entry, "entry point (default: the only one, or `forward`)");
  app.add_option("--device", texts.device, "cpu, cuda or cuda:N (default: what the model is for)");
  addList(app, "--input", texts.inputs,
          "NAME=FILE.npy, NAME=FILE.safetensors, or a .safetensors with all inputs");
  addList(app, "--then", texts.then,
          "NAME=FILE: call once more in the same session, with this input instead; of states, the "
          "next call finds what the last one left");
  app.add_option("--repeat", options.repeat, "make the last call N times")
      ->check(CLI::PositiveNumber);
  addList(app, "--output", texts.outputs,
          "where to write (of the last call): NAME=FILE.npy, or a .safetensors for all outputs");
  app.add_option("--random", options.randomSeed, "fill the inputs that are not given, from a seed");
  app.add_option("--seed", options.seed, "of the random numbers that the model draws itself")
      ->capture_default_str();
  addList(app, "--dim", texts.dims, "NAME=SIZE: a size of the random inputs");
  addList(app, "--compare", texts.compares, "[NAME=]FILE: fail if the output differs");
  app.add_option("--rtol", options.rtol, "relative tolerance of --compare")->capture_default_str();
  app.add_option("--atol", options.atol, "absolute tolerance of --compare")->capture_default_str();
  app.add_flag("--info", options.info, "print entry points, ranges, memory and steps");
  app.add_flag("--bench", options.bench, "measure the time of a call");
  CLI::Option *profile =
      app.add_flag("--profile", options.profile, "measure the time of every step");
  app.add_flag("--json", options.json, "print the profile as JSON")->needs(profile);
  app.add_option("--trace", options.trace, "write the profile as a trace for Perfetto")
      ->needs(profile);
  app.add_option("--gpu", options.gpu,
                 "GPU of whose rates the profile's floors are (default: the one that runs it)")
      ->needs(profile);
}

Result<void> convert(const Texts &texts, Options &options) {
  options.inputs = placesOf(texts.inputs);
  options.then = placesOf(texts.then);
  options.outputs = placesOf(texts.outputs);
  options.compares = placesOf(texts.compares);
  if (!texts.device.empty()) {
    Result<Device> device = Device::parse(texts.device);
    if (!device)
      return device.error();
    options.device = *device;
  }
  return parseDims(texts.dims, options);
}

} // namespace

std::optional<Options> run::parseOptions(int argc, char **argv, int &status) {
  Options options;
  Texts texts;
  CLI::App app("Runs a model.bin that nnc compiled.", "nnc-run");
  declare(app, options, texts);
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
  if (Result<void> converted = convert(texts, options); !converted) {
    status = report(converted.error());
    return std::nullopt;
  }
  return options;
}
