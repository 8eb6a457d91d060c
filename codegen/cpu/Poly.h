//===- Poly.h - integer polynomials over index values -----------*- C++ -*-===//
//
// Addresses, offsets and sizes are polynomials with integer coefficients over atoms: loop counters,
// dimensions, and whatever else is an index at run time. As polynomials they can be compared, and
// the stride of an address along a loop is read off them.
//
//===----------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CPU_POLY_H
#define NNC_CODEGEN_CPU_POLY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace nnc::codegen {

class Poly {
public:
  /// The ids of the multiplied atoms, ascending; empty for the constant term.
  using Monomial = llvm::SmallVector<unsigned, 2>;
  using Term = std::pair<Monomial, int64_t>;

  Poly() = default;
  Poly(int64_t constant);
  static Poly atom(unsigned id);

  friend Poly operator+(const Poly &a, const Poly &b);
  friend Poly operator-(const Poly &a, const Poly &b);
  friend Poly operator*(const Poly &a, const Poly &b);
  bool operator==(const Poly &other) const { return terms == other.terms; }

  /// The value, if no atom is left.
  std::optional<int64_t> constant() const;
  bool isConstant(int64_t value) const { return constant() == value; }
  /// True if no monomial holds an atom for which `test` holds.
  bool isFreeOf(llvm::function_ref<bool(unsigned)> test) const;
  /// What `id` is multiplied with in the terms where it occurs once; none if it occurs in a power.
  std::optional<Poly> coefficient(unsigned id) const;
  /// The terms without `id`.
  Poly without(unsigned id) const;
  /// The quotient, if every coefficient divides.
  std::optional<Poly> dividedBy(int64_t divisor) const;

  llvm::ArrayRef<Term> getTerms() const { return terms; }

private:
  void add(const Monomial &monomial, int64_t factor);

  /// Ascending by monomial, no zero factors.
  std::vector<Term> terms;
};

} // namespace nnc::codegen

#endif
