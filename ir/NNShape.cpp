//===- NNShape.cpp - Definitions and verifiers -------------------------------------------------===//

#include "ir/NNOps.h"
#include "ir/Verify.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "ir/NNShape.cpp.inc"

namespace nnc::nn {

void NNDialect::registerShapeOps() {
  addOperations<
#define GET_OP_LIST
#include "ir/NNShape.cpp.inc"
      >();
}

} // namespace nnc::nn
