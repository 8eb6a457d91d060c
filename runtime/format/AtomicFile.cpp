#include "runtime/format/AtomicFile.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace nnc;
using namespace nnc::format;

static Error cannotWrite(const std::string &path) {
  return Error{fmt::format("cannot write {}: {}", path, std::strerror(errno))};
}

AtomicFile::AtomicFile(AtomicFile &&other) noexcept
    : path(std::move(other.path)), temporary(std::move(other.temporary)),
      descriptor(std::exchange(other.descriptor, -1)), count(other.count) {
  other.temporary.clear();
}

AtomicFile::~AtomicFile() {
  if (descriptor >= 0)
    close(descriptor);
  if (!temporary.empty())
    unlink(temporary.c_str());
}

/// What exists and is no regular file (a device, a pipe) cannot be replaced by renaming.
static bool writesInPlace(const std::string &path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

Result<AtomicFile> AtomicFile::create(const std::string &path) {
  AtomicFile file;
  file.path = path;
  if (writesInPlace(path)) {
    file.descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (file.descriptor < 0)
      return cannotWrite(path);
    return file;
  }
  struct stat status;
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    return Error{fmt::format("cannot write {}: it is a directory", path)};

  std::string name = path + ".XXXXXX";
  file.descriptor = mkostemp(name.data(), O_CLOEXEC);
  if (file.descriptor < 0)
    return cannotWrite(path);
  file.temporary = std::move(name);
  mode_t mask = umask(0);
  umask(mask);
  fchmod(file.descriptor, 0666 & ~mask);
  return file;
}

Result<void> AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t done = ::write(descriptor, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return cannotWrite(path);
    bytes = bytes.subspan(static_cast<size_t>(done));
    count += static_cast<size_t>(done);
  }
  return {};
}

Result<void> AtomicFile::write(std::string_view text) {
  return write(std::as_bytes(std::span(text.data(), text.size())));
}

Result<void> AtomicFile::zeros(size_t wanted) {
  static constexpr std::byte block[4096] = {};
  while (wanted > 0) {
    size_t part = std::min(wanted, sizeof(block));
    if (Result<void> done = write(std::span(block, part)); !done)
      return done;
    wanted -= part;
  }
  return {};
}

Result<void> AtomicFile::patch(size_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t done = ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      return cannotWrite(path);
    bytes = bytes.subspan(static_cast<size_t>(done));
    offset += static_cast<size_t>(done);
  }
  return {};
}

Result<void> AtomicFile::commit() {
  int closed = close(std::exchange(descriptor, -1));
  if (closed != 0)
    return cannotWrite(path);
  if (temporary.empty())
    return {};
  if (rename(temporary.c_str(), path.c_str()) != 0)
    return cannotWrite(path);
  temporary.clear();
  return {};
}

Result<void> format::writeFile(const std::string &path, std::span<const std::byte> bytes) {
  Result<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.error();
  if (Result<void> done = file->write(bytes); !done)
    return done;
  return file->commit();
}

Result<void> format::writeFile(const std::string &path, std::string_view text) {
  return writeFile(path, std::as_bytes(std::span(text.data(), text.size())));
}
