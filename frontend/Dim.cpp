// Normal forms and the arithmetic on them.
#include "frontend/Dim.h"

#include "frontend/DimNormal.h"

#include <algorithm>

namespace nnc::frontend {
namespace {

/// Beyond this many nodes a formula is refused: no network needs it, and it bounds all recursion.
constexpr size_t maxNodes = 2000;
constexpr unsigned maxPower = 64;

std::strong_ordering compareAtoms(const Dim::Atom &a, const Dim::Atom &b) {
  if (a.variable && b.variable)
    return *a.variable <=> *b.variable;
  if (a.variable || b.variable)
    return a.variable ? std::strong_ordering::less : std::strong_ordering::greater;
  auto order = Dim::compare(a.numerator, b.numerator);
  return order != 0 ? order : Dim::compare(a.denominator, b.denominator);
}

unsigned degree(const std::vector<Dim::Factor> &factors) {
  unsigned sum = 0;
  for (const Dim::Factor &factor : factors)
    sum += factor.power;
  return sum;
}

/// Graded lexicographic order, greatest first: compatible with multiplication, as division needs.
std::strong_ordering compareFactors(const std::vector<Dim::Factor> &a,
                                    const std::vector<Dim::Factor> &b) {
  if (auto order = degree(b) <=> degree(a); order != 0)
    return order;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (auto order = compareAtoms(*a[i].atom, *b[i].atom); order != 0)
      return order;
    if (auto order = b[i].power <=> a[i].power; order != 0)
      return order;
  }
  return b.size() <=> a.size();
}

size_t countNodes(const Dim::Terms &terms) {
  size_t nodes = 0;
  for (const Dim::Term &term : terms) {
    nodes += 1;
    for (const Dim::Factor &factor : term.factors)
      nodes += factor.atom->nodes;
  }
  return nodes;
}

std::optional<std::vector<Dim::Factor>> multiplyFactors(const std::vector<Dim::Factor> &a,
                                                        const std::vector<Dim::Factor> &b) {
  std::vector<Dim::Factor> result;
  auto i = a.begin(), j = b.begin();
  while (i != a.end() || j != b.end()) {
    auto order = i == a.end()   ? std::strong_ordering::greater
                 : j == b.end() ? std::strong_ordering::less
                                : compareAtoms(*i->atom, *j->atom);
    if (order < 0)
      result.push_back(*i++);
    else if (order > 0)
      result.push_back(*j++);
    else {
      result.push_back({i->atom, i->power + j->power});
      if (result.back().power > maxPower)
        return std::nullopt;
      ++i, ++j;
    }
  }
  return result;
}

/// a / b where every factor of b is in a.
std::optional<std::vector<Dim::Factor>> divideFactors(const std::vector<Dim::Factor> &a,
                                                      const std::vector<Dim::Factor> &b) {
  std::vector<Dim::Factor> result = a;
  for (const Dim::Factor &factor : b) {
    auto found = std::find_if(result.begin(), result.end(), [&](const Dim::Factor &f) {
      return compareAtoms(*f.atom, *factor.atom) == 0;
    });
    if (found == result.end() || found->power < factor.power)
      return std::nullopt;
    found->power -= factor.power;
    if (found->power == 0)
      result.erase(found);
  }
  return result;
}

} // namespace

Dim DimBuilder::fromTerms(Dim::Terms terms) {
  std::sort(terms.begin(), terms.end(), [](const Dim::Term &a, const Dim::Term &b) {
    return compareFactors(a.factors, b.factors) < 0;
  });
  Dim::Terms merged;
  for (Dim::Term &term : terms) {
    if (merged.empty() || compareFactors(merged.back().factors, term.factors) != 0) {
      merged.push_back(std::move(term));
      continue;
    }
    auto sum = checkedAdd(merged.back().coefficient, term.coefficient);
    if (!sum || *sum == INT64_MIN)
      return Dim::invalid();
    merged.back().coefficient = *sum;
  }
  std::erase_if(merged, [](const Dim::Term &term) { return term.coefficient == 0; });
  if (merged.empty())
    return 0;
  if (merged.size() == 1 && merged[0].factors.empty())
    return merged[0].coefficient;
  if (countNodes(merged) > maxNodes)
    return Dim::invalid();
  Dim result;
  result.terms = std::make_shared<const Dim::Terms>(std::move(merged));
  return result;
}

Dim DimBuilder::fromTerm(int64_t coefficient, std::vector<Dim::Factor> factors) {
  return fromTerms({{coefficient, std::move(factors)}});
}

Dim DimBuilder::fromAtom(Dim::AtomRef atom) { return fromTerm(1, {{std::move(atom), 1}}); }

Dim Dim::variable(std::string name) { return variable(DimVariable{std::move(name)}); }

Dim Dim::variable(DimVariable variable) {
  return DimBuilder::fromAtom(std::make_shared<const Atom>(Atom{std::move(variable), {}, {}, 1}));
}

Dim Dim::invalid() {
  Dim result;
  result.broken = true;
  return result;
}

std::optional<int64_t> Dim::getConstant() const {
  return isConstant() ? std::optional(constant) : std::nullopt;
}

Dim::Terms Dim::getTerms() const {
  if (terms)
    return *terms;
  return constant == 0 ? Terms{} : Terms{{constant, {}}};
}

static void collectVariables(const Dim &dim, std::vector<DimVariable> &into) {
  for (const Dim::Term &term : dim.getTerms())
    for (const Dim::Factor &factor : term.factors) {
      if (factor.atom->variable) {
        into.push_back(*factor.atom->variable);
        continue;
      }
      collectVariables(factor.atom->numerator, into);
      collectVariables(factor.atom->denominator, into);
    }
}

std::vector<DimVariable> Dim::getVariables() const {
  std::vector<DimVariable> result;
  collectVariables(*this, result);
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

Dim Dim::operator-() const { return *this * Dim(-1); }

Dim operator+(const Dim &a, const Dim &b) {
  if (a.broken || b.broken)
    return Dim::invalid();
  if (a.isConstant() && b.isConstant()) {
    auto sum = checkedAdd(a.constant, b.constant);
    return sum ? Dim(*sum) : Dim::invalid();
  }
  Dim::Terms terms = a.getTerms();
  Dim::Terms more = b.getTerms();
  terms.insert(terms.end(), more.begin(), more.end());
  return DimBuilder::fromTerms(std::move(terms));
}

Dim operator-(const Dim &a, const Dim &b) { return a + -b; }

Dim operator*(const Dim &a, const Dim &b) {
  if (a.broken || b.broken)
    return Dim::invalid();
  Dim::Terms terms;
  Dim::Terms left = a.getTerms(), right = b.getTerms();
  if (left.size() * right.size() > maxNodes)
    return Dim::invalid();
  for (const Dim::Term &x : left)
    for (const Dim::Term &y : right) {
      auto coefficient = checkedMul(x.coefficient, y.coefficient);
      auto factors = multiplyFactors(x.factors, y.factors);
      if (!coefficient || *coefficient == INT64_MIN || !factors)
        return Dim::invalid();
      terms.push_back({*coefficient, std::move(*factors)});
    }
  return DimBuilder::fromTerms(std::move(terms));
}

Dim Dim::pow(unsigned exponent) const {
  if (isConstant() && (constant == 0 || constant == 1 || constant == -1))
    return exponent == 0 ? 1 : constant == -1 && exponent % 2 == 0 ? 1 : constant;
  if (exponent > maxPower)
    return invalid();
  Dim result = 1;
  for (unsigned i = 0; i < exponent && result.isValid(); ++i)
    result *= *this;
  return result;
}

/// p = n * quotient + rest, as far as it can be seen term by term. `by` is one term.
static std::pair<Dim, Dim> splitByTerm(const Dim &p, const Dim::Term &by) {
  Dim::Terms quotient, rest;
  for (const Dim::Term &term : p.getTerms()) {
    auto factors = divideFactors(term.factors, by.factors);
    if (!factors) {
      rest.push_back(term);
      continue;
    }
    quotient.push_back({floorDivide(term.coefficient, by.coefficient), *factors});
    rest.push_back({floorModulo(term.coefficient, by.coefficient), term.factors});
  }
  return {DimBuilder::fromTerms(quotient), DimBuilder::fromTerms(rest)};
}

/// Divides numerator and constant denominator by what they have in common:
/// (g*p + c) // (g*n) = (p + c//g) // n.
static void cancelCommonFactor(Dim &numerator, int64_t &denominator) {
  int64_t common = denominator;
  Dim::Terms terms = numerator.getTerms();
  for (const Dim::Term &term : terms)
    if (!term.factors.empty())
      common = std::gcd(common, term.coefficient);
  if (common == 1)
    return;
  for (Dim::Term &term : terms)
    term.coefficient = floorDivide(term.coefficient, common);
  numerator = DimBuilder::fromTerms(std::move(terms));
  denominator /= common;
}

/// (p//a + rest) // b = (p + a*rest) // (a*b); nothing unless exactly one term is such a quotient.
static std::optional<Dim> mergeNestedQuotient(const Dim &numerator, const Dim &denominator) {
  const Dim::Atom *inner = nullptr;
  Dim rest = 0;
  for (const Dim::Term &term : numerator.getTerms()) {
    bool isQuotient = term.coefficient == 1 && term.factors.size() == 1 &&
                      term.factors[0].power == 1 && !term.factors[0].atom->variable;
    if (!isQuotient)
      rest += DimBuilder::fromTerms({term});
    else if (inner)
      return std::nullopt;
    else
      inner = term.factors[0].atom.get();
  }
  if (!inner)
    return std::nullopt;
  Dim merged = inner->numerator + inner->denominator * rest;
  return merged.floorDiv(inner->denominator * denominator);
}

/// The quotient of what splitByTerm left over.
static Dim makeQuotient(Dim numerator, Dim denominator) {
  if (auto value = denominator.getConstant()) {
    int64_t number = *value;
    cancelCommonFactor(numerator, number);
    denominator = number;
    if (numerator.isConstant())
      return floorDivide(*numerator.getConstant(), number);
  }
  if (auto merged = mergeNestedQuotient(numerator, denominator))
    return *merged;
  size_t nodes = 1 + countNodes(numerator.getTerms()) + countNodes(denominator.getTerms());
  if (nodes > maxNodes)
    return Dim::invalid();
  return DimBuilder::fromAtom(std::make_shared<const Dim::Atom>(
      Dim::Atom{std::nullopt, std::move(numerator), std::move(denominator), nodes}));
}

Dim Dim::floorDiv(const Dim &by) const {
  if (broken || by.broken || by == Dim(0))
    return invalid();
  if (isConstant() && by.isConstant() && by.constant > 0)
    return floorDivide(constant, by.constant);
  if (by.isConstant() && by.constant < 0)
    return (-*this).floorDiv(-by);
  if (auto exact = exactDiv(by))
    return *exact;
  Terms divisor = by.getTerms();
  if (divisor.size() != 1 || divisor[0].coefficient < 0)
    return makeQuotient(*this, by);
  auto [quotient, rest] = splitByTerm(*this, divisor[0]);
  if (!quotient.isValid() || !rest.isValid())
    return invalid();
  return rest == Dim(0) ? quotient : quotient + makeQuotient(rest, by);
}

Dim Dim::mod(const Dim &by) const { return *this - by * floorDiv(by); }

std::optional<Dim> Dim::exactDiv(const Dim &by) const {
  Terms divisor = by.getTerms();
  if (broken || by.broken || divisor.empty())
    return std::nullopt;
  Dim rest = *this, quotient = 0;
  // Each step removes the leading term; the bound is met only where nothing divides.
  for (size_t step = 0; step < maxNodes && rest != Dim(0); ++step) {
    Term lead = rest.getTerms().front();
    auto factors = divideFactors(lead.factors, divisor[0].factors);
    if (!factors || lead.coefficient % divisor[0].coefficient != 0)
      return std::nullopt;
    Dim part = DimBuilder::fromTerm(lead.coefficient / divisor[0].coefficient, *factors);
    quotient += part;
    rest = rest - part * by;
    if (!rest.isValid() || !quotient.isValid())
      return std::nullopt;
  }
  return rest == Dim(0) ? std::optional(quotient) : std::nullopt;
}

bool operator==(const Dim &a, const Dim &b) {
  return !a.broken && !b.broken && Dim::compare(a, b) == 0;
}

std::strong_ordering Dim::compare(const Dim &a, const Dim &b) {
  if (a.broken || b.broken)
    return a.broken <=> b.broken;
  if (!a.terms || !b.terms)
    return a.terms || b.terms ? (a.terms != nullptr) <=> (b.terms != nullptr)
                              : a.constant <=> b.constant;
  if (a.terms == b.terms)
    return std::strong_ordering::equal;
  for (size_t i = 0; i < a.terms->size() && i < b.terms->size(); ++i) {
    const Term &x = (*a.terms)[i], &y = (*b.terms)[i];
    if (auto order = compareFactors(x.factors, y.factors); order != 0)
      return order;
    if (auto order = x.coefficient <=> y.coefficient; order != 0)
      return order;
  }
  return a.terms->size() <=> b.terms->size();
}

Dim Dim::substitute(const DimVariable &variable, const Dim &by) const {
  if (!terms)
    return *this;
  Dim result = 0;
  for (const Term &term : *terms) {
    Dim product = term.coefficient;
    for (const Factor &factor : term.factors) {
      const Atom &atom = *factor.atom;
      Dim value = !atom.variable ? atom.numerator.substitute(variable, by)
                                       .floorDiv(atom.denominator.substitute(variable, by))
                  : *atom.variable == variable ? by
                                               : DimBuilder::fromAtom(factor.atom);
      product *= value.pow(factor.power);
    }
    result += product;
  }
  return result;
}

} // namespace nnc::frontend
