//===- DimPolynomial.cpp - Normal form of dimension expressions -------------------------------===//

#include "ir/DimPolynomial.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <numeric>

using namespace mlir;

namespace nnc::nn {

static constexpr size_t kMaxTerms = 256;

static AffineExpr toAtom(const void *opaque) { return AffineExpr::getFromOpaquePointer(opaque); }

static uint64_t getMagnitude(int64_t value) {
  return value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
}

/// True if the atom, a symbol or a floor division by a positive constant, is never negative.
static bool isNonNegativeAtom(const void *opaque) {
  AffineExpr expr = toAtom(opaque);
  if (isa<AffineSymbolExpr, AffineDimExpr>(expr))
    return true;
  auto division = cast<AffineBinaryOpExpr>(expr);
  auto divisor = dyn_cast<AffineConstantExpr>(division.getRHS());
  if (!divisor || divisor.getValue() <= 0)
    return false;
  std::optional<DimPolynomial> dividend = DimPolynomial::get(division.getLHS());
  return dividend && dividend->isAtLeast(0);
}

DimPolynomial DimPolynomial::constant(int64_t value) {
  DimPolynomial result;
  if (value != 0)
    result.terms[{}] = value;
  return result;
}

DimPolynomial DimPolynomial::atom(AffineExpr expr) {
  DimPolynomial result;
  result.terms[{expr.getAsOpaquePointer()}] = 1;
  return result;
}

int64_t DimPolynomial::constantTerm() const {
  auto it = terms.find({});
  return it == terms.end() ? 0 : it->second;
}

std::optional<int64_t> DimPolynomial::getConstant() const {
  if (terms.empty())
    return 0;
  if (terms.size() == 1 && terms.begin()->first.empty())
    return terms.begin()->second;
  return std::nullopt;
}

bool DimPolynomial::isAtLeast(int64_t least) const {
  if (constantTerm() < least)
    return false;
  return llvm::all_of(terms, [](const auto &term) {
    return term.first.empty() || (term.second > 0 && llvm::all_of(term.first, isNonNegativeAtom));
  });
}

bool DimPolynomial::isAtMost(int64_t most) const {
  if (constantTerm() > most)
    return false;
  return llvm::all_of(terms, [](const auto &term) {
    return term.first.empty() || (term.second < 0 && llvm::all_of(term.first, isNonNegativeAtom));
  });
}

bool DimPolynomial::isNeverZero() const {
  if (isAtLeast(1) || isAtMost(-1))
    return true;
  // A sum of multiples of g is never 0 if g does not divide the constant term.
  uint64_t divisor = 0;
  for (const auto &[monomial, coefficient] : terms)
    if (!monomial.empty())
      divisor = std::gcd(divisor, getMagnitude(coefficient));
  return divisor > 1 && getMagnitude(constantTerm()) % divisor != 0;
}

/// False on overflow.
bool DimPolynomial::addTerm(const Monomial &monomial, int64_t coefficient) {
  int64_t &sum = terms[monomial];
  if (llvm::AddOverflow(sum, coefficient, sum))
    return false;
  if (sum == 0)
    terms.erase(monomial);
  return terms.size() <= kMaxTerms;
}

std::optional<DimPolynomial> DimPolynomial::plus(const DimPolynomial &other, int64_t factor) const {
  DimPolynomial result = *this;
  for (const auto &[monomial, coefficient] : other.terms) {
    int64_t scaled;
    if (llvm::MulOverflow(coefficient, factor, scaled) || !result.addTerm(monomial, scaled))
      return std::nullopt;
  }
  return result;
}

std::optional<DimPolynomial> DimPolynomial::times(const DimPolynomial &other) const {
  DimPolynomial result;
  for (const auto &[monomial, coefficient] : terms) {
    for (const auto &[otherMonomial, otherCoefficient] : other.terms) {
      int64_t product;
      Monomial merged;
      std::merge(monomial.begin(), monomial.end(), otherMonomial.begin(), otherMonomial.end(),
                 std::back_inserter(merged));
      if (llvm::MulOverflow(coefficient, otherCoefficient, product) ||
          !result.addTerm(merged, product))
        return std::nullopt;
    }
  }
  return result;
}

AffineExpr DimPolynomial::toExpr(MLIRContext *context) const {
  AffineExpr sum = getAffineConstantExpr(0, context);
  for (const auto &[monomial, coefficient] : terms) {
    AffineExpr product = getAffineConstantExpr(1, context);
    for (const void *opaque : monomial)
      product = product * toAtom(opaque);
    sum = sum + product * coefficient;
  }
  return sum;
}

/// `*this floordiv divisor`, where no term but the constant is a multiple of the divisor.
std::optional<DimPolynomial> DimPolynomial::divideRest(int64_t divisor,
                                                       MLIRContext *context) const {
  if (std::optional<int64_t> value = getConstant())
    return constant(llvm::divideFloorSigned(*value, divisor));
  // (p floordiv a + k) floordiv b = (p + k*a) floordiv (a*b)
  int64_t offset = constantTerm();
  auto single = llvm::find_if(terms, [](const auto &term) { return !term.first.empty(); });
  if (terms.size() == (offset ? 2u : 1u) && single->first.size() == 1 && single->second == 1) {
    auto inner = dyn_cast<AffineBinaryOpExpr>(toAtom(single->first.front()));
    auto innerDivisor = inner ? dyn_cast<AffineConstantExpr>(inner.getRHS()) : nullptr;
    int64_t product, shift;
    if (innerDivisor && innerDivisor.getValue() > 0 &&
        !llvm::MulOverflow(innerDivisor.getValue(), divisor, product) &&
        !llvm::MulOverflow(innerDivisor.getValue(), offset, shift)) {
      std::optional<DimPolynomial> dividend = get(inner.getLHS());
      std::optional<DimPolynomial> shifted =
          dividend ? dividend->plus(constant(shift), 1) : std::nullopt;
      return shifted ? floorDiv(*shifted, constant(product), context) : std::nullopt;
    }
  }
  return atom(getAffineBinaryOpExpr(AffineExprKind::FloorDiv, toExpr(context),
                                    getAffineConstantExpr(divisor, context)));
}

std::optional<DimPolynomial> DimPolynomial::floorDiv(const DimPolynomial &a, const DimPolynomial &b,
                                                     MLIRContext *context) {
  std::optional<int64_t> divisor = b.getConstant();
  if (!divisor || *divisor <= 0)
    return std::nullopt;
  DimPolynomial whole, rest;
  for (const auto &[monomial, coefficient] : a.terms) {
    int64_t quotient =
        monomial.empty() ? llvm::divideFloorSigned(coefficient, *divisor) : coefficient / *divisor;
    int64_t remainder = coefficient - quotient * *divisor;
    // Terms are only taken out whole, so that equal dividends keep equal rests.
    if (!monomial.empty() && remainder != 0)
      quotient = 0, remainder = coefficient;
    if (quotient != 0 && !whole.addTerm(monomial, quotient))
      return std::nullopt;
    if (remainder != 0 && !rest.addTerm(monomial, remainder))
      return std::nullopt;
  }
  std::optional<DimPolynomial> divided = rest.divideRest(*divisor, context);
  return divided ? whole.plus(*divided, 1) : std::nullopt;
}

std::optional<DimPolynomial> DimPolynomial::getBinary(AffineBinaryOpExpr expr) {
  std::optional<DimPolynomial> lhs = get(expr.getLHS());
  std::optional<DimPolynomial> rhs = get(expr.getRHS());
  if (!lhs || !rhs)
    return std::nullopt;
  MLIRContext *context = expr.getContext();
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return lhs->plus(*rhs, 1);
  case AffineExprKind::Mul:
    return lhs->times(*rhs);
  case AffineExprKind::FloorDiv:
    return floorDiv(*lhs, *rhs, context);
  case AffineExprKind::CeilDiv: {
    std::optional<DimPolynomial> less = rhs->plus(constant(1), -1);
    std::optional<DimPolynomial> dividend = less ? lhs->plus(*less, 1) : std::nullopt;
    return dividend ? floorDiv(*dividend, *rhs, context) : std::nullopt;
  }
  case AffineExprKind::Mod: {
    std::optional<DimPolynomial> quotient = floorDiv(*lhs, *rhs, context);
    std::optional<DimPolynomial> whole = quotient ? quotient->times(*rhs) : std::nullopt;
    return whole ? lhs->plus(*whole, -1) : std::nullopt;
  }
  default:
    return std::nullopt;
  }
}

std::optional<DimPolynomial> DimPolynomial::get(AffineExpr expr) {
  if (auto number = dyn_cast<AffineConstantExpr>(expr))
    return constant(number.getValue());
  if (auto binary = dyn_cast<AffineBinaryOpExpr>(expr))
    return getBinary(binary);
  return atom(expr);
}

std::optional<DimPolynomial> DimPolynomial::difference(AffineExpr a, AffineExpr b) {
  std::optional<DimPolynomial> left = get(a), right = get(b);
  return left && right ? left->plus(*right, -1) : std::nullopt;
}

} // namespace nnc::nn
