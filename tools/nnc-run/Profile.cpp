#include "tools/nnc-run/Profile.h"

#include "runtime/format/AtomicFile.h"
#include "runtime/format/PlanText.h"
#include "runtime/format/Work.h"
#include "tools/Say.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <numeric>

using namespace nnc;
using Json = nlohmann::ordered_json;

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
  std::vector<Row> rows = profile.rows;
  std::ranges::sort(rows, std::greater(), [](const Row &row) { return row.step.milliseconds; });
  size_t names = 4, kernels = 6;
  for (const Row &row : rows) {
    names = std::max(names, row.step.name.size());
    kernels = std::max(kernels, kernelText(row.step).size());
  }
  double total = profile.milliseconds();
  auto floorText = [&](double floor, double time) {
    return fmt::format("{:>9.4f}  {:>8.1f}%", floor, time > 0 ? 100 * floor / time : 0);
  };
  std::string heads = profile.rates ? fmt::format("  {:>9}  {:>9}", "floor, ms", "of floor") : "";
  say("{:>10}  {:>6}{}  {:>10}  {:>10}  {:>10}  {:<{}}  {:<{}}  {}\n", "ms", "share", heads, "read",
      "written", "operations", "step", names, "kernel", kernels, "source");
  for (const Row &row : rows)
    say("{:>10.4f}  {:>5.1f}%{}  {:>10}  {:>10}  {:>10}  {:<{}}  {:<{}}  {}\n",
        row.step.milliseconds, total > 0 ? 100 * row.step.milliseconds / total : 0,
        row.floor ? "  " + floorText(row.floor->milliseconds, row.step.milliseconds) : "",
        bytesText(row.step.cost.bytesRead), bytesText(row.step.cost.bytesWritten),
        format::countText(row.operations()), row.step.name, names, kernelText(row.step), kernels,
        row.step.location);
  say("{:>10.4f}  total of {} steps, mean of {} calls without a graph\n", total, rows.size(),
      Iterations);
  if (profile.rates)
    say("{:>10.4f}  floor of all on {} ({})\n", profile.floor(), profile.rates->name,
        profile.rates->isMeasured ? "measured rates" : "rates of its data sheet");
}

Json jsonOf(const Row &row) {
  const StepTime &step = row.step;
  Json json = {{"step", step.name},
               {"kernel", step.what},
               {"tactic", step.tactic},
               {"source", step.location},
               {"milliseconds", step.milliseconds},
               {"bytes_read", step.cost.bytesRead},
               {"bytes_written", step.cost.bytesWritten},
               {"products", step.cost.products},
               {"operations", step.cost.operations},
               {"launches", step.cost.launches}};
  if (row.floor) {
    json["floor_milliseconds"] = row.floor->milliseconds;
    json["share_of_floor"] = row.share();
    json["bound"] = format::boundName(row.floor->bound);
  }
  return json;
}

Json jsonOf(const Profile &profile) {
  Json steps = Json::array();
  for (const Row &row : profile.rows)
    steps.push_back(jsonOf(row));
  Json json = {{"entry", profile.entry},
               {"device", profile.device},
               {"calls", Iterations},
               {"milliseconds", profile.milliseconds()}};
  if (profile.rates) {
    json["gpu"] = profile.rates->name;
    json["floor_milliseconds"] = profile.floor();
  }
  json["steps"] = std::move(steps);
  return json;
}

Json metadata(const char *what, int thread, const std::string &name) {
  return {{"name", what}, {"ph", "M"}, {"pid", 1}, {"tid", thread}, {"args", {{"name", name}}}};
}

/// The trace event format: steps one behind the other, and their floors below them.
Json traceOf(const Profile &profile) {
  Json events = Json::array();
  events.push_back(metadata("process_name", 1, profile.entry + " on " + profile.device));
  events.push_back(metadata("thread_name", 1, "steps"));
  if (profile.rates)
    events.push_back(metadata("thread_name", 2, fmt::format("floor on {}", profile.rates->name)));
  double now = 0; // microseconds
  for (const Row &row : profile.rows) {
    double time = row.step.milliseconds * 1e3;
    Json event = {{"name", row.step.name},
                  {"cat", row.step.what},
                  {"ph", "X"},
                  {"pid", 1},
                  {"tid", 1},
                  {"ts", now},
                  {"dur", time}};
    event["args"] = jsonOf(row);
    events.push_back(event);
    if (row.floor) {
      event["tid"] = 2;
      event["dur"] = std::min(row.floor->milliseconds * 1e3, time);
      events.push_back(std::move(event));
    }
    now += time;
  }
  return {{"displayTimeUnit", "ns"}, {"traceEvents", std::move(events)}};
}

std::string textOf(const Json &json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
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
    if (Result<void> written = format::writeFile(options.trace, textOf(traceOf(profile), -1));
        !written)
      return written;
  if (options.json)
    say("{}", textOf(jsonOf(profile), 2));
  else
    printTable(profile);
  return {};
}
