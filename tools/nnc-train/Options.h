// The command line of nnc-train.
#pragma once

#include "runtime/Tensor.h"
#include "tools/nnc-train/data/Binding.h"
#include "tools/nnc-train/data/Image.h"

namespace nnc::train {

/// What happens when a loss is not a number.
enum class OnNan { Stop, Skip };

struct Options {
  std::string model, data, evalData, out = "run", resume;
  uint64_t epochs = 10, maxSteps = 0; ///< 0: as many as the epochs have
  BindingOptions binding;
  bool isBatchGiven = false, isSeedGiven = false;
  uint64_t seed = 0;
  std::optional<Device> device;
  unsigned workers = 2;
  uint64_t evalEvery = 1, saveEvery = 0, logEvery = 100;
  double holdout = 0; ///< part of the training data that is evaluated on instead
  std::string best;   ///< an output of eval_step; empty: its accuracy, else its loss
  OnNan onNan = OnNan::Stop;
  bool evaluatesOnly = false;
  std::vector<double> mean, deviation; ///< empty: those of the kind of data
  Augmentation augmentation;
};

/// Prints "nnc-train: error: ..." and returns the exit status 1.
int report(const Error &error);

/// The options, or nothing with the status to exit with after help or an error was printed.
std::optional<Options> parseOptions(int argc, char **argv, int &status);

} // namespace nnc::train
