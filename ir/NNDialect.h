//===- NNDialect.h - The nn dialect -------------------------------------------------*- C++ -*-===//
//
// The dialect alone, for those who only load or depend on it. Its operations are in NNOps.h.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_NNDIALECT_H
#define NNC_IR_NNDIALECT_H

#include "mlir/IR/Dialect.h"

#include "ir/NNDialect.h.inc"

namespace nnc::nn {

/// Names of the attributes on entry functions and on their arguments and results.
inline constexpr llvm::StringLiteral kEntryAttr = "nn.entry";     ///< unit: an entry point
inline constexpr llvm::StringLiteral kPrepareAttr = "nn.prepare"; ///< unit: runs at compile time
inline constexpr llvm::StringLiteral kDimsAttr = "nn.dims";       ///< strings, in symbol order
inline constexpr llvm::StringLiteral kRangesAttr = "nn.ranges";   ///< array<i64: low, high> each
inline constexpr llvm::StringLiteral kKindsAttr = "nn.kinds";     ///< strings: "dim" without it
inline constexpr llvm::StringLiteral kSourcesAttr = "nn.sources"; ///< dictionaries, of scalars
inline constexpr llvm::StringLiteral kGuardsAttr = "nn.guards"; ///< dictionaries, checked on entry
inline constexpr llvm::StringLiteral kNameAttr = "nn.name";     ///< of an argument or a result
/// On products of f32, convolutions and `nn.gemm`: unit, operands may be rounded to TF32.
inline constexpr llvm::StringLiteral kTf32Attr = "nn.tf32";

/// The state that random numbers come from: i64[2], the seed and how many calls before this one
/// have drawn. The session writes it. No state of a model has such a name, for names have no
/// spaces.
inline constexpr llvm::StringLiteral kGenerator = "random numbers";

/// Loads the nn dialect and all that lowered kernel bodies may use, with func and cf.
void registerAllDialects(mlir::DialectRegistry &registry);

} // namespace nnc::nn

#endif // NNC_IR_NNDIALECT_H
