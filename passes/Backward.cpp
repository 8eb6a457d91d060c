//===- Backward.cpp - The backward pass of a block --------------------------------------------===//

#include "passes/Backward.h"
#include "passes/ModulePath.h"

#include "ir/Unsupported.h"

#include "mlir/IR/IRMapping.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace nnc {
namespace {

bool hasFloats(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

} // namespace

bool ActiveValues::isReadBy(Operation *op) const {
  auto isActive = [&](Value value) { return contains(value); };
  if (llvm::any_of(op->getOperands(), isActive))
    return true;
  auto scan = dyn_cast<nn::ScanOp>(op);
  return scan && llvm::any_of(scan.getCaptured(), isActive);
}

void ActiveValues::extend(Block::iterator begin, Block::iterator end) {
  for (Operation &op : llvm::make_range(begin, end)) {
    if (isa<nn::StopGradientOp>(op) || !isReadBy(&op))
      continue;
    if (auto scan = dyn_cast<nn::ScanOp>(op))
      extendThrough(scan);
    else
      for (Value result : op.getResults())
        if (hasFloats(result))
          insert(result);
  }
}

/// A carried value is active as soon as it is in one iteration.
void ActiveValues::extendThrough(nn::ScanOp scan) {
  Block &body = *scan.getBody();
  nn::YieldOp yield = scan.getYield();
  for (auto [init, argument] : llvm::zip_equal(scan.getInits(), body.getArguments()))
    if (contains(init))
      insert(argument);
  for (bool changed = true; changed;) {
    changed = false;
    extend(body.begin(), body.end());
    for (auto [argument, next] : llvm::zip(body.getArguments(), yield.getOperands())) {
      if (!contains(next) || contains(argument))
        continue;
      insert(argument);
      changed = true;
    }
  }
  for (unsigned i = 0; i < scan.getNumResults(); ++i)
    if (contains(yield.getOperand(i)) || (i < scan.getNumCarried() && contains(scan.getInits()[i])))
      insert(scan.getResult(i));
}

void Backward::add(Value value, Value gradient) {
  if (!gradient || !active.contains(value))
    return;
  // The same dimensions may be written in another way.
  if (gradient.getType() != value.getType())
    gradient = builder.create<nn::ReshapeOp>(gradient.getLoc(), value.getType(), gradient);
  gradients[value].push_back(gradient);
}

ArrayRef<Value> Backward::parts(Value value) { return gradients[value]; }

Value Backward::take(Value value) {
  SmallVector<Value, 2> &parts = gradients[value];
  while (parts.size() > 1) {
    Value last = parts.pop_back_val();
    parts.back() = builder.create<nn::AddOp>(last.getLoc(), last.getType(), parts.back(), last);
  }
  return parts.empty() ? Value() : parts.front();
}

LogicalResult Backward::run(Block::iterator begin, Block::iterator end) {
  SmallVector<Operation *> ops;
  for (Operation &op : llvm::make_range(begin, end))
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (failed(visit(op)))
      return failure();
  return success();
}

LogicalResult Backward::visit(Operation *op) {
  if (isa<nn::GetOp>(op) || llvm::none_of(op->getResults(), [&](Value result) {
        return active.contains(result) && !parts(result).empty();
      }))
    return success();
  SmallVector<Value> resultGradients;
  for (Value result : op->getResults())
    resultGradients.push_back(take(result));
  if (auto scan = dyn_cast<nn::ScanOp>(op))
    return differentiateScan(scan, resultGradients, builder, active, *this);
  auto differentiable = dyn_cast<nn::DerivativeInterface>(computeAgain(op));
  if (!differentiable)
    return nn::emitUnsupported(op) << "`" << op->getName().stripDialect()
                                   << "` has no gradient, but the loss depends on a parameter "
                                      "through it";
  SmallVector<Value> derived = differentiable.buildDerivative(builder, resultGradients);
  if (derived.empty())
    return failure();
  for (auto [operand, gradient] : llvm::zip_equal(op->getOperands(), derived))
    add(operand, gradient);
  return success();
}

/// The copy of `op` whose operands and results its derivative reads. With the first one that is met
/// of a call with `@remat`, the last in order, all of the call's operations are copied; loops are
/// not.
Operation *Backward::computeAgain(Operation *op) {
  auto call = op->getAttrOfType<StringAttr>(kRematAttr);
  if (!call)
    return op;
  if (again.insert(call).second) {
    IRMapping mapping;
    for (Operation &part :
         llvm::make_range(op->getBlock()->begin(), std::next(op->getIterator()))) {
      if (part.getAttr(kRematAttr) != call || isa<nn::ScanOp>(part))
        continue;
      for (Value operand : part.getOperands())
        if (!mapping.contains(operand) && !operand.getDefiningOp<nn::GetOp>())
          mapping.map(operand, builder.create<nn::BarrierOp>(part.getLoc(), operand));
      copies[&part] = builder.clone(part, mapping);
      copies[&part]->removeAttr(kRematAttr);
    }
  }
  Operation *copy = copies.lookup(op);
  return copy ? copy : op;
}

} // namespace nnc
