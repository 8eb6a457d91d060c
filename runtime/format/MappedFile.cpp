#include "runtime/format/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace nnc;
using namespace nnc::format;

namespace {

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0)
      close(number);
  }
};

} // namespace

MappedFile::MappedFile(MappedFile &&other) noexcept
    : base(std::exchange(other.base, nullptr)), length(std::exchange(other.length, 0)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(base, other.base);
  std::swap(length, other.length);
  return *this;
}

MappedFile::~MappedFile() {
  if (base)
    munmap(base, length);
}

Result<MappedFile> MappedFile::open(const std::string &path) {
  // O_NONBLOCK: a named pipe without a writer is refused below instead of waited for.
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.number < 0)
    return Error{fmt::format("cannot open {}: {}", path, std::strerror(errno))};
  struct stat status;
  if (fstat(file.number, &status) != 0)
    return Error{fmt::format("cannot read {}: {}", path, std::strerror(errno))};
  if (!S_ISREG(status.st_mode))
    return Error{fmt::format("cannot read {}: not a regular file", path)};

  MappedFile mapped;
  mapped.length = static_cast<size_t>(status.st_size);
  if (mapped.length == 0)
    return mapped;
  void *address = mmap(nullptr, mapped.length, PROT_READ, MAP_PRIVATE, file.number, 0);
  if (address == MAP_FAILED)
    return Error{fmt::format("cannot map {}: {}", path, std::strerror(errno))};
  mapped.base = static_cast<std::byte *>(address);
  return mapped;
}

Result<MappedFile> MappedFile::anonymous(size_t size) {
  MappedFile mapped;
  if (size == 0)
    return mapped;
  void *address = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED)
    return Error{fmt::format("not enough memory for {} bytes", size)};
  mapped.base = static_cast<std::byte *>(address);
  mapped.length = size;
  return mapped;
}
