// What a run shows while it runs: a bar in a terminal, else a line now and then.
#pragma once

#include "tools/nnc-train/Metrics.h"

#include <chrono>

namespace nnc::train {

/// Where a run is.
struct Place {
  uint64_t epoch, epochs;  ///< the running one, from 1; how many in all
  uint64_t batch, batches; ///< done of this epoch
  uint64_t step, steps;    ///< done in all; how many in all
};

class Progress {
public:
  Progress();

  /// After every step: of `examples` examples. Draws the bar, at most ten times a second.
  void step(const Place &place, const Means &means, size_t examples);
  /// A line that stays.
  void line(const std::string &text);
  /// "epoch 2/10 ... loss 0.51 ... 3512 examples/s, 0:42 left"
  std::string text(const Place &place, const std::vector<Scalar> &values) const;
  /// Of training, without pauses.
  double examplesPerSecond() const;
  /// Time that passes until `resume` is not training.
  void pause();
  void resume();

private:
  using Clock = std::chrono::steady_clock;
  double secondsOfTraining() const;

  bool isTerminal;
  size_t width = 0; // of the bar that is shown
  Clock::time_point begin, drawn;
  double before = 0; // seconds until the last pause
  bool isPaused = false;
  uint64_t steps = 0, examples = 0; // of this process
};

/// "0:42", "1:03:12"
std::string durationText(double seconds);

} // namespace nnc::train
