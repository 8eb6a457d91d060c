//===- NNShape.cpp - Definitions and verifiers ------------------------------------------------===//

#include "ir/NNOps.h"
#include "ir/Verify.h"

#include "mlir/IR/OpImplementation.h"

using namespace mlir;

#define GET_OP_CLASSES
#include "ir/NNShape.cpp.inc"

namespace nnc::nn {

LogicalResult FullOp::verify() {
  return verifyScalar(*this, getValue(), getType().getElementType()); // (C1)
}

LogicalResult IotaOp::verify() {
  if (static_cast<int64_t>(getAxis()) == -1)
    return success();
  return verifyAxis(*this, getAxis(), getType().getRank()); // (C1)
}

LogicalResult SizeOp::verify() {
  AffineMap size = getSize();
  if (size.getNumDims() != 0 || size.getNumResults() != 1) // (C1)
    return emitOpError() << "expected a map without dims and with one result, found "
                         << getSizeAttr();
  if (getType().getRank() != 0) // (C2)
    return emitOpError() << "expected a result of rank 0, found " << getType();
  return success();
}

LogicalResult ReshapeOp::verify() {
  if (failed(verifySameElement(*this, getInput().getType(), getType()))) // (C1)
    return failure();
  SmallVector<AffineExpr> from = getDims(getInput().getType()), to = getDims(getType());
  if (!mayBeEqual(getProduct(from, getContext()), getProduct(to, getContext()))) // (C2)
    return emitOpError() << "expected as many elements in the result as in the operand, found "
                         << toString(from) << " and " << toString(to);
  return success();
}

FailureOr<RankedTensorType> TransposeOp::inferResultType() {
  RankedTensorType input = getInput().getType();
  SmallVector<bool> seen(input.getRank(), false);
  if (failed(verifyEntries(*this, "permutation", getPermutation(), input.getRank(), 0)))
    return failure();
  SmallVector<AffineExpr> dims;
  for (int64_t axis : getPermutation()) { // (C1)
    if (axis >= input.getRank() || seen[axis])
      return emitOpError() << "expected a permutation of the axes below " << input.getRank()
                           << ", found [" << getPermutation() << "]";
    seen[axis] = true;
    dims.push_back(getDim(input, axis)); // (C2)
  }
  return getTensorType(dims, input.getElementType());
}

LogicalResult BroadcastOp::verify() {
  RankedTensorType input = getInput().getType();
  if (failed(verifyEntries(*this, "dims", getDims(), input.getRank(), 0)) ||
      failed(verifyIncreasing(*this, "dims", getDims(), getType().getRank())) || // (C1)
      failed(verifySameElement(*this, input, getType())))                        // (C3)
    return failure();
  for (auto [axis, target] : llvm::enumerate(getDims())) { // (C2)
    AffineExpr from = nn::getDim(input, axis), to = nn::getDim(getType(), target);
    if (getConstant(from) != 1 && !mayBeEqual(from, to))
      return emitOpError() << "expected axis " << axis << " of the operand to have size 1 or "
                           << toString(to) << ", found " << toString(from);
  }
  return success();
}

FailureOr<RankedTensorType> ConcatOp::inferResultType() {
  if (getInputs().empty()) // (C1)
    return emitOpError() << "expected at least one operand";
  auto first = cast<RankedTensorType>(getInputs().front().getType());
  if (failed(verifyAxis(*this, getAxis(), first.getRank()))) // (C2)
    return failure();
  SmallVector<AffineExpr> dims = nn::getDims(first);
  for (auto [index, input] : llvm::enumerate(getInputs().drop_front())) {
    auto type = cast<RankedTensorType>(input.getType());
    if (type.getRank() != first.getRank() || type.getElementType() != first.getElementType())
      return emitOpError() << "expected operands of one rank and element type, found " << first
                           << " and " << type;
    SmallVector<AffineExpr> others = nn::getDims(type);
    others[getAxis()] = nn::getDim(first, getAxis());
    if (!mayBeEqual(nn::getDims(first), others)) // (C3)
      return emitOpError() << "expected operand " << index + 1
                           << " to agree with the first but for axis " << getAxis() << ", found "
                           << toString(nn::getDims(type)) << " and "
                           << toString(nn::getDims(first));
    dims[getAxis()] = dims[getAxis()] + nn::getDim(type, getAxis()); // (C4)
  }
  return getTensorType(dims, first.getElementType());
}

/// (C4): `start` and the last element of a `part` are not provably outside of an axis.
template <typename OpTy>
static LogicalResult verifyBounds(OpTy op, RankedTensorType part, unsigned axis) {
  AffineExpr start = op.getStart().getResult(axis);
  AffineExpr size = getDim(op.getInput().getType(), axis), taken = getDim(part, axis);
  AffineExpr last = start + (taken - 1) * op.getStep()[axis];
  std::optional<int64_t> least = getConstant(start), room = getConstant(size - last);
  if (getConstant(taken) == 0 || ((!least || *least >= 0) && (!room || *room > 0)))
    return success();
  return op.emitOpError() << "expected elements inside of axis " << axis << " of size "
                          << toString(size) << ", found " << toString(start) << " to "
                          << toString(last);
}

/// (C1) to (C4) of nn.slice and nn.update, which take or replace a `part` of their operand.
template <typename OpTy> static LogicalResult verifyPart(OpTy op, RankedTensorType part) {
  RankedTensorType input = op.getInput().getType();
  int64_t rank = input.getRank();
  if (op.getStart().getNumDims() != 0 || op.getStart().getNumResults() != rank) // (C1)
    return op.emitOpError() << "expected a start without dims and with " << rank
                            << " results, found " << op.getStartAttr();
  if (failed(verifyEntries(op, "step", op.getStep(), rank, 1)) || // (C1), (C2)
      failed(verifySameElement(op, input, part)))                 // (C3)
    return failure();
  if (part.getRank() != rank)
    return op.emitOpError() << "expected a part of rank " << rank << ", found " << part;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (failed(verifyBounds(op, part, axis)))
      return failure();
  return success();
}

LogicalResult SliceOp::verify() { return verifyPart(*this, getType()); }

LogicalResult UpdateOp::verify() { return verifyPart(*this, getValue().getType()); }

FailureOr<RankedTensorType> PadOp::inferResultType() {
  RankedTensorType input = getInput().getType();
  if (failed(verifyEntries(*this, "low", getLow(), input.getRank(), 0)) ||   // (C1)
      failed(verifyEntries(*this, "high", getHigh(), input.getRank(), 0)) || // (C1)
      failed(verifyScalar(*this, getValue(), input.getElementType())))       // (C2)
    return failure();
  SmallVector<AffineExpr> dims = nn::getDims(input);
  for (auto [dim, low, high] : llvm::zip_equal(dims, getLow(), getHigh()))
    dim = dim + low + high; // (C3)
  return getTensorType(dims, input.getElementType());
}

FailureOr<RankedTensorType> GatherOp::inferResultType() {
  RankedTensorType table = getTable().getType();
  if (failed(verifyAxis(*this, getAxis(), table.getRank()))) // (C1)
    return failure();
  SmallVector<AffineExpr> dims = nn::getDims(table);
  if (getConstant(dims[getAxis()]) == 0) // (C3)
    return emitOpError() << "expected a table that is not empty along axis " << getAxis();
  SmallVector<AffineExpr> ids = nn::getDims(getIds().getType());
  dims.erase(dims.begin() + getAxis());
  dims.insert(dims.begin() + getAxis(), ids.begin(), ids.end()); // (C2)
  return getTensorType(dims, table.getElementType());
}

void NNDialect::registerShapeOps() {
  addOperations<
#define GET_OP_LIST
#include "ir/NNShape.cpp.inc"
      >();
}

} // namespace nnc::nn
