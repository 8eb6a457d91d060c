//===- KernelSource.cpp - a kernel as the cpu target reads it -------------===//

#include "codegen/cpu/KernelSource.h"

#include "ir/KernelAttrs.h"
#include "ir/NNOps.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

KernelSource codegen::getKernelSource(nn::KernelOp kernel) {
  KernelSource source;
  source.body = kernel.getBody();
  for (Value operand : kernel.getOperands()) {
    auto type = cast<RankedTensorType>(operand.getType());
    source.operandDims.push_back(nn::getDims(type));
  }
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    if (int64_t operand = nn::getInPlace(kernel, i); operand >= 0)
      source.shared.append({unsigned(operand), kernel.getNumOperands() + i});
  source.numSymbols = std::max(nn::getNumSymbols(kernel->getOperandTypes()),
                               nn::getNumSymbols(kernel->getResultTypes()));
  if (kernel.isUpdate()) {
    source.numSymbols = std::max(source.numSymbols, kernel.getStart()->getNumSymbols());
    llvm::append_range(source.updateStart, kernel.getStart()->getResults());
    llvm::append_range(source.updateStep, *kernel.getStep());
  }
  kernel->walk([&](nn::SymbolOp symbol) {
    source.numSymbols = std::max<unsigned>(source.numSymbols, symbol.getPosition() + 1);
  });
  return source;
}

std::optional<unsigned> codegen::getSymbolPosition(Operation *op) {
  if (auto symbol = dyn_cast<nn::SymbolOp>(op))
    return symbol.getPosition();
  return std::nullopt;
}

func::FuncOp codegen::makeKernelFunction(OpBuilder &builder, Location loc, ModuleOp module,
                                         StringRef symbol, unsigned numBuffers,
                                         ArrayRef<unsigned> shared) {
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  SmallVector<Type> types(numBuffers + 1, pointer);
  types.push_back(builder.getI64Type());
  builder.setInsertionPointToEnd(module.getBody());
  auto function =
      builder.create<func::FuncOp>(loc, symbol, builder.getFunctionType(types, TypeRange()));
  for (unsigned i = 0; i <= numBuffers; ++i)
    if (!llvm::is_contained(shared, i))
      function.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr());
  builder.setInsertionPointToStart(function.addEntryBlock());
  builder.setInsertionPoint(builder.create<func::ReturnOp>(loc));
  return function;
}
