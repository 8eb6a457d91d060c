//===- WeightValues.cpp - Which values depend on weights only ---------------------------------===//
//
// One forward pass: an op belongs if all its operands do and nothing about it is dynamic.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/WeightValues.h"

#include "ir/Interfaces.h"
#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;

namespace nnc {
namespace {

bool hasStaticResults(Operation *op) {
  return llvm::all_of(op->getResultTypes(), [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.hasStaticShape();
  });
}

/// Whether an attribute (a start, a size) mentions a dimension of the entry point.
bool mentionsDimension(Operation *op) {
  bool found = false;
  op->getAttrDictionary().walk([&](AffineMapAttr map) {
    for (AffineExpr expr : map.getValue().getResults())
      found |= !isa<AffineConstantExpr>(expr);
  });
  return found;
}

bool isWeight(nn::GetOp get, SymbolTableCollection &symbols) {
  auto global = symbols.lookupNearestSymbolFrom<nn::GlobalOp>(get, get.getNameAttr());
  return global && global.getKind() != "state";
}

} // namespace

llvm::DenseSet<StringAttr> getWrittenGlobals(ModuleOp module) {
  llvm::DenseSet<StringAttr> written;
  module.walk([&](nn::SetOp set) { written.insert(set.getNameAttr().getAttr()); });
  return written;
}

WeightValues::WeightValues(func::FuncOp function) {
  SymbolTableCollection symbols;
  llvm::DenseSet<StringAttr> written = getWrittenGlobals(function->getParentOfType<ModuleOp>());
  for (Operation &op : function.getBody().front()) {
    if (auto get = dyn_cast<nn::GetOp>(op)) {
      if (isWeight(get, symbols) && !written.contains(get.getNameAttr().getAttr()))
        reads[get.getResult()] = true;
      continue;
    }
    if (!isa<nn::FusionInterface>(op) || !hasStaticResults(&op) || mentionsDimension(&op))
      continue;
    if (!llvm::all_of(op.getOperands(), [&](Value value) { return contains(value); }))
      continue;
    bool any = llvm::any_of(op.getOperands(), [&](Value value) { return readsWeight(value); });
    for (Value result : op.getResults())
      reads[result] = any;
  }
}

} // namespace nnc
