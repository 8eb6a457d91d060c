// A walk against the flow of values: through calls by a summary per function and result, into the
// bodies of scans by what they yield.
#include "frontend/TrainReach.h"

#include "ir/NNOps.h"
#include "mlir/IR/TypeUtilities.h"

namespace nnc::frontend {

using namespace mlir;

static bool isFloat(Value value) { return isa<FloatType>(getElementTypeOrSelf(value.getType())); }

/// What an argument of a loop's body is in its first step; what it is later is yielded.
static void addEntering(BlockArgument argument, llvm::SmallVectorImpl<Value> &work) {
  Operation *loop = argument.getOwner()->getParentOp();
  for (Value operand : loop->getOperands())
    work.push_back(operand);
}

TrainReach::Values TrainReach::walk(Value from) {
  Values seen;
  llvm::SmallVector<Value> work{from};
  while (!work.empty()) {
    Value value = work.pop_back_val();
    if (!isFloat(value) || !seen.insert(value).second)
      continue;
    Operation *op = value.getDefiningOp();
    if (!op) {
      auto argument = cast<BlockArgument>(value);
      if (!isa<func::FuncOp>(argument.getOwner()->getParentOp()))
        addEntering(argument, work);
      continue;
    }
    if (isa<nn::StopGradientOp>(op))
      continue;
    if (auto call = dyn_cast<func::CallOp>(op)) {
      auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, call.getCalleeAttr());
      for (unsigned index : argumentsOf(callee, cast<OpResult>(value).getResultNumber()))
        work.push_back(call.getOperand(index));
      continue;
    }
    llvm::append_range(work, op->getOperands());
    for (Region &region : op->getRegions())
      for (Block &block : region)
        llvm::append_range(work, block.getTerminator()->getOperands());
  }
  return seen;
}

const llvm::SmallVector<unsigned> &TrainReach::argumentsOf(func::FuncOp function, unsigned result) {
  auto key = std::pair(function.getOperation(), result);
  if (auto found = known.find(key); found != known.end())
    return found->second;
  Block &body = function.getBody().front();
  Values inside = walk(body.getTerminator()->getOperand(result));
  llvm::SmallVector<unsigned> arguments;
  for (BlockArgument argument : body.getArguments())
    if (inside.contains(argument))
      arguments.push_back(argument.getArgNumber());
  return known[key] = std::move(arguments);
}

} // namespace nnc::frontend
