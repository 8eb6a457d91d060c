#include "runtime/format/FileCache.h"
#include "runtime/format/AtomicFile.h"
#include "runtime/format/Hash.h"
#include "runtime/format/MappedFile.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <vector>

using namespace nnc;
using namespace nnc::format;

namespace fs = std::filesystem;

namespace {

constexpr std::string_view Magic = "nnccach1";

/// Before the bytes of an entry.
struct EntryHeader {
  char magic[8];
  uint64_t keyHash, size, hash;
};

/// A file of the cache.
struct CachedFile {
  fs::path path;
  fs::file_time_type used;
  uint64_t size;
};

/// Two hexadecimal digits: the folders that entries are in.
bool isPart(const fs::path &path) {
  std::string name = path.filename().string();
  return name.size() == 2 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

/// Every file in the cache; what cannot be read is not seen.
std::vector<CachedFile> listFiles(const std::string &folder) {
  std::vector<CachedFile> files;
  std::error_code error;
  for (fs::directory_iterator part(folder, error), end; !error && part != end;
       part.increment(error)) {
    std::error_code inner;
    if (!isPart(part->path()) || part->is_symlink(inner))
      continue;
    for (fs::directory_iterator file(part->path(), inner), last; !inner && file != last;
         file.increment(inner)) {
      std::error_code gone;
      CachedFile found{file->path(), file->last_write_time(gone), file->file_size(gone)};
      if (!gone && file->is_regular_file(gone))
        files.push_back(std::move(found));
    }
  }
  return files;
}

std::string environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

std::string sharedFolder() {
  if (!environment("NNC_CUDA_TWIN").empty())
    return "";
  if (const char *folder = std::getenv("NNC_CACHE_DIR"))
    return folder;
  if (std::string home = environment("XDG_CACHE_HOME"); home.starts_with('/'))
    return home + "/nnc";
  std::string home = environment("HOME");
  return home.starts_with('/') ? home + "/.cache/nnc" : "";
}

uint64_t sharedLimit() {
  uint64_t megabytes = std::strtoull(environment("NNC_CACHE_MB").c_str(), nullptr, 10);
  return megabytes ? megabytes << 20 : FileCache::DefaultLimit;
}

} // namespace

FileCache::FileCache(std::string folder, uint64_t limit)
    : folder(std::move(folder)), limit(limit) {}

FileCache::~FileCache() {
  if (hasStored)
    trim();
}

FileCache &FileCache::shared() {
  static FileCache cache(sharedFolder(), sharedLimit());
  return cache;
}

std::string FileCache::pathOf(std::string_view key) const {
  // Two hashes of 64 bits, the second of the key behind one byte more.
  uint64_t first = hash(key);
  Hasher second;
  second.add(std::as_bytes(std::span("\1", 1)));
  second.add(std::as_bytes(std::span(key.data(), key.size())));
  return fmt::format("{}/{:02x}/{:016x}{:016x}", folder, first >> 56, first, second.digest());
}

std::optional<std::string> FileCache::find(std::string_view key) const {
  if (!isOn())
    return std::nullopt;
  std::string path = pathOf(key);
  Result<MappedFile> file = MappedFile::open(path);
  if (!file || file->bytes().size() < sizeof(EntryHeader))
    return std::nullopt;
  EntryHeader header;
  std::memcpy(&header, file->bytes().data(), sizeof(header));
  std::span<const std::byte> bytes = file->bytes().subspan(sizeof(header));
  if (std::memcmp(header.magic, Magic.data(), Magic.size()) != 0 || header.keyHash != hash(key) ||
      header.size != bytes.size() || header.hash != hash(bytes))
    return std::nullopt;
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  return std::string(reinterpret_cast<const char *>(bytes.data()), bytes.size());
}

void FileCache::store(std::string_view key, std::string_view bytes) {
  if (!isOn() || bytes.size() > limit / 4)
    return;
  std::string path = pathOf(key);
  std::error_code error;
  bool isNew = !fs::exists(folder, error);
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error)
    return;
  if (isNew)
    fs::permissions(folder, fs::perms::owner_all, error);
  EntryHeader header = {{}, hash(key), bytes.size(), hash(bytes)};
  std::memcpy(header.magic, Magic.data(), Magic.size());
  Result<AtomicFile> file = AtomicFile::create(path);
  if (file && file->write(std::as_bytes(std::span(&header, 1))) && file->write(bytes) &&
      file->commit())
    hasStored = true;
}

void FileCache::trim() {
  if (!isOn())
    return;
  std::vector<CachedFile> files = listFiles(folder);
  uint64_t total = 0;
  for (const CachedFile &file : files)
    total += file.size;
  if (total <= limit)
    return;
  std::ranges::sort(files, {}, &CachedFile::used);
  for (const CachedFile &file : files) {
    if (total <= limit / 5 * 4)
      break;
    std::error_code error;
    fs::remove(file.path, error);
    total -= file.size;
  }
}

CacheKey &CacheKey::add(std::string_view part) {
  uint64_t size = part.size();
  key.append(reinterpret_cast<const char *>(&size), sizeof(size)).append(part);
  return *this;
}

uint64_t format::fileIdentity(const std::string &path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0)
    return 0;
  return hash(CacheKey()
                  .add(static_cast<uint64_t>(status.st_size))
                  .add(static_cast<uint64_t>(status.st_mtim.tv_sec))
                  .add(static_cast<uint64_t>(status.st_mtim.tv_nsec))
                  .text());
}
