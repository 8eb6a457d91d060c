// nnc-train: trains a model.bin that has train_step, from the command line.
#include "tools/Say.h"
#include "tools/nnc-train/Run.h"

#include <csignal>

using namespace nnc;
using namespace nnc::train;

/// A second signal ends the program at once.
static volatile std::sig_atomic_t isStopped = 0;

static void onSignal(int signal) {
  isStopped = 1;
  std::signal(signal, SIG_DFL);
}

static Result<void> run(const Options &options) {
  Result<Setup> setup = openRun(options);
  if (!setup)
    return setup.error();
  Run run(*setup);
  if (options.evaluatesOnly)
    return run.evaluateOnly(isStopped);
  if (Result<void> begun = run.begin(); !begun)
    return begun;
  return run.train(isStopped);
}

int main(int argc, char **argv) {
  std::signal(SIGXFSZ, SIG_IGN); // a limit on the size of files is an error of write()
  std::signal(SIGINT, onSignal);
  std::signal(SIGTERM, onSignal);
  int status = 0;
  std::optional<Options> options = parseOptions(argc, argv, status);
  if (!options)
    return status;
  Result<void> done = run(*options);
  Result<void> written = flushOutput();
  if (!done || !written)
    return report((done ? written : done).error());
  constexpr int Interrupted = 130;
  return isStopped ? Interrupted : 0;
}
