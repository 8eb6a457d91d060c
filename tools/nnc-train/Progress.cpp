#include "tools/nnc-train/Progress.h"

#include "tools/Say.h"

#include <cmath>
#include <sys/ioctl.h>
#include <unistd.h>

using namespace nnc;
using namespace nnc::train;

std::string train::durationText(double seconds) {
  if (!std::isfinite(seconds) || seconds > 1e9)
    return "?";
  auto whole = static_cast<uint64_t>(seconds);
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

/// How many characters a line of the terminal holds.
static size_t columns() {
  winsize size = {};
  bool isKnown = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return isKnown ? size.ws_col : 80;
}

Progress::Progress() : isTerminal(isatty(STDOUT_FILENO) == 1), begin(Clock::now()) {}

double Progress::secondsOfTraining() const {
  double running = std::chrono::duration<double>(Clock::now() - begin).count();
  return before + (isPaused ? 0 : running);
}

void Progress::pause() {
  before = secondsOfTraining();
  isPaused = true;
}

void Progress::resume() {
  begin = Clock::now();
  isPaused = false;
}

double Progress::examplesPerSecond() const {
  return static_cast<double>(examples) / std::max(secondsOfTraining(), 1e-9);
}

std::string Progress::text(const Place &place, const std::vector<Scalar> &values) const {
  std::string text =
      fmt::format("epoch {}/{}  step {}/{}", place.epoch, place.epochs, place.step, place.steps);
  for (const Scalar &scalar : values)
    text += fmt::format("  {} {:.4g}", scalar.name, scalar.value);
  double seconds = secondsOfTraining() / static_cast<double>(std::max<uint64_t>(steps, 1));
  double left = seconds * static_cast<double>(place.steps - std::min(place.steps, place.step));
  return text +
         fmt::format("  {:.0f} examples/s  {} left", examplesPerSecond(), durationText(left));
}

void Progress::step(const Place &place, const Means &means, size_t count) {
  ++steps;
  examples += count;
  if (!isTerminal || Clock::now() - drawn < std::chrono::milliseconds(100))
    return;
  drawn = Clock::now();
  constexpr uint64_t Cells = 24;
  uint64_t full = Cells * place.batch / std::max<uint64_t>(place.batches, 1);
  std::string bar = fmt::format("[{:#>{}}{:.>{}}] ", "", full, "", Cells - full);
  bar += text(place, means.values());
  bar.resize(std::min(bar.size(), columns() - 1)); // a longer one could not be drawn over
  say("\r{:<{}}", bar, width);
  width = bar.size();
  std::fflush(stdout);
}

void Progress::line(const std::string &text) {
  if (width > 0)
    say("\r{:<{}}\r", "", width);
  width = 0;
  say("{}\n", text);
  std::fflush(stdout);
}
