//===- NNTraining.cpp - Definitions and verifiers ---------------------------------------------===//

#include "ir/NNOps.h"
#include "ir/Verify.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "ir/NNTraining.cpp.inc"

namespace nnc::nn {

LogicalResult GradientOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                           ValueRange operands, DictionaryAttr attributes,
                                           OpaqueProperties properties, RegionRange regions,
                                           SmallVectorImpl<Type> &types) {
  Adaptor adaptor(operands, attributes, properties, regions);
  llvm::append_range(types, adaptor.getWrt().getTypes()); // (C3)
  return success();
}

LogicalResult GradientOp::verify() {
  if (getLoss().getType().getRank() != 0) // (C1)
    return emitOpError() << "expected a loss of rank 0, found " << getLoss().getType();
  if (getSeed() && getSeed().getType().getRank() != 0) // (C2)
    return emitOpError() << "expected a seed of rank 0, found " << getSeed().getType();
  return success();
}

LogicalResult ScatterAddOp::verify() {
  RankedTensorType values = getValues().getType(), result = getType();
  if (failed(verifyAxis(*this, getAxis(), result.getRank()))) // (C1)
    return failure();
  SmallVector<AffineExpr> expected = getDims(result);
  if (getConstant(expected[getAxis()]) == 0) // (C3)
    return emitOpError() << "expected a result that is not empty along axis " << getAxis();
  auto place = expected.begin() + getAxis();
  SmallVector<AffineExpr> ids = getDims(getIds().getType());
  expected.insert(expected.erase(place), ids.begin(), ids.end());
  if (values.getRank() != static_cast<int64_t>(expected.size()) ||
      !mayBeEqual(getDims(values), expected)) // (C2)
    return emitOpError() << "expected values of " << toString(expected) << ", found "
                         << toString(getDims(values));
  return success();
}

void NNDialect::registerTrainingOps() {
  addOperations<
#define GET_OP_LIST
#include "ir/NNTraining.cpp.inc"
      >();
}

} // namespace nnc::nn
