//===- KernelBody.cpp - Reading nn.kernel -----------------------------------------------------===//
//
// The only file here that includes the nn dialect.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/KernelBody.h"

#include "ir/EntryAttrs.h"
#include "ir/KernelAttrs.h"
#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/Twine.h"

using namespace mlir;

namespace nnc::codegen {

static std::vector<IndexList> dimsOf(TypeRange types) {
  std::vector<IndexList> result;
  for (Type type : types)
    result.push_back(nn::getDims(cast<RankedTensorType>(type)));
  return result;
}

/// The entry point that `op` lies in: the nearest operation with dimensions.
static Operation *entryOf(Operation *op) {
  for (Operation *parent = op->getParentOp(); parent; parent = parent->getParentOp())
    if (parent->hasAttr(nn::kDimsAttr))
      return parent;
  return nullptr;
}

/// Whether some entry point sets the global.
static bool isWritten(nn::GlobalOp global) {
  for (auto function : global->getParentOfType<ModuleOp>().getOps<func::FuncOp>())
    for (auto set : function.getBody().front().getOps<nn::SetOp>())
      if (set.getName() == global.getSymName())
        return true;
  return false;
}

bool isWeight(Value operand) {
  auto get = operand.getDefiningOp<nn::GetOp>();
  auto global = get ? SymbolTable::lookupNearestSymbolFrom<nn::GlobalOp>(get, get.getNameAttr())
                    : nn::GlobalOp();
  return global &&
         (global.getKind() == "const" || (global.getKind() == "param" && !isWritten(global)));
}

KernelBody describeKernel(nn::KernelOp kernel) {
  KernelBody body;
  body.name = kernel.getKernelName().str();
  body.anchor = kernel.getAnchor().str();
  body.op = kernel;
  body.allowsTf32 = kernel->hasAttr(nn::kTf32Attr);
  body.block = &kernel->getRegion(0).front();
  body.argumentDims = dimsOf(kernel.getOperandTypes());
  body.resultDims = dimsOf(kernel.getResultTypes());
  for (unsigned i = 0; i < kernel.getNumResults(); ++i)
    body.inPlace.push_back(nn::getInPlace(kernel, i));
  if (kernel.isUpdate()) {
    llvm::append_range(body.updateStart, kernel.getStart()->getResults());
    llvm::append_range(body.updateStep, *kernel.getStep());
  }
  body.isInLoop = isa<nn::ScanOp>(kernel->getParentOp());
  Operation *entry = entryOf(kernel);
  if (!entry)
    return body;
  for (const nn::EntrySymbol &symbol : nn::getEntrySymbols(entry)) {
    body.dimNames.push_back(symbol.name.str());
    body.symbolRanges.push_back({symbol.low, symbol.high});
    body.scalarTypes.push_back(symbol.element);
  }
  return body;
}

std::optional<unsigned> symbolOf(Operation *op) {
  if (auto symbol = dyn_cast<nn::SymbolOp>(op))
    return symbol.getPosition();
  return std::nullopt;
}

std::string describeLocation(Location location) {
  if (auto named = dyn_cast<NameLoc>(location)) {
    std::string inner = describeLocation(named.getChildLoc());
    std::string name = named.getName().str();
    return inner.empty() ? name : name + " (" + inner + ")";
  }
  if (auto file = dyn_cast<FileLineColLoc>(location))
    return (file.getFilename().strref() + ":" + Twine(file.getLine()) + ":" +
            Twine(file.getColumn()))
        .str();
  if (auto fused = dyn_cast<FusedLoc>(location); fused && !fused.getLocations().empty())
    return describeLocation(fused.getLocations().back());
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return describeLocation(call.getCallee());
  return "";
}

} // namespace nnc::codegen
