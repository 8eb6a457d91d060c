//===- EvaluateViews.cpp - elements of slices, reshapes, pads and inserts -===//
//
// Views are other coordinates of the same elements, pads and inserts a choice between two.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include "llvm/ADT/ScopeExit.h"

using namespace mlir;
using namespace nnc::codegen;

Element KernelEmitter::evaluateSlice(tensor::ExtractSliceOp slice, ArrayRef<Coord> coords) {
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  SmallVector<Coord> inner;
  unsigned next = 0;
  for (auto [axis, offset] : llvm::enumerate(slice.getMixedOffsets())) {
    Coord start{indexOf(offset), {}};
    if (dropped[axis]) {
      inner.push_back(start);
      continue;
    }
    Coord step{indexOf(slice.getMixedStrides()[axis]), {}};
    Coord moved = combineCoords(slice.getLoc(), AffineExprKind::Mul, coords[next++], step);
    inner.push_back(combineCoords(slice.getLoc(), AffineExprKind::Add, moved, start));
  }
  return evaluate(slice.getSource(), inner);
}

/// By the position in row-major order; groups of axes that a reassociation keeps apart stay apart.
Element KernelEmitter::evaluateReshape(Operation *op, ArrayRef<Coord> coords) {
  Location loc = op->getLoc();
  SmallVector<ReshapeGroup> groups = reshapeGroups(op);
  ArrayRef<Poly> from = sizes(op->getResult(0)), to = sizes(op->getOperand(0));
  SmallVector<Poly> fromSizes(from), toSizes(to);
  SmallVector<Coord> inner(toSizes.size());
  for (const ReshapeGroup &group : groups) {
    Coord position{0, {}};
    for (unsigned axis : group.result) {
      position = combineCoords(loc, AffineExprKind::Mul, position, {fromSizes[axis], {}});
      position = combineCoords(loc, AffineExprKind::Add, position, coords[axis]);
    }
    for (auto [i, axis] : llvm::enumerate(llvm::reverse(group.source))) {
      if (i + 1 == group.source.size()) {
        inner[axis] = position;
        break;
      }
      Coord size{toSizes[axis], {}};
      inner[axis] = combineCoords(loc, AffineExprKind::Mod, position, size);
      position = combineCoords(loc, AffineExprKind::FloorDiv, position, size);
    }
  }
  return evaluate(op->getOperand(0), inner);
}

/// True where `lower <= coord < upper`: i1, or a vector of it.
Value KernelEmitter::isInside(Location loc, const Coord &coord, const Poly &lower,
                              const Poly &upper) {
  Value position = asValue(loc, fromCoord(coord));
  auto compare = [&](arith::CmpIPredicate predicate, const Poly &bound) -> Value {
    Value limit = math.materialize(loc, bound);
    if (isa<VectorType>(position.getType()))
      limit = builder.create<vector::SplatOp>(loc, position.getType(), limit);
    return builder.create<arith::CmpIOp>(loc, predicate, position, limit);
  };
  return builder.create<arith::AndIOp>(loc, compare(arith::CmpIPredicate::sge, lower),
                                       compare(arith::CmpIPredicate::slt, upper));
}

/// `inside` where `condition` holds, else `outside`; neither touches memory where it is not wanted.
Element KernelEmitter::evaluateWhere(Location loc, Type type, Value condition,
                                     llvm::function_ref<Element()> inside,
                                     llvm::function_ref<Element()> outside) {
  size_t numLoads = loads.size();
  Lanes all = lanes;
  auto restore = llvm::make_scope_exit([&] {
    loads.resize(std::min(loads.size(), numLoads));
    lanes = all;
  });
  if (auto vector = dyn_cast<VectorType>(condition.getType())) {
    bool wasCaching = std::exchange(caching, false);
    auto under = [&](Value mask, llvm::function_ref<Element()> compute) {
      lanes.mask = all.mask ? builder.create<arith::AndIOp>(loc, all.mask, mask) : mask;
      lanes.live = std::nullopt;
      return asVector(loc, compute());
    };
    Value ones = builder.create<arith::ConstantOp>(loc, DenseElementsAttr::get(vector, true));
    Value a = under(condition, inside);
    Value b = under(builder.create<arith::XOrIOp>(loc, condition, ones), outside);
    caching = wasCaching;
    return {builder.create<arith::SelectOp>(loc, condition, a, b), true, {}};
  }
  Type result = lanes.count == 1 ? type : vectorOf(type);
  auto branch = builder.create<scf::IfOp>(loc, TypeRange{result}, condition, true, true);
  auto fill = [&](Block *block, llvm::function_ref<Element()> compute) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(block);
    builder.create<scf::YieldOp>(loc, asVector(loc, compute()));
    loads.resize(std::min(loads.size(), numLoads));
  };
  fill(branch.thenBlock(), inside);
  fill(branch.elseBlock(), outside);
  return {branch.getResult(0), lanes.count > 1, {}};
}

/// `inside` where all `conditions` hold, else `outside`.
Element KernelEmitter::evaluateWithin(Location loc, Type type, ArrayRef<Value> conditions,
                                      llvm::function_ref<Element()> inside,
                                      llvm::function_ref<Element()> outside) {
  // Conditions that are the same for all lanes come first, as branches.
  SmallVector<Value> ordered;
  for (bool isVector : {false, true})
    for (Value condition : conditions)
      if (isa<VectorType>(condition.getType()) == isVector)
        ordered.push_back(condition);
  std::function<Element(ArrayRef<Value>)> within = [&](ArrayRef<Value> rest) -> Element {
    if (rest.empty())
      return inside();
    return evaluateWhere(
        loc, type, rest.front(), [&] { return within(rest.drop_front()); }, outside);
  };
  return within(ordered);
}

Element KernelEmitter::evaluatePad(tensor::PadOp op, ArrayRef<Coord> coords) {
  Location loc = op.getLoc();
  Value number = op.getConstantPaddingValue();
  if (!number) {
    fail(op, "pads with more than one number");
    return {zero(loc, getElementTypeOrSelf(op)), false, {}};
  }
  SmallVector<Coord> inner;
  SmallVector<Value> conditions;
  for (auto [axis, coord] : llvm::enumerate(coords)) {
    Poly low = indexOf(op.getMixedLowPad()[axis]), high = indexOf(op.getMixedHighPad()[axis]);
    inner.push_back(combineCoords(loc, AffineExprKind::Add, coord, {Poly(0) - low, {}}));
    if (!low.isConstant(0) || !high.isConstant(0))
      conditions.push_back(isInside(loc, inner.back(), 0, sizes(op.getSource())[axis]));
  }
  return evaluateWithin(
      loc, getElementTypeOrSelf(op), conditions, [&] { return evaluate(op.getSource(), inner); },
      [&] { return evaluateScalar(number); });
}

Element KernelEmitter::evaluateInsert(tensor::InsertSliceOp op, ArrayRef<Coord> coords) {
  Location loc = op.getLoc();
  if (!isPlainInsert(op)) {
    fail(op, "inserts with steps or with another rank");
    return {zero(loc, getElementTypeOrSelf(op)), false, {}};
  }
  SmallVector<Coord> inner;
  SmallVector<Value> conditions;
  for (auto [axis, coord] : llvm::enumerate(coords)) {
    Poly start = indexOf(op.getMixedOffsets()[axis]), size = sizes(op.getSource())[axis];
    inner.push_back(combineCoords(loc, AffineExprKind::Add, coord, {Poly(0) - start, {}}));
    if (!start.isConstant(0) || !(size == sizes(op.getDest())[axis]))
      conditions.push_back(isInside(loc, inner.back(), 0, size));
  }
  return evaluateWithin(
      loc, getElementTypeOrSelf(op), conditions, [&] { return evaluate(op.getSource(), inner); },
      [&] { return evaluate(op.getDest(), coords); });
}
