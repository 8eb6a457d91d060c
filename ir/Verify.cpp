//===- Verify.cpp - Checks that several verifiers share ---------------------------------------===//

#include "ir/Verify.h"
#include "ir/NNOps.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace nnc::nn {

LogicalResult verifyAxis(Operation *op, uint64_t axis, int64_t rank) {
  if (axis < static_cast<uint64_t>(rank))
    return success();
  return op->emitOpError() << "expected an axis below the rank " << rank << ", found "
                           << static_cast<int64_t>(axis);
}

LogicalResult verifyEntries(Operation *op, StringRef name, ArrayRef<int64_t> values, int64_t count,
                            int64_t least) {
  if (static_cast<int64_t>(values.size()) != count)
    return op->emitOpError() << "expected " << count << " entries in '" << name << "', found "
                             << values.size();
  for (int64_t value : values)
    if (value < least)
      return op->emitOpError() << "expected entries of at least " << least << " in '" << name
                               << "', found " << value;
  return success();
}

LogicalResult verifyIncreasing(Operation *op, StringRef name, ArrayRef<int64_t> axes,
                               int64_t rank) {
  int64_t previous = -1;
  for (int64_t axis : axes) {
    if (axis < 0 || axis >= rank)
      return op->emitOpError() << "expected axes below the rank " << rank << " in '" << name
                               << "', found " << axis;
    if (axis <= previous)
      return op->emitOpError() << "expected increasing axes in '" << name << "', found " << axis
                               << " after " << previous;
    previous = axis;
  }
  return success();
}

LogicalResult verifySameElement(Operation *op, Type a, Type b) {
  Type left = getElementTypeOrSelf(a), right = getElementTypeOrSelf(b);
  if (left == right)
    return success();
  return op->emitOpError() << "expected equal element types, found " << left << " and " << right;
}

LogicalResult verifyScalar(Operation *op, TypedAttr value, Type element) {
  if (value.getType() != element)
    return op->emitOpError() << "expected a value of the element type " << element << ", found "
                             << value;
  return success();
}

LogicalResult verifyRandomElement(Operation *op, RandomKind kind, Type element) {
  bool isBits = kind == RandomKind::Bits;
  if (isBits ? element.isInteger(32) : element.isF32())
    return success();
  return op->emitOpError() << "expected a result of " << (isBits ? "i32" : "f32") << ", found "
                           << element;
}

FailureOr<RankedTensorType> inferMatmulType(Operation *op, RankedTensorType lhs,
                                            RankedTensorType rhs, bool transposeA,
                                            bool transposeB) {
  int64_t rank = lhs.getRank();
  if (rank < 2 || (rhs.getRank() != 2 && rhs.getRank() != rank)) // (C1)
    return op->emitOpError() << "expected matrices, or batches of equal rank, found " << lhs
                             << " and " << rhs;
  if (failed(verifySameElement(op, lhs, rhs))) // (C2)
    return failure();
  SmallVector<AffineExpr> dims = getDims(lhs), right = getDims(rhs);
  if (transposeA)
    std::swap(dims[rank - 1], dims[rank - 2]);
  if (transposeB)
    std::swap(right[right.size() - 1], right[right.size() - 2]);
  AffineExpr inner = dims.pop_back_val(), columns = right.pop_back_val();
  AffineExpr rightInner = right.pop_back_val();
  if (!mayBeEqual(inner, rightInner)) // (C3)
    return op->emitOpError() << "expected equal inner dimensions, found " << toString(inner)
                             << " and " << toString(rightInner);
  ArrayRef<AffineExpr> batch = ArrayRef(dims).drop_back();
  if (!right.empty() && !mayBeEqual(batch, right)) // (C3)
    return op->emitOpError() << "expected equal batch dimensions, found " << toString(batch)
                             << " and " << toString(right);
  dims.push_back(columns); // (C4)
  return getTensorType(dims, lhs.getElementType());
}

} // namespace nnc::nn
