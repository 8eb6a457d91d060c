//===- EraseDead.h - Removing what nothing reads --------------------------------------*- C++
//-*-===//
#ifndef NNC_PASSES_ERASEDEAD_H
#define NNC_PASSES_ERASEDEAD_H

#include "mlir/IR/Block.h"

namespace nnc {

/// Erases what nothing reads among the operations of a range, last first.
void eraseDead(mlir::Block::iterator begin, mlir::Block::iterator end);

} // namespace nnc

#endif // NNC_PASSES_ERASEDEAD_H
