// metrics.jsonl: one line of JSON for every measurement of a run, which TensorBoard's file and the
// curves show too.
#pragma once

#include "tools/nnc-train/EventFile.h"

#include <string>
#include <vector>

namespace nnc::train {

/// Numbers at one step.
struct Measurement {
  std::string part; ///< "train" or "eval"
  uint64_t step = 0;
  double epoch = 0; ///< epochs that are done, with the part of the running one
  std::vector<Scalar> values;
};

class MetricsLog {
public:
  /// Begins FOLDER/metrics.jsonl and an event file. Of a run that is resumed, the lines up to
  /// `step` are kept. Errors: not writable, lines that are no measurements.
  static Result<MetricsLog> open(const std::string &folder, bool isResumed, uint64_t step);
  /// Errors: disk full.
  Result<void> add(Measurement measurement);
  /// All of the run.
  const std::vector<Measurement> &all() const { return list; }

private:
  MetricsLog(std::string path, EventFile events)
      : path(std::move(path)), events(std::move(events)) {}

  std::string path;
  EventFile events;
  std::vector<Measurement> list;
};

/// A picture (SVG) of how every value went, one panel each: steps to the right.
std::string curves(const std::vector<Measurement> &measurements);

} // namespace nnc::train
