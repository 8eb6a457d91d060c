// What can be said of a dimension without knowing its variables: values, bounds, examples, and what
// a guard teaches.
#include "frontend/Dim.h"

#include "frontend/DimNormal.h"

#include <algorithm>
#include <functional>

namespace nnc::frontend {
namespace {

//===- Values --------------------------------------------------------------------------------===//

std::optional<int64_t> evaluateAtom(const Dim::Atom &atom, const DimSizes &sizes) {
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

DimInterval rangeOf(const std::string &name, const DimFacts &facts) {
  auto found = facts.ranges.find(name);
  return found == facts.ranges.end() ? DimInterval{1, INT64_MAX} : found->second;
}

DimInterval boundVariable(const DimVariable &variable, const DimFacts &facts) {
  DimInterval range = rangeOf(variable.name, facts);
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

//===- Examples ------------------------------------------------------------------------------===//

/// A variable of a search: its sizes are first, first + step, ... up to last.
struct Candidate {
  std::string name;
  int64_t first, step, last;
};

Candidate makeCandidate(const DimVariable &variable, const DimFacts &facts) {
  DimInterval range = rangeOf(variable.name, facts);
  int64_t low = std::clamp<int64_t>(range.low, 0, INT64_MAX / 4);
  int64_t up = floorModulo(variable.remainder - low, variable.divisor);
  return {variable.name, low + up, variable.divisor, std::min(range.high, INT64_MAX / 2)};
}

/// Looks for sizes with some property, the smallest first, within a budget.
class SizeSearch {
public:
  using Property = std::function<bool(const DimSizes &)>;

  SizeSearch(std::vector<DimVariable> variables, const DimFacts &facts, Property property)
      : facts(facts), property(std::move(property)) {
    std::sort(variables.begin(), variables.end());
    for (const DimVariable &variable : variables) {
      // Of H and H', which are rarely seen together, the one with more conditions comes last.
      if (!candidates.empty() && candidates.back().name == variable.name)
        candidates.pop_back();
      candidates.push_back(makeCandidate(variable, facts));
    }
  }

  std::optional<DimSizes> run() {
    for (const Candidate &candidate : candidates)
      sizes[candidate.name] = candidate.first;
    for (const Candidate &candidate : candidates) {
      if (tryAlong(candidate, 4096))
        return sizes;
      sizes[candidate.name] = candidate.first;
    }
    for (int64_t perAxis = 2; perAxis <= 16; perAxis *= 2)
      if (tryGrid(0, perAxis))
        return sizes;
    return std::nullopt;
  }

private:
  bool matches() const {
    return property(sizes) &&
           std::all_of(facts.nonNegative.begin(), facts.nonNegative.end(), [&](const Dim &fact) {
             std::optional<int64_t> value = fact.evaluate(sizes);
             return !value || *value >= 0;
           });
  }

  bool tryAlong(const Candidate &candidate, int64_t steps) {
    for (int64_t i = 0; i < steps; ++i) {
      int64_t size = candidate.first + i * candidate.step;
      if (size > candidate.last)
        return false;
      sizes[candidate.name] = size;
      if (matches())
        return true;
    }
    return false;
  }

  /// All combinations of the first few sizes of each variable, as far as the budget reaches.
  bool tryGrid(size_t axis, int64_t perAxis) {
    if (axis == candidates.size())
      return budget-- > 0 && matches();
    const Candidate &candidate = candidates[axis];
    for (int64_t i = 0; i < perAxis && budget > 0; ++i) {
      int64_t size = candidate.first + i * candidate.step;
      if (size > candidate.last)
        break;
      sizes[candidate.name] = size;
      if (tryGrid(axis + 1, perAxis))
        return true;
    }
    return false;
  }

  const DimFacts &facts;
  Property property;
  std::vector<Candidate> candidates;
  DimSizes sizes;
  int64_t budget = 20'000;
};

//===- Guards --------------------------------------------------------------------------------===//

bool mentions(const Dim &dim, const DimVariable &variable) {
  std::vector<DimVariable> variables = dim.getVariables();
  return std::binary_search(variables.begin(), variables.end(), variable);
}

/// The variable of a term `c * v`, if it is one.
const DimVariable *getLinearVariable(const Dim::Term &term) {
  bool linear = term.factors.size() == 1 && term.factors[0].power == 1;
  return linear && term.factors[0].atom->variable ? &*term.factors[0].atom->variable : nullptr;
}

/// u * x = m (mod n), solved for x by trying: n is small in any guard worth writing.
std::optional<int64_t> solveCongruence(int64_t u, int64_t m, int64_t n) {
  if (n > 1'000'000)
    return std::nullopt;
  for (int64_t x = 0; x < n; ++x)
    if (floorModulo(u * x - m, n) == 0)
      return x;
  return std::nullopt;
}

/// `(u*v + w) % n == m`, with constants u, w: v = n' * v' + s.
std::optional<DimSubstitution> solveRemainder(const DimRemainder &part, int64_t m) {
  Dim::Terms terms = part.value.getTerms();
  bool hasConstant = terms.size() == 2 && terms[1].factors.empty();
  if (terms.empty() || terms.size() > (hasConstant ? 2 : 1))
    return std::nullopt;
  const DimVariable *variable = getLinearVariable(terms[0]);
  if (!variable || m < 0 || m >= part.modulus)
    return std::nullopt;
  int64_t u = floorModulo(terms[0].coefficient, part.modulus);
  int64_t w = hasConstant ? floorModulo(terms[1].coefficient, part.modulus) : 0;
  int64_t modulus = part.modulus / std::gcd(u, part.modulus);
  std::optional<int64_t> start = solveCongruence(u, m - w, part.modulus);
  if (!start)
    return std::nullopt;
  int64_t residue = *start % modulus;
  auto divisor = checkedMul(variable->divisor, modulus);
  auto shift = checkedMul(variable->divisor, residue);
  auto remainder = shift ? checkedAdd(*shift, variable->remainder) : std::nullopt;
  if (!divisor || !remainder)
    return std::nullopt;
  Dim fresh = Dim::variable(DimVariable{variable->name, *divisor, *remainder});
  return DimSubstitution{*variable, modulus * fresh + residue};
}

/// A variable that stands alone in the sum `difference = 0`.
std::optional<DimSubstitution> solveLinear(const Dim &difference) {
  Dim::Terms terms = difference.getTerms();
  for (auto term = terms.rbegin(); term != terms.rend(); ++term) {
    const DimVariable *variable = getLinearVariable(*term);
    if (!variable || magnitude(term->coefficient) != 1)
      continue;
    Dim rest = difference - DimBuilder::fromTerms({*term});
    if (rest.isValid() && !mentions(rest, *variable))
      return DimSubstitution{*variable, rest * -term->coefficient};
  }
  return std::nullopt;
}

/// For every `(c * v + ...) // n` in a formula, what v would have to be a multiple of.
void collectModuli(const Dim &dim, std::map<DimVariable, int64_t> &moduli) {
  for (const Dim::Term &term : dim.getTerms())
    for (const Dim::Factor &factor : term.factors) {
      if (factor.atom->variable)
        continue;
      std::optional<int64_t> divisor = factor.atom->denominator.getConstant();
      if (!divisor || *divisor > 1'000'000)
        continue;
      for (const DimVariable &variable : factor.atom->numerator.getVariables()) {
        int64_t &modulus = moduli.try_emplace(variable, 1).first->second;
        modulus = std::min<int64_t>(std::lcm(modulus, *divisor), 1'000'000);
      }
      collectModuli(factor.atom->numerator, moduli);
    }
}

} // namespace

std::vector<std::string> suggestGuards(const Dim &a, const Dim &b) {
  Dim left = a, right = b;
  std::vector<std::string> guards;
  std::map<DimVariable, int64_t> moduli;
  collectModuli(a, moduli);
  collectModuli(b, moduli);
  for (const auto &[variable, modulus] : moduli) {
    std::optional<DimSubstitution> guard =
        solveEquation(Dim::variable(variable).presented().mod(modulus), 0);
    if (!guard || variable.divisor != 1)
      continue;
    left = left.substitute(guard->variable, guard->by);
    right = right.substitute(guard->variable, guard->by);
    guards.push_back(variable.name + " % " + std::to_string(modulus) + " == 0");
  }
  if (left == right)
    return guards;
  bool simple = a.getVariables().size() == 1 && b.getVariables().size() == 1 && moduli.empty();
  if (simple && a.isValid() && b.isValid() && solveLinear(a - b))
    return {a.str() + " == " + b.str()};
  return {};
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

bool provablyNonNegative(const Dim &value, const DimFacts &facts) {
  if (value.isValid() && value.bounds(facts).low >= 0)
    return true;
  return std::any_of(facts.nonNegative.begin(), facts.nonNegative.end(), [&](const Dim &fact) {
    Dim more = value - fact;
    return more.isValid() && more.bounds(facts).low >= 0;
  });
}

std::optional<DimSizes> findDifference(const Dim &a, const Dim &b, const DimFacts &facts) {
  std::vector<DimVariable> variables = a.getVariables(), more = b.getVariables();
  variables.insert(variables.end(), more.begin(), more.end());
  return SizeSearch(std::move(variables), facts,
                    [&](const DimSizes &sizes) {
                      std::optional<int64_t> x = a.evaluate(sizes), y = b.evaluate(sizes);
                      return x && y && *x != *y;
                    })
      .run();
}

std::optional<DimSizes> findNegative(const Dim &value, const DimFacts &facts) {
  return SizeSearch(value.getVariables(), facts,
                    [&](const DimSizes &sizes) {
                      std::optional<int64_t> at = value.evaluate(sizes);
                      return at && *at < 0;
                    })
      .run();
}

std::optional<DimSubstitution> solveEquation(const Dim &a, const Dim &b) {
  Dim difference = a - b;
  if (!difference.isValid() || difference.isConstant())
    return std::nullopt;
  DimRemainders parts = splitRemainders(difference);
  if (parts.remainders.size() != 1)
    return solveLinear(difference);
  const DimRemainder &part = parts.remainders[0];
  std::optional<int64_t> rest = parts.rest.getConstant();
  if (!rest || *rest % part.coefficient != 0)
    return std::nullopt;
  return solveRemainder(part, -(*rest / part.coefficient));
}

} // namespace nnc::frontend
