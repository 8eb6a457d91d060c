//===- NarrowFloats.cpp - bf16 as integers --------------------------------===//

#include "codegen/cpu/NarrowFloats.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace nnc;

static Type withElement(Type type, Type element) {
  auto vector = dyn_cast<VectorType>(type);
  return vector ? Type(VectorType::get(vector.getShape(), element)) : element;
}

static Value constant(OpBuilder &builder, Location loc, Type type, int64_t number) {
  TypedAttr value = builder.getIntegerAttr(getElementTypeOrSelf(type), number);
  if (auto vector = dyn_cast<VectorType>(type))
    value = DenseElementsAttr::get(vector, Attribute(value));
  return builder.create<arith::ConstantOp>(loc, value);
}

/// f32 from the upper half of its bits.
static void replaceExtension(arith::ExtFOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Type wide = withElement(op.getType(), builder.getI32Type());
  Value bits = builder.create<arith::ExtUIOp>(loc, wide, op.getIn());
  bits = builder.create<arith::ShLIOp>(loc, bits, constant(builder, loc, wide, 16));
  op.replaceAllUsesWith(builder.create<arith::BitcastOp>(loc, op.getType(), bits).getResult());
  op.erase();
}

/// Adds just below half a unit, and the last bit kept, so that ties go to even. NaN stays NaN.
static void replaceTruncation(arith::TruncFOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Type wide = withElement(op.getType(), builder.getI32Type());
  Type narrow = withElement(op.getType(), builder.getI16Type());
  auto number = [&](int64_t n) { return constant(builder, loc, wide, n); };
  Value bits = builder.create<arith::BitcastOp>(loc, wide, op.getIn());
  Value last = builder.create<arith::ShRUIOp>(loc, bits, number(16));
  last = builder.create<arith::AndIOp>(loc, last, number(1));
  Value bias = builder.create<arith::AddIOp>(loc, last, number(0x7fff));
  Value rounded = builder.create<arith::AddIOp>(loc, bits, bias);
  Value isNan =
      builder.create<arith::CmpFOp>(loc, arith::CmpFPredicate::UNO, op.getIn(), op.getIn());
  Value quiet = builder.create<arith::OrIOp>(loc, bits, number(0x400000));
  Value chosen = builder.create<arith::SelectOp>(loc, isNan, quiet, rounded);
  chosen = builder.create<arith::ShRUIOp>(loc, chosen, number(16));
  op.replaceAllUsesWith(builder.create<arith::TruncIOp>(loc, narrow, chosen).getResult());
  op.erase();
}

static void replaceConstant(arith::ConstantOp op) {
  auto bitsOf = [](Attribute value) {
    return cast<FloatAttr>(value).getValue().bitcastToAPInt().getZExtValue();
  };
  OpBuilder builder(op);
  Attribute value = op.getValue();
  if (auto dense = dyn_cast<DenseElementsAttr>(value))
    value = dense.getSplatValue<Attribute>();
  Type type = withElement(op.getType(), builder.getI16Type());
  op.replaceAllUsesWith(constant(builder, op.getLoc(), type, int64_t(bitsOf(value))));
  op.erase();
}

void codegen::replaceBf16(ModuleOp module) {
  auto isBf16 = [](Type type) { return getElementTypeOrSelf(type).isBF16(); };
  Type narrow = IntegerType::get(module.getContext(), 16);
  SmallVector<Operation *> conversions;
  module.walk([&](Operation *op) {
    bool reads = llvm::any_of(op->getOperandTypes(), isBf16);
    bool makes = llvm::any_of(op->getResultTypes(), isBf16);
    if ((isa<arith::ExtFOp>(op) && reads) || (isa<arith::TruncFOp, arith::ConstantOp>(op) && makes))
      conversions.push_back(op);
    if (auto address = dyn_cast<LLVM::GEPOp>(op); address && address.getElemType().isBF16())
      address.setElemType(narrow);
    if (auto buffer = dyn_cast<LLVM::AllocaOp>(op); buffer && buffer.getElemType().isBF16())
      buffer.setElemType(narrow);
  });
  for (Operation *op : conversions) {
    if (auto extension = dyn_cast<arith::ExtFOp>(op))
      replaceExtension(extension);
    else if (auto truncation = dyn_cast<arith::TruncFOp>(op))
      replaceTruncation(truncation);
    else
      replaceConstant(cast<arith::ConstantOp>(op));
  }
  auto retype = [&](Value value) {
    if (isBf16(value.getType()))
      value.setType(withElement(value.getType(), narrow));
  };
  module.walk([&](Operation *op) {
    llvm::for_each(op->getResults(), retype);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        llvm::for_each(block.getArguments(), retype);
  });
}
