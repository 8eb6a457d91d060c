#include "codegen/plan/Bounds.h"

#include <algorithm>

using namespace mlir;

namespace nnc::codegen {
namespace {

int64_t floorDiv(int64_t a, int64_t b) {
  int64_t quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}
int64_t ceilDiv(int64_t a, int64_t b) { return -floorDiv(-a, b); }

std::optional<SizeRange> add(SizeRange a, SizeRange b) {
  SizeRange sum;
  if (__builtin_add_overflow(a.low, b.low, &sum.low) ||
      __builtin_add_overflow(a.high, b.high, &sum.high))
    return std::nullopt;
  return sum;
}

/// The hull of `op` over the four corners: right for operations monotonic in each operand.
template <typename Op> std::optional<SizeRange> corners(SizeRange a, SizeRange b, Op op) {
  std::optional<SizeRange> hull;
  for (int64_t x : {a.low, a.high})
    for (int64_t y : {b.low, b.high}) {
      std::optional<int64_t> value = op(x, y);
      if (!value)
        return std::nullopt;
      hull = hull ? SizeRange{std::min(hull->low, *value), std::max(hull->high, *value)}
                  : SizeRange{*value, *value};
    }
  return hull;
}

std::optional<int64_t> multiply(int64_t x, int64_t y) {
  int64_t product;
  if (__builtin_mul_overflow(x, y, &product))
    return std::nullopt;
  return product;
}

std::optional<SizeRange> combine(AffineExprKind kind, SizeRange a, SizeRange b) {
  if (kind == AffineExprKind::Add)
    return add(a, b);
  if (kind == AffineExprKind::Mul)
    return corners(a, b, multiply);
  if (b.low <= 0)
    return std::nullopt; // division and remainder are only by positive sizes
  using Value = std::optional<int64_t>;
  if (kind == AffineExprKind::FloorDiv)
    return corners(a, b, [](int64_t x, int64_t y) -> Value { return floorDiv(x, y); });
  if (kind == AffineExprKind::CeilDiv)
    return corners(a, b, [](int64_t x, int64_t y) -> Value { return ceilDiv(x, y); });
  if (a.low >= 0 && a.high < b.low)
    return a; // the remainder of something smaller
  return SizeRange{0, b.high - 1};
}

} // namespace

std::optional<SizeRange> boundsOf(AffineExpr expr, llvm::ArrayRef<SizeRange> ranges) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return SizeRange{constant.getValue(), constant.getValue()};
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbol.getPosition() < ranges.size() ? std::optional(ranges[symbol.getPosition()])
                                                : std::nullopt;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return std::nullopt;
  std::optional<SizeRange> lhs = boundsOf(binary.getLHS(), ranges);
  std::optional<SizeRange> rhs = boundsOf(binary.getRHS(), ranges);
  if (!lhs || !rhs)
    return std::nullopt;
  return combine(binary.getKind(), *lhs, *rhs);
}

} // namespace nnc::codegen
