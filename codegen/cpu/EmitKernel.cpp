//===- EmitKernel.cpp - the function of a kernel and its blocks -----------===//
//
// `@symbol(operand pointers..., result pointers..., pointer to dims, block)`. The blocks of the
// first result come first, then those of the second, and so on.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelEmitter.h"
#include "codegen/cpu/Tiling.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

KernelEmitter::KernelEmitter(const KernelSource &source, const CpuFeatures &features,
                             OpBuilder &builder)
    : source(source), features(features), builder(builder), math(builder) {}

void KernelEmitter::fail(Operation *op, const Twine &message) {
  if (failure.empty())
    failure = ("'" + op->getName().getStringRef() + "' " + message).str();
}

/// A dense tensor at `pointer`.
View KernelEmitter::denseView(Value pointer, Type element, ArrayRef<Poly> shape) {
  View view{pointer, element, 0, SmallVector<Poly>(shape.size())};
  Poly stride = 1;
  for (unsigned axis = shape.size(); axis-- > 0;) {
    view.strides[axis] = stride;
    stride = stride * shape[axis];
  }
  return view;
}

/// The part of the first operand's memory, at `pointer`, that an update writes.
View KernelEmitter::updatedView(Value pointer) {
  Value operand = source.body->getArgument(0);
  Location loc = operand.getLoc();
  View view = denseView(pointer, getElementTypeOrSelf(operand), SmallVector<Poly>(sizes(operand)));
  for (auto [axis, start] : llvm::enumerate(source.updateStart)) {
    view.base = view.base + math.evaluate(loc, start, {}, symbols) * view.strides[axis];
    view.strides[axis] = view.strides[axis] * source.updateStep[axis];
  }
  return view;
}

void KernelEmitter::emitArguments(func::FuncOp function) {
  Block *entry = &function.front();
  Location loc = function.getLoc();
  builder.setInsertionPointToStart(entry);
  prologueEnd = builder.create<arith::ConstantIndexOp>(loc, 0);
  builder.setInsertionPoint(prologueEnd);
  unsigned numOperands = source.body->getNumArguments();
  Value dims = entry->getArgument(entry->getNumArguments() - 2);
  Type i64 = builder.getI64Type();
  for (unsigned i = 0; i < source.numSymbols; ++i) {
    Value pointer = builder.create<LLVM::GEPOp>(loc, dims.getType(), i64, dims,
                                                ArrayRef<LLVM::GEPArg>{int32_t(i)});
    Value size = builder.create<LLVM::LoadOp>(loc, i64, pointer, 8);
    Value index = builder.create<arith::IndexCastOp>(loc, builder.getIndexType(), size);
    symbols.push_back(math.get(index, builder.getAffineSymbolExpr(i)));
  }
  for (unsigned i = 0; i < numOperands; ++i) {
    Value operand = source.body->getArgument(i);
    SmallVector<Poly> shape;
    for (AffineExpr size : source.operandDims[i])
      shape.push_back(math.evaluate(loc, size, {}, symbols));
    knownSizes[operand].assign(shape.begin(), shape.end());
    argumentViews[operand] = denseView(entry->getArgument(i), getElementTypeOrSelf(operand), shape);
  }
  // Reshapes of operands are the same memory.
  for (Operation &op : *source.body)
    if (isReshape(&op) && argumentViews.contains(op.getOperand(0)))
      argumentViews[op.getResult(0)] =
          denseView(argumentViews[op.getOperand(0)].pointer, getElementTypeOrSelf(op.getResult(0)),
                    SmallVector<Poly>(sizes(op.getResult(0))));
  builder.setInsertionPointAfter(prologueEnd);
}

AffineMap KernelEmitter::emit(ModuleOp module, StringRef symbol) {
  unsigned numResults = source.yield()->getNumOperands();
  Location loc = source.yield()->getLoc();
  func::FuncOp function = makeKernelFunction(
      builder, loc, module, symbol, source.body->getNumArguments() + numResults, source.shared);
  Block *entry = &function.front();
  emitArguments(function);
  Value block =
      builder.create<arith::IndexCastOp>(loc, builder.getIndexType(), entry->getArguments().back());
  AffineExpr blocks = getAffineConstantExpr(0, builder.getContext());
  for (unsigned i = 0; i < numResults && failure.empty(); ++i) {
    Value result = source.yield()->getOperand(i);
    Value memory = entry->getArgument(source.body->getNumArguments() + i);
    View dest = source.updateStart.empty() ? denseView(memory, getElementTypeOrSelf(result),
                                                       SmallVector<Poly>(sizes(result)))
                                           : updatedView(memory);
    blocks = blocks + emitResult(result, dest, math.get(block), blocks, i + 1 == numResults);
  }
  if (!failure.empty())
    return {};
  return AffineMap::get(0, source.numSymbols, blocks);
}

/// Emits the blocks of one result, which start at number `first`; returns how many they are.
AffineExpr KernelEmitter::emitResult(Value result, View dest, Poly block, AffineExpr first,
                                     bool isLast) {
  Location loc = result.getLoc();
  // Reshapes at the end only change how the output is addressed, where it is dense.
  while (source.updateStart.empty() && isReshape(result.getDefiningOp())) {
    result = result.getDefiningOp()->getOperand(0);
    dest = denseView(dest.pointer, dest.element, SmallVector<Poly>(sizes(result)));
  }
  SmallVector<int64_t> tile =
      chooseTile(result, cast<RankedTensorType>(result.getType()).getShape());
  AffineExpr count = getAffineConstantExpr(1, builder.getContext());
  SmallVector<Poly> shape(sizes(result)), counts;
  for (auto [size, part] : llvm::zip_equal(shape, tile)) {
    counts.push_back(math.floorDiv(loc, size + (part - 1), part));
    AffineExpr extent = math.symbolic(size);
    if (!extent) {
      fail(source.yield(), "has a result whose size is not an expression of the dimensions");
      return count;
    }
    count = count * extent.ceilDiv(part);
  }
  bool isOnly = isLast && first == getAffineConstantExpr(0, builder.getContext());
  OpBuilder::InsertionGuard guard(builder);
  Poly begin = math.evaluate(loc, first, {}, symbols), own = block - begin;
  if (!isOnly)
    enterWhenInside(loc, own, math.evaluate(loc, count, {}, symbols));
  Box box(shape.size());
  for (unsigned axis : orderOfBlocks(result)) {
    const Poly &size = shape[axis], &parts = counts[axis];
    int64_t part = tile[axis];
    Poly rest = math.floorDiv(loc, own, parts);
    Poly start = parts.isConstant(1) ? Poly(0) : (own - rest * parts) * part;
    own = rest;
    std::optional<int64_t> whole = size.constant();
    bool divides = part == 1 || (whole && *whole % part == 0);
    Poly here = divides ? Poly(part) : math.minimum(loc, part, size - start);
    box[axis] = {start, here, part};
  }
  emitInto(result, box, dest);
  for (Buffer &buffer : buffers)
    buffer.isFree = true;
  return count;
}

/// Moves the insertion point to where 0 <= `block` < `count`.
void KernelEmitter::enterWhenInside(Location loc, const Poly &block, const Poly &count) {
  Value number = math.materialize(loc, block), end = math.materialize(loc, count);
  // Unsigned, so that blocks of earlier results, which are negative here, are outside.
  Value inside = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ult, number, end);
  auto branch = builder.create<scf::IfOp>(loc, inside, /*withElseRegion=*/false);
  builder.setInsertionPointToStart(branch.thenBlock());
}
