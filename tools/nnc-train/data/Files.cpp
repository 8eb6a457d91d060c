#include "tools/nnc-train/data/Files.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <zlib.h>

using namespace nnc;
using namespace nnc::train;

Result<std::vector<std::byte>> train::unpackGzip(std::span<const std::byte> packed, size_t limit) {
  z_stream stream = {};
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) // gzip's header
    return Error{"not enough memory to unpack it"};
  std::vector<std::byte> unpacked;
  int status = Z_OK;
  constexpr size_t Chunk = size_t{1} << 20;
  size_t read = 0;
  while (status == Z_OK && unpacked.size() < limit) {
    size_t filled = unpacked.size();
    unpacked.resize(std::min(limit, filled + Chunk));
    stream.next_out = reinterpret_cast<Bytef *>(unpacked.data() + filled);
    stream.avail_out = static_cast<uInt>(unpacked.size() - filled);
    size_t part = std::min(packed.size() - read, Chunk);
    stream.next_in = const_cast<Bytef *>(reinterpret_cast<const Bytef *>(packed.data() + read));
    stream.avail_in = static_cast<uInt>(part);
    status = inflate(&stream, Z_NO_FLUSH);
    read += part - stream.avail_in;
    unpacked.resize(unpacked.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (status == Z_OK || status == Z_STREAM_END)
    return unpacked;
  return Error{status == Z_BUF_ERROR && read == packed.size() ? "its gzip data is truncated"
                                                              : "its gzip data is damaged"};
}

Result<FileBytes> FileBytes::open(const std::string &path) {
  std::error_code ignored;
  bool isPacked =
      !std::filesystem::exists(path, ignored) && std::filesystem::exists(path + ".gz", ignored);
  std::string name = isPacked ? path + ".gz" : path;
  Result<format::MappedFile> file = format::MappedFile::open(name);
  if (!file)
    return file.error();
  FileBytes made = view(file->bytes(), name);
  made.file = std::move(*file);
  return made;
}

FileBytes FileBytes::view(std::span<const std::byte> bytes, const std::string &name) {
  FileBytes made;
  made.path = name;
  made.bytes = bytes;
  made.isPacked = name.ends_with(".gz");
  return made;
}

Result<std::span<const std::byte>> FileBytes::first(size_t count) {
  if (!isPacked)
    return bytes.first(std::min(count, bytes.size()));
  Result<std::vector<std::byte>> part = unpackGzip(bytes, count);
  if (!part)
    return Error{fmt::format("{}: {}", path, part.error().message)};
  unpacked = std::move(*part);
  return std::span<const std::byte>(unpacked);
}
