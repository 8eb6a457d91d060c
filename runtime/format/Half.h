// Conversions between f32 and the floats of 16 and 8 bits, rounding to nearest even, NaN kept.
#ifndef NNC_RUNTIME_FORMAT_HALF_H
#define NNC_RUNTIME_FORMAT_HALF_H

#include "runtime/format/DType.h"

#include <bit>

namespace nnc::format {

uint16_t f16FromFloat(float value);
float floatFromF16(uint16_t bits);

inline uint16_t bf16FromFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return static_cast<uint16_t>((bits >> 16) | 0x40); // a NaN stays one, and quiet
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

inline float floatFromBf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// What is too large becomes NaN in e4m3, which has no infinity, and infinite in e5m2: as in
/// PyTorch.
uint8_t f8e4m3FromFloat(float value);
uint8_t f8e5m2FromFloat(float value);
float floatFromF8e4m3(uint8_t bits);
float floatFromF8e5m2(uint8_t bits);

/// True of all floats: what convertFloats takes.
bool isConvertibleFloat(DType type);

/// Converts `count` elements; both types must satisfy isConvertibleFloat. The memory needs no
/// alignment and must not overlap.
void convertFloats(DType from, const void *source, DType to, void *target, size_t count);

} // namespace nnc::format

#endif
