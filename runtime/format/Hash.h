// XXH3-64 of bytes: what sections are checked with and equal kernels are found by.
#ifndef NNC_RUNTIME_FORMAT_HASH_H
#define NNC_RUNTIME_FORMAT_HASH_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace nnc::format {

uint64_t hash(std::span<const std::byte> bytes);
inline uint64_t hash(std::string_view text) {
  return hash(std::as_bytes(std::span(text.data(), text.size())));
}

/// The same of bytes that come in pieces.
class Hasher {
public:
  Hasher();
  ~Hasher();
  void add(std::span<const std::byte> bytes);
  uint64_t digest() const;

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace nnc::format

#endif
