// Upper bounds of size expressions over the declared ranges of an entry point's dimensions: what
// makes memory static.
#pragma once

#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <optional>

namespace nnc::codegen {

/// A closed range of values.
struct SizeRange {
  int64_t low;
  int64_t high;
};

/// The range of `expr` when symbol i lies in ranges[i], by interval arithmetic; none if it does not
/// fit into 64 bits, or divides by a range that holds zero.
std::optional<SizeRange> boundsOf(mlir::AffineExpr expr, llvm::ArrayRef<SizeRange> ranges);

} // namespace nnc::codegen
