#include "tools/nnc-train/MetricsLog.h"

#include "runtime/format/AtomicFile.h"

#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace nnc;
using namespace nnc::train;

namespace {

using Json = nlohmann::ordered_json;

/// JSON has no numbers that are not finite.
Json numberJson(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

std::string lineOf(const Measurement &measurement) {
  Json line = {
      {"part", measurement.part}, {"step", measurement.step}, {"epoch", measurement.epoch}};
  for (const Scalar &scalar : measurement.values)
    line[scalar.name] = numberJson(scalar.value);
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Nothing if the line is no measurement.
std::optional<Measurement> parseLine(const std::string &text) {
  Json line = Json::parse(text, nullptr, false);
  if (!line.is_object() || !line.contains("part") || !line["part"].is_string() ||
      !line.contains("step") || !line["step"].is_number_unsigned() || !line.contains("epoch") ||
      !line["epoch"].is_number())
    return std::nullopt;
  Measurement measurement{line["part"], line["step"], line["epoch"], {}};
  for (const auto &[name, value] : line.items())
    if (name != "part" && name != "step" && name != "epoch")
      measurement.values.push_back({name, value.is_number() ? value.get<double>() : std::nan("")});
  return measurement;
}

} // namespace

Result<MetricsLog> MetricsLog::open(const std::string &folder, bool isResumed, uint64_t step) {
  std::string path = folder + "/metrics.jsonl";
  std::vector<Measurement> kept;
  std::ifstream before(path);
  std::string text;
  for (std::string line; isResumed && std::getline(before, line);) {
    std::optional<Measurement> measurement = parseLine(line);
    if (!measurement) // the last line of a run that was killed
      break;
    if (measurement->step > step)
      continue;
    text += lineOf(*measurement);
    kept.push_back(std::move(*measurement));
  }
  if (Result<void> written = format::writeFile(path, text); !written)
    return written.error();
  Result<EventFile> events = EventFile::create(folder);
  if (!events)
    return events.error();
  MetricsLog log(path, std::move(*events));
  log.list = std::move(kept);
  return log;
}

Result<void> MetricsLog::add(Measurement measurement) {
  std::ofstream file(path, std::ios::app);
  file << lineOf(measurement) << std::flush;
  if (!file)
    return Error{fmt::format("cannot write {}", path)};
  std::vector<Scalar> named;
  for (const Scalar &scalar : measurement.values)
    named.push_back({measurement.part + "/" + scalar.name, scalar.value});
  if (Result<void> added = events.add(measurement.step, named); !added)
    return added;
  list.push_back(std::move(measurement));
  return {};
}
