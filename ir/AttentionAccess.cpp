//===- AttentionAccess.cpp - Where attention finds its operands -------------------------------===//

#include "ir/AttentionAccess.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace nnc::nn {

static StridedAccess getDenseAccess(unsigned number, RankedTensorType type) {
  StridedAccess access{number, getAffineConstantExpr(0, type.getContext()), {}};
  access.strides.resize(type.getRank());
  AffineExpr stride = getAffineConstantExpr(1, type.getContext());
  for (int64_t axis = type.getRank(); axis-- > 0;) {
    access.strides[axis] = stride;
    stride = stride * getDim(type, axis);
  }
  return access;
}

static void transpose(TransposeOp op, StridedAccess &access) {
  SmallVector<AffineExpr> strides;
  for (int64_t axis : op.getPermutation())
    strides.push_back(access.strides[axis]);
  access.strides = std::move(strides);
}

static void slice(SliceOp op, StridedAccess &access) {
  for (auto [stride, start, step] :
       llvm::zip_equal(access.strides, op.getStart().getResults(), op.getStep())) {
    access.offset = access.offset + stride * start;
    stride = stride * step;
  }
}

/// Repeated axes have the stride 0.
static void broadcast(BroadcastOp op, StridedAccess &access) {
  RankedTensorType from = op.getInput().getType(), to = op.getType();
  SmallVector<AffineExpr> strides(to.getRank(), getAffineConstantExpr(0, op.getContext()));
  for (auto [axis, place] : llvm::enumerate(op.getDims()))
    if (areEqual(getDim(from, axis), getDim(to, place)))
      strides[place] = access.strides[axis];
  access.strides = std::move(strides);
}

/// The access of `value`, which is a view of an operand of `kernel`.
static StridedAccess getAccess(KernelOp kernel, Value value) {
  SmallVector<Operation *> views;
  while (Operation *op = value.getDefiningOp()) {
    views.push_back(op);
    value = op->getOperand(0);
  }
  unsigned number = cast<BlockArgument>(value).getArgNumber();
  auto type = cast<RankedTensorType>(kernel.getOperands()[number].getType());
  StridedAccess access = getDenseAccess(number, type);
  for (Operation *view : llvm::reverse(views))
    TypeSwitch<Operation *>(view)
        .Case([&](TransposeOp op) { transpose(op, access); })
        .Case([&](SliceOp op) { slice(op, access); })
        .Case([&](BroadcastOp op) { broadcast(op, access); });
  return access;
}

/// The access of attention's result within what the kernel yields: a transpose of it at most.
static StridedAccess getResultAccess(KernelOp kernel) {
  auto type = cast<RankedTensorType>(kernel.getResult(0).getType());
  StridedAccess access = getDenseAccess(0, type);
  Value value = kernel.getBody()->getTerminator()->getOperand(0);
  while (auto op = value.getDefiningOp<TransposeOp>()) {
    SmallVector<AffineExpr> strides(access.strides.size());
    for (auto [axis, from] : llvm::enumerate(op.getPermutation()))
      strides[from] = access.strides[axis];
    access.strides = std::move(strides);
    value = op.getInput();
  }
  return access;
}

AttentionAccess getAttentionAccess(KernelOp kernel) {
  AttentionOp op = *kernel.getBody()->getOps<AttentionOp>().begin();
  RankedTensorType query = op.getQuery().getType(), key = op.getKey().getType();
  AttentionAccess access;
  access.op = op;
  access.query = getAccess(kernel, op.getQuery());
  access.key = getAccess(kernel, op.getKey());
  access.value = getAccess(kernel, op.getValue());
  access.result = getResultAccess(kernel);
  if (op.getMask())
    access.mask = getAccess(kernel, op.getMask());
  if (op.getOffset())
    access.offset = getAccess(kernel, op.getOffset()).number;
  access.batch = getDim(query, 0);
  access.heads = getDim(query, 1);
  access.queries = getDim(query, 2);
  access.headSize = *getConstant(getDim(query, 3));
  access.keyHeads = getDim(key, 1);
  access.keys = getDim(key, 2);
  return access;
}

} // namespace nnc::nn
