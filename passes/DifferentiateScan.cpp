//===- DifferentiateScan.cpp - The backward pass of a loop ------------------------------------===//
//
// The loop the other way round carries the gradients of what the loop carries. Its body computes
// the forward iteration again, from what was carried into it, and differentiates that copy. Of the
// forward values only those that are dear to compute again (products, convolutions, reductions,
// gathers, inner loops) are kept by the forward loop, stacked, if the backward pass reads them, and
// what it stacks anyway is read.
//
// While the backward body is made, what it will read of such stacks are arguments of its block.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Backward.h"
#include "passes/CapturedGradients.h"
#include "passes/EraseDead.h"
#include "passes/ModulePath.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace nnc {
namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Whether the backward pass reads it from memory rather than computing it again.
bool isDear(Operation *op) {
  if (isa<nn::ScanOp>(op))
    return true;
  auto fusion = dyn_cast<nn::FusionInterface>(op);
  if (!fusion)
    return false;
  switch (fusion.getFusionRole()) {
  case nn::FusionRole::Pointwise:
  case nn::FusionRole::View:
  case nn::FusionRole::Source:
  case nn::FusionRole::Update:
    return false;
  default:
    return true;
  }
}

class ScanBackward {
public:
  ScanBackward(nn::ScanOp scan, OpBuilder &outer, const ActiveValues &active, Backward &backward)
      : scan(scan), outer(outer), inner(outer), active(active), backward(backward),
        loc(scan.getLoc()), numCarried(scan.getNumCarried()) {}

  LogicalResult run(ValueRange resultGradients) {
    open(resultGradients);
    copyBody();
    ActiveValues inside = active;
    for (auto [argument, copy] : llvm::zip_equal(scan.getBody()->getArguments(), carriedCopies))
      if (active.contains(argument))
        inside.insert(copy);
    Block::iterator end = body->end();
    if (!ops.empty())
      inside.extend(body->begin(), end);
    Operation *last = ops.empty() ? nullptr : ops.back().second;
    Backward nested(inner, inside);
    seed(nested, resultGradients);
    if (last && failed(nested.run(body->begin(), std::next(last->getIterator()))))
      return failure();
    CapturedGradients captured(scan, *body, inner);
    for (Value value : scan.getCaptured())
      captured.add(value, nested.parts(value));
    captured.settle();
    yieldNext(nested, captured);
    keepDearValues();
    close(captured);
    return success();
  }

private:
  /// Index, among the values that the backward loop carries, of the gradient of carried value `i`.
  std::optional<unsigned> gradientOf(unsigned i) const {
    auto it = llvm::find(differentiated, i);
    return it == differentiated.end()
               ? std::nullopt
               : std::optional(unsigned(std::distance(differentiated.begin(), it)));
  }

  /// A loop without results as a place for the body; its first arguments are the gradients of the
  /// carried values.
  void open(ValueRange resultGradients) {
    loop = outer.create<nn::ScanOp>(loc, TypeRange(), scan.getCounterAttr(), scan.getLengthAttr(),
                                    ValueRange(), UnitAttr());
    body = &loop.getBodyRegion().emplaceBlock();
    inner.setInsertionPointToEnd(body);
    for (unsigned i = 0; i < numCarried; ++i) {
      Value result = scan.getResult(i);
      if (!active.contains(result))
        continue;
      Value gradient = resultGradients[i];
      if (!gradient)
        gradient = outer.create<nn::FullOp>(loc, typeOf(result), 0.0);
      differentiated.push_back(i);
      inits.push_back(gradient);
      body->addArgument(result.getType(), loc);
    }
  }

  void copyBody() {
    for (BlockArgument argument : scan.getBody()->getArguments()) {
      carriedCopies.push_back(body->addArgument(argument.getType(), loc));
      copies.map(argument, carriedCopies.back());
    }
    for (Operation &op : scan.getBody()->without_terminator())
      ops.emplace_back(&op, inner.clone(op, copies));
    for (auto [op, copy] : ops) // it is computed again already
      copy->removeAttr(kRematAttr);
  }

  /// This iteration's part of `stack`, of type `step`.
  Value readStack(Value stack, RankedTensorType step) {
    MLIRContext *context = outer.getContext();
    SmallVector<AffineExpr> starts(step.getRank() + 1, getAffineConstantExpr(0, context));
    starts[0] = getAffineSymbolExpr(scan.getCounter(), context);
    SmallVector<AffineExpr> dims = nn::getDims(step);
    dims.insert(dims.begin(), getAffineConstantExpr(1, context));
    Value part = inner.create<nn::SliceOp>(loc, nn::getTensorType(dims, step.getElementType()),
                                           stack, nn::getSymbolMap(starts, context),
                                           SmallVector<int64_t>(starts.size(), 1));
    return inner.create<nn::ReshapeOp>(loc, step, part);
  }

  void seed(Backward &nested, ValueRange resultGradients) {
    for (auto [i, value] : llvm::enumerate(scan.getYield().getOperands())) {
      Value copy = copies.lookupOrDefault(value);
      if (i >= numCarried && resultGradients[i])
        nested.add(copy, readStack(resultGradients[i], typeOf(value)));
      if (std::optional<unsigned> index = i < numCarried ? gradientOf(i) : std::nullopt)
        nested.add(copy, body->getArgument(*index));
    }
  }

  void yieldNext(Backward &nested, CapturedGradients &captured) {
    SmallVector<Value> values;
    for (unsigned i : differentiated) {
      Value next = nested.take(carriedCopies[i]);
      if (!next)
        next = inner.create<nn::FullOp>(loc, typeOf(carriedCopies[i]), 0.0);
      values.push_back(next);
    }
    for (Value sum : captured.sums)
      inits.push_back(outer.create<nn::FullOp>(loc, typeOf(sum), 0.0));
    values.append(captured.nextSums);
    values.append(captured.stacked);
    yield = inner.create<nn::YieldOp>(loc, values);
  }

  /// Drops of the copy what is not read, and reads what is dear from stacks of the forward loop.
  void keepDearValues() {
    auto derivatives = ops.empty() ? body->begin() : std::next(ops.back().second->getIterator());
    eraseDead(derivatives, yield->getIterator());
    for (auto [op, copy] : llvm::reverse(ops)) {
      if (!copy->use_empty() && (isDear(op) || isStacked(op)))
        for (auto [value, read] : llvm::zip_equal(op->getResults(), copy->getResults()))
          if (!read.use_empty())
            read.replaceAllUsesWith(keep(value));
      if (isOpTriviallyDead(copy))
        copy->erase();
    }
    for (auto [value, copy] : llvm::zip_equal(scan.getBody()->getArguments(), carriedCopies))
      if (!copy.use_empty())
        copy.replaceAllUsesWith(keep(value));
    eraseDead(body->begin(), yield->getIterator());
  }

  bool isStacked(Operation *op) {
    auto stacked = scan.getYield().getOperands().drop_front(numCarried);
    return op->getNumResults() == 1 && llvm::is_contained(stacked, op->getResult(0));
  }

  Value keep(Value value) {
    Value argument = body->addArgument(value.getType(), loc);
    kept.emplace_back(value, argument);
    return argument;
  }

  RankedTensorType stackedType(Value step) {
    SmallVector<AffineExpr> dims = nn::getDims(typeOf(step));
    dims.insert(dims.begin(), scan.getLengthExpr());
    return nn::getTensorType(dims, typeOf(step).getElementType());
  }

  /// The stacks of the kept values: those that the forward loop has, and those of a forward loop
  /// that replaces it.
  SmallVector<Value> stackForward() {
    SmallVector<Type> types(scan.getResultTypes());
    SmallVector<Value> added;
    SmallVector<unsigned> results;
    for (auto [value, argument] : kept) {
      auto stacked = scan.getYield().getOperands().drop_front(numCarried);
      unsigned place = std::distance(stacked.begin(), llvm::find(stacked, value));
      results.push_back(numCarried + place);
      if (place < stacked.size())
        continue;
      results.back() = types.size();
      types.push_back(stackedType(value));
      added.push_back(value);
    }
    nn::ScanOp forward = added.empty() ? scan : replaceForward(types, added);
    SmallVector<Value> stacks;
    for (unsigned result : results)
      stacks.push_back(forward.getResult(result));
    return stacks;
  }

  nn::ScanOp replaceForward(TypeRange types, ValueRange added) {
    OpBuilder builder(scan);
    auto forward =
        builder.create<nn::ScanOp>(loc, types, scan.getCounterAttr(), scan.getLengthAttr(),
                                   scan.getInits(), scan.getReverseAttr());
    forward->setDiscardableAttrs(scan->getDiscardableAttrDictionary());
    IRMapping mapping;
    scan.getBodyRegion().cloneInto(&forward.getBodyRegion(), mapping);
    SmallVector<Value> values;
    for (Value value : added)
      values.push_back(mapping.lookupOrDefault(value));
    nn::YieldOp yielded = forward.getYield();
    yielded->insertOperands(yielded->getNumOperands(), values);
    scan.replaceAllUsesWith(forward.getResults().take_front(scan.getNumResults()));
    return forward;
  }

  /// Makes the loop and gives what it computes to the values before it.
  void close(CapturedGradients &captured) {
    SmallVector<Value> forward = stackForward();
    // What is stacked here, unless the forward loop has stacked it.
    unsigned numStates = inits.size();
    SmallVector<Value> stacks;
    SmallVector<Type> types(ValueRange(inits).getTypes());
    for (unsigned i = numStates; i < yield.getNumOperands();) {
      auto *it = llvm::find_if(kept, [&](auto pair) { return pair.second == yield.getOperand(i); });
      if (it == kept.end()) {
        types.push_back(stackedType(yield.getOperand(i++)));
        stacks.push_back(Value());
        continue;
      }
      stacks.push_back(forward[std::distance(kept.begin(), it)]);
      yield->eraseOperand(i);
    }
    inner.setInsertionPointToStart(body);
    for (auto [pair, stack] : llvm::zip_equal(kept, forward))
      if (!pair.second.use_empty())
        pair.second.replaceAllUsesWith(readStack(stack, typeOf(pair.second)));
    dropPlaces();
    auto result =
        outer.create<nn::ScanOp>(loc, types, scan.getCounterAttr(), scan.getLengthAttr(), inits,
                                 scan.getReverse() ? UnitAttr() : outer.getUnitAttr());
    result.getBodyRegion().takeBody(loop.getBodyRegion());
    loop.erase();
    unsigned next = numStates;
    for (Value &stack : stacks)
      if (!stack)
        stack = result.getResult(next++);
    for (auto [index, i] : llvm::enumerate(differentiated))
      backward.add(scan.getInits()[i], result.getResult(index));
    captured.finish(outer, result.getResults().slice(differentiated.size(), captured.sums.size()),
                    stacks, [&](Value value, Value gradient) { backward.add(value, gradient); });
  }

  /// Only gradients and sums stay arguments of the body.
  void dropPlaces() {
    llvm::BitVector places(body->getNumArguments());
    for (Value copy : carriedCopies)
      places.set(cast<BlockArgument>(copy).getArgNumber());
    for (auto [value, argument] : kept)
      places.set(cast<BlockArgument>(argument).getArgNumber());
    body->eraseArguments(places);
  }

  nn::ScanOp scan;
  OpBuilder &outer;
  OpBuilder inner;
  const ActiveValues &active;
  Backward &backward;
  Location loc;
  unsigned numCarried;

  nn::ScanOp loop;                      ///< holds the body while it is made
  Block *body = nullptr;                ///< of the backward loop
  nn::YieldOp yield;                    ///< of that body
  SmallVector<Value> inits;             ///< of what the backward loop carries
  SmallVector<unsigned> differentiated; ///< carried values that have a gradient
  SmallVector<Value> carriedCopies;     ///< arguments of the body for what was carried in
  IRMapping copies;                     ///< forward values to those of the copy
  SmallVector<std::pair<Operation *, Operation *>> ops; ///< forward ones and their copies
  SmallVector<std::pair<Value, Value>> kept;            ///< forward values, arguments of the body
};

} // namespace

LogicalResult differentiateScan(nn::ScanOp scan, ValueRange resultGradients, OpBuilder &builder,
                                const ActiveValues &active, Backward &backward) {
  return ScanBackward(scan, builder, active, backward).run(resultGradients);
}

} // namespace nnc
