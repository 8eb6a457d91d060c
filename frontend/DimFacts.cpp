// What can be said of a dimension without knowing its variables: values, bounds and proofs.
#include "frontend/DimBounds.h"

#include "frontend/DimNormal.h"

#include <algorithm>
#include <numeric>

namespace nnc::frontend {
namespace {

//===- Values --------------------------------------------------------------------------------===//

/// `H // (c * K)` where that is exact, as its guard demands.
std::optional<int64_t> evaluateQuotient(const DimVariable &variable, const DimSizes &sizes) {
  auto whole = sizes.find(variable.name), by = sizes.find(variable.by);
  if (whole == sizes.end() || by == sizes.end())
    return std::nullopt;
  std::optional<int64_t> divisor = checkedMul(by->second, variable.divisor);
  if (!divisor || *divisor <= 0 || whole->second % *divisor != 0)
    return std::nullopt;
  return whole->second / *divisor;
}

std::optional<int64_t> evaluateAtom(const Dim::Atom &atom, const DimSizes &sizes) {
  if (atom.variable && !atom.variable->by.empty())
    return evaluateQuotient(*atom.variable, sizes);
  if (atom.variable) {
    auto found = sizes.find(atom.variable->name);
    int64_t offset;
    if (found == sizes.end() ||
        __builtin_sub_overflow(found->second, atom.variable->remainder, &offset))
      return std::nullopt;
    return floorDivide(offset, atom.variable->divisor);
  }
  auto numerator = atom.numerator.evaluate(sizes);
  auto denominator = atom.denominator.evaluate(sizes);
  if (!numerator || !denominator || *denominator <= 0)
    return std::nullopt;
  return floorDivide(*numerator, *denominator);
}

std::optional<int64_t> evaluateTerm(const Dim::Term &term, const DimSizes &sizes) {
  std::optional<int64_t> product = term.coefficient;
  for (const Dim::Factor &factor : term.factors) {
    std::optional<int64_t> value = evaluateAtom(*factor.atom, sizes);
    for (unsigned i = 0; i < factor.power && product; ++i)
      product = value ? checkedMul(*product, *value) : std::nullopt;
  }
  return product;
}

//===- Bounds --------------------------------------------------------------------------------===//

/// Ends of intervals: int64_t with its two ends as infinities.
int64_t clampEnd(__int128 value) {
  return value >= INT64_MAX ? INT64_MAX : value <= INT64_MIN ? INT64_MIN : int64_t(value);
}

bool isInfinite(int64_t end) { return end == INT64_MAX || end == INT64_MIN; }

/// Sums of lower ends (or of upper ends): an infinity stays.
int64_t addEnds(int64_t a, int64_t b) {
  return isInfinite(a) ? a : isInfinite(b) ? b : clampEnd(__int128(a) + b);
}

int64_t multiplyEnds(int64_t a, int64_t b) {
  if (a == 0 || b == 0)
    return 0;
  if (isInfinite(a) || isInfinite(b))
    return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
  return clampEnd(__int128(a) * b);
}

DimInterval add(DimInterval a, DimInterval b) {
  return {addEnds(a.low, b.low), addEnds(a.high, b.high)};
}

DimInterval multiply(DimInterval a, DimInterval b) {
  int64_t ends[] = {multiplyEnds(a.low, b.low), multiplyEnds(a.low, b.high),
                    multiplyEnds(a.high, b.low), multiplyEnds(a.high, b.high)};
  return {*std::min_element(ends, ends + 4), *std::max_element(ends, ends + 4)};
}

int64_t divideEnd(int64_t end, int64_t by) { return isInfinite(end) ? end : floorDivide(end, by); }

/// A multiple of K that is at least 1 is at least K.
DimInterval boundQuotient(const DimVariable &variable, const DimFacts &facts) {
  DimInterval whole = facts.rangeOf(variable.name), by = facts.rangeOf(variable.by);
  auto divisor = checkedMul(std::max<int64_t>(by.low, 1), variable.divisor);
  return {whole.low >= 1   ? 1
          : whole.low >= 0 ? 0
                           : INT64_MIN,
          divisor ? divideEnd(whole.high, *divisor) : whole.high};
}

DimInterval boundVariable(const DimVariable &variable, const DimFacts &facts) {
  if (!variable.by.empty())
    return boundQuotient(variable, facts);
  DimInterval range = facts.rangeOf(variable.name);
  if (variable.divisor == 1)
    return range;
  // H = divisor * H' + remainder, so the lowest H' rounds up.
  auto shifted = [&](int64_t end, int64_t by) {
    return isInfinite(end) ? end : clampEnd(__int128(end) - variable.remainder + by);
  };
  return {divideEnd(shifted(range.low, variable.divisor - 1), variable.divisor),
          divideEnd(shifted(range.high, 0), variable.divisor)};
}

DimInterval boundAtom(const Dim::Atom &atom, const DimFacts &facts) {
  if (atom.variable)
    return boundVariable(*atom.variable, facts);
  DimInterval numerator = atom.numerator.bounds(facts);
  DimInterval denominator = atom.denominator.bounds(facts);
  if (denominator.low < 1)
    return {};
  // The extreme quotients are at the ends; an infinite divisor brings them to 0 or -1.
  auto quotient = [](int64_t end, int64_t by) {
    return isInfinite(by) ? (end < 0 ? int64_t(-1) : int64_t(0)) : divideEnd(end, by);
  };
  int64_t ends[] = {
      quotient(numerator.low, denominator.low), quotient(numerator.low, denominator.high),
      quotient(numerator.high, denominator.low), quotient(numerator.high, denominator.high)};
  return {*std::min_element(ends, ends + 4), *std::max_element(ends, ends + 4)};
}

DimInterval boundTerm(const Dim::Term &term, const DimFacts &facts) {
  DimInterval result{term.coefficient, term.coefficient};
  for (const Dim::Factor &factor : term.factors) {
    DimInterval value = boundAtom(*factor.atom, facts);
    for (unsigned i = 0; i < factor.power; ++i)
      result = multiply(result, value);
  }
  return result;
}

DimInterval boundRemainder(const DimRemainder &part, const DimFacts &facts) {
  DimInterval value = part.value.bounds(facts);
  bool small = value.low >= 0 && value.high < part.modulus;
  DimInterval remainder = small ? value : DimInterval{0, part.modulus - 1};
  return multiply({part.coefficient, part.coefficient}, remainder);
}

} // namespace

std::optional<DimBound> boundOf(const Dim &value) {
  Dim::Terms terms = value.getTerms();
  if (terms.empty() || terms.size() > 2 || (terms.size() == 2 && !terms[1].factors.empty()))
    return std::nullopt;
  const Dim::Term &term = terms.front();
  if (term.factors.size() != 1 || term.factors[0].power != 1 || !term.factors[0].atom->variable)
    return std::nullopt;
  const std::string &name = term.factors[0].atom->variable->name;
  int64_t constant = terms.size() == 2 ? terms[1].coefficient : 0;
  if (term.coefficient == 1)
    return DimBound{name, {-constant, INT64_MAX}};
  if (term.coefficient == -1)
    return DimBound{name, {INT64_MIN, constant}};
  return std::nullopt;
}

DimInterval intersect(DimInterval range, DimInterval by) {
  return {std::max(range.low, by.low), std::min(range.high, by.high)};
}

DimInterval DimFacts::rangeOf(const std::string &name) const {
  auto found = ranges.find(name);
  const DimInterval stated = found == ranges.end() ? DimInterval{1, INT64_MAX} : found->second;
  DimInterval range = stated;
  for (const Dim &fact : nonNegative)
    if (std::optional<DimBound> bound = boundOf(fact); bound && bound->name == name)
      range = intersect(range, bound->interval);
  return range.low <= range.high ? range : stated; // no size meets all: the call will say so
}

std::optional<int64_t> Dim::evaluate(const DimSizes &sizes) const {
  if (broken)
    return std::nullopt;
  std::optional<int64_t> sum = 0;
  for (const Term &term : getTerms()) {
    std::optional<int64_t> value = evaluateTerm(term, sizes);
    sum = value ? checkedAdd(*sum, *value) : std::nullopt;
    if (!sum)
      break;
  }
  return sum;
}

DimInterval Dim::bounds(const DimFacts &facts) const {
  if (broken)
    return {};
  DimRemainders parts = splitRemainders(*this);
  DimInterval result{0, 0};
  for (const Term &term : parts.rest.getTerms())
    result = add(result, boundTerm(term, facts));
  for (const DimRemainder &part : parts.remainders)
    result = add(result, boundRemainder(part, facts));
  return result;
}

bool provablyDifferent(const Dim &a, const Dim &b, const DimFacts &facts) {
  Dim difference = a - b;
  return difference.isValid() && !difference.bounds(facts).contains(0);
}

/// The least common multiple of the divisors in a sum: times that, every quotient is its dividend
/// less a remainder, which has closer bounds than the quotient beside it.
static int64_t commonDivisor(const Dim &value) {
  constexpr int64_t most = 1 << 20;
  int64_t result = 1;
  for (const Dim::Term &term : value.getTerms())
    for (const Dim::Factor &factor : term.factors)
      if (std::optional<int64_t> divisor =
              factor.atom->variable ? std::nullopt : factor.atom->denominator.getConstant();
          divisor && *divisor > 0 && *divisor <= most)
        if (int64_t multiple = std::lcm(result, *divisor); multiple <= most)
          result = multiple;
  return result;
}

/// Without the variables that divide it as a whole and are never negative: B * T - 2 * B has the
/// sign of T - 2.
static Dim withoutFactors(Dim value, const DimFacts &facts) {
  if (!value.isValid())
    return value;
  for (const DimVariable &name : value.getVariables()) {
    Dim variable = Dim::variable(name);
    if (variable.bounds(facts).low < 0)
      continue;
    for (std::optional<Dim> rest; (rest = value.exactDiv(variable)) && rest->isValid();)
      value = *rest;
  }
  return value;
}

bool provablyNonNegative(const Dim &value, const DimFacts &facts) {
  auto holds = [&](const Dim &whole) {
    Dim number = withoutFactors(whole, facts);
    if (!number.isValid())
      return false;
    Dim scaled = number * commonDivisor(number);
    return number.bounds(facts).low >= 0 || (scaled.isValid() && scaled.bounds(facts).low >= 0);
  };
  return holds(value) || std::any_of(facts.nonNegative.begin(), facts.nonNegative.end(),
                                     [&](const Dim &fact) { return holds(value - fact); });
}

} // namespace nnc::frontend
