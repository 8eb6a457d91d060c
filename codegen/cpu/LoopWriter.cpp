//===- LoopWriter.cpp - loop nests written by hand ------------------------===//

#include "codegen/cpu/LoopWriter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

void LoopWriter::loadSymbols(Value dims) {
  Type i64 = builder.getI64Type();
  for (unsigned i = 0; i < numSymbols; ++i) {
    Value size = builder.create<LLVM::LoadOp>(loc, i64, pointerTo(dims, i64, index(i)), 8);
    size = builder.create<arith::IndexCastOp>(loc, builder.getIndexType(), size);
    symbols.push_back(math.get(size, builder.getAffineSymbolExpr(i)));
  }
}

Value LoopWriter::index(int64_t value) {
  return builder.create<arith::ConstantIndexOp>(loc, value);
}
Value LoopWriter::add(Value a, Value b) { return builder.createOrFold<arith::AddIOp>(loc, a, b); }
Value LoopWriter::sub(Value a, Value b) { return builder.createOrFold<arith::SubIOp>(loc, a, b); }
Value LoopWriter::mul(Value a, Value b) { return builder.createOrFold<arith::MulIOp>(loc, a, b); }
Value LoopWriter::minimum(Value a, Value b) { return builder.create<arith::MinSIOp>(loc, a, b); }

Value LoopWriter::number(double value, int64_t lanes) {
  TypedAttr attribute = builder.getF32FloatAttr(float(value));
  if (lanes)
    attribute = DenseElementsAttr::get(VectorType::get({lanes}, f32), Attribute(attribute));
  return builder.create<arith::ConstantOp>(loc, attribute);
}

Value LoopWriter::splat(Value scalar, int64_t lanes) {
  return builder.create<vector::SplatOp>(loc, VectorType::get({lanes}, scalar.getType()), scalar);
}

Value LoopWriter::multiplyAdd(Value a, Value b, Value sum) {
  return builder.create<arith::AddFOp>(loc, sum, builder.create<arith::MulFOp>(loc, a, b));
}

Value LoopWriter::evaluate(AffineExpr expr) {
  return math.materialize(loc, math.evaluate(loc, expr, {}, symbols));
}

Value LoopWriter::pointerTo(Value pointer, Type element, Value place) {
  Value number = builder.create<arith::IndexCastOp>(loc, builder.getI64Type(), place);
  return builder.create<LLVM::GEPOp>(loc, LLVM::LLVMPointerType::get(builder.getContext()), element,
                                     pointer, ArrayRef<LLVM::GEPArg>{number});
}

Value LoopWriter::load(Value pointer, Type element, Value place, int64_t lanes) {
  Type stored = lanes ? Type(VectorType::get({lanes}, element)) : element;
  Type wide = lanes ? Type(VectorType::get({lanes}, f32)) : f32;
  Value value = builder.create<LLVM::LoadOp>(loc, stored, pointerTo(pointer, element, place),
                                             element.getIntOrFloatBitWidth() / 8);
  return wide == stored ? value : builder.create<arith::ExtFOp>(loc, wide, value);
}

void LoopWriter::store(Value value, Value pointer, Type element, Value place) {
  if (!element.isF32()) {
    auto vector = dyn_cast<VectorType>(value.getType());
    Type narrow = vector ? Type(VectorType::get(vector.getShape(), element)) : element;
    value = builder.create<arith::TruncFOp>(loc, narrow, value);
  }
  builder.create<LLVM::StoreOp>(loc, value, pointerTo(pointer, element, place),
                                element.getIntOrFloatBitWidth() / 8);
}

Value LoopWriter::allocate(int64_t floats) {
  Value size = builder.create<LLVM::ConstantOp>(loc, builder.getI64Type(), floats);
  return builder.create<LLVM::AllocaOp>(loc, LLVM::LLVMPointerType::get(builder.getContext()), f32,
                                        size, 64);
}

void LoopWriter::loop(Value begin, Value end, int64_t step, llvm::function_ref<void(Value)> body) {
  loop(begin, end, step, {}, [&](Value at, ValueRange) {
    body(at);
    return Values{};
  });
}

LoopWriter::Values LoopWriter::loop(Value begin, Value end, int64_t step, const Values &init,
                                    llvm::function_ref<Values(Value, ValueRange)> body) {
  auto made = builder.create<scf::ForOp>(
      loc, begin, end, index(step), init,
      [&](OpBuilder &nested, Location, Value at, ValueRange carried) {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPoint(nested.getInsertionBlock(), nested.getInsertionPoint());
        Values next = body(at, carried);
        builder.create<scf::YieldOp>(loc, next);
      });
  return Values(made.getResults());
}
