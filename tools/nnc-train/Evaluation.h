// Evaluation: eval_step over a whole data set, and the classes that the model's own entry point
// tells apart.
#pragma once

#include "runtime/Engine.h"
#include "tools/nnc-train/Metrics.h"
#include "tools/nnc-train/data/Loader.h"

#include <csignal>
#include <optional>

namespace nnc::train {

/// An entry point whose only output has a number for every class.
struct Classifier {
  std::string entry;
  std::vector<std::pair<std::string, std::string>> inputs; ///< of it, and of eval_step
  std::string label;                                       ///< an input of eval_step
  size_t classes;
};

/// Of entry points besides `train_step` and `eval_step`, the one that takes some of the inputs of
/// eval_step and returns floats of [batch, classes]; `forward` if there are several. None if there
/// is none, or the data has no labels.
std::optional<Classifier> findClassifier(const format::ModelT &model, const Dataset &data,
                                         const Binding &binding, const BindingOptions &options);

/// Whether every label is a class. Errors name the first example whose label is none.
Result<void> checkLabels(const Dataset &data, const Binding &binding, const Classifier &classifier);

struct Evaluation {
  Means means;
  std::optional<Confusion> confusion;
};

/// One pass. Returns nothing if `isStopped` became true on the way.
Result<std::optional<Evaluation>> evaluate(Session &session, Loader &loader,
                                           const std::optional<Classifier> &classifier,
                                           const volatile std::sig_atomic_t &isStopped);

/// The evaluation as JSON: means, accuracy, precision, recall and F1 by class, confusion matrix.
std::string reportJson(const Evaluation &evaluation, const std::vector<std::string> &names);

} // namespace nnc::train
