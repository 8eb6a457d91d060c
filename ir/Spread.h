//===- Spread.h - Variances in one pass -------------------------------------------*- C++ -*-===//
//
// A variance is two sums, the second of which needs the first: two passes over memory. Whoever can
// compute both in one pass must know that they belong together.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_SPREAD_H
#define NNC_IR_SPREAD_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/ArrayRef.h"

namespace nnc::nn {

/// A unit attribute. On `nn.reduce mean`: it is the mean of `(x - m) * (x - m)`, where `m` is the
/// mean of the same elements; set when kernels are formed, not before. On the linalg.generic that
/// this becomes, besides one for `m`: it yields `(x - m) * (x - m) + sum`.
inline constexpr const char *kSpreadAttr = "nn.spread";

/// If `value` is `x - mean(x)`, the mean being over `axes` and repeated along them: x; else null.
mlir::Value matchDistanceFromMean(mlir::Value value, llvm::ArrayRef<int64_t> axes);

} // namespace nnc::nn

#endif // NNC_IR_SPREAD_H
