// Batches of a data set in an order that a seed gives, made ahead by threads. What is in a batch
// depends on neither their number nor their speed.
#pragma once

#include "tools/nnc-train/data/Binding.h"
#include "tools/nnc-train/data/Image.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace nnc::train {

struct Batch {
  size_t count; ///< of examples
  TensorMap tensors;
};

struct LoaderOptions {
  bool isTraining = false; ///< shuffled and augmented
  uint64_t seed = 0;
  uint64_t epoch = 0; ///< of the order and of augmentation
  size_t first = 0;   ///< the batch to begin with
  unsigned workers = 2;
};

/// How many batches an epoch has: the last may be smaller, if the inputs allow it.
size_t batchesOf(const Dataset &data, const Binding &binding);
/// How many of the data set's examples are in no batch.
size_t examplesLeftOut(const Dataset &data, const Binding &binding);

/// One pass over a data set.
class Loader {
public:
  /// The data, the binding and the transform must outlive it.
  Loader(const Dataset &data, const Binding &binding, const ImageTransform &transform,
         const LoaderOptions &options);
  ~Loader();
  Loader(const Loader &) = delete;
  Loader &operator=(const Loader &) = delete;

  /// The next batch, or nothing after the last one. Errors are those of the data set.
  Result<std::optional<Batch>> next();

private:
  void work();
  Result<Batch> make(size_t number) const;
  Result<void> fill(const Batch &batch, size_t row, size_t example) const;

  const Dataset &data;
  const Binding &binding;
  const ImageTransform &transform;
  LoaderOptions options;
  std::vector<size_t> order; // of all examples
  size_t count;              // of batches
  size_t ahead;              // how many may be waiting

  std::mutex mutex; // guards what follows
  std::condition_variable made, taken;
  std::map<size_t, Result<Batch>> ready;
  size_t claimed, consumed;
  bool isStopped = false;
  std::vector<std::thread> threads;
};

} // namespace nnc::train
