// Conversion to MLIR. What is emitted is the presented form: `H`, not `16 * H'`.
#include "frontend/DimAffine.h"

#include "ir/Dims.h"

#include <algorithm>
#include <cassert>

namespace nnc::frontend {
namespace {

class AffineConverter {
public:
  AffineConverter(std::span<const std::string> names, mlir::MLIRContext *context)
      : names(names), context(context) {}

  mlir::AffineExpr convert(const Dim &dim) const {
    mlir::AffineExpr sum = mlir::getAffineConstantExpr(0, context);
    for (const Dim::Term &term : dim.getTerms()) {
      mlir::AffineExpr product = mlir::getAffineConstantExpr(1, context);
      for (const Dim::Factor &factor : term.factors)
        for (unsigned i = 0; i < factor.power; ++i)
          product = product * convert(*factor.atom);
      sum = sum + product * term.coefficient;
    }
    return sum;
  }

private:
  mlir::AffineExpr convert(const Dim::Atom &atom) const {
    if (!atom.variable)
      return convert(atom.numerator).floorDiv(convert(atom.denominator));
    auto found = std::find(names.begin(), names.end(), atom.variable->name);
    assert(found != names.end() && "a variable that is no dimension of the entry point");
    return mlir::getAffineSymbolExpr(found - names.begin(), context);
  }

  std::span<const std::string> names;
  mlir::MLIRContext *context;
};

} // namespace

mlir::AffineExpr toAffine(const Dim &dim, std::span<const std::string> dimNames,
                          mlir::MLIRContext *context) {
  assert(dim.isValid() && "an invalid dimension was not refused");
  return AffineConverter(dimNames, context).convert(dim.presented());
}

mlir::AffineMap toAffineMap(std::span<const Dim> dims, std::span<const std::string> dimNames,
                            mlir::MLIRContext *context) {
  std::vector<mlir::AffineExpr> exprs;
  for (const Dim &dim : dims)
    exprs.push_back(toAffine(dim, dimNames, context));
  return nn::getSymbolMap(exprs, context);
}

} // namespace nnc::frontend
