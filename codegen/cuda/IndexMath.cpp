//===- IndexMath.cpp - Simplifying index expressions ------------------------------------------===//
//
// Expressions become sums of products; floor divisions and remainders split off what their divisor
// divides and drop what the ranges show to be too small to matter.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/IndexMath.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;
using namespace nnc::codegen;

/// `factors` without one occurrence of each of `divisor`; none if they do not contain it.
static std::optional<IndexSum::Product> without(IndexSum::Product factors,
                                                const IndexSum::Product &divisor) {
  for (AffineExpr factor : divisor) {
    auto *place = llvm::find(factors, factor);
    if (place == factors.end())
      return std::nullopt;
    factors.erase(place);
  }
  return factors;
}

//===------------------------------------------------------------------------------------------===//
// Expressions to sums and back
//===------------------------------------------------------------------------------------------===//

IndexMath::IndexMath(MLIRContext *context, std::vector<IndexRange> symbolRanges)
    : context(context), symbolRanges(std::move(symbolRanges)) {}

AffineExpr IndexMath::addVariable(std::string name, AffineExpr extent) {
  variables.push_back({std::move(name), extent});
  return getAffineDimExpr(variables.size() - 1, context);
}

AffineExpr IndexMath::constant(int64_t value) const {
  return getAffineConstantExpr(value, context);
}

IndexSum IndexMath::sumOf(AffineExpr expr) const {
  IndexSum sum;
  if (auto number = dyn_cast<AffineConstantExpr>(expr)) {
    sum.add({}, number.getValue());
    return sum;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary) {
    sum.add({expr}, 1);
    return sum;
  }
  IndexSum left = sumOf(binary.getLHS());
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    left.addAll(sumOf(binary.getRHS()));
    recombine(left);
    return left;
  case AffineExprKind::Mul:
    return left.times(sumOf(binary.getRHS()));
  case AffineExprKind::FloorDiv:
    return floorDivOf(left, simplify(binary.getRHS()));
  case AffineExprKind::CeilDiv: { // ceil(a / b) = -floor(-a / b)
    IndexSum negated;
    negated.addAll(left, -1);
    IndexSum result;
    result.addAll(floorDivOf(negated, simplify(binary.getRHS())), -1);
    return result;
  }
  default:
    return modOf(left, simplify(binary.getRHS()));
  }
}

AffineExpr IndexMath::exprOf(const IndexSum &sum) const {
  AffineExpr result = constant(0);
  for (const IndexSum::Term &term : sum.terms()) {
    AffineExpr product = constant(term.coefficient);
    // Variables first: semi-affine products want their symbols to the right.
    for (AffineExpr factor : term.factors)
      if (!factor.isSymbolicOrConstant())
        product = factor * product;
    for (AffineExpr factor : term.factors)
      if (factor.isSymbolicOrConstant())
        product = product * factor;
    result = result + product;
  }
  return result;
}

AffineExpr IndexMath::simplify(AffineExpr expr) const { return exprOf(sumOf(expr)); }

AffineExpr IndexMath::product(ArrayRef<AffineExpr> factors) const {
  AffineExpr result = constant(1);
  for (AffineExpr factor : factors)
    result = result * factor;
  return simplify(result);
}

//===------------------------------------------------------------------------------------------===//
// Divisions
//===------------------------------------------------------------------------------------------===//

/// Splits `sum` into divisor * quotient + rest. Divisors are constants or one product of symbols.
IndexMath::Division IndexMath::divide(const IndexSum &sum, AffineExpr divisor) const {
  Division division;
  division.divisor = divisor;
  IndexSum by = sumOf(divisor);
  if (by.terms().size() != 1) {
    division.rest = sum;
    return division;
  }
  const IndexSum::Term &d = by.terms().front();
  for (const IndexSum::Term &term : sum.terms()) {
    std::optional<IndexSum::Product> factors = without(term.factors, d.factors);
    if (factors && term.coefficient % d.coefficient == 0)
      division.quotient.add(*factors, term.coefficient / d.coefficient);
    else
      division.rest.add(term.factors, term.coefficient);
  }
  if (std::optional<int64_t> c = by.constant(); c && *c > 1) {
    // Move what exceeds the divisor of a constant term: (x + 30) / 28 = (x + 2) / 28 + 1.
    int64_t offset = division.rest.coefficientOf({});
    int64_t whole = llvm::divideFloorSigned(offset, *c);
    if (whole != 0 && division.rest.terms().size() == 1) {
      division.quotient.add({}, whole);
      division.rest.add({}, -whole * *c);
    }
  }
  return division;
}

/// Divides rest and divisor by a number g, when all but a part in [0, g) of the rest is a multiple.
void IndexMath::takeCommonFactor(Division &division) const {
  std::optional<int64_t> c = constantOf(division.divisor);
  if (!c || *c <= 1)
    return;
  for (const IndexSum::Term &candidate : division.rest.terms()) {
    int64_t g = std::gcd(candidate.coefficient, *c);
    if (g <= 1 || candidate.factors.empty())
      continue;
    IndexSum high, low;
    for (const IndexSum::Term &term : division.rest.terms())
      (term.coefficient % g == 0 ? high : low)
          .add(term.factors, term.coefficient % g == 0 ? term.coefficient / g : term.coefficient);
    if (!isInside(low, constant(g)))
      continue;
    division.low = low;
    division.scale = g;
    division.rest = high;
    division.divisor = constant(*c / g);
    return;
  }
}

IndexSum IndexMath::floorDivOf(const IndexSum &sum, AffineExpr divisor) const {
  if (constantOf(divisor) == 1)
    return sum;
  Division division = divide(sum, divisor);
  if (division.rest.terms().empty() || isInside(division.rest, divisor))
    return division.quotient;
  takeCommonFactor(division);
  AffineExpr rest = exprOf(division.rest), by = division.divisor;
  if (division.scale != 1 && constantOf(by) == 1) {
    division.quotient.addAll(division.rest);
    return division.quotient;
  }
  // (x / a) / b = x / (a * b).
  auto inner = dyn_cast<AffineBinaryOpExpr>(rest);
  IndexSum result = division.quotient;
  if (inner && inner.getKind() == AffineExprKind::FloorDiv)
    result.addAll(floorDivOf(sumOf(inner.getLHS()), simplify(inner.getRHS() * by)));
  else
    result.add({rest.floorDiv(by)}, 1);
  return result;
}

IndexSum IndexMath::modOf(const IndexSum &sum, AffineExpr divisor) const {
  if (constantOf(divisor) == 1)
    return {};
  Division division = divide(sum, divisor);
  if (division.rest.terms().empty() || isInside(division.rest, divisor))
    return division.rest;
  takeCommonFactor(division);
  IndexSum result = division.low;
  if (division.scale != 1 && constantOf(division.divisor) == 1)
    return result;
  AffineExpr rest = exprOf(division.rest);
  auto inner = dyn_cast<AffineBinaryOpExpr>(rest);
  // (x mod (a * b)) mod b = x mod b.
  if (inner && inner.getKind() == AffineExprKind::Mod)
    if (std::optional<int64_t> outer = constantOf(division.divisor),
        in = constantOf(inner.getRHS());
        outer && in && *in % *outer == 0)
      rest = inner.getLHS();
  result.add({rest % division.divisor}, division.scale);
  return result;
}

/// (x / c) * c + x % c is x, and (x / c % d) * c + x % c is x % (c * d), wherever all the terms of
/// the left side are in the sum with one common factor.
void IndexMath::recombine(IndexSum &sum) const {
  auto recombineOne = [&] {
    for (const IndexSum::Term &term : sum.terms())
      for (AffineExpr factor : term.factors)
        if (factor.getKind() == AffineExprKind::Mod &&
            recombine(sum, term, cast<AffineBinaryOpExpr>(factor)))
          return true;
    return false;
  };
  while (recombineOne())
    continue;
}

/// `mod` is a factor of `term`, a copy of one in `sum`. True if the sum has changed.
bool IndexMath::recombine(IndexSum &sum, IndexSum::Term term, AffineBinaryOpExpr mod) const {
  IndexSum scale, removed, numerator = sumOf(mod.getLHS()), divisor = sumOf(mod.getRHS());
  scale.add(*without(term.factors, {mod}), term.coefficient);
  removed.add(term.factors, term.coefficient);
  IndexSum quotient = floorDivOf(numerator, mod.getRHS());
  auto take = [&](const IndexSum &wanted, const IndexSum &by) {
    bool isThere = !wanted.terms().empty() && llvm::all_of(wanted.terms(), [&](const auto &part) {
      return sum.coefficientOf(part.factors) == part.coefficient;
    });
    if (!isThere)
      return false;
    removed.addAll(wanted);
    sum.addAll(removed, -1);
    sum.addAll(by);
    return true;
  };
  if (take(quotient.times(divisor).times(scale), numerator.times(scale)))
    return true;
  std::optional<int64_t> c = divisor.constant();
  AffineExpr inner = exprOf(quotient);
  for (const IndexSum::Term &other : sum.terms())
    for (AffineExpr factor : other.factors) {
      auto outer = dyn_cast<AffineBinaryOpExpr>(factor);
      if (!c || !outer || outer.getKind() != AffineExprKind::Mod || outer.getLHS() != inner)
        continue;
      std::optional<int64_t> d = constantOf(outer.getRHS());
      IndexSum high;
      high.add({outer}, *c);
      if (d && take(high.times(scale), modOf(numerator, constant(*c * *d)).times(scale)))
        return true;
    }
  return false;
}
