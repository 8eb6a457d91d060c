// nnc-run: runs a model.bin from the command line.
#include "runtime/Engine.h"
#include "runtime/Suggest.h"
#include "runtime/format/Plan.h"
#include "tools/Say.h"
#include "tools/nnc-run/Compare.h"
#include "tools/nnc-run/Measure.h"
#include "tools/nnc-run/Options.h"
#include "tools/nnc-run/Profile.h"
#include "tools/nnc-run/TensorFiles.h"

#include <algorithm>
#include <csignal>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::run;

/// The entry point to run: as asked for, the only one, or `forward`.
static Result<const format::EntryT *> chooseEntry(const format::ModelT &model,
                                                  const std::string &asked) {
  std::vector<std::string_view> names;
  auto isFirst = [&](const std::unique_ptr<format::EntryT> &entry) {
    return entry->name == model.entries.front()->name; // with or without optional inputs
  };
  bool isOnly = asked.empty() && std::ranges::all_of(model.entries, isFirst);
  for (const std::unique_ptr<format::EntryT> &entry : model.entries) {
    if (isOnly || entry->name == (asked.empty() ? "forward" : asked))
      return entry.get();
    if (names.empty() || names.back() != entry->name)
      names.push_back(entry->name);
  }
  if (asked.empty())
    return Error{fmt::format("choose an entry point with --entry: `{}`", fmt::join(names, "`, `"))};
  return Error{fmt::format("there is no entry point `{}`{}", asked, rt::suggestion(asked, names))};
}

/// The first elements of an output that is not written anywhere.
static void printOutput(const NamedTensor &output) {
  constexpr size_t Shown = 8;
  std::string type = tensorText(output.tensor.dtype(), output.tensor.shape());
  Result<std::vector<double>> values = toDoubles(output.tensor);
  if (!values) {
    say("{}: {}\n", output.name, type);
    return;
  }
  bool isCut = values->size() > Shown;
  values->resize(std::min(values->size(), Shown));
  say("{}: {} = {:g}{}\n", output.name, type, fmt::join(*values, ", "), isCut ? ", ..." : "");
}

static Result<void> compareOutputs(const Options &options, const format::EntryT &entry,
                                   const TensorMap &outputs) {
  Result<TensorMap> expected = readPorts("output", options.compares, entry.outputs);
  if (!expected)
    return expected.error();
  if (expected->size() == 0)
    return Error{"the file of --compare has none of the outputs"};
  for (const NamedTensor &item : *expected) {
    const Tensor *found = outputs.find(item.name);
    if (!found)
      return Error{fmt::format("there is no output `{}` to compare", item.name)};
    Result<std::string> line = compare(item.name, *found, item.tensor, options.rtol, options.atol);
    if (!line)
      return line.error();
    say("{}\n", *line);
  }
  return {};
}

/// Makes all calls that are asked for; the outputs of the last one.
static Result<TensorMap> makeCalls(Session &session, const Options &options,
                                   const format::EntryT &entry, const TensorMap &inputs) {
  Result<TensorMap> outputs = session.run(entry.name, inputs);
  Options next = options;
  TensorMap last = inputs;
  for (const Place &place : options.then) {
    std::erase_if(next.inputs, [&](const Place &known) { return known.name == place.name; });
    next.inputs.push_back(place);
    Result<TensorMap> read = readInputs(next, entry);
    if (!read)
      return read;
    last = std::move(*read);
    if (outputs)
      outputs = session.run(entry.name, last);
  }
  for (unsigned i = 1; i < options.repeat && outputs; ++i)
    outputs = session.run(entry.name, last);
  return outputs;
}

/// Runs, then writes, compares or shows the outputs.
static Result<void> runAndShow(Session &session, const Options &options,
                               const format::EntryT &entry, const TensorMap &inputs) {
  Result<TensorMap> outputs = makeCalls(session, options, entry, inputs);
  if (!outputs)
    return outputs.error();
  if (Result<void> written = writeOutputs(options.outputs, *outputs); !written)
    return written;
  if (!options.compares.empty())
    return compareOutputs(options, entry, *outputs);
  if (options.outputs.empty())
    for (const NamedTensor &output : *outputs)
      printOutput(output);
  return {};
}

static Result<void> runModel(const Options &options) {
  Result<Engine> engine = Engine::load(options.model);
  if (!engine)
    return engine.error();
  if (options.info) {
    say("{}", engine->info());
    return {};
  }
  Result<const format::EntryT *> entry = chooseEntry(engine->plan(), options.entry);
  if (!entry)
    return entry.error();
  Result<TensorMap> inputs = readInputs(options, **entry);
  if (!inputs)
    return inputs.error();
  Result<Session> session = engine->session({.device = options.device, .seed = options.seed});
  if (!session)
    return session.error();

  bool isMeasured = options.bench || options.profile;
  if (!isMeasured || !options.outputs.empty() || !options.compares.empty())
    if (Result<void> done = runAndShow(*session, options, **entry, *inputs); !done || !isMeasured)
      return done;
  if (options.bench)
    return bench(*session, **entry, *inputs);
  return profile(*session, options, (*entry)->name, *inputs);
}

int main(int argc, char **argv) {
  std::signal(SIGXFSZ, SIG_IGN); // a limit on the size of files is an error of write()
  int status = 0;
  std::optional<Options> options = parseOptions(argc, argv, status);
  if (!options)
    return status;
  Result<void> done = runModel(*options);
  Result<void> written = flushOutput();
  if (!done || !written)
    return report((done ? written : done).error());
  return 0;
}
