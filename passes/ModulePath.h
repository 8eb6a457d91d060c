//===- ModulePath.h - Module paths in locations -------------------------------------*- C++ -*-===//
//
// Locations carry the path of the module an op belongs to. Kernels are named after it.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_MODULEPATH_H
#define NNC_PASSES_MODULEPATH_H

#include "mlir/IR/Location.h"

#include "llvm/ADT/StringRef.h"

#include <string>

namespace nnc {

/// The names in `loc` joined with dots, outermost call first: "layers.2.conv1"; empty if it holds
/// none.
std::string getModulePath(mlir::Location loc);

/// `loc` as `NameLoc(path, source)`, where source is the innermost position in the file of the
/// outermost call; without a path just the source, unknown if there is none.
mlir::Location getFlatLocation(mlir::Location loc);

/// On ops of a function that is called with `@remat`: the string names the call. The backward pass
/// computes them again.
inline constexpr llvm::StringLiteral kRematAttr = "nn.remat";

/// The metadata, a string, of a fused location around that of such a call.
inline constexpr llvm::StringLiteral kRematMark = "remat";

/// What names the outermost call with `@remat` that `loc` lies in; empty if there is none.
std::string getRematCall(mlir::Location loc);

} // namespace nnc

#endif // NNC_PASSES_MODULEPATH_H
