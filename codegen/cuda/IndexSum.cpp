#include "codegen/cuda/IndexSum.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace nnc::codegen;

static bool sameFactors(const IndexSum::Product &a, const IndexSum::Product &b) {
  return a.size() == b.size() && std::is_permutation(a.begin(), a.end(), b.begin());
}

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
