//===- Demands.cpp - which boxes of tensors are wanted --------------------===//
//
// What must be in memory before a box of a tensor can be computed: for every reader's box the boxes
// of its operands, through all that is computed on the way.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

Box KernelEmitter::fullBox(Value tensor) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(tensor.getType()).getShape();
  return llvm::to_vector(llvm::map_range(llvm::zip(sizes(tensor), shape), [](auto pair) {
    auto [size, fixed] = pair;
    return Interval{0, size, ShapedType::isDynamic(fixed) ? -1 : fixed};
  }));
}

/// The part of `tensor` that is read when the dimensions are in `dims`; all of an axis where the
/// map is not linear with factors that are not negative.
Box KernelEmitter::mapBox(AffineMap map, ArrayRef<Interval> dims, Value tensor) {
  Box box = fullBox(tensor);
  for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
    std::optional<LinearForm> form = getLinearForm(expr, map.getNumDims());
    if (!form)
      continue;
    Interval range{form->constant, 1, 1};
    for (auto [dim, factor] : llvm::zip_equal(dims, form->factors)) {
      if (factor == 0)
        continue;
      range.offset = range.offset + dim.offset * factor;
      range.size = range.size + (dim.size - 1) * factor;
      range.bound = range.bound < 0 || dim.bound < 0 ? -1 : range.bound + (dim.bound - 1) * factor;
    }
    box[axis] = range;
  }
  return box;
}

/// The least interval around both that is known without looking at the dimensions; else all.
static Interval unite(const Interval &a, const Interval &b, const Interval &all) {
  if (a == b)
    return a;
  std::optional<int64_t> ahead = (b.offset - a.offset).constant();
  if (!ahead || !(a.size == b.size))
    return all;
  int64_t longer = std::abs(*ahead), bound = std::max(a.bound, b.bound);
  if (a.bound < 0 || b.bound < 0)
    bound = -1 - longer;
  return {*ahead < 0 ? b.offset : a.offset, a.size + longer, bound + longer};
}

/// Notes that `box` of `tensor` is read, and makes `box` all that is: what is in memory for one
/// reader is what all find. True if it is to be in memory, for which the caller has a reason.
bool KernelEmitter::note(Value tensor, Box &box, bool wantsMemory, Demands &demands) {
  auto [at, isNew] = demands.try_emplace(tensor, Demand{box, false});
  Demand &demanded = at->second;
  if (!isNew)
    for (auto [known, wanted, all] : llvm::zip_equal(demanded.box, box, fullBox(tensor)))
      known = unite(known, wanted, all);
  box = demanded.box;
  demanded.inMemory = (demanded.inMemory || wantsMemory) && isSmall(tensor, box);
  return demanded.inMemory;
}

/// Notes in `demands` what must be in memory before elements of `box` can be computed.
void KernelEmitter::demand(Value tensor, Box box, const UseOfTensor &use, Demands &demands) {
  Operation *op = tensor.getDefiningOp();
  bool isArgument = !op || argumentViews.contains(tensor);
  if (note(tensor, box, !isArgument && wantsBuffer(tensor, use), demands) || isArgument ||
      isMaterialized(tensor, box))
    return;
  TypeSwitch<Operation *>(op)
      .Case([&](linalg::LinalgOp linalg) {
        SmallVector<Poly> loops = loopSizes(linalg);
        SmallVector<Interval> dims;
        for (auto [size, bound] : llvm::zip(loops, linalg.getStaticLoopRanges()))
          dims.push_back({0, size, ShapedType::isDynamic(bound) ? -1 : bound});
        unsigned result = cast<OpResult>(tensor).getResultNumber();
        AffineMap map = linalg.getMatchingIndexingMap(linalg.getDpsInitOperand(result));
        for (auto [axis, expr] : llvm::enumerate(map.getResults()))
          if (auto dim = dyn_cast<AffineDimExpr>(expr))
            dims[dim.getPosition()] = box[axis];
        demandOperands(linalg, dims, demands);
      })
      .Case([&](tensor::ExtractSliceOp slice) {
        Box inner = fullBox(slice.getSource());
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        unsigned next = 0;
        for (auto [axis, range] : llvm::enumerate(inner)) {
          Poly start = indexOf(slice.getMixedOffsets()[axis]);
          std::optional<int64_t> step = getConstantIntValue(slice.getMixedStrides()[axis]);
          Interval outer = dropped[axis] ? Interval{0, 1, 1} : box[next++];
          if (step && *step > 0)
            range = {start + outer.offset * *step, (outer.size - 1) * *step + 1,
                     outer.bound < 0 ? -1 : (outer.bound - 1) * *step + 1};
        }
        UseOfTensor through = use;
        through.strided |= !slice.hasUnitStride();
        demand(slice.getSource(), inner, through, demands);
      })
      .Case([&](tensor::CastOp cast) { demand(cast.getSource(), box, use, demands); })
      .Case<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ReshapeOp>(
          [&](Operation *reshape) {
            demand(reshape->getOperand(0), reshapeBox(reshape, box), use, demands);
          })
      .Default([&](Operation *other) {
        for (Value operand : other->getOperands())
          if (isa<RankedTensorType>(operand.getType()))
            demand(operand, fullBox(operand), use, demands);
      });
}

/// The part of a reshape's source that holds `box` of its result.
Box KernelEmitter::reshapeBox(Operation *reshape, const Box &box) {
  Value source = reshape->getOperand(0);
  Box inner = fullBox(source);
  SmallVector<Poly> outer(sizes(reshape->getResult(0)));
  for (const ReshapeGroup &group : reshapeGroups(reshape)) {
    if (group.source.size() != 1) {
      // Several axes become one; only the outermost can be cut.
      if (group.result.size() == 1 && !group.source.empty())
        cutOutermost(reshape->getLoc(), group, box[group.result.front()], inner);
      continue;
    }
    Interval range{0, 1, 1};
    for (unsigned axis : group.result) {
      std::optional<int64_t> size = outer[axis].constant();
      range.offset = range.offset * outer[axis] + box[axis].offset;
      range.size = (range.size - 1) * outer[axis] + box[axis].size;
      bool isBounded = range.bound >= 0 && box[axis].bound >= 0 && (size || range.bound == 1);
      range.bound = isBounded ? (range.bound - 1) * size.value_or(1) + box[axis].bound : -1;
    }
    inner[group.source.front()] = range;
  }
  return inner;
}

/// The whole rows of the other axes that hold `range`.
void KernelEmitter::cutOutermost(Location loc, const ReshapeGroup &group, const Interval &range,
                                 Box &inner) {
  int64_t rest = 1;
  for (unsigned axis : ArrayRef(group.source).drop_front()) {
    std::optional<int64_t> size = inner[axis].size.constant();
    if (!size)
      return;
    rest *= *size;
  }
  if (rest <= 0)
    return;
  Interval &rows = inner[group.source.front()];
  Poly last = range.size + (rest - 1);
  int64_t most = range.bound + (rest - 1);
  rows.offset = math.floorDiv(loc, range.offset, rest);
  if (!range.offset.dividedBy(rest)) { // it may begin within a row, and end in one more
    last = range.offset + last - rows.offset * rest;
    most += rest - 1;
  }
  rows.size = math.floorDiv(loc, last, rest);
  rows.bound = range.bound < 0 ? -1 : most / rest;
}

bool KernelEmitter::wantsPart(linalg::LinalgOp op, OpOperand &operand, ArrayRef<Interval> dims) {
  if (argumentViews.contains(operand.get()))
    return isScattered(op, operand, dims);
  return wantsBuffer(operand.get(), getUse(op, operand.getOperandNumber()));
}

void KernelEmitter::demandOperands(linalg::LinalgOp op, ArrayRef<Interval> dims, Demands &demands) {
  for (OpOperand &operand : op->getOpOperands()) {
    Value tensor = operand.get();
    if (!isa<RankedTensorType>(tensor.getType()) ||
        (!op.isDpsInit(&operand) && !op.payloadUsesValueFromOperand(&operand)))
      continue;
    Box box = mapBox(op.getMatchingIndexingMap(&operand), dims, tensor);
    if (wantsPacking(op, operand, dims))
      continue;
    if (argumentViews.contains(tensor))
      note(tensor, box, wantsPart(op, operand, dims), demands);
    else
      demand(tensor, box, getUse(op, operand.getOperandNumber()), demands);
  }
  for (Value captured : getCapturedTensors(op))
    demand(captured, fullBox(captured), {true, true, false}, demands);
}
