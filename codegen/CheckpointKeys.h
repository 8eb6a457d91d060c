// How the keys of a checkpoint match the globals of a model: strictly, in both directions.
#pragma once

#include "codegen/Weights.h"

namespace nnc::format {
class Checkpoint;
}

namespace nnc::codegen {

/// How a checkpoint's keys differ from the model's on purpose.
struct CheckpointNames {
  std::string prefix;              ///< put before every key of the model
  std::vector<std::string> ignore; ///< globs of keys that only one of the two may have
};

/// What strict loading found.
struct KeyReport {
  struct Key {
    std::string name, type; ///< "conv1.weight", "f32[6, 1, 5, 5]"
  };
  struct Difference {
    std::string name, expected, found; ///< types as above
  };
  struct Conflict {
    std::string first, second; ///< two keys in the file of one tensor of the model
  };
  /// A start of keys that would make the two sides fit.
  struct Prefix {
    std::string text;
    size_t fitting; ///< missing keys that are present under it
  };

  size_t numSlots = 0;
  size_t numAgreeing = 0;
  std::vector<Key> missing;           ///< in the model, not in the file
  std::vector<Key> unused;            ///< in the file, not in the model
  std::vector<Difference> misshapen;  ///< with another shape or a type that is not converted
  std::vector<Difference> converted;  ///< agreeing, from another float type
  std::vector<Conflict> conflicting;  ///< with different contents
  std::optional<Prefix> betterPrefix; ///< instead of CheckpointNames::prefix

  bool isClean() const {
    return missing.empty() && unused.empty() && misshapen.empty() && conflicting.empty();
  }
};

/// Matches every param and buffer of `module` with the file's tensors and adds what fits to
/// `store`. Float types convert to the declared type; integers must agree exactly.
KeyReport matchCheckpoint(mlir::ModuleOp module, std::shared_ptr<const format::Checkpoint> file,
                          const CheckpointNames &names, WeightStore &store);

} // namespace nnc::codegen
