//===- DimPolynomial.h - Normal form of dimension expressions -----------------------*- C++ -*-===//
//
// Dimension expressions are compared as polynomials with integer coefficients over atoms: symbols,
// and floor divisions that do not come out whole. Modulo and ceiling division are rewritten with
// floor division, and `(n*q + r) floordiv n` with `q + r floordiv n`. What overflows or grows
// beyond a bound has no normal form.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_DIMPOLYNOMIAL_H
#define NNC_IR_DIMPOLYNOMIAL_H

#include "mlir/IR/AffineExpr.h"

#include <map>
#include <optional>
#include <vector>

namespace nnc::nn {

class DimPolynomial {
public:
  /// The normal form of `expr`; none if it overflows 64 bits or has too many terms.
  static std::optional<DimPolynomial> get(mlir::AffineExpr expr);
  /// `a - b`, under the same conditions.
  static std::optional<DimPolynomial> difference(mlir::AffineExpr a, mlir::AffineExpr b);

  /// The value, if there are no atoms.
  std::optional<int64_t> getConstant() const;
  /// True only if the value is at least `least` whatever the symbols, which are at least 0.
  bool isAtLeast(int64_t least) const;
  bool isAtMost(int64_t most) const;
  /// True only if the value is never 0.
  bool isNeverZero() const;

private:
  /// Sorted atoms, which are uniqued expressions; empty for the constant term.
  using Monomial = std::vector<const void *>;

  static std::optional<DimPolynomial> getBinary(mlir::AffineBinaryOpExpr expr);
  static std::optional<DimPolynomial> floorDiv(const DimPolynomial &a, const DimPolynomial &b,
                                               mlir::MLIRContext *context);
  static DimPolynomial constant(int64_t value);
  static DimPolynomial atom(mlir::AffineExpr expr);

  std::optional<DimPolynomial> plus(const DimPolynomial &other, int64_t factor) const;
  std::optional<DimPolynomial> times(const DimPolynomial &other) const;
  std::optional<DimPolynomial> divideRest(int64_t divisor, mlir::MLIRContext *context) const;
  bool addTerm(const Monomial &monomial, int64_t coefficient);
  mlir::AffineExpr toExpr(mlir::MLIRContext *context) const;
  int64_t constantTerm() const;

  std::map<Monomial, int64_t> terms;
};

} // namespace nnc::nn

#endif // NNC_IR_DIMPOLYNOMIAL_H
