// The parts of dimension arithmetic that its source files share.
#pragma once

#include "frontend/Dim.h"

#include <numeric>

namespace nnc::frontend {

/// Builds normal forms from terms in any order, with any repetitions.
struct DimBuilder {
  static Dim fromTerms(Dim::Terms terms);
  static Dim fromAtom(Dim::AtomRef atom);
  static Dim fromTerm(int64_t coefficient, std::vector<Dim::Factor> factors);
};

/// A part `coefficient * (value % modulus)` of a dimension.
struct DimRemainder {
  int64_t coefficient;
  Dim value;
  int64_t modulus;
};
/// Finds the remainders in a sum, where `p - n * (p // n)` hides one; `rest` is what is left.
struct DimRemainders {
  std::vector<DimRemainder> remainders;
  Dim rest;
};
DimRemainders splitRemainders(const Dim &dim);

/// Rounds down, as in Python. The divisor is positive.
inline int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
inline int64_t floorModulo(int64_t a, int64_t b) { return a % b + (a % b < 0 ? b : 0); }

/// Without the sign; of INT64_MIN too.
inline uint64_t magnitude(int64_t value) {
  return value < 0 ? -static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
}

/// Arithmetic that reports overflow by returning nothing.
inline std::optional<int64_t> checkedAdd(int64_t a, int64_t b) {
  int64_t result;
  return __builtin_add_overflow(a, b, &result) ? std::nullopt : std::optional(result);
}
inline std::optional<int64_t> checkedMul(int64_t a, int64_t b) {
  int64_t result;
  return __builtin_mul_overflow(a, b, &result) ? std::nullopt : std::optional(result);
}

} // namespace nnc::frontend
