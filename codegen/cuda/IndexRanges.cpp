// What is known of index expressions: ranges, the greatest values as expressions of symbols,
// divisors.
#include "codegen/cuda/IndexMath.h"

#include "llvm/ADT/STLExtras.h"
#include <numeric>

using namespace mlir;
using namespace nnc::codegen;

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
