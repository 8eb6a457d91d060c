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

namespace {

bool sameFactors(const IndexSum::Product &a, const IndexSum::Product &b) {
  return a.size() == b.size() && std::is_permutation(a.begin(), a.end(), b.begin());
}

/// `factors` without one occurrence of each of `divisor`; none if they do not contain it.
std::optional<IndexSum::Product> without(IndexSum::Product factors,
                                         const IndexSum::Product &divisor) {
  for (AffineExpr factor : divisor) {
    auto *place = llvm::find(factors, factor);
    if (place == factors.end())
      return std::nullopt;
    factors.erase(place);
  }
  return factors;
}

} // namespace

//===------------------------------------------------------------------------------------------===//
// Sums
//===------------------------------------------------------------------------------------------===//

void IndexSum::add(const Product &factors, int64_t coefficient) {
  for (auto [i, term] : llvm::enumerate(parts)) {
    if (!sameFactors(term.factors, factors))
      continue;
    term.coefficient += coefficient;
    if (term.coefficient == 0)
      parts.erase(parts.begin() + i);
    return;
  }
  if (coefficient != 0)
    parts.push_back({factors, coefficient});
}

void IndexSum::addAll(const IndexSum &other, int64_t scale) {
  for (const Term &term : other.parts)
    add(term.factors, term.coefficient * scale);
}

IndexSum IndexSum::times(const IndexSum &other) const {
  IndexSum result;
  for (const Term &a : parts)
    for (const Term &b : other.parts) {
      Product factors = a.factors;
      factors.append(b.factors);
      result.add(factors, a.coefficient * b.coefficient);
    }
  return result;
}

int64_t IndexSum::coefficientOf(const Product &factors) const {
  for (const Term &term : parts)
    if (sameFactors(term.factors, factors))
      return term.coefficient;
  return 0;
}

std::optional<int64_t> IndexSum::constant() const {
  if (parts.empty())
    return 0;
  if (parts.size() == 1 && parts[0].factors.empty())
    return parts[0].coefficient;
  return std::nullopt;
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

//===------------------------------------------------------------------------------------------===//
// Ranges
//===------------------------------------------------------------------------------------------===//

namespace {

int64_t saturatingMul(int64_t a, int64_t b) {
  int64_t result;
  if (!__builtin_mul_overflow(a, b, &result))
    return result;
  return (a < 0) != (b < 0) ? INT64_MIN : INT64_MAX;
}

int64_t saturatingAdd(int64_t a, int64_t b) {
  int64_t result;
  if (!__builtin_add_overflow(a, b, &result))
    return result;
  return a < 0 ? INT64_MIN : INT64_MAX;
}

IndexRange multiply(IndexRange a, IndexRange b) {
  int64_t ends[] = {saturatingMul(a.low, b.low), saturatingMul(a.low, b.high),
                    saturatingMul(a.high, b.low), saturatingMul(a.high, b.high)};
  return {*std::min_element(ends, ends + 4), *std::max_element(ends, ends + 4)};
}

} // namespace

IndexRange IndexMath::rangeOf(const IndexSum &sum) const {
  IndexRange total{0, 0};
  for (const IndexSum::Term &term : sum.terms()) {
    IndexRange range{term.coefficient, term.coefficient};
    for (AffineExpr factor : term.factors)
      range = multiply(range, rangeOf(factor));
    total = {saturatingAdd(total.low, range.low), saturatingAdd(total.high, range.high)};
  }
  return total;
}

IndexRange IndexMath::rangeOf(AffineExpr expr) const {
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbol.getPosition() < symbolRanges.size() ? symbolRanges[symbol.getPosition()]
                                                      : IndexRange{};
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    AffineExpr extent = variables[dim.getPosition()].extent;
    if (!extent)
      return {INT64_MIN, INT64_MAX};
    return {0, std::max<int64_t>(0, saturatingAdd(rangeOf(extent).high, -1))};
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return rangeOf(sumOf(expr));
  if (expr.getKind() == AffineExprKind::Add || expr.getKind() == AffineExprKind::Mul ||
      expr.getKind() == AffineExprKind::CeilDiv)
    return rangeOf(sumOf(expr));
  IndexRange left = rangeOf(binary.getLHS()), right = rangeOf(binary.getRHS());
  if (expr.getKind() == AffineExprKind::Mod)
    return {0, left.low >= 0 ? std::min(left.high, right.high - 1) : right.high - 1};
  if (right.low < 1)
    return {left.low >= 0 ? 0 : INT64_MIN, left.high};
  return {llvm::divideFloorSigned(left.low, left.low < 0 ? right.low : right.high),
          llvm::divideFloorSigned(left.high, left.high < 0 ? right.high : right.low)};
}

/// An upper bound as a sum of symbols; none unless every coefficient and factor is non-negative.
std::optional<IndexSum> IndexMath::greatest(const IndexSum &sum) const {
  IndexSum result;
  for (const IndexSum::Term &term : sum.terms()) {
    IndexSum product;
    product.add({}, term.coefficient);
    bool constantTerm = term.factors.empty();
    if (term.coefficient < 0 && !constantTerm)
      return std::nullopt;
    for (AffineExpr factor : term.factors) {
      IndexSum bound;
      auto dim = dyn_cast<AffineDimExpr>(factor);
      if (dim && variables[dim.getPosition()].extent)
        bound = sumOf(variables[dim.getPosition()].extent - 1);
      else if (isa<AffineSymbolExpr>(factor))
        bound.add({factor}, 1);
      else if (factor.getKind() == AffineExprKind::Mod)
        bound = sumOf(cast<AffineBinaryOpExpr>(factor).getRHS() - 1);
      else if (std::optional<IndexSum> quotient = greatestQuotient(factor))
        bound = *quotient;
      else if (IndexRange range = rangeOf(factor); range.low >= 0 && range.high < INT64_MAX)
        bound.add({}, range.high);
      else
        return std::nullopt;
      product = product.times(bound);
    }
    result.addAll(product);
  }
  return result;
}

/// The same of a floor division; none for other expressions.
std::optional<IndexSum> IndexMath::greatestQuotient(AffineExpr expr) const {
  auto division = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!division || expr.getKind() != AffineExprKind::FloorDiv || rangeOf(division.getRHS()).low < 1)
    return std::nullopt;
  std::optional<IndexSum> numerator = greatest(sumOf(division.getLHS()));
  if (!numerator)
    return std::nullopt;
  IndexSum bound = floorDivOf(*numerator, division.getRHS());
  return bound;
}

bool IndexMath::isNonNegative(const IndexSum &sum) const { return rangeOf(sum).low >= 0; }

bool IndexMath::isInside(const IndexSum &rest, AffineExpr divisor) const {
  IndexRange range = rangeOf(rest);
  if (range.low < 0)
    return false;
  if (range.high < rangeOf(divisor).low)
    return true;
  std::optional<IndexSum> bound = greatest(rest);
  if (!bound)
    return false;
  IndexSum slack = sumOf(divisor - 1);
  slack.addAll(*bound, -1);
  return isNonNegative(slack);
}

bool IndexMath::isEqual(AffineExpr a, AffineExpr b) const {
  IndexSum difference = sumOf(a);
  difference.addAll(sumOf(b), -1);
  return difference.constant() == 0;
}

bool IndexMath::isNonNegative(AffineExpr expr) const { return isNonNegative(sumOf(expr)); }

bool IndexMath::isLess(AffineExpr a, AffineExpr b) const {
  IndexSum slack = sumOf(b - a - 1);
  if (isNonNegative(slack))
    return true;
  std::optional<IndexSum> bound = greatest(sumOf(a));
  if (!bound)
    return false;
  slack = sumOf(b - 1);
  slack.addAll(*bound, -1);
  return isNonNegative(slack);
}

std::optional<int64_t> IndexMath::constantOf(AffineExpr expr) const {
  return sumOf(expr).constant();
}

int64_t IndexMath::divisorOf(AffineExpr expr) const {
  int64_t divisor = 0;
  const IndexSum sum = sumOf(expr);
  for (const IndexSum::Term &term : sum.terms())
    divisor = std::gcd(divisor, term.coefficient);
  return divisor == 0 ? INT64_MAX : divisor;
}

//===------------------------------------------------------------------------------------------===//
// Positions and text
//===------------------------------------------------------------------------------------------===//

AffineExpr IndexMath::linearize(ArrayRef<AffineExpr> indices, ArrayRef<AffineExpr> dims) const {
  AffineExpr linear = constant(0), stride = constant(1);
  for (auto [index, dim] : llvm::reverse(llvm::zip(indices, dims))) {
    linear = index * stride + linear;
    stride = stride * dim;
  }
  return simplify(linear);
}

SmallVector<AffineExpr> IndexMath::delinearize(AffineExpr linear, ArrayRef<AffineExpr> dims) const {
  SmallVector<AffineExpr> indices(dims.size(), constant(0));
  AffineExpr stride = constant(1);
  std::optional<size_t> first;
  for (size_t i = 0; i < dims.size() && !first; ++i)
    if (constantOf(dims[i]) != 1)
      first = i;
  for (size_t i = dims.size(); i-- > 0;) {
    if (constantOf(dims[i]) == 1)
      continue;
    AffineExpr index = simplify(linear.floorDiv(stride));
    indices[i] = i == first ? index : simplify(index % dims[i]);
    stride = simplify(stride * dims[i]);
  }
  return indices;
}

SmallVector<unsigned> IndexMath::variablesOf(AffineExpr expr) const {
  SmallVector<unsigned> result;
  expr.walk([&](AffineExpr part) {
    if (auto dim = dyn_cast<AffineDimExpr>(part))
      if (!llvm::is_contained(result, dim.getPosition()))
        result.push_back(dim.getPosition());
  });
  return result;
}

std::string IndexMath::operandText(AffineExpr expr) const {
  std::string result = text(expr);
  bool simple = llvm::all_of(result, [](char c) { return isalnum(c) || c == '_'; });
  return simple ? result : "(" + result + ")";
}

std::string IndexMath::text(AffineExpr expr) const {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return variables[dim.getPosition()].name;
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return "n" + std::to_string(symbol.getPosition());
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  bool isMod = expr.getKind() == AffineExprKind::Mod;
  if (binary && (isMod || expr.getKind() == AffineExprKind::FloorDiv)) {
    if (!isNonNegative(binary.getLHS()))
      return (isMod ? "floorMod<Index>(" : "floorDiv<Index>(") + text(binary.getLHS()) + ", " +
             text(binary.getRHS()) + ")";
    AffineExprKind inner = binary.getLHS().getKind();
    bool isChain = inner == AffineExprKind::Mod || inner == AffineExprKind::FloorDiv;
    return (isChain ? text(binary.getLHS()) : operandText(binary.getLHS())) +
           (isMod ? " % " : " / ") + operandText(binary.getRHS());
  }
  std::string result;
  const IndexSum sum = sumOf(expr);
  for (const IndexSum::Term &term : sum.terms()) {
    int64_t magnitude = std::abs(term.coefficient);
    std::string product;
    bool isAlone = magnitude == 1 && term.factors.size() == 1 && term.coefficient > 0;
    for (AffineExpr factor : term.factors)
      product += (product.empty() ? "" : " * ") + (isAlone ? text(factor) : operandText(factor));
    if (magnitude != 1 || product.empty())
      product += (product.empty() ? "" : " * ") + std::to_string(magnitude);
    if (result.empty())
      result = (term.coefficient < 0 ? "-" : "") + product;
    else
      result += (term.coefficient < 0 ? " - " : " + ") + product;
  }
  return result.empty() ? "0" : result;
}
