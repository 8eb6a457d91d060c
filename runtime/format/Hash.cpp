#include "runtime/format/Hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t nnc::format::hash(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}
