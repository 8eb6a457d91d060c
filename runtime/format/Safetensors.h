// Reading and writing .safetensors, the format of checkpoints. Files are not trusted: every length
// and offset is verified before it is used, and a file that breaks a rule of the format is refused.
#ifndef NNC_RUNTIME_FORMAT_SAFETENSORS_H
#define NNC_RUNTIME_FORMAT_SAFETENSORS_H

#include "runtime/format/DType.h"
#include "runtime/format/MappedFile.h"

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

/// The tensors of a checkpoint: one .safetensors file, or the files named by a
/// .safetensors.index.json beside it. Files stay mapped; nothing is copied.
class Checkpoint {
public:
  static Result<Checkpoint> open(const std::string &path);

  /// All tensors, by name in byte order.
  std::span<const StoredTensor> tensors() const { return list; }
  /// The tensor of that name, or null.
  const StoredTensor *find(std::string_view name) const;

private:
  Result<void> addFile(const std::string &path);
  static Result<Checkpoint> openIndex(const std::string &path);
  Result<void> sortByName(const std::string &path);

  std::vector<MappedFile> files;
  std::vector<StoredTensor> list;
};

/// The tensors of the bytes of one .safetensors file; `name` stands for the file in errors.
Result<std::vector<StoredTensor>> parseSafetensors(std::span<const std::byte> bytes,
                                                   const std::string &name);

/// Writes the tensors in this order, beside and renamed. Errors: not writable, disk full, a tensor
/// whose bytes do not fit its shape, two of one name.
Result<void> writeSafetensors(const std::string &path, std::span<const StoredTensor> tensors);

} // namespace nnc::format

#endif
