//===- NNElementwise.cpp - Definitions and verifiers ------------------------------------------===//

#include "ir/NNOps.h"
#include "ir/Verify.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "ir/NNElementwise.cpp.inc"

namespace nnc::nn {

LogicalResult CastOp::verify() {
  if (getInput().getType().getShape() != getType().getShape() ||
      getDims(getInput().getType()) != getDims(getType())) // (C1)
    return emitOpError() << "expected operand and result of the same dimensions, found "
                         << toString(getDims(getInput().getType())) << " and "
                         << toString(getDims(getType()));
  return success();
}

LogicalResult RandomOp::verify() {
  if (getDims(getCounter().getType()) != getDims(getType())) // (C2)
    return emitOpError() << "expected a result of the operands' dimensions "
                         << toString(getDims(getCounter().getType())) << ", found "
                         << toString(getDims(getType()));
  return verifyRandomElement(*this, getKind(), getType().getElementType()); // (C2)
}

void NNDialect::registerElementwiseOps() {
  addOperations<
#define GET_OP_LIST
#include "ir/NNElementwise.cpp.inc"
      >();
}

} // namespace nnc::nn
