//===- ScatterEmitter.cpp - sums of rows by number ------------------------===//

#include "codegen/cpu/ScatterEmitter.h"
#include "codegen/cpu/KernelSource.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

static constexpr int64_t parts = 64; ///< blocks that share the rows of a table

ScatterEmitter::ScatterEmitter(nn::KernelOp kernel, unsigned numSymbols,
                               const CpuFeatures &features, OpBuilder &builder)
    : LoopWriter(kernel.getLoc(), numSymbols, builder), kernel(kernel),
      op(cast<nn::ScatterAddOp>(kernel.getBody()->front())),
      width(std::max<int64_t>(features.vectorBytes / 4, 4)),
      element(op.getValues().getType().getElementType()) {}

AffineMap ScatterEmitter::emit(ModuleOp module, StringRef symbol) {
  unsigned numOperands = kernel.getNumOperands();
  func::FuncOp function = makeKernelFunction(builder, loc, module, symbol, numOperands + 1);
  Block *entry = &function.front();
  loadSymbols(entry->getArgument(numOperands + 1));
  auto operand = [&](Value value) {
    return entry->getArgument(cast<BlockArgument>(value).getArgNumber());
  };
  values = operand(op.getValues());
  result = entry->getArgument(numOperands);
  Value ids = operand(op.getIds());
  SmallVector<AffineExpr> dims = nn::getDims(op.getType());
  MLIRContext *context = builder.getContext();
  AffineExpr before = nn::getProduct(ArrayRef(dims).take_front(op.getAxis()), context);
  Value columns = evaluate(nn::getProduct(ArrayRef(dims).drop_front(op.getAxis() + 1), context));
  Value places = evaluate(dims[op.getAxis()]);
  Value count = evaluate(nn::getProduct(nn::getDims(op.getIds().getType()), context));

  Value block =
      builder.create<arith::IndexCastOp>(loc, builder.getIndexType(), entry->getArguments().back());
  Value table = builder.create<arith::DivUIOp>(loc, block, index(parts));
  Value part = builder.create<arith::RemUIOp>(loc, block, index(parts));
  Value rows = builder.create<arith::DivUIOp>(loc, add(places, index(parts - 1)), index(parts));
  Value first = minimum(mul(part, rows), places), end = minimum(add(first, rows), places);
  Value to = mul(mul(table, places), columns), from = mul(mul(table, count), columns);
  clear(add(to, mul(first, columns)), add(to, mul(end, columns)));

  Type idType = op.getIds().getType().getElementType();
  Value last = sub(places, index(1));
  loop(index(0), count, 1, [&](Value i) {
    Value id = builder.create<LLVM::LoadOp>(loc, idType, pointerTo(ids, idType, i));
    id = builder.create<arith::IndexCastOp>(loc, builder.getIndexType(), id);
    id = minimum(builder.create<arith::MaxSIOp>(loc, id, index(0)), last);
    Value isBehind = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::sge, id, first);
    Value isBefore = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, id, end);
    Value isOwn = builder.create<arith::AndIOp>(loc, isBehind, isBefore);
    auto branch = builder.create<scf::IfOp>(loc, isOwn, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    Value source = add(from, mul(i, columns)), target = add(to, mul(id, columns));
    forPieces(index(0), columns, [&](Value place, int64_t lanes) {
      Value sum = load(result, f32, add(target, place), lanes);
      Value value = load(values, element, add(source, place), lanes);
      store(builder.create<arith::AddFOp>(loc, sum, value), result, f32, add(target, place));
    });
  });
  return AffineMap::get(0, numSymbols, before * parts);
}

void ScatterEmitter::clear(Value begin, Value end) {
  forPieces(begin, end,
            [&](Value place, int64_t lanes) { store(number(0, lanes), result, f32, place); });
}

void ScatterEmitter::forPieces(Value begin, Value end,
                               llvm::function_ref<void(Value, int64_t)> body) {
  Value count = sub(end, begin);
  Value rest = builder.create<arith::RemUIOp>(loc, count, index(width));
  Value whole = sub(end, rest);
  loop(begin, whole, width, [&](Value place) { body(place, width); });
  loop(whole, end, 1, [&](Value place) { body(place, 0); });
}
