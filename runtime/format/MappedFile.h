// Page-aligned read-only bytes: a mapped file, or memory of the same shape for models that were
// compiled in process.
#ifndef NNC_RUNTIME_FORMAT_MAPPEDFILE_H
#define NNC_RUNTIME_FORMAT_MAPPEDFILE_H

#include "runtime/format/Result.h"

#include <cstddef>
#include <span>
#include <string>

namespace nnc::format {

class MappedFile {
public:
  MappedFile() = default;
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  /// Maps a regular file. Errors: missing, unreadable, not a regular file.
  static Result<MappedFile> open(const std::string &path);
  /// Zeroed memory of `size` bytes, committed when touched. Errors: not enough memory.
  static Result<MappedFile> anonymous(size_t size);

  std::span<const std::byte> bytes() const { return {base, length}; }
  /// Only of anonymous memory.
  std::span<std::byte> writable() { return {base, length}; }

private:
  std::byte *base = nullptr;
  size_t length = 0;
};

} // namespace nnc::format

#endif
