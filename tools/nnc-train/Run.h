// One run of training: what is opened for it, its position, its checkpoints.
#pragma once

#include "tools/nnc-train/Evaluation.h"
#include "tools/nnc-train/MetricsLog.h"
#include "tools/nnc-train/Options.h"
#include "tools/nnc-train/Progress.h"

namespace nnc::train {

/// Where a run is, so that it can go on from there: all of it is in a checkpoint's metadata.
struct Position {
  uint64_t epoch = 0;         ///< that runs, from 0
  uint64_t batch = 0;         ///< done of it
  uint64_t step = 0;          ///< done in all
  std::optional<double> best; ///< value of the output that decides on the best checkpoint
};

/// What does not change while a run runs.
struct Setup {
  Options options;
  std::optional<Engine> engine;
  std::optional<Session> session;
  Data data;
  Binding training, testing;
  ImageTransform transform;
  std::optional<Classifier> classifier;
  std::string loss; ///< the output of train_step that is the loss: its first
};

/// Opens the model, the data and a session on the device. A run that is resumed keeps its seed and
/// its batch. Errors: no train_step, data that does not fit it, labels out of range, a checkpoint
/// that is none of a run, or of one with another seed or batch.
Result<Setup> openRun(Options options);

/// A number of a checkpoint's metadata. Errors: it is not there, no number.
Result<uint64_t> numberIn(const Metadata &metadata, const char *name, const std::string &path);

class Run {
public:
  explicit Run(Setup &setup) : setup(setup), session(*setup.session) {}

  /// Makes the folder, or goes on from a checkpoint. Errors: the folder has another run's
  /// checkpoint, the checkpoint is of another model, other data, another batch or seed.
  Result<void> begin();
  /// All epochs that are left, with evaluation and checkpoints. `isStopped` ends it after a step,
  /// with a checkpoint.
  Result<void> train(const volatile std::sig_atomic_t &isStopped);
  /// Evaluates and prints; writes report.json.
  Result<void> evaluateOnly(const volatile std::sig_atomic_t &isStopped);

private:
  Result<void> resume();
  /// Sets session and position as a checkpoint says.
  Result<void> load(const std::string &path);
  LoaderOptions loaderOptions() const;
  Result<void> trainEpoch(const volatile std::sig_atomic_t &isStopped);
  Result<void> step(const Batch &batch);
  Result<void> afterStep(size_t examples);
  Result<void> onNan(const Batch &batch, double loss);
  Result<std::string> explainNan(const Batch &batch);
  Result<void> replay(uint64_t step);
  Result<void> endEpoch(const volatile std::sig_atomic_t &isStopped);
  /// Nothing if it was stopped.
  Result<std::optional<Evaluation>> evaluateNow(const volatile std::sig_atomic_t &isStopped);
  Result<void> afterEvaluation(const Evaluation &evaluation);
  Result<void> writeReport(const Evaluation &evaluation);
  /// Whether it is the best so far, which the position then knows.
  Result<bool> isBetter(const Evaluation &evaluation);
  Result<void> save(const std::string &name);
  Metadata metadata() const;
  Place place() const;
  bool isFinished() const;
  uint64_t totalSteps() const;
  std::string pathOf(const std::string &name) const { return setup.options.out + "/" + name; }

  Setup &setup;
  Session &session;
  Position position;
  Means interval; // of training, since the last line
  using Slots = std::vector<NamedTensor>;
  Slots before;        // of the running step, if it may be undone
  std::string restart; // the checkpoint that the run came from or wrote last; empty: its beginning
  std::optional<MetricsLog> log;
  Progress progress;
};

} // namespace nnc::train
