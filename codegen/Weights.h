// The tensors of a model's globals, by symbol: views into mapped checkpoints wherever possible,
// owned bytes for what was initialized or computed. Also how checkpoint keys match globals.
#pragma once

#include "runtime/format/DType.h"
#include "runtime/format/Result.h"

#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mlir {
class ModuleOp;
}
namespace nnc::format {
class Checkpoint;
}

namespace nnc::codegen {

struct WeightTensor {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes; ///< dense row-major
};

class WeightStore {
public:
  const WeightTensor *find(std::string_view symbol) const;
  /// `tensor.bytes` must stay valid: see keepAlive.
  void addView(std::string_view symbol, WeightTensor tensor);
  void addOwned(std::string_view symbol, WeightTensor tensor, std::vector<std::byte> bytes);
  /// Holds what views point into.
  void keepAlive(std::shared_ptr<const void> owner) { owners.push_back(std::move(owner)); }

private:
  llvm::StringMap<WeightTensor> tensors;
  std::deque<std::vector<std::byte>> owned;
  std::vector<std::shared_ptr<const void>> owners;
};

/// How a checkpoint's keys differ between the command line and the file.
struct CheckpointNames {
  std::string prefix;              ///< put before every key of the model
  std::vector<std::string> ignore; ///< globs of keys in the file that may be left over
};

/// `*` matches one step of a key, `**` any number of steps (also none).
bool matchesGlob(std::string_view glob, std::string_view key);

/// What strict loading found.
struct KeyReport {
  struct Difference {
    std::string key, expected, found; ///< e.g. "conv1.weight", "f32[6, 1, 5, 5]", "f32[6, 1, 3, 3]"
  };
  size_t numSlots = 0;
  std::vector<std::string> missing; ///< in the model, not in the file
  std::vector<std::string> unused;  ///< in the file, not in the model
  std::vector<Difference>
      misshapen; ///< in both, with another shape or a type that is not converted
  std::vector<std::string> conflicting; ///< two names of one tensor with different contents
  std::string suggestedPrefix;          ///< a prefix under which every missing key is present

  bool isClean() const {
    return missing.empty() && unused.empty() && misshapen.empty() && conflicting.empty();
  }
};

/// Matches every param and buffer of `module` with the file's tensors and adds what fits to
/// `store`. Float types convert to the declared type; integers must agree exactly.
KeyReport matchCheckpoint(mlir::ModuleOp module, std::shared_ptr<const format::Checkpoint> file,
                          const CheckpointNames &names, WeightStore &store);

/// Adds fresh values for every param and buffer that `store` does not have yet.
Result<void> initializeWeights(mlir::ModuleOp module, uint64_t seed, WeightStore &store);

} // namespace nnc::codegen
