//===- Buffers.cpp - parts of the stack -----------------------------------===//
//
// Buffers are allocated at the start of a kernel and stay until a result is written; those of one
// result are used again for the next, so that all of a kernel fit the stack of a thread.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelEmitter.h"

using namespace mlir;
using namespace nnc::codegen;

/// Elements of i1 are bytes.
static Type storedType(Type element) {
  return element.isInteger(1) ? IntegerType::get(element.getContext(), 8) : element;
}

static int64_t bytesOf(Type element) { return std::max(1u, element.getIntOrFloatBitWidth() / 8); }

/// The buffer to reuse for one of so many bytes: the smallest that is large enough, else the
/// largest.
KernelEmitter::Buffer *KernelEmitter::findFree(Type stored, int64_t bytes) {
  Buffer *best = nullptr;
  for (Buffer &buffer : buffers) {
    if (!buffer.isFree || buffer.alloca.getElemType() != stored)
      continue;
    bool fits = buffer.bytes >= bytes;
    bool isBetter = !best || (best->bytes >= bytes ? fits && buffer.bytes < best->bytes
                                                   : buffer.bytes > best->bytes);
    if (isBetter)
      best = &buffer;
  }
  return best;
}

int64_t KernelEmitter::freeStackBytes() const {
  int64_t room = maxStackBytes - bufferBytes;
  for (const Buffer &buffer : buffers)
    room += buffer.isFree ? buffer.bytes : 0;
  return room;
}

/// A bounded part of the stack, until the result is written: the same in every iteration of a loop
/// around.
View KernelEmitter::allocate(Location loc, Type element, const Box &box) {
  View view{{}, element, 0, SmallVector<Poly>(box.size())};
  int64_t count = 1;
  for (unsigned axis = box.size(); axis-- > 0;) {
    view.strides[axis] = count;
    view.base = view.base - box[axis].offset * count;
    count *= std::max<int64_t>(box[axis].bound, 1);
  }
  int64_t bytes = count * bytesOf(element);
  Type stored = storedType(element);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&prologueEnd->getParentOfType<func::FuncOp>().front());
  Value size = builder.create<LLVM::ConstantOp>(loc, builder.getI64Type(), count);
  Buffer *buffer = findFree(stored, bytes);
  if (!buffer) {
    auto alloca = builder.create<LLVM::AllocaOp>(
        loc, LLVM::LLVMPointerType::get(builder.getContext()), stored, size, 64);
    buffer = &buffers.emplace_back(Buffer{alloca, 0, false});
  } else if (buffer->bytes < bytes) {
    buffer->alloca->moveAfter(size.getDefiningOp());
    buffer->alloca.getArraySizeMutable().assign(size);
  }
  bufferBytes += std::max<int64_t>(bytes - buffer->bytes, 0);
  buffer->bytes = std::max(buffer->bytes, bytes);
  buffer->isFree = false;
  view.pointer = buffer->alloca;
  return view;
}

/// True if a buffer for `box` has a size that is known and fits onto the stack.
bool KernelEmitter::isSmall(Value tensor, const Box &box) {
  Type element = getElementTypeOrSelf(tensor);
  const Buffer *reused = findFree(storedType(element), maxBufferBytes);
  int64_t room = maxStackBytes - bufferBytes + (reused ? reused->bytes : 0);
  int64_t most = std::min(maxBufferBytes, room), bytes = bytesOf(element);
  for (const Interval &range : box) {
    if (range.bound < 0 || range.bound > most)
      return false;
    bytes *= std::max<int64_t>(range.bound, 1);
    if (bytes > most)
      return false;
  }
  return true;
}
