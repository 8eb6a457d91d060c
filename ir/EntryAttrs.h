//===- EntryAttrs.h - What an entry point says of its symbols -----------------------*- C++ -*-===//
//
// Symbols stand for what is known only when an entry point runs: the sizes of its inputs, the
// values of run-time scalars and the counters of its loops. docs/internals.md says which may occur
// where.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_ENTRYATTRS_H
#define NNC_IR_ENTRYATTRS_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace nnc::nn {

/// "B=1" on a function that serves some sizes of the entry point before it.
inline constexpr llvm::StringLiteral kVariantAttr = "nn.variant";

enum class SymbolKind {
  Dim,    ///< a size, solved from the shapes of the inputs
  Scalar, ///< the value of an i32[] or i64[] input or state when the call begins
  Loop,   ///< the counter of an `nn.scan`
};

/// The word for it in `nn.kinds`, and the reverse.
llvm::StringRef stringifySymbolKind(SymbolKind kind);
std::optional<SymbolKind> parseSymbolKind(llvm::StringRef text);

/// One symbol of an entry point.
struct EntrySymbol {
  llvm::StringRef name;
  SymbolKind kind = SymbolKind::Dim;
  int64_t low = 0, high = INT64_MAX;  ///< its range, both ends included
  std::optional<unsigned> input = {}; ///< of a scalar: the number of its argument, or
  mlir::StringAttr state = {};        ///< the symbol of its `nn.global`
  mlir::Type element = {};            ///< of a scalar: i32 or i64
};

/// By position. `entry` has the attribute `nn.dims`, or else no symbols.
llvm::SmallVector<EntrySymbol> getEntrySymbols(mlir::Operation *entry);

} // namespace nnc::nn

#endif // NNC_IR_ENTRYATTRS_H
