//===- Unsupported.h - What a pass may refuse ---------------------------------------*- C++ -*-===//
//
// The front end refuses what is not supported, where it can. What only passes find out is reported
// as an error that begins with a mark, so that the compiler shows it at the user's line as E0590
// rather than as an error of its own.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_UNSUPPORTED_H
#define NNC_IR_UNSUPPORTED_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Operation.h"

namespace nnc::nn {

inline constexpr llvm::StringLiteral kUnsupported = "not supported: ";

/// An error at `op`; what is streamed to it is the user's message.
inline mlir::InFlightDiagnostic emitUnsupported(mlir::Operation *op) {
  return mlir::emitError(op->getLoc()) << kUnsupported;
}

} // namespace nnc::nn

#endif // NNC_IR_UNSUPPORTED_H
