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

/// The access of `result` in the memory of `value`, whose access is `whole`: `value` is that
/// result, or transposed, or has it among others along an axis. Nothing if it is none of that.
static std::optional<StridedAccess> findResult(Value result, Value value, StridedAccess whole) {
  if (value == result)
    return whole;
  if (auto op = value.getDefiningOp<TransposeOp>()) {
    SmallVector<AffineExpr> strides(whole.strides.size());
    for (auto [axis, from] : llvm::enumerate(op.getPermutation()))
      strides[from] = whole.strides[axis];
    whole.strides = std::move(strides);
    return findResult(result, op.getInput(), whole);
  }
  auto concat = value.getDefiningOp<ConcatOp>();
  for (Value part : concat ? concat.getInputs() : ValueRange()) {
    if (std::optional<StridedAccess> access = findResult(result, part, whole))
      return access;
    AffineExpr size = getDim(cast<RankedTensorType>(part.getType()), concat.getAxis());
    whole.offset = whole.offset + whole.strides[concat.getAxis()] * size;
  }
  return std::nullopt;
}

/// The access of `result` within what the kernel yields; nothing if it is not part of that.
static std::optional<StridedAccess> getResultAccess(KernelOp kernel, Value result) {
  for (auto [number, yielded] : llvm::enumerate(kernel.getBody()->getTerminator()->getOperands())) {
    auto type = cast<RankedTensorType>(kernel.getResult(number).getType());
    if (std::optional<StridedAccess> access =
            findResult(result, yielded, getDenseAccess(number, type)))
      return access;
  }
  return std::nullopt;
}

template <class Op> static void setInputs(AttentionInputs &inputs, Op op, KernelOp kernel) {
  RankedTensorType query = op.getQuery().getType(), key = op.getKey().getType();
  inputs.query = getAccess(kernel, op.getQuery());
  inputs.key = getAccess(kernel, op.getKey());
  inputs.value = getAccess(kernel, op.getValue());
  if (op.getMask())
    inputs.mask = getAccess(kernel, op.getMask());
  if (op.getOffset())
    inputs.offset = getAccess(kernel, op.getOffset()).number;
  inputs.isCausal = op.getCausal();
  inputs.batch = getDim(query, 0);
  inputs.heads = getDim(query, 1);
  inputs.queries = getDim(query, 2);
  inputs.headSize = *getConstant(getDim(query, 3));
  inputs.keyHeads = getDim(key, 1);
  inputs.keys = getDim(key, 2);
  inputs.element = query.getElementType();
}

AttentionAccess getAttentionAccess(KernelOp kernel) {
  AttentionAccess access;
  access.op = *kernel.getBody()->getOps<AttentionOp>().begin();
  setInputs(access, access.op, kernel);
  access.result = *getResultAccess(kernel, access.op.getResult());
  if (access.op.getLse())
    access.lse = getResultAccess(kernel, access.op.getLse());
  return access;
}

AttentionGradAccess getAttentionGradAccess(KernelOp kernel) {
  AttentionGradAccess access;
  AttentionGradOp op = *kernel.getBody()->getOps<AttentionGradOp>().begin();
  access.op = op;
  setInputs(access, op, kernel);
  access.gradient = getAccess(kernel, op.getGradient());
  access.lse = getAccess(kernel, op.getLse());
  access.delta = getAccess(kernel, op.getDelta());
  access.queryGrad = getResultAccess(kernel, op.getQueryGrad());
  access.keyGrad = getResultAccess(kernel, op.getKeyGrad());
  access.valueGrad = getResultAccess(kernel, op.getValueGrad());
  return access;
}

} // namespace nnc::nn
