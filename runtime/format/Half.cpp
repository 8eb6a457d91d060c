#include "runtime/format/Half.h"

#include <cstring>

using namespace nnc;
using namespace nnc::format;

uint16_t format::f16FromFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return sign | 0x7e00 | static_cast<uint16_t>((magnitude >> 13) & 0x3ff);
  if (magnitude >= 0x477ff000u) // rounds to 65536 or more
    return sign | 0x7c00;
  if (magnitude < 0x38800000u) {
    // Subnormal: adding 0.5 leaves the result, rounded to units of 2^-24, in the low bits.
    float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(shifted) - 0x3f000000u);
  }
  uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
  return sign | static_cast<uint16_t>((rounded - 0x38000000u) >> 13);
}

float format::floatFromF16(uint16_t half) {
  uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  uint32_t exponent = (half >> 10) & 0x1f, fraction = half & 0x3ff;
  if (exponent == 0x1f)
    return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

namespace {

/// A float of 8 bits with a sign.
struct Small {
  unsigned fractionBits;
  uint32_t bias;
  uint32_t tooLarge;         ///< as f32 bits: from here on `overflow`
  uint8_t overflow, largest; ///< `largest`: the largest magnitude that is no NaN
};
constexpr Small E4M3{3, 7, 0x43f00000u, 0x7f, 0x7e}, E5M2{2, 15, 0x47800000u, 0x7c, 0x7c};

uint8_t roundToSmall(const Small &format, float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  auto sign = static_cast<uint8_t>((bits >> 24) & 0x80);
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return sign | 0x7f;
  if (magnitude >= format.tooLarge)
    return sign | format.overflow;
  unsigned dropped = 23 - format.fractionBits;
  uint32_t rebias = (127 - format.bias) << 23;
  if (magnitude < rebias + (1u << 23)) {
    // Subnormal: an addition that rounds to its units and leaves them in the low bits.
    uint32_t unit = (127 - format.bias + dropped + 1) << 23;
    float shifted = std::bit_cast<float>(magnitude) + std::bit_cast<float>(unit);
    return sign | static_cast<uint8_t>(std::bit_cast<uint32_t>(shifted) - unit);
  }
  uint32_t rounded = magnitude + (1u << (dropped - 1)) - 1 + ((magnitude >> dropped) & 1);
  return sign | static_cast<uint8_t>((rounded - rebias) >> dropped);
}

float expandSmall(const Small &format, uint8_t value) {
  uint32_t sign = static_cast<uint32_t>(value & 0x80) << 24, magnitude = value & 0x7f;
  uint32_t shifted = magnitude << (23 - format.fractionBits);
  if (magnitude > format.largest)
    return std::bit_cast<float>(sign | 0x7fc00000u);
  if (format.overflow == format.largest && magnitude == format.largest)
    return std::bit_cast<float>(sign | 0x7f800000u);
  float scale = std::bit_cast<float>((254 - format.bias) << 23);
  return std::bit_cast<float>(sign |
                              std::bit_cast<uint32_t>(std::bit_cast<float>(shifted) * scale));
}

} // namespace

uint8_t format::f8e4m3FromFloat(float value) { return roundToSmall(E4M3, value); }
uint8_t format::f8e5m2FromFloat(float value) { return roundToSmall(E5M2, value); }
float format::floatFromF8e4m3(uint8_t bits) { return expandSmall(E4M3, bits); }
float format::floatFromF8e5m2(uint8_t bits) { return expandSmall(E5M2, bits); }

bool format::isConvertibleFloat(DType type) {
  switch (type) {
  case DType::F32:
  case DType::F64:
  case DType::F16:
  case DType::BF16:
  case DType::F8E4M3:
  case DType::F8E5M2:
    return true;
  default:
    return false;
  }
}

namespace {

template <typename T> T load(const std::byte *address) {
  T value;
  std::memcpy(&value, address, sizeof(T));
  return value;
}

template <typename T> void store(std::byte *address, T value) {
  std::memcpy(address, &value, sizeof(T));
}

template <DType Type>
constexpr size_t kBytes = Type == DType::F64                          ? 8
                          : Type == DType::F32                        ? 4
                          : Type == DType::F16 || Type == DType::BF16 ? 2
                                                                      : 1;

/// All types but f64 are exact in f32.
template <DType Type> auto loadFloat(const std::byte *address) {
  if constexpr (Type == DType::F64)
    return load<double>(address);
  else if constexpr (Type == DType::F32)
    return load<float>(address);
  else if constexpr (Type == DType::F16)
    return floatFromF16(load<uint16_t>(address));
  else if constexpr (Type == DType::BF16)
    return floatFromBf16(load<uint16_t>(address));
  else if constexpr (Type == DType::F8E4M3)
    return floatFromF8e4m3(load<uint8_t>(address));
  else
    return floatFromF8e5m2(load<uint8_t>(address));
}

/// To f32 in a way that a second rounding, to fewer bits, is exact: to odd from f64.
float roundToOdd(double value) {
  float nearest = static_cast<float>(value);
  double back = nearest;
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  if (back == value || value != value || (bits & 1) || (bits & 0x7fffffffu) >= 0x7f800000u)
    return nearest;
  bool isAbove = (back > value) == (value > 0);
  return std::bit_cast<float>(isAbove ? bits - 1 : bits + 1);
}
float roundToOdd(float value) { return value; }

template <DType Type, typename Float> void storeFloat(std::byte *address, Float value) {
  if constexpr (Type == DType::F64)
    store<double>(address, value);
  else if constexpr (Type == DType::F32)
    store(address, static_cast<float>(value));
  else if constexpr (Type == DType::F16)
    store(address, f16FromFloat(roundToOdd(value)));
  else if constexpr (Type == DType::BF16)
    store(address, bf16FromFloat(roundToOdd(value)));
  else if constexpr (Type == DType::F8E4M3)
    store(address, f8e4m3FromFloat(roundToOdd(value)));
  else
    store(address, f8e5m2FromFloat(roundToOdd(value)));
}

/// Calls `visit.operator()<Type>()`.
template <typename Visit> void visitFloat(DType type, Visit visit) {
  switch (type) {
  case DType::F32:
    return visit.template operator()<DType::F32>();
  case DType::F16:
    return visit.template operator()<DType::F16>();
  case DType::BF16:
    return visit.template operator()<DType::BF16>();
  case DType::F8E4M3:
    return visit.template operator()<DType::F8E4M3>();
  case DType::F8E5M2:
    return visit.template operator()<DType::F8E5M2>();
  default:
    return visit.template operator()<DType::F64>();
  }
}

} // namespace

/// A loop for each pair of types: those between f32 and bf16 run at the speed of memory.
void format::convertFloats(DType from, const void *source, DType to, void *target, size_t count) {
  auto *in = static_cast<const std::byte *>(source);
  auto *out = static_cast<std::byte *>(target);
  visitFloat(from, [&]<DType From> {
    visitFloat(to, [&]<DType To> {
      for (size_t i = 0; i < count; ++i)
        storeFloat<To>(out + i * kBytes<To>, loadFloat<From>(in + i * kBytes<From>));
    });
  });
}
