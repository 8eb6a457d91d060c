// What a guard teaches about a variable, and which guard would make two dimensions equal.
#include "frontend/Dim.h"

#include "frontend/DimNormal.h"

#include <algorithm>

namespace nnc::frontend {
namespace {

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

/// `variable % (c * by) == 0`, with variables that no guard has replaced: what it is divided by.
struct SymbolicRemainder {
  DimVariable variable;
  int64_t factor;
  DimVariable by;
};

/// Of a quotient `H // (c * K)`.
std::optional<SymbolicRemainder> readQuotient(const Dim::Atom &atom) {
  if (atom.variable)
    return std::nullopt;
  Dim::Terms above = atom.numerator.getTerms(), below = atom.denominator.getTerms();
  if (above.size() != 1 || below.size() != 1 || above[0].coefficient != 1 ||
      below[0].coefficient < 1)
    return std::nullopt;
  const DimVariable *variable = getLinearVariable(above[0]), *by = getLinearVariable(below[0]);
  if (!variable || !by || !variable->isPlain() || !by->isPlain() || variable->name == by->name)
    return std::nullopt;
  return SymbolicRemainder{*variable, below[0].coefficient, *by};
}

/// H - c * K * (H // (c * K)) = 0: H is c * K * H'.
std::optional<DimSubstitution> solveSymbolicRemainder(const Dim &difference) {
  for (const Dim::Term &term : difference.getTerms())
    for (const Dim::Factor &factor : term.factors) {
      std::optional<SymbolicRemainder> part = readQuotient(*factor.atom);
      if (!part)
        continue;
      Dim whole = Dim::variable(part->variable), divisor = Dim::variable(part->by) * part->factor;
      Dim remainder = whole.mod(divisor);
      if (difference == remainder || difference == -remainder)
        return DimSubstitution{
            part->variable, divisor * Dim::variable(DimVariable{part->variable.name, part->factor,
                                                                0, part->by.name})};
    }
  return std::nullopt;
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

/// For every `H // (c * K)` in a formula, the guard that makes it exact.
void collectSymbolicGuards(const Dim &dim, std::vector<SymbolicRemainder> &guards) {
  for (const Dim::Term &term : dim.getTerms())
    for (const Dim::Factor &factor : term.factors)
      if (std::optional<SymbolicRemainder> part = readQuotient(*factor.atom))
        guards.push_back(*part);
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
  std::vector<SymbolicRemainder> symbolic;
  collectSymbolicGuards(left, symbolic);
  collectSymbolicGuards(right, symbolic);
  for (const SymbolicRemainder &part : symbolic) {
    Dim divisor = Dim::variable(part.by) * part.factor;
    std::optional<DimSubstitution> guard =
        solveEquation(Dim::variable(part.variable).mod(divisor), 0);
    std::string by = part.factor == 1 ? divisor.str() : "(" + divisor.str() + ")";
    std::string text = part.variable.name + " % " + by + " == 0";
    if (!guard || std::find(guards.begin(), guards.end(), text) != guards.end())
      continue;
    left = left.substitute(guard->variable, guard->by);
    right = right.substitute(guard->variable, guard->by);
    guards.push_back(std::move(text));
  }
  if (left == right)
    return guards;
  bool simple = a.getVariables().size() == 1 && b.getVariables().size() == 1 && moduli.empty();
  if (simple && a.isValid() && b.isValid() && solveLinear(a - b))
    return {a.str() + " == " + b.str()};
  return {};
}

std::optional<DimSubstitution> solveEquation(const Dim &a, const Dim &b) {
  Dim difference = a - b;
  if (!difference.isValid() || difference.isConstant())
    return std::nullopt;
  if (std::optional<DimSubstitution> symbolic = solveSymbolicRemainder(difference))
    return symbolic;
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
