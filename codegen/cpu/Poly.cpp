//===- Poly.cpp - integer polynomials over index values -------------------===//

#include "codegen/cpu/Poly.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace nnc::codegen;

Poly::Poly(int64_t constant) {
  if (constant != 0)
    terms.push_back({{}, constant});
}

Poly Poly::atom(unsigned id) {
  Poly result;
  result.terms.push_back({{id}, 1});
  return result;
}

void Poly::add(const Monomial &monomial, int64_t factor) {
  auto at = llvm::lower_bound(terms, monomial,
                              [](const Term &term, const Monomial &m) { return term.first < m; });
  if (at == terms.end() || at->first != monomial) {
    if (factor != 0)
      terms.insert(at, {monomial, factor});
    return;
  }
  at->second += factor;
  if (at->second == 0)
    terms.erase(at);
}

namespace nnc::codegen {

Poly operator+(const Poly &a, const Poly &b) {
  Poly result = a;
  for (const Poly::Term &term : b.terms)
    result.add(term.first, term.second);
  return result;
}

Poly operator-(const Poly &a, const Poly &b) {
  Poly result = a;
  for (const Poly::Term &term : b.terms)
    result.add(term.first, -term.second);
  return result;
}

Poly operator*(const Poly &a, const Poly &b) {
  Poly result;
  for (const Poly::Term &x : a.terms) {
    for (const Poly::Term &y : b.terms) {
      Poly::Monomial product = x.first;
      product.append(y.first.begin(), y.first.end());
      llvm::sort(product);
      result.add(product, x.second * y.second);
    }
  }
  return result;
}

} // namespace nnc::codegen

std::optional<int64_t> Poly::constant() const {
  if (terms.empty())
    return 0;
  if (terms.size() == 1 && terms.front().first.empty())
    return terms.front().second;
  return std::nullopt;
}

bool Poly::isFreeOf(llvm::function_ref<bool(unsigned)> test) const {
  return llvm::none_of(terms, [&](const Term &term) { return llvm::any_of(term.first, test); });
}

std::optional<Poly> Poly::coefficient(unsigned id) const {
  Poly result;
  for (const Term &term : terms) {
    size_t power = llvm::count(term.first, id);
    if (power > 1)
      return std::nullopt;
    if (power == 0)
      continue;
    Monomial rest = term.first;
    rest.erase(llvm::find(rest, id));
    result.add(rest, term.second);
  }
  return result;
}

Poly Poly::without(unsigned id) const {
  Poly result;
  llvm::copy_if(terms, std::back_inserter(result.terms),
                [&](const Term &term) { return !llvm::is_contained(term.first, id); });
  return result;
}

std::optional<Poly> Poly::dividedBy(int64_t divisor) const {
  Poly result = *this;
  for (Term &term : result.terms) {
    if (term.second % divisor != 0)
      return std::nullopt;
    term.second /= divisor;
  }
  return result;
}
