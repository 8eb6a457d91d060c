// Sums of products: what index expressions are while they are simplified.
#ifndef NNC_CODEGEN_CUDA_INDEXSUM_H
#define NNC_CODEGEN_CUDA_INDEXSUM_H

#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <optional>
#include <vector>

namespace nnc::codegen {

/// Order is that of insertion, so that text made from it is the same in every run.
class IndexSum {
public:
  using Product = llvm::SmallVector<mlir::AffineExpr, 4>; ///< symbols, dims, floordivs, mods
  struct Term {
    Product factors;
    int64_t coefficient;
  };
  void add(const Product &factors, int64_t coefficient);
  void addAll(const IndexSum &other, int64_t scale = 1);
  IndexSum times(const IndexSum &other) const;
  int64_t coefficientOf(const Product &factors) const;
  std::optional<int64_t> constant() const; ///< if it is one
  const std::vector<Term> &terms() const & { return parts; }

private:
  std::vector<Term> parts;
};

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_INDEXSUM_H
