//===- KernelAttrs.h - What passes tell code generation of a kernel ------------------*- C++
//-*-===//
//
// Attributes of `nn.kernel` that decide where it writes and what it is launched with.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_KERNELATTRS_H
#define NNC_IR_KERNELATTRS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

namespace nnc::nn {

/// `array<i64: -1, 2>`: by result, the operand in whose memory the kernel writes it (-1: in memory
/// of its own). Absent: none is. Whoever sets it has made sure that each element of the result is
/// computed by who writes it, from the same element of the operand alone, and that nothing reads
/// the operand afterwards.
inline constexpr llvm::StringLiteral kInPlaceAttr = "nn.in_place";

/// `7 : i64`: kernels that stand side by side with the same number are parts of one launch.
inline constexpr llvm::StringLiteral kLaunchAttr = "nn.launch";

/// The operand in whose memory the kernel writes result `number`; -1: none.
inline int64_t getInPlace(mlir::Operation *kernel, unsigned number) {
  auto places = kernel->getAttrOfType<mlir::DenseI64ArrayAttr>(kInPlaceAttr);
  return places ? places[number] : -1;
}

/// Whether both are parts of one launch.
inline bool areLaunchedTogether(mlir::Operation *a, mlir::Operation *b) {
  mlir::Attribute launch = a->getAttr(kLaunchAttr);
  return launch && a->getBlock() == b->getBlock() && b->getAttr(kLaunchAttr) == launch;
}

} // namespace nnc::nn

#endif // NNC_IR_KERNELATTRS_H
