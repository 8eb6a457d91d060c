//===- BatchSteps.cpp - Products of all steps of a scan at once -------------------------------===//
//
// `xt @ w` with `xt` a step of a sequence does not wait for the step before it: one large product
// before the loop computes it for all steps. Values of a body are followed from the slices at the
// counter through every op that works on each step alone; where a product is among them, the last
// of them that something else reads is computed before the loop, with the steps as one more axis,
// and sliced in the body.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"

#include "passes/FusionRelations.h"

#include "ir/NNOps.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_BATCHSTEPS
#include "passes/Passes.h.inc"

namespace {

using Dims = SmallVector<AffineExpr>;

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

nn::FusionRole roleOf(Operation *op) { return cast<nn::FusionInterface>(op).getFusionRole(); }

/// A value of the body in all steps: the tensor with an axis more.
struct Batched {
  Value value;
  int64_t axis;
};

/// Which axes of a slice's operand are walked by the counter: exactly one, by one element a step.
std::optional<int64_t> matchStepAxis(nn::SliceOp slice, nn::ScanOp scan) {
  std::optional<int64_t> found;
  AffineExpr counter = getAffineSymbolExpr(scan.getCounter(), scan.getContext());
  for (auto [axis, start] : llvm::enumerate(slice.getStart().getResults())) {
    if (!start.isFunctionOfSymbol(scan.getCounter()))
      continue;
    if (found || start != counter || nn::getConstant(nn::getDim(slice.getType(), axis)) != 1)
      return std::nullopt;
    found = axis;
  }
  return found;
}

/// Where the steps' axis goes when `from` is reshaped to `to`, if only axes of size 1 come and go.
std::optional<int64_t> matchUnitReshape(const Dims &from, const Dims &to, int64_t axis) {
  auto isUnit = [](AffineExpr size) { return nn::getConstant(size) == 1; };
  int64_t before = llvm::count_if(ArrayRef(from).take_front(axis),
                                  [&](AffineExpr size) { return !isUnit(size); });
  Dims left, right;
  llvm::copy_if(from, std::back_inserter(left), [&](AffineExpr size) { return !isUnit(size); });
  llvm::copy_if(to, std::back_inserter(right), [&](AffineExpr size) { return !isUnit(size); });
  if (left.size() != right.size() || !llvm::all_of(llvm::zip(left, right), [](auto pair) {
        return std::apply(nn::areEqual, pair);
      }))
    return std::nullopt;
  int64_t place = 0;
  for (; before > 0; ++place)
    before -= !isUnit(to[place]);
  return place;
}

class StepBatcher {
public:
  explicit StepBatcher(nn::ScanOp scan)
      : scan(scan), body(*scan.getBody()), builder(scan), length(scan.getLengthExpr()) {}

  /// The number of values that are computed before the loop now.
  unsigned run() {
    for (Operation &op : body)
      if (op.getNumResults() == 1 && canBatch(&op))
        batchable[op.getResult(0)] = hasProduct(&op);
    SmallVector<Value> frontier = findFrontier();
    for (Value value : frontier)
      replace(value);
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (isOpTriviallyDead(&op))
        op.erase();
    return frontier.size();
  }

private:
  //===- What can be batched -----------------------------------------------------------------===//

  bool isOutside(Value value) { return !scan.getBodyRegion().isAncestor(value.getParentRegion()); }
  bool isKnown(Value value) { return isOutside(value) || batchable.contains(value); }

  bool canBatch(Operation *op) {
    if (!isa<nn::FusionInterface>(op) || op->getNumOperands() == 0)
      return false;
    if (auto slice = dyn_cast<nn::SliceOp>(op); slice && isOutside(slice.getInput()))
      return matchStepAxis(slice, scan).has_value();
    if (scan.isCounterUsedBy(op) ||
        !llvm::all_of(op->getOperands(), [&](Value v) { return isKnown(v); }))
      return false;
    if (llvm::none_of(op->getOperands(), [&](Value v) { return batchable.contains(v); }))
      return false;
    switch (roleOf(op)) {
    case nn::FusionRole::Pointwise:
      return llvm::all_of(op->getOperandTypes(), [&](Type type) {
        return nn::getDims(cast<RankedTensorType>(type)) == nn::getDims(typeOf(op->getResult(0)));
      });
    case nn::FusionRole::View:
    case nn::FusionRole::Reduction:
      return true;
    case nn::FusionRole::Contraction: {
      auto product = cast<nn::MatmulOp>(op);
      return batchable.contains(product.getLhs()) && isOutside(product.getRhs()) &&
             typeOf(product.getRhs()).getRank() == 2;
    }
    case nn::FusionRole::Gather:
      return isOutside(op->getOperand(0));
    default:
      return false;
    }
  }

  /// Whether something worth a product of its own is behind the result.
  bool hasProduct(Operation *op) {
    return roleOf(op) == nn::FusionRole::Contraction ||
           llvm::any_of(op->getOperands(), [&](Value v) { return batchable.lookup(v); });
  }

  /// Of `value` and what it is computed from element by element, what takes least memory in all
  /// steps: a loop widens and adds at no cost.
  Value narrowest(Value value) {
    auto widthOf = [](Value v) { return typeOf(v).getElementTypeBitWidth(); };
    Value best = value;
    while (roleOf(value.getDefiningOp()) == nn::FusionRole::Pointwise) {
      SmallVector<Value> inside;
      llvm::copy_if(value.getDefiningOp()->getOperands(), std::back_inserter(inside),
                    [&](Value operand) { return !isOutside(operand); });
      if (inside.size() != 1 || !batchable.lookup(inside[0]))
        break;
      value = inside[0];
      best = widthOf(value) < widthOf(best) ? value : best;
    }
    return best;
  }

  /// Values behind products that something reads which cannot be batched. Views of them stay.
  SmallVector<Value> findFrontier() {
    llvm::SetVector<Value> found;
    for (Operation &op : body) {
      if (op.getNumResults() == 1 && batchable.contains(op.getResult(0)))
        continue;
      SmallVector<Value> read(op.getOperands());
      for (Region &region : op.getRegions())
        region.walk(
            [&](Operation *inner) { read.append(inner->operand_begin(), inner->operand_end()); });
      for (Value value : read) {
        while (batchable.lookup(value) && roleOf(value.getDefiningOp()) == nn::FusionRole::View &&
               value.getDefiningOp()->getNumOperands() == 1)
          value = value.getDefiningOp()->getOperand(0);
        if (batchable.lookup(value))
          found.insert(narrowest(value));
      }
    }
    return found.takeVector();
  }

  //===- The batched values ------------------------------------------------------------------===//

  RankedTensorType withSteps(RankedTensorType type, int64_t axis) {
    Dims dims = nn::getDims(type);
    dims.insert(dims.begin() + axis, length);
    return nn::getTensorType(dims, type.getElementType());
  }

  Batched batch(Value value) {
    auto known = batched.find(value);
    if (known != batched.end())
      return known->second;
    Batched made = batchOp(value.getDefiningOp());
    batched[value] = made;
    return made;
  }

  /// With the steps at `axis`; a value from outside is repeated.
  Value batchAt(Value value, int64_t axis) {
    if (isOutside(value)) {
      SmallVector<int64_t> places;
      for (int64_t i = 0; i < typeOf(value).getRank(); ++i)
        places.push_back(i < axis ? i : i + 1);
      return builder.create<nn::BroadcastOp>(value.getLoc(), withSteps(typeOf(value), axis), value,
                                             places);
    }
    Batched made = batch(value);
    if (made.axis == axis)
      return made.value;
    SmallVector<int64_t> permutation;
    for (int64_t i = 0; i < typeOf(made.value).getRank(); ++i)
      if (i != made.axis)
        permutation.push_back(i);
    permutation.insert(permutation.begin() + axis, made.axis);
    return builder.create<nn::TransposeOp>(value.getLoc(), withSteps(typeOf(value), axis),
                                           made.value, permutation);
  }

  /// `op` on `operands`, its result with the steps at `axis`.
  Operation *clone(Operation *op, ValueRange operands, int64_t axis) {
    Operation *copy = builder.clone(*op);
    copy->setOperands(operands);
    copy->getResult(0).setType(withSteps(typeOf(op->getResult(0)), axis));
    return copy;
  }

  int64_t preferredAxis(Operation *op) {
    for (Value operand : op->getOperands())
      if (!isOutside(operand))
        return batch(operand).axis;
    llvm_unreachable("nothing of the body is behind it");
  }

  Batched batchOp(Operation *op) {
    if (auto slice = dyn_cast<nn::SliceOp>(op))
      return isOutside(slice.getInput()) ? batchSteps(slice) : batchSlice(slice);
    switch (roleOf(op)) {
    case nn::FusionRole::Reduction:
      return batchReduction(op);
    case nn::FusionRole::Contraction:
      return batchProduct(cast<nn::MatmulOp>(op));
    case nn::FusionRole::Gather: {
      Batched ids = batch(op->getOperand(1));
      int64_t axis = op->getAttrOfType<IntegerAttr>("axis").getInt() + ids.axis;
      return {clone(op, {op->getOperand(0), ids.value}, axis)->getResult(0), axis};
    }
    case nn::FusionRole::View:
      return batchView(op);
    default:
      break;
    }
    int64_t axis = preferredAxis(op);
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(batchAt(operand, axis));
    return {clone(op, operands, axis)->getResult(0), axis};
  }

  /// The slice of one step becomes that of all, with the axis of size 1 behind the steps'.
  Batched batchSteps(nn::SliceOp slice) {
    int64_t axis = *matchStepAxis(slice, scan);
    Dims dims = nn::getDims(slice.getType());
    dims[axis] = length;
    SmallVector<AffineExpr> starts(slice.getStart().getResults());
    starts[axis] = getAffineConstantExpr(0, slice.getContext());
    AffineMap start = nn::getSymbolMap(starts, slice.getContext());
    Location loc = slice.getLoc();
    Type element = slice.getType().getElementType();
    Value all = builder.create<nn::SliceOp>(loc, nn::getTensorType(dims, element), slice.getInput(),
                                            start, slice.getStep());
    return {builder.create<nn::ReshapeOp>(loc, withSteps(slice.getType(), axis), all), axis};
  }

  Batched batchSlice(nn::SliceOp slice) {
    Batched input = batch(slice.getInput());
    SmallVector<AffineExpr> starts(slice.getStart().getResults());
    starts.insert(starts.begin() + input.axis, getAffineConstantExpr(0, slice.getContext()));
    SmallVector<int64_t> steps(slice.getStep());
    steps.insert(steps.begin() + input.axis, 1);
    auto copy = cast<nn::SliceOp>(clone(slice, input.value, input.axis));
    copy.setStart(nn::getSymbolMap(starts, slice.getContext()));
    copy.setStep(steps);
    return {copy.getResult(), input.axis};
  }

  Batched batchReduction(Operation *op) {
    Batched input = batch(op->getOperand(0));
    SmallVector<int64_t> axes = getReducedAxes(op);
    bool isKept = typeOf(op->getResult(0)).getRank() == typeOf(op->getOperand(0)).getRank();
    int64_t axis = input.axis;
    for (int64_t &reduced : axes) {
      axis -= !isKept && reduced < input.axis;
      reduced += reduced >= input.axis;
    }
    Operation *copy = clone(op, input.value, axis);
    if (op->hasAttr("axes"))
      copy->setAttr("axes", builder.getDenseI64ArrayAttr(axes));
    else
      copy->setAttr("axis", builder.getI64IntegerAttr(axes.front()));
    return {copy->getResult(0), axis};
  }

  /// The steps become more rows, or one more axis before them.
  Batched batchProduct(nn::MatmulOp product) {
    int64_t rank = typeOf(product.getLhs()).getRank();
    int64_t last = product.getTransposeA() ? rank - 2 : rank - 1;
    int64_t axis = std::min(batch(product.getLhs()).axis, last);
    Operation *copy = clone(product, {batchAt(product.getLhs(), axis), product.getRhs()}, axis);
    return {copy->getResult(0), axis};
  }

  Batched batchView(Operation *op) {
    Value result = op->getResult(0);
    if (auto reshape = dyn_cast<nn::ReshapeOp>(op)) {
      int64_t axis = batch(reshape.getInput()).axis;
      std::optional<int64_t> place = matchUnitReshape(nn::getDims(typeOf(reshape.getInput())),
                                                      nn::getDims(typeOf(result)), axis);
      Value input = batchAt(reshape.getInput(), place ? axis : 0);
      return {clone(op, input, place.value_or(0))->getResult(0), place.value_or(0)};
    }
    if (auto broadcast = dyn_cast<nn::BroadcastOp>(op)) {
      Value input = batchAt(broadcast.getInput(), 0);
      SmallVector<int64_t> places{0};
      for (int64_t place : broadcast.getDims())
        places.push_back(place + 1);
      auto copy = cast<nn::BroadcastOp>(clone(op, input, 0));
      copy.setDims(places);
      return {copy.getResult(), 0};
    }
    if (auto transpose = dyn_cast<nn::TransposeOp>(op)) {
      Value input = batchAt(transpose.getInput(), 0);
      SmallVector<int64_t> permutation{0};
      for (int64_t axis : transpose.getPermutation())
        permutation.push_back(axis + 1);
      auto copy = cast<nn::TransposeOp>(clone(op, input, 0));
      copy.setPermutation(permutation);
      return {copy.getResult(), 0};
    }
    return batchJoin(op);
  }

  /// `pad` and `concat`.
  Batched batchJoin(Operation *op) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(batchAt(operand, 0));
    Operation *copy = clone(op, operands, 0);
    for (StringRef name : {"low", "high"})
      if (auto amounts = op->getAttrOfType<DenseI64ArrayAttr>(name)) {
        SmallVector<int64_t> padded(amounts.asArrayRef());
        padded.insert(padded.begin(), 0);
        copy->setAttr(name, builder.getDenseI64ArrayAttr(padded));
      }
    if (auto axis = op->getAttrOfType<IntegerAttr>("axis"))
      copy->setAttr("axis", builder.getI64IntegerAttr(axis.getInt() + 1));
    return {copy->getResult(0), 0};
  }

  //===- In the body -------------------------------------------------------------------------===//

  void replace(Value value) {
    Batched all = batch(value);
    RankedTensorType type = typeOf(value);
    Dims dims = nn::getDims(type);
    dims.insert(dims.begin() + all.axis, getAffineConstantExpr(1, type.getContext()));
    SmallVector<AffineExpr> starts(dims.size(), getAffineConstantExpr(0, type.getContext()));
    starts[all.axis] = getAffineSymbolExpr(scan.getCounter(), type.getContext());
    OpBuilder inside(value.getDefiningOp());
    Location loc = value.getLoc();
    Value slice = inside.create<nn::SliceOp>(loc, nn::getTensorType(dims, type.getElementType()),
                                             all.value, nn::getSymbolMap(starts, type.getContext()),
                                             SmallVector<int64_t>(dims.size(), 1));
    Value step = inside.create<nn::ReshapeOp>(loc, type, slice);
    value.replaceAllUsesWith(step);
  }

  nn::ScanOp scan;
  Block &body;
  OpBuilder builder;
  AffineExpr length;
  /// Values that each step has for itself; true where a product is behind them.
  llvm::DenseMap<Value, bool> batchable;
  llvm::DenseMap<Value, Batched> batched;
};

struct BatchSteps : impl::BatchStepsBase<BatchSteps> {
  void runOnOperation() override {
    getOperation().walk([&](nn::ScanOp scan) { numBatched += StepBatcher(scan).run(); });
  }
};

} // namespace
} // namespace nnc
