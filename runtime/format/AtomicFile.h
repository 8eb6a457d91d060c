// Files that appear whole or not at all: written beside their place, then renamed.
#ifndef NNC_RUNTIME_FORMAT_ATOMICFILE_H
#define NNC_RUNTIME_FORMAT_ATOMICFILE_H

#include "runtime/format/Result.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace nnc::format {

/// Write, then commit. Without a commit the temporary file is removed and `path` is untouched.
class AtomicFile {
public:
  AtomicFile(AtomicFile &&other) noexcept;
  AtomicFile &operator=(AtomicFile &&) = delete;
  ~AtomicFile();

  /// Errors: the folder is missing or not writable.
  static Result<AtomicFile> create(const std::string &path);
  /// Errors: disk full.
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> write(std::string_view text);
  Result<void> zeros(size_t count);
  /// Replaces bytes that were written as zeros. Only where `canPatch`.
  Result<void> patch(size_t offset, std::span<const std::byte> bytes);
  /// False of a device or a pipe.
  bool canPatch() const { return !temporary.empty(); }
  /// Closes and renames. Errors: disk full.
  Result<void> commit();

  size_t written() const { return count; }

private:
  AtomicFile() = default;

  std::string path, temporary;
  int descriptor = -1;
  size_t count = 0;
};

/// Writes a whole file as above. `path` may also name a device or a pipe (/dev/stdout), which is
/// written in place.
Result<void> writeFile(const std::string &path, std::span<const std::byte> bytes);
Result<void> writeFile(const std::string &path, std::string_view text);

} // namespace nnc::format

#endif
