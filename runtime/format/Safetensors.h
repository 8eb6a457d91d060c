// Reading and writing .safetensors, the format of checkpoints. Files are not trusted: every length
// and offset is verified before it is used, and a file that breaks a rule of the format is refused.
#ifndef NNC_RUNTIME_FORMAT_SAFETENSORS_H
#define NNC_RUNTIME_FORMAT_SAFETENSORS_H

#include "runtime/format/DType.h"
#include "runtime/format/MappedFile.h"

#include <map>
#include <string_view>
#include <vector>

namespace nnc::format {

/// A named tensor in memory that belongs to someone else: dense, row-major, little endian, of no
/// particular alignment.
struct StoredTensor {
  std::string name;
  DType type = DType::F32;
  std::vector<int64_t> shape;
  std::span<const std::byte> data;
};

/// What a checkpoint says about itself: texts by name.
using Metadata = std::map<std::string, std::string>;

/// A mapped file of a checkpoint.
struct CheckpointFile {
  std::string path;
  MappedFile map;
};

/// The tensors of a checkpoint. Files stay mapped; nothing is copied.
class Checkpoint {
public:
  /// `path` is a .safetensors file, a .safetensors.index.json whose shards are beside it, or a
  /// folder with `model.safetensors.index.json`, `model.safetensors` or one .safetensors file.
  static Result<Checkpoint> open(const std::string &path);

  /// All tensors, by name in byte order.
  std::span<const StoredTensor> tensors() const { return list; }
  /// The tensor of that name, or null.
  const StoredTensor *find(std::string_view name) const;
  std::span<const CheckpointFile> files() const { return mapped; }
  /// Of all files together.
  const Metadata &metadata() const { return said; }

private:
  Result<void> addFile(const std::string &path);
  static Result<Checkpoint> openFile(const std::string &path);
  static Result<Checkpoint> openIndex(const std::string &path);
  Result<void> sortByName(const std::string &path);

  std::vector<CheckpointFile> mapped;
  std::vector<StoredTensor> list;
  Metadata said;
};

/// The tensors of the bytes of one .safetensors file; `name` stands for the file in errors. What it
/// says about itself is added to `metadata`, if that is given.
Result<std::vector<StoredTensor>> parseSafetensors(std::span<const std::byte> bytes,
                                                   const std::string &name,
                                                   Metadata *metadata = nullptr);

/// Writes the tensors in this order, beside and renamed. Errors: not writable, disk full, a tensor
/// whose bytes do not fit its shape, two of one name.
Result<void> writeSafetensors(const std::string &path, std::span<const StoredTensor> tensors,
                              const Metadata &metadata = {});

} // namespace nnc::format

#endif
