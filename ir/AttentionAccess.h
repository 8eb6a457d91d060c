//===- AttentionAccess.h - Where attention finds its operands -----------------------*- C++ -*-===//
//
// A kernel with the anchor `attention` holds the operation and views of its operands and of its
// result. Code is written from the operation; what the views come to is a stride per axis, so that
// heads are never moved in memory to be read.
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

/// The parts of an attention kernel. The last stride of query, key, value and result is 1.
struct AttentionAccess {
  AttentionOp op;
  StridedAccess query, key, value, result;
  std::optional<StridedAccess> mask;
  std::optional<unsigned> offset; ///< the operand that holds it
  mlir::AffineExpr batch, heads, keyHeads, queries, keys;
  int64_t headSize;
};

/// Of a kernel that nn-verify-kernels accepts.
AttentionAccess getAttentionAccess(KernelOp kernel);

} // namespace nnc::nn

#endif // NNC_IR_ATTENTIONACCESS_H
