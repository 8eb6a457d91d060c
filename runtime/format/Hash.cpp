#include "runtime/format/Hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace nnc::format;

uint64_t nnc::format::hash(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

struct Hasher::State {
  XXH3_state_t xxh;
};

Hasher::Hasher() : state(std::make_unique<State>()) { XXH3_64bits_reset(&state->xxh); }

Hasher::~Hasher() = default;

void Hasher::add(std::span<const std::byte> bytes) {
  XXH3_64bits_update(&state->xxh, bytes.data(), bytes.size());
}

uint64_t Hasher::digest() const { return XXH3_64bits_digest(&state->xxh); }
