// XXH3-64 of bytes: what sections are checked with and equal kernels are found by.
#ifndef NNC_RUNTIME_FORMAT_HASH_H
#define NNC_RUNTIME_FORMAT_HASH_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nnc::format {

uint64_t hash(std::span<const std::byte> bytes);
inline uint64_t hash(std::string_view text) {
  return hash(std::as_bytes(std::span(text.data(), text.size())));
}

} // namespace nnc::format

#endif
