// Conversions between f32 and the 16-bit floats, rounding to nearest even, NaN kept.
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

/// True of f32, f64, f16 and bf16: what convertFloats takes.
bool isConvertibleFloat(DType type);

/// Converts `count` elements; both types must satisfy isConvertibleFloat. The memory needs no
/// alignment and must not overlap.
void convertFloats(DType from, const void *source, DType to, void *target, size_t count);

} // namespace nnc::format

#endif
