#include "codegen/plan/SizeExpr.h"

#include "runtime/format/model_generated.h"

using namespace mlir;

namespace nnc::codegen {
namespace {

format::ExprOp opOf(AffineExprKind kind) {
  switch (kind) {
  case AffineExprKind::Add:
    return format::ExprOp::Add;
  case AffineExprKind::Mul:
    return format::ExprOp::Mul;
  case AffineExprKind::FloorDiv:
    return format::ExprOp::FloorDiv;
  case AffineExprKind::CeilDiv:
    return format::ExprOp::CeilDiv;
  default:
    return format::ExprOp::Mod;
  }
}

void appendPostfix(AffineExpr expr, std::vector<format::ExprNode> &nodes) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return nodes.emplace_back(format::ExprOp::Const, constant.getValue()), void();
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return nodes.emplace_back(format::ExprOp::Sym, symbol.getPosition()), void();
  auto binary = cast<AffineBinaryOpExpr>(expr);
  appendPostfix(binary.getLHS(), nodes);
  appendPostfix(binary.getRHS(), nodes);
  nodes.emplace_back(opOf(binary.getKind()), 0);
}

} // namespace

uint32_t ExprPool::add(AffineExpr expr) {
  auto [place, isNew] = known.try_emplace(expr, exprs.size());
  if (isNew) {
    auto stored = std::make_unique<format::ExprT>();
    appendPostfix(expr, stored->nodes);
    exprs.push_back(std::move(stored));
  }
  return place->second;
}

std::vector<uint32_t> ExprPool::addAll(llvm::ArrayRef<AffineExpr> list) {
  std::vector<uint32_t> indices;
  for (AffineExpr expr : list)
    indices.push_back(add(expr));
  return indices;
}

AffineExpr ExprPool::product(llvm::ArrayRef<AffineExpr> list, int64_t factor) const {
  AffineExpr result = getAffineConstantExpr(factor, context);
  for (AffineExpr expr : list)
    result = result * expr;
  return result;
}

} // namespace nnc::codegen
