//===- NNOps.h - The operations of the nn dialect -----------------------------------*- C++ -*-===//
//
// One generated header per group; operations are documented in docs/ops.md.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_NNOPS_H
#define NNC_IR_NNOPS_H

#include "ir/Dims.h"
#include "ir/Interfaces.h"
#include "ir/NNDialect.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

#include <array>

#include "ir/NNEnums.h.inc"

namespace nnc::nn {

/// `value` as a number of `element`: rounded to the float type, truncated to the integer type,
/// compared with zero for i1.
mlir::TypedAttr getScalarAttr(mlir::Type element, double value);

/// Where the axes of an image are, NCHW or NHWC; of a convolution's weight, the input's channels
/// and the sides of the window.
struct ImageAxes {
  explicit ImageAxes(bool channelsLast) : channel(channelsLast ? 3 : 1) {
    if (channelsLast)
      sides = {1, 2};
  }
  unsigned channel;
  std::array<unsigned, 2> sides = {2, 3}; ///< height, width
};

} // namespace nnc::nn

#define GET_ATTRDEF_CLASSES
#include "ir/NNAttrs.h.inc"

#define GET_OP_CLASSES
#include "ir/NNElementwise.h.inc"
#define GET_OP_CLASSES
#include "ir/NNShape.h.inc"
#define GET_OP_CLASSES
#include "ir/NNCompute.h.inc"
#define GET_OP_CLASSES
#include "ir/NNTraining.h.inc"
#define GET_OP_CLASSES
#include "ir/NNKernel.h.inc"

#endif // NNC_IR_NNOPS_H
