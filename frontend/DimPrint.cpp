// Dimensions for people: in the user's own variables, with `%` where a remainder hides, and the
// positive terms first.
#include "frontend/Dim.h"

#include "frontend/DimNormal.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace nnc::frontend {
namespace {

/// n when `term` is `c * (p // n)` with a constant n, else nothing.
std::optional<int64_t> getQuotientDivisor(const Dim::Term &term) {
  if (term.factors.size() != 1 || term.factors[0].power != 1 || term.factors[0].atom->variable)
    return std::nullopt;
  return term.factors[0].atom->denominator.getConstant();
}

/// Takes `c * (p % n)` out of `rest`, for the term `-c*n * (p // n)`, where that is shorter.
std::optional<DimRemainder> extractRemainder(Dim &rest) {
  for (const Dim::Term &term : rest.getTerms()) {
    std::optional<int64_t> modulus = getQuotientDivisor(term);
    if (!modulus || term.coefficient % *modulus != 0)
      continue;
    int64_t coefficient = -(term.coefficient / *modulus);
    const Dim &value = term.factors[0].atom->numerator;
    Dim without = rest - DimBuilder::fromTerms({term}) - coefficient * value;
    if (!without.isValid() || without.getTerms().size() >= rest.getTerms().size())
      continue;
    rest = without;
    return DimRemainder{coefficient, value, *modulus};
  }
  return std::nullopt;
}

/// A sum or product needs parentheses inside `//` and `%`; a number or name does not.
bool isSimple(const Dim &dim) {
  Dim::Terms terms = dim.getTerms();
  if (terms.size() != 1)
    return terms.empty();
  const Dim::Term &term = terms[0];
  if (term.factors.empty())
    return term.coefficient >= 0;
  return term.coefficient == 1 && term.factors.size() == 1 && term.factors[0].power == 1 &&
         term.factors[0].atom->variable;
}

std::string inParentheses(const Dim &dim) {
  return isSimple(dim) ? dim.str() : fmt::format("({})", dim.str());
}

std::string printAtom(const Dim::Atom &atom) {
  if (atom.variable)
    return atom.variable->name;
  return fmt::format("{} // {}", inParentheses(atom.numerator), inParentheses(atom.denominator));
}

std::string printFactor(const Dim::Factor &factor, bool alone) {
  std::string text = printAtom(*factor.atom);
  if (!factor.atom->variable && !(alone && factor.power == 1))
    text = "(" + text + ")";
  return factor.power == 1 ? text : fmt::format("{} ** {}", text, factor.power);
}

/// A summand without its sign.
struct Summand {
  bool negative;
  std::string text;
};

Summand printTerm(const Dim::Term &term) {
  uint64_t size = magnitude(term.coefficient);
  if (term.factors.empty())
    return {term.coefficient < 0, fmt::format("{}", size)};
  std::string text = size == 1 ? "" : fmt::format("{}", size);
  bool alone = size == 1 && term.factors.size() == 1;
  for (const Dim::Factor &factor : term.factors)
    text += (text.empty() ? "" : " * ") + printFactor(factor, alone);
  return {term.coefficient < 0, text};
}

Summand printRemainder(const DimRemainder &part) {
  std::string text = fmt::format("{} % {}", inParentheses(part.value), part.modulus);
  if (uint64_t size = magnitude(part.coefficient); size != 1)
    text = fmt::format("{} * ({})", size, text);
  return {part.coefficient < 0, text};
}

/// `c * H'` in terms of H: exactly H where 16 divides c, else a quotient.
Dim presentVariable(const DimVariable &variable, int64_t &coefficient) {
  if (!variable.by.empty())
    return Dim::variable(variable); // presentQuotients() does
  Dim base = Dim::variable(variable.name) - variable.remainder;
  if (variable.divisor == 1)
    return base;
  int64_t common = std::gcd(coefficient, variable.divisor);
  coefficient /= common;
  return base.floorDiv(variable.divisor / common);
}

Dim presentFactor(const Dim::Factor &factor, int64_t &coefficient) {
  const Dim::Atom &atom = *factor.atom;
  if (!atom.variable)
    return atom.numerator.presented().floorDiv(atom.denominator.presented()).pow(factor.power);
  Dim result = 1;
  for (unsigned i = 0; i < factor.power; ++i)
    result *= presentVariable(*atom.variable, coefficient);
  return result;
}

/// Every `K * H'`, where H' is H // (c * K), as H // c, and what is left of H' as that quotient.
Dim presentQuotients(const Dim::Term &term) {
  int64_t coefficient = term.coefficient;
  Dim product = 1;
  std::map<std::string, unsigned> taken; // powers of plain variables that went into quotients
  auto powerOf = [&](const std::string &name) -> unsigned {
    for (const Dim::Factor &factor : term.factors)
      if (factor.atom->variable && factor.atom->variable->isPlain() &&
          factor.atom->variable->name == name)
        return factor.power - taken[name];
    return 0;
  };
  for (const Dim::Factor &factor : term.factors) {
    const std::optional<DimVariable> &variable = factor.atom->variable;
    if (!variable || variable->by.empty())
      continue;
    Dim whole = Dim::variable(variable->name);
    unsigned pairs = std::min(factor.power, powerOf(variable->by));
    taken[variable->by] += pairs;
    for (unsigned i = 0; i < pairs; ++i) {
      int64_t common = std::gcd(coefficient, variable->divisor);
      coefficient /= common;
      product *= whole.floorDiv(variable->divisor / common);
    }
    product *=
        whole.floorDiv(Dim::variable(variable->by) * variable->divisor).pow(factor.power - pairs);
  }
  for (const Dim::Factor &factor : term.factors) {
    const std::optional<DimVariable> &variable = factor.atom->variable;
    if (!variable)
      product *= factor.atom->numerator.presented()
                     .floorDiv(factor.atom->denominator.presented())
                     .pow(factor.power);
    else if (variable->by.empty())
      product *= DimBuilder::fromAtom(factor.atom)
                     .pow(factor.power - (variable->isPlain() ? taken[variable->name] : 0));
  }
  return product * coefficient;
}

} // namespace

DimRemainders splitRemainders(const Dim &dim) {
  DimRemainders result{{}, dim};
  while (std::optional<DimRemainder> part = extractRemainder(result.rest))
    result.remainders.push_back(*part);
  return result;
}

Dim Dim::presented() const {
  std::vector<DimVariable> variables = getVariables();
  auto anyVariable = [&](auto property) {
    return std::any_of(variables.begin(), variables.end(), property);
  };
  bool anyMultiple =
      anyVariable([](const DimVariable &v) { return v.by.empty() && v.divisor != 1; });
  bool anyQuotient = anyVariable([](const DimVariable &v) { return !v.by.empty(); });
  if (!anyMultiple && !anyQuotient)
    return *this;
  Dim result = 0;
  if (!anyMultiple) {
    for (const Term &term : getTerms())
      result += presentQuotients(term);
    return result;
  }
  for (const Term &term : getTerms()) {
    int64_t coefficient = term.coefficient;
    Dim product = 1;
    for (const Factor &factor : term.factors)
      product *= presentFactor(factor, coefficient);
    result += product * coefficient;
  }
  return anyQuotient ? result.presented() : result;
}

std::string Dim::str() const {
  if (broken)
    return "?";
  DimRemainders parts = splitRemainders(presented());
  std::vector<Summand> summands;
  bool endsInConstant = false;
  for (const Term &term : parts.rest.getTerms()) {
    endsInConstant = term.factors.empty();
    summands.push_back(printTerm(term));
  }
  for (const DimRemainder &part : parts.remainders)
    summands.insert(summands.end() - endsInConstant, printRemainder(part));
  if (summands.empty())
    return "0";
  auto positive = std::find_if(summands.begin(), summands.end(),
                               [](const Summand &summand) { return !summand.negative; });
  if (positive != summands.end())
    std::rotate(summands.begin(), positive, positive + 1);
  std::string text = summands[0].negative ? "-" : "";
  for (size_t i = 0; i < summands.size(); ++i)
    text += (i == 0 ? "" : summands[i].negative ? " - " : " + ") + summands[i].text;
  return text;
}

std::string formatNonNegative(const Dim &value) {
  Dim::Terms above, below;
  for (const Dim::Term &term : value.presented().getTerms()) {
    bool negative = term.coefficient < 0;
    (negative ? below : above).push_back(term);
  }
  Dim left = DimBuilder::fromTerms(above), right = -DimBuilder::fromTerms(below);
  if (left.isConstant() && !right.isConstant())
    return fmt::format("{} <= {}", right.str(), left.str());
  return fmt::format("{} >= {}", left.str(), right.str());
}

std::string formatShape(std::span<const Dim> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i)
    text += (i == 0 ? "" : ", ") + dims[i].str();
  return text + "]";
}

std::string formatSizes(const DimSizes &sizes) {
  std::string text;
  for (const auto &[name, size] : sizes)
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", name, size);
  return text;
}

} // namespace nnc::frontend
