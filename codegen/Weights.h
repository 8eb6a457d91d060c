// The tensors of a model's globals, by symbol: views into mapped checkpoints wherever possible,
// owned bytes for what was initialized or computed.
#pragma once

#include "runtime/format/DType.h"
#include "runtime/format/Result.h"

#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mlir {
class ModuleOp;
}

namespace nnc::codegen {

struct WeightTensor {
  DType dtype = DType::F32; ///< what the model computes with
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes; ///< dense row-major
  /// The type of `bytes` where it is another float type: converted when it is written.
  std::optional<DType> stored = std::nullopt;

  DType storedType() const { return stored.value_or(dtype); }
};

class WeightStore {
public:
  const WeightTensor *find(std::string_view symbol) const;
  /// `tensor.bytes` must stay valid: see keepAlive.
  void addView(std::string_view symbol, WeightTensor tensor);
  void addOwned(std::string_view symbol, WeightTensor tensor, std::vector<std::byte> bytes);
  /// Holds what views point into.
  void keepAlive(std::shared_ptr<const void> owner) { owners.push_back(std::move(owner)); }
  /// Converts a tensor now; its bytes are then of its `dtype`.
  const WeightTensor &materialize(std::string_view symbol);

  /// A mapped file that views point into.
  struct File {
    std::string path;
    std::span<const std::byte> bytes;
  };
  struct FilePlace {
    size_t file; ///< of files()
    size_t offset;
  };
  void addFile(File file) { mapped.push_back(std::move(file)); }
  std::span<const File> files() const { return mapped; }
  /// Where these bytes are in a file; none if they are in memory.
  std::optional<FilePlace> locate(std::span<const std::byte> bytes) const;

private:
  llvm::StringMap<WeightTensor> tensors;
  llvm::StringMap<std::vector<std::byte>> owned;
  std::vector<std::shared_ptr<const void>> owners;
  std::vector<File> mapped;
};

/// Adds fresh values for every param and buffer that `store` does not have yet, and constants that
/// say what they are.
Result<void> initializeWeights(mlir::ModuleOp module, uint64_t seed, WeightStore &store);

} // namespace nnc::codegen
