// The bytes of files of data sets, which may be gzipped.
#pragma once

#include "runtime/format/MappedFile.h"

#include <vector>

namespace nnc::train {

/// Bytes that are mapped or unpacked.
class FileBytes {
public:
  /// `path`, or `path` with .gz. Errors: neither is there, unreadable.
  static Result<FileBytes> open(const std::string &path);
  /// Of memory that outlives it; gzipped if the name ends with .gz.
  static FileBytes view(std::span<const std::byte> bytes, const std::string &name);

  const std::string &name() const { return path; }
  /// The first `count` bytes, or all if there are fewer; a packed file is unpacked no further.
  /// Errors: damaged, truncated.
  Result<std::span<const std::byte>> first(size_t count);

private:
  std::string path;
  format::MappedFile file; // what `bytes` are part of, if they are mapped
  std::span<const std::byte> bytes;
  bool isPacked = false;
  std::vector<std::byte> unpacked;
};

/// The first `limit` bytes of gzipped ones, or all if there are fewer. Errors (a clause): damaged,
/// truncated.
Result<std::vector<std::byte>> unpackGzip(std::span<const std::byte> packed, size_t limit);

} // namespace nnc::train
