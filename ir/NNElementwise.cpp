//===- NNElementwise.cpp - Definitions and verifiers -------------------------------------------------===//

#include "ir/NNOps.h"
#include "ir/Verify.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "ir/NNElementwise.cpp.inc"

namespace nnc::nn {

void NNDialect::registerElementwiseOps() {
  addOperations<
#define GET_OP_LIST
#include "ir/NNElementwise.cpp.inc"
      >();
}

} // namespace nnc::nn
