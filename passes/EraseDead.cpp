//===- EraseDead.cpp - Removing what nothing reads --------------------------------------------===//
#include "passes/EraseDead.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace nnc {

void eraseDead(Block::iterator begin, Block::iterator end) {
  SmallVector<Operation *> ops;
  for (Operation &op : llvm::make_range(begin, end))
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (isOpTriviallyDead(op))
      op->erase();
}

} // namespace nnc
