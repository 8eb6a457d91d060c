// A dimension: a polynomial with integer coefficients over variables and floor divisions, always in
// normal form, so that two dimensions are equal exactly when their normal forms are. Knows no MLIR
// (DimAffine.h converts). `p % n` is held as `p - n * (p // n)`, so that quotient and remainder of
// one number always add up; printing finds the `%` again.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nnc::frontend {

/// What a symbolic dimension stands on. Where a guard says `H % 16 == 4`, H is replaced by
/// `16 * H' + 4`; then the variable H' is {"H", 16, 4}: it has the user's name, and is printed,
/// evaluated and emitted as `(H - 4) // 16`. Where a guard says `H % K == 0`, H is replaced by
/// `K * H'`; then H' is {"H", 1, 0, "K"}, and stands for `H // K`.
struct DimVariable {
  std::string name;
  int64_t divisor = 1, remainder = 0;
  /// Another variable by which it is divided too; empty for none.
  std::string by = {};

  bool isPlain() const { return divisor == 1 && remainder == 0 && by.empty(); }
  auto operator<=>(const DimVariable &) const = default;
};

/// Sizes by user's name, for evaluation and for counterexamples.
using DimSizes = std::map<std::string, int64_t, std::less<>>;

/// A closed interval; the ends of int64_t stand for infinity.
struct DimInterval {
  int64_t low = INT64_MIN, high = INT64_MAX;
  bool contains(int64_t value) const { return low <= value && value <= high; }
};

class Dim;

/// What is known about the variables of one entry point.
struct DimFacts {
  /// By user's name. A variable without a range is at least 1.
  std::map<std::string, DimInterval, std::less<>> ranges;
  /// Each of these is at least 0 (from guards such as `pos + T <= 2048`).
  std::vector<Dim> nonNegative;

  DimInterval rangeOf(const std::string &name) const;
};

class Dim {
public:
  /// A factor of a term: a variable, or `numerator // denominator`.
  struct Atom;
  using AtomRef = std::shared_ptr<const Atom>;
  struct Factor {
    AtomRef atom;
    unsigned power;
  };
  /// coefficient * factors; the factors are sorted, distinct, and none for the constant term.
  struct Term {
    int64_t coefficient;
    std::vector<Factor> factors;
  };
  using Terms = std::vector<Term>;

  Dim() = default; ///< 0
  /// INT64_MIN is invalid, so that every coefficient has a negative.
  Dim(int64_t value) : constant(value), broken(value == INT64_MIN) {}
  static Dim variable(std::string name);
  static Dim variable(DimVariable variable);
  /// What arithmetic that overflows 64 bits, divides by zero, or grows beyond any reasonable
  /// formula gives, and everything computed from it.
  static Dim invalid();

  bool isValid() const { return !broken; }
  bool isConstant() const { return !broken && !terms; }
  std::optional<int64_t> getConstant() const;
  /// The terms in their canonical order (highest degree first, the constant last).
  Terms getTerms() const;
  /// All variables in it, sorted, each once.
  std::vector<DimVariable> getVariables() const;

  Dim operator-() const;
  friend Dim operator+(const Dim &a, const Dim &b);
  friend Dim operator-(const Dim &a, const Dim &b);
  friend Dim operator*(const Dim &a, const Dim &b);
  Dim &operator+=(const Dim &other) { return *this = *this + other; }
  Dim &operator*=(const Dim &other) { return *this = *this * other; }
  Dim pow(unsigned exponent) const;
  /// Python's `//` and `%`: rounds down, the remainder has the sign of the divisor.
  Dim floorDiv(const Dim &by) const;
  Dim mod(const Dim &by) const;
  /// `p / q`: only where q divides p as polynomials.
  std::optional<Dim> exactDiv(const Dim &by) const;
  /// Rounded up, for a positive divisor; in the form that windows and steps share.
  Dim ceilDiv(const Dim &by) const { return (*this + by - 1).floorDiv(by); }

  /// Equality of normal forms; an invalid dimension equals nothing.
  friend bool operator==(const Dim &a, const Dim &b);
  /// A total order of normal forms, for containers; says nothing about sizes.
  static std::strong_ordering compare(const Dim &a, const Dim &b);

  /// Replaces a variable everywhere and normalises.
  Dim substitute(const DimVariable &variable, const Dim &by) const;
  /// The same in the user's own variables: `2 * H'` becomes `H // 8`. What the user reads and what
  /// is emitted.
  Dim presented() const;
  /// As the user would write it: `H // 8`, `2 * (H // 16)`, `(H - 1) % 4 + 1`.
  std::string str() const;

  /// The value at these sizes; nothing when a variable is missing or the result overflows.
  std::optional<int64_t> evaluate(const DimSizes &sizes) const;
  /// Bounds that hold for all sizes in the ranges (not always the tightest).
  DimInterval bounds(const DimFacts &facts) const;

private:
  friend struct DimBuilder;
  int64_t constant = 0;
  std::shared_ptr<const Terms> terms; ///< null: this is `constant`
  bool broken = false;
};

struct Dim::Atom {
  std::optional<DimVariable> variable;
  Dim numerator, denominator; ///< if not a variable
  size_t nodes;               ///< of the whole formula, to bound its size
};

/// Different at all sizes that the facts allow.
bool provablyDifferent(const Dim &a, const Dim &b, const DimFacts &facts = {});
/// At least 0 at all sizes that the facts allow.
bool provablyNonNegative(const Dim &value, const DimFacts &facts);

/// Sizes that the facts allow at which two dimensions differ, the smallest first; for the note
/// `they differ when H = 24`. A bounded search: nothing found proves nothing.
std::optional<DimSizes> findDifference(const Dim &a, const Dim &b, const DimFacts &facts);
/// The same for sizes at which a dimension is below 0.
std::optional<DimSizes> findNegative(const Dim &value, const DimFacts &facts);
/// `H = 24, W = 16`.
std::string formatSizes(const DimSizes &sizes);

/// `variable = by`, as learned from a guard.
struct DimSubstitution {
  DimVariable variable;
  Dim by;
};
/// What the guard `a == b` says of one variable: `H % 16 == 0` gives H = 16 * H', `T == S` gives
/// one in terms of the other. Nothing when the guard is not of such a form.
std::optional<DimSubstitution> solveEquation(const Dim &a, const Dim &b);

/// Guards that would make two dimensions equal, as the user would write them: `H % 16 == 0` where
/// they round differently, `T == S` where they are two variables. Empty where none is obvious.
std::vector<std::string> suggestGuards(const Dim &a, const Dim &b);
/// `value >= 0` as the user would write it: `H >= 5`, `B + T <= 2048`.
std::string formatNonNegative(const Dim &value);

/// `[B, 10, H // 2]`, as shapes print everywhere.
std::string formatShape(std::span<const Dim> dims);

} // namespace nnc::frontend
