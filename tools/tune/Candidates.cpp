#include "tools/tune/Bench.h"

#include "ir/EntryAttrs.h"
#include "ir/NNOps.h"
#include "ir/TacticAttr.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::tune {
namespace {

/// The function that a kernel is in.
func::FuncOp entryOf(nn::KernelOp kernel) { return kernel->getParentOfType<func::FuncOp>(); }

/// The global behind an operand that nothing writes; null for everything else.
nn::GlobalOp weightOf(Value value) {
  auto get = value.getDefiningOp<nn::GetOp>();
  auto global = get ? SymbolTable::lookupNearestSymbolFrom<nn::GlobalOp>(get, get.getNameAttr())
                    : nn::GlobalOp();
  bool isWeight = global && (global.getKind() == "param" || global.getKind() == "const");
  return isWeight ? global : nn::GlobalOp();
}

} // namespace

CandidateModule::CandidateModule(MLIRContext *context)
    : owner(ModuleOp::create(UnknownLoc::get(context))) {}

/// `fill` makes the results of what stands for the operands.
template <typename Fill> void CandidateModule::addEntry(nn::KernelOp kernel, Fill fill) {
  func::FuncOp source = entryOf(kernel);
  OpBuilder builder(kernel.getContext());
  builder.setInsertionPointToEnd(owner->getBody());
  SmallVector<Type> arguments;
  SmallVector<Value> given; // operands that are arguments
  for (Value operand : kernel->getOperands())
    if (!weightOf(operand) && !llvm::is_contained(given, operand)) {
      given.push_back(operand);
      arguments.push_back(operand.getType());
    }
  SmallVector<nn::EntrySymbol> symbols = nn::getEntrySymbols(source);
  SmallVector<Attribute> scalarSources;
  for (const nn::EntrySymbol &symbol : symbols) {
    if (symbol.kind != nn::SymbolKind::Scalar)
      continue;
    scalarSources.push_back(builder.getDictionaryAttr(
        builder.getNamedAttr("input", builder.getI64IntegerAttr(int64_t(arguments.size())))));
    arguments.push_back(RankedTensorType::get({}, symbol.element));
  }
  auto function =
      builder.create<func::FuncOp>(kernel.getLoc(), fmt::format("c{}", count++),
                                   builder.getFunctionType(arguments, kernel->getResultTypes()));
  function->setAttr(nn::kEntryAttr, builder.getUnitAttr());
  for (StringRef name :
       {StringRef(nn::kDimsAttr), StringRef(nn::kRangesAttr), StringRef(nn::kKindsAttr)})
    if (Attribute attribute = source->getAttr(name))
      function->setAttr(name, attribute);
  if (auto sources = source->getAttrOfType<ArrayAttr>(nn::kSourcesAttr)) {
    SmallVector<Attribute> list;
    auto next = scalarSources.begin();
    for (auto [symbol, old] : llvm::zip_first(symbols, sources))
      list.push_back(symbol.kind == nn::SymbolKind::Scalar ? *next++ : old);
    function->setAttr(nn::kSourcesAttr, builder.getArrayAttr(list));
  }
  Block *block = function.addEntryBlock();
  builder.setInsertionPointToStart(block);
  IRMapping mapping;
  for (auto [index, value] : llvm::enumerate(given))
    mapping.map(value, block->getArgument(index));
  for (Value operand : kernel->getOperands()) {
    nn::GlobalOp weight = weightOf(operand);
    if (!weight || mapping.contains(operand))
      continue;
    if (!owner->lookupSymbol(weight.getSymName()))
      owner->getBody()->push_front(weight->clone());
    mapping.map(operand, builder.clone(*operand.getDefiningOp())->getResult(0));
  }
  SmallVector<Value> results = fill(builder, mapping);
  builder.create<func::ReturnOp>(kernel.getLoc(), results);
}

void CandidateModule::addKernel(nn::KernelOp kernel, const std::string &tactic) {
  addEntry(kernel, [&](OpBuilder &builder, IRMapping &mapping) {
    Operation *copy = builder.clone(*kernel, mapping);
    copy->setAttr(nn::kTacticAttr, builder.getStringAttr(tactic));
    return SmallVector<Value>(copy->getResults());
  });
}

void CandidateModule::addOperations(nn::KernelOp kernel, const std::string &tactic) {
  addEntry(kernel, [&](OpBuilder &builder, IRMapping &mapping) {
    Block &body = kernel->getRegion(0).front();
    for (auto [argument, operand] : llvm::zip(body.getArguments(), kernel->getOperands()))
      mapping.map(argument, mapping.lookup(operand));
    for (Operation &op : body.without_terminator()) {
      Operation *copy = builder.clone(op, mapping);
      if (isa<nn::MatmulOp>(copy))
        copy->setAttr(nn::kTacticAttr, builder.getStringAttr(tactic));
    }
    SmallVector<Value> results;
    for (Value result : body.getTerminator()->getOperands())
      results.push_back(mapping.lookup(result));
    return results;
  });
}

} // namespace nnc::tune
