//===- ScalarOps.h - Scalar operations as CUDA text ---------------------------------*- C++ -*-===//
//
// The one table from arith and math operations to text, and what types and constants look like.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_CODEGEN_CUDA_SCALAROPS_H
#define NNC_CODEGEN_CUDA_SCALAROPS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/ArrayRef.h"
#include <optional>
#include <string>

namespace nnc::codegen {

/// The C++ type of a value or an element in memory; none if there is none (yet).
std::optional<std::string> typeText(mlir::Type type);

/// A literal; none if the attribute is not a number or a splat of one.
std::optional<std::string> constantText(mlir::Attribute value);

/// The expression that computes `op` from its operands' texts, each of which is a name, a literal
/// or in parentheses. None if the table has no entry.
std::optional<std::string> scalarText(mlir::Operation *op, llvm::ArrayRef<std::string> operands);

/// A function of the device's prelude that computes two operations at once, in f32.
struct CombinedForm {
  std::string function; ///< "errorFunctionAndOne"
  mlir::Value operand;  ///< of the first operation
};
/// That of `op` and an operation before it, if there is one: a sum with 1, which both forms of GELU
/// have, or rounding to 16 bits that nothing but f32 follows.
std::optional<CombinedForm> combinedForm(mlir::Operation *op);

/// For the operations that combine the elements of a reduction in any order: the value that changes
/// nothing. None for all other operations.
std::optional<std::string> identityText(mlir::Operation *op);

/// A short stem for the name of the operation's result, e.g. "add".
std::string nameStem(mlir::Operation *op);

} // namespace nnc::codegen

#endif // NNC_CODEGEN_CUDA_SCALAROPS_H
