//===- AttentionAccess.h - Where attention finds its operands -----------------------*- C++ -*-===//
//
// A kernel with the anchor `attention` or `attention_grad` holds the operation and views of its
// operands and of its results. Code is written from the operation; what the views come to is a
// stride per axis, so that heads are never moved in memory to be read.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_IR_ATTENTIONACCESS_H
#define NNC_IR_ATTENTIONACCESS_H

#include "ir/NNOps.h"

namespace nnc::nn {

/// Element (i0, i1, ...) of a tensor lies at `offset + sum(strides[k] * i_k)` of the memory of the
/// kernel's operand, or result, of this number. Expressions are over the symbols of the entry.
struct StridedAccess {
  unsigned number = 0;
  mlir::AffineExpr offset;
  llvm::SmallVector<mlir::AffineExpr> strides;
};

/// What attention and its gradients have in common. The last strides of query, key and value are 1.
struct AttentionInputs {
  StridedAccess query, key, value;
  std::optional<StridedAccess> mask;
  std::optional<unsigned> offset; ///< the operand that holds it
  bool isCausal;
  mlir::AffineExpr batch, heads, keyHeads, queries, keys;
  int64_t headSize;
  mlir::Type element;
};

/// The parts of an attention kernel. The last stride of the result is 1.
struct AttentionAccess : AttentionInputs {
  AttentionOp op;
  StridedAccess result;
  std::optional<StridedAccess> lse; ///< if something reads it
};

/// The parts of a kernel of attention's gradients. The last strides are 1, but for lse and delta.
struct AttentionGradAccess : AttentionInputs {
  AttentionGradOp op;
  StridedAccess gradient, lse, delta;
  std::optional<StridedAccess> queryGrad, keyGrad, valueGrad; ///< of those that something reads
};

/// Of a kernel that nn-verify-kernels accepts, with the anchor `attention`.
AttentionAccess getAttentionAccess(KernelOp kernel);
/// The same, with the anchor `attention_grad`.
AttentionGradAccess getAttentionGradAccess(KernelOp kernel);

} // namespace nnc::nn

#endif // NNC_IR_ATTENTIONACCESS_H
