//===- IndexMath.cpp - polynomials as index values ------------------------===//

#include "codegen/cpu/IndexMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace nnc::codegen;

IndexMath::IndexMath(OpBuilder &builder) : builder(builder) { atoms.push_back({}); }

Poly IndexMath::get(Value value, AffineExpr symbolic) {
  APInt number;
  if (matchPattern(value, m_ConstantInt(&number)))
    return number.getSExtValue();
  auto [at, isNew] = ids.try_emplace(value, atoms.size());
  if (isNew)
    atoms.push_back({value, symbolic});
  return Poly::atom(at->second);
}

Value IndexMath::materialize(Location loc, const Poly &poly) {
  auto constant = [&](int64_t number) -> Value {
    return builder.create<arith::ConstantIndexOp>(loc, number);
  };
  Value sum;
  int64_t offset = 0;
  // Atoms are numbered from the outermost loop to the innermost, so that what comes first in the
  // sum changes least often and can be hoisted.
  for (const auto &[monomial, factor] : poly.getTerms()) {
    if (monomial.empty()) {
      offset = factor;
      continue;
    }
    Value product;
    for (unsigned id : monomial) {
      Value value = atoms[id].value;
      assert(value && "the lane has no value");
      product = product ? builder.create<arith::MulIOp>(loc, product, value) : value;
    }
    if (factor != 1)
      product = builder.create<arith::MulIOp>(loc, product, constant(factor));
    sum = sum ? builder.create<arith::AddIOp>(loc, sum, product) : product;
  }
  if (!sum)
    return constant(offset);
  return offset == 0 ? sum : builder.create<arith::AddIOp>(loc, sum, constant(offset));
}

AffineExpr IndexMath::symbolic(const Poly &poly) const {
  AffineExpr sum = getAffineConstantExpr(0, builder.getContext());
  for (const auto &[monomial, factor] : poly.getTerms()) {
    AffineExpr product = getAffineConstantExpr(factor, builder.getContext());
    for (unsigned id : monomial) {
      if (!atoms[id].symbolic)
        return {};
      product = atoms[id].symbolic * product;
    }
    sum = sum + product;
  }
  return sum;
}

Poly IndexMath::minimum(Location loc, const Poly &a, const Poly &b) {
  if (std::optional<int64_t> difference = (a - b).constant())
    return *difference <= 0 ? a : b;
  return get(builder.create<arith::MinSIOp>(loc, materialize(loc, a), materialize(loc, b)));
}

Poly IndexMath::maximum(Location loc, const Poly &a, const Poly &b) {
  if (std::optional<int64_t> difference = (a - b).constant())
    return *difference >= 0 ? a : b;
  return get(builder.create<arith::MaxSIOp>(loc, materialize(loc, a), materialize(loc, b)));
}

Poly IndexMath::floorDiv(Location loc, const Poly &a, const Poly &b) {
  std::optional<int64_t> divisor = b.constant(), number = a.constant();
  if (a == b)
    return 1;
  if (divisor && *divisor > 0) {
    if (std::optional<Poly> quotient = a.dividedBy(*divisor))
      return *quotient;
    if (number)
      return *number / *divisor;
  }
  AffineExpr x = symbolic(a), y = symbolic(b);
  Value quotient = builder.create<arith::DivUIOp>(loc, materialize(loc, a), materialize(loc, b));
  Poly result = get(quotient, x && y ? x.floorDiv(y) : AffineExpr());
  if (divisor && *divisor > 0)
    quotients.try_emplace(find(quotient), Quotient{a, *divisor});
  return result;
}

Poly IndexMath::remainder(Location loc, const Poly &a, const Poly &b) {
  return a - floorDiv(loc, a, b) * b;
}

Poly IndexMath::evaluate(Location loc, AffineExpr expr, ArrayRef<Poly> dims,
                         ArrayRef<Poly> symbols) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbols[symbol.getPosition()];
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Poly a = evaluate(loc, binary.getLHS(), dims, symbols);
  Poly b = evaluate(loc, binary.getRHS(), dims, symbols);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return a + b;
  case AffineExprKind::Mul:
    return a * b;
  case AffineExprKind::Mod:
    return remainder(loc, a, b);
  case AffineExprKind::FloorDiv:
    return floorDiv(loc, a, b);
  default: // CeilDiv
    return floorDiv(loc, a + b - 1, b);
  }
}
