#include "tools/nnc-run/Profile.h"

#include "runtime/format/AtomicFile.h"
#include "runtime/format/PlanText.h"
#include "runtime/format/Work.h"
#include "tools/Say.h"
#include "tools/nnc-run/JsonText.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

using namespace nnc;
using namespace nnc::run;

namespace {

constexpr unsigned Iterations = 20;

/// A step with what its time is compared with.
struct Row {
  StepTime step;
  std::optional<format::Floor> floor; ///< none where the GPU's rates are not known

  double seconds() const { return step.milliseconds * 1e-3; }
  double bytes() const { return step.cost.bytesRead + step.cost.bytesWritten; }
  double operations() const { return step.cost.products + step.cost.operations; }
  double share() const {
    return step.milliseconds > 0 ? floor->milliseconds / step.milliseconds : 0;
  }
};

struct Profile {
  std::string entry, device;
  const format::GpuRates *rates;
  std::vector<Row> rows; ///< in the order of the plan

  template <typename Part> double sum(Part part) const {
    return std::transform_reduce(rows.begin(), rows.end(), 0.0, std::plus(), part);
  }
  double milliseconds() const {
    return sum([](const Row &row) { return row.step.milliseconds; });
  }
  double floor() const {
    return sum([](const Row &row) { return row.floor->milliseconds; });
  }
};

format::StepWork workOf(const StepCost &cost) {
  return {cost.bytesRead,
          cost.bytesWritten,
          cost.products,
          cost.operations,
          static_cast<format::Precision>(cost.factors),
          cost.launches};
}

std::string bytesText(double bytes) { return format::bytesText(static_cast<uint64_t>(bytes)); }

/// "nnc_conv1 MmaTile<...>".
std::string kernelText(const StepTime &step) {
  return step.tactic.empty() ? step.what : step.what + " " + step.tactic;
}

void printTable(const Profile &profile) {
  std::vector<const Row *> rows;
  for (const Row &row : profile.rows)
    rows.push_back(&row);
  std::ranges::sort(rows, [](const Row *a, const Row *b) {
    return std::pair(-a->step.milliseconds, a) < std::pair(-b->step.milliseconds, b);
  });
  size_t names = 4, kernels = 6;
  for (const Row *row : rows) {
    names = std::max(names, row->step.name.size());
    kernels = std::max(kernels, kernelText(row->step).size());
  }
  double total = profile.milliseconds();
  auto floorText = [&](double floor, double time) {
    return fmt::format("{:>9.4f}  {:>8.1f}%", floor, time > 0 ? 100 * floor / time : 0);
  };
  std::string heads = profile.rates ? fmt::format("  {:>9}  {:>9}", "floor, ms", "of floor") : "";
  say("{:>10}  {:>6}{}  {:>10}  {:>10}  {:>10}  {:<{}}  {:<{}}  {}\n", "ms", "share", heads, "read",
      "written", "operations", "step", names, "kernel", kernels, "source");
  for (const Row *row : rows)
    say("{:>10.4f}  {:>5.1f}%{}  {:>10}  {:>10}  {:>10}  {:<{}}  {:<{}}  {}\n",
        row->step.milliseconds, total > 0 ? 100 * row->step.milliseconds / total : 0,
        row->floor ? "  " + floorText(row->floor->milliseconds, row->step.milliseconds) : "",
        bytesText(row->step.cost.bytesRead), bytesText(row->step.cost.bytesWritten),
        format::countText(row->operations()), row->step.name, names, kernelText(row->step), kernels,
        row->step.location);
  say("{:>10.4f}  total of {} steps, mean of {} calls without a graph\n", total, rows.size(),
      Iterations);
  if (profile.rates)
    say("{:>10.4f}  floor of all on {} ({})\n", profile.floor(), profile.rates->name,
        profile.rates->isMeasured ? "measured rates" : "rates of its data sheet");
}

std::string jsonOf(const Row &row) {
  const StepTime &step = row.step;
  JsonObject json;
  json.add("step", step.name).add("kernel", step.what).add("tactic", step.tactic);
  json.add("source", step.location).add("milliseconds", step.milliseconds);
  json.add("bytes_read", step.cost.bytesRead).add("bytes_written", step.cost.bytesWritten);
  json.add("products", step.cost.products).add("operations", step.cost.operations);
  json.add("launches", step.cost.launches);
  if (row.floor)
    json.add("floor_milliseconds", row.floor->milliseconds)
        .add("share_of_floor", row.share())
        .add("bound", std::string_view(format::boundName(row.floor->bound)));
  return json.text();
}

std::string jsonOf(const Profile &profile) {
  JsonArray steps;
  for (const Row &row : profile.rows)
    steps.add(jsonOf(row));
  JsonObject json;
  json.add("entry", profile.entry).add("device", profile.device).add("calls", Iterations);
  json.add("milliseconds", profile.milliseconds());
  if (profile.rates)
    json.add("gpu", std::string_view(profile.rates->name))
        .add("floor_milliseconds", profile.floor());
  return json.addJson("steps", steps.text()).text() + "\n";
}

JsonObject event(std::string_view name, std::string_view kind, unsigned thread) {
  JsonObject json;
  json.add("name", name).add("ph", kind).add("pid", 1.0).add("tid", thread);
  return json;
}

std::string metadata(std::string_view what, unsigned thread, std::string_view name) {
  return event(what, "M", thread).addJson("args", JsonObject().add("name", name).text()).text();
}

std::string span(const Row &row, unsigned thread, double start, double duration) {
  return event(row.step.name, "X", thread)
      .add("cat", row.step.what)
      .add("ts", start)
      .add("dur", duration)
      .addJson("args", jsonOf(row))
      .text();
}

/// The trace event format: steps one behind the other, and their floors below them.
std::string traceOf(const Profile &profile) {
  JsonArray events;
  events.add(metadata("process_name", 1, profile.entry + " on " + profile.device));
  events.add(metadata("thread_name", 1, "steps"));
  if (profile.rates)
    events.add(metadata("thread_name", 2, fmt::format("floor on {}", profile.rates->name)));
  double now = 0; // microseconds
  for (const Row &row : profile.rows) {
    double time = row.step.milliseconds * 1e3;
    events.add(span(row, 1, now, time));
    if (row.floor)
      events.add(span(row, 2, now, std::min(row.floor->milliseconds * 1e3, time)));
    now += time;
  }
  std::string_view unit = "ns";
  return JsonObject().add("displayTimeUnit", unit).addJson("traceEvents", events.text()).text() +
         "\n";
}

} // namespace

Result<void> run::profile(Session &session, const Options &options, const std::string &entry,
                          const TensorMap &inputs) {
  Profile profile{entry, session.deviceName(), nullptr, {}};
  profile.rates = format::findGpuRates(options.gpu.empty() ? profile.device : options.gpu);
  if (!profile.rates && !options.gpu.empty())
    return Error{fmt::format("the rates of the GPU `{}` are not known: there are those of {}",
                             options.gpu, format::knownGpus())};
  Result<std::vector<StepTime>> steps = session.profile(entry, inputs, Iterations);
  if (!steps)
    return steps.error();
  for (StepTime &step : *steps) {
    std::optional<format::Floor> floor;
    if (profile.rates)
      floor = format::floorOf(workOf(step.cost), *profile.rates);
    profile.rows.push_back({std::move(step), floor});
  }
  if (!options.trace.empty())
    if (Result<void> written = format::writeFile(options.trace, traceOf(profile)); !written)
      return written;
  if (options.json)
    say("{}", jsonOf(profile));
  else
    printTable(profile);
  return {};
}
