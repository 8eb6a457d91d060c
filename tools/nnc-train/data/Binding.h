// Which field of a data set each input of an entry point gets, and in what shape.
#pragma once

#include "runtime/format/Plan.h"
#include "tools/nnc-train/data/Dataset.h"

#include <optional>

namespace nnc::train {

/// What the user says about inputs.
struct BindingOptions {
  int64_t batch = 32;
  std::map<std::string, std::string> fields = {}; ///< field by input, where names differ
  std::map<std::string, int64_t> dims = {};       ///< dimensions that the data does not fix
};

/// One input of the entry point.
struct BoundInput {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape; ///< of one example
  size_t field;               ///< Dataset::fields
};

struct Binding {
  std::vector<BoundInput> inputs;
  int64_t batch = 0;
  std::optional<int64_t> leastBatch; ///< of a smaller last one; none: all batches have one size
  int64_t length = 1;                ///< of fields of any size: what Dataset::size takes
};

/// Finds a field for every input: the one that `options` names, else that of the same name, else
/// of a name that is common for it (`x` and `ids` for `tokens`). Errors: no such field, a type or
/// shape that does not fit, inputs without a common first axis, a dimension that nobody fixes or
/// that is outside its range.
Result<Binding> bindInputs(const Dataset &data, const format::EntryT &entry,
                           const BindingOptions &options);

} // namespace nnc::train
