// Positions in tensors, and index expressions as C++.
#include "codegen/cuda/IndexMath.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace nnc::codegen;

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
