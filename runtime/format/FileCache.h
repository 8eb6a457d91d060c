// A cache of what was compiled, in files shared by all processes of a user: `~/.cache/nnc`.
//
// An entry is one file whose name is the hash of its key. It is written beside its place and
// renamed, so that concurrent compilers see whole entries only; it holds the hash of its bytes, so
// that a damaged one is not used but replaced. Nothing about a cache is ever an error: where it
// cannot be read or written, everything is compiled.
#ifndef NNC_RUNTIME_FORMAT_FILECACHE_H
#define NNC_RUNTIME_FORMAT_FILECACHE_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nnc::format {

class FileCache {
public:
  /// In `folder`, which is made when something is stored; an empty name: no cache.
  explicit FileCache(std::string folder, uint64_t limit = DefaultLimit);
  /// Makes room, if anything was stored.
  ~FileCache();

  /// In NNC_CACHE_DIR (empty: off), else XDG_CACHE_HOME/nnc, else HOME/.cache/nnc; of
  /// NNC_CACHE_MB megabytes. Off with NNC_CUDA_TWIN, whose compiler changes while it is developed.
  static FileCache &shared();

  bool isOn() const { return !folder.empty(); }
  /// What was stored under `key`; it then counts as just used. Safe to call from several threads.
  std::optional<std::string> find(std::string_view key) const;
  void store(std::string_view key, std::string_view bytes);
  /// Removes what was used least recently until a part of the limit is free again; only where the
  /// limit is exceeded.
  void trim();

  static constexpr uint64_t DefaultLimit = uint64_t(512) << 20;

private:
  std::string pathOf(std::string_view key) const;

  std::string folder;
  uint64_t limit;
  std::atomic<bool> hasStored = false;
};

/// Joins the parts of a key so that different parts give different keys.
class CacheKey {
public:
  CacheKey &add(std::string_view part);
  CacheKey &add(uint64_t number) {
    return add(std::string_view(reinterpret_cast<const char *>(&number), sizeof(number)));
  }
  const std::string &text() const { return key; }

private:
  std::string key;
};

/// Size and time of change of a file, for keys that depend on a program; 0 if it is not there.
uint64_t fileIdentity(const std::string &path);

} // namespace nnc::format

#endif
