// What is measured while training and evaluating: means of the outputs of train_step and eval_step,
// and how well classes are told apart.
#pragma once

#include "runtime/Tensor.h"
#include "tools/nnc-train/EventFile.h"

namespace nnc::train {

/// Means over examples of numbers that are means over batches of them.
class Means {
public:
  /// Counts every output that is one number, with the weight `examples`.
  void add(const TensorMap &outputs, size_t examples);
  /// In the order of the outputs.
  std::vector<Scalar> values() const;
  /// Of one output, or none.
  const double *find(std::string_view name) const;
  size_t examples() const { return count; }
  void clear() { *this = Means(); }

private:
  std::vector<Scalar> means; // so far
  size_t count = 0;
};

/// The number of a tensor with one float or integer; nothing of other tensors.
std::optional<double> numberOf(const Tensor &tensor);

/// How often each class was taken for each, and what follows from that.
class Confusion {
public:
  explicit Confusion(size_t classes) : classes(classes), counts(classes * classes) {}

  /// One row of `logits` per label: the class of the greatest one is the guess, the first of equal
  /// ones. Errors: a label that is no class.
  Result<void> add(const Tensor &logits, const Tensor &labels);

  size_t size() const { return classes; }
  uint64_t at(size_t label, size_t guess) const { return counts[label * classes + guess]; }
  uint64_t total() const;
  double accuracy() const;
  /// Of those that were taken for the class, how many are of it; 0 if none was.
  double precision(size_t label) const;
  /// Of those of the class, how many were taken for it; 0 if there are none.
  double recall(size_t label) const;
  double f1(size_t label) const;
  uint64_t support(size_t label) const; ///< examples of the class

  /// A table of all of it, for people.
  std::string text(const std::vector<std::string> &names) const;

private:
  size_t classes;
  std::vector<uint64_t> counts; // [label][guess]
};

} // namespace nnc::train
