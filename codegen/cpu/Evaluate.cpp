//===- Evaluate.cpp - elements of tensors ---------------------------------===//
//
// The value of a tensor at given coordinates: loaded where it is in memory, computed from the
// elements of its operands otherwise. With several lanes the same code computes vectors; what does
// not depend on the lane stays scalar.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelEmitter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc::codegen;

Coord KernelEmitter::toCoord(Location loc, const Element &element) {
  if (element.index)
    return {*element.index, {}};
  if (isa<VectorType>(element.value.getType()))
    return {{}, element.value};
  return {math.get(element.value), {}};
}

Element KernelEmitter::fromCoord(const Coord &coord) {
  if (coord.lanes)
    return {coord.lanes, true, {}};
  return {{}, false, coord.poly};
}

Coord KernelEmitter::combineCoords(Location loc, AffineExprKind kind, const Coord &a,
                                   const Coord &b) {
  auto hasLane = [](const Coord &coord) {
    return !coord.poly.isFreeOf([](unsigned atom) { return atom == IndexMath::laneAtom; });
  };
  bool isLinear = kind == AffineExprKind::Add || kind == AffineExprKind::Mul;
  if (!a.lanes && !b.lanes && (isLinear || (!hasLane(a) && !hasLane(b)))) {
    AffineExpr x = builder.getAffineDimExpr(0), y = builder.getAffineDimExpr(1);
    return {math.evaluate(loc, getAffineBinaryOpExpr(kind, x, y), {a.poly, b.poly}, {}), {}};
  }
  Value x = asVector(loc, fromCoord(a)), y = asVector(loc, fromCoord(b));
  switch (kind) {
  case AffineExprKind::Add:
    return {{}, builder.create<arith::AddIOp>(loc, x, y)};
  case AffineExprKind::Mul:
    return {{}, builder.create<arith::MulIOp>(loc, x, y)};
  case AffineExprKind::Mod:
    return {{}, builder.create<arith::RemUIOp>(loc, x, y)};
  default:
    Value quotient = builder.create<arith::DivUIOp>(loc, x, y);
    std::optional<int64_t> divisor = b.lanes ? std::nullopt : b.poly.constant();
    std::optional<Poly> step = a.lanes ? std::nullopt : a.poly.coefficient(IndexMath::laneAtom);
    if (kind == AffineExprKind::FloorDiv && divisor && step && step->isConstant(1))
      laneQuotients[quotient] = {a.poly, *divisor};
    return {{}, quotient};
  }
}

Coord KernelEmitter::applyExpr(Location loc, AffineExpr expr, ArrayRef<Coord> dims) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return dims[symbol.getPosition()];
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return {constant.getValue(), {}};
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Coord a = applyExpr(loc, binary.getLHS(), dims), b = applyExpr(loc, binary.getRHS(), dims);
  if (expr.getKind() != AffineExprKind::CeilDiv)
    return combineCoords(loc, expr.getKind(), a, b);
  Coord up = combineCoords(loc, AffineExprKind::Add, b, {-1, {}});
  return combineCoords(loc, AffineExprKind::FloorDiv,
                       combineCoords(loc, AffineExprKind::Add, a, up), b);
}

SmallVector<Coord> KernelEmitter::applyMap(Location loc, AffineMap map, ArrayRef<Coord> dims) {
  return llvm::map_to_vector(map.getResults(),
                             [&](AffineExpr expr) { return applyExpr(loc, expr, dims); });
}

Element KernelEmitter::evaluate(Value tensor, ArrayRef<Coord> coords) {
  if (const View *view = findView(tensor))
    return load(tensor.getLoc(), *view, coords);
  Operation *op = tensor.getDefiningOp();
  return TypeSwitch<Operation *, Element>(op)
      .Case([&](linalg::LinalgOp linalg) {
        unsigned result = cast<OpResult>(tensor).getResultNumber();
        return linalg.getNumReductionLoops() > 0 ? evaluateReduction(linalg, result, coords)
                                                 : evaluateLinalg(linalg, result, coords);
      })
      .Case([&](tensor::PadOp pad) { return evaluatePad(pad, coords); })
      .Case([&](tensor::InsertSliceOp insert) { return evaluateInsert(insert, coords); })
      .Case<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ReshapeOp>(
          [&](Operation *reshape) { return evaluateReshape(reshape, coords); })
      .Case([&](tensor::ExtractSliceOp slice) { return evaluateSlice(slice, coords); })
      .Case([&](tensor::CastOp cast) { return evaluate(cast.getSource(), coords); })
      .Case([&](tensor::SplatOp splat) { return evaluateScalar(splat.getInput()); })
      .Case([&](tensor::EmptyOp) -> Element {
        return {zero(op->getLoc(), getElementTypeOrSelf(tensor)), false, {}};
      })
      .Default([&](Operation *) { return evaluateConstant(op, tensor, coords); });
}

/// The numbers of a constant in memory, where they are written at the start.
View KernelEmitter::tableOf(arith::ConstantOp constant, DenseElementsAttr numbers) {
  auto [at, isNew] = tables.try_emplace(constant.getResult());
  if (!isNew)
    return at->second;
  Location loc = constant.getLoc();
  Type element = numbers.getElementType();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(prologueEnd);
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Value count = builder.create<LLVM::ConstantOp>(loc, builder.getI64Type(), numbers.size());
  Value memory = builder.create<LLVM::AllocaOp>(loc, pointer, element, count, 64);
  for (auto [i, number] : llvm::enumerate(numbers.getValues<Attribute>())) {
    Value place = builder.create<LLVM::GEPOp>(loc, pointer, element, memory,
                                              ArrayRef<LLVM::GEPArg>{int32_t(i)});
    builder.create<LLVM::StoreOp>(
        loc, builder.create<arith::ConstantOp>(loc, cast<TypedAttr>(number)), place);
  }
  SmallVector<Poly> shape(numbers.getType().getShape());
  return tables[constant.getResult()] = denseView(memory, element, shape);
}

/// Dense constants, and tensor.from_elements of one element.
Element KernelEmitter::evaluateConstant(Operation *op, Value tensor, ArrayRef<Coord> coords) {
  Type type = getElementTypeOrSelf(tensor);
  if (auto elements = dyn_cast<tensor::FromElementsOp>(op);
      elements && elements->getNumOperands() == 1)
    return evaluateScalar(elements->getOperand(0));
  auto constant = dyn_cast<arith::ConstantOp>(op);
  auto dense = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
  if (dense && dense.isSplat())
    return {builder.create<arith::ConstantOp>(op->getLoc(),
                                              cast<TypedAttr>(dense.getSplatValue<Attribute>())),
            false,
            {}};
  if (dense && isa<FloatType>(type))
    return load(op->getLoc(), tableOf(constant, dense), coords);
  fail(op, "is not supported here by the cpu target");
  return {zero(op->getLoc(), type), false, {}};
}

Element KernelEmitter::evaluateLinalg(linalg::LinalgOp op, unsigned result,
                                      ArrayRef<Coord> coords) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
  SmallVector<Coord> dims(op.getNumLoops(), Coord{0, {}});
  for (auto [i, expr] : llvm::enumerate(map.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      dims[dim.getPosition()] = coords[i];
  return evaluateBody(op, dims, [&](unsigned number) -> Element {
    return evaluateOperand(op, number, dims);
  })[result];
}

Element KernelEmitter::evaluateOperand(linalg::LinalgOp op, unsigned number, ArrayRef<Coord> dims) {
  OpOperand &operand = op->getOpOperand(number);
  if (!isa<RankedTensorType>(operand.get().getType()))
    return evaluateScalar(operand.get());
  return evaluate(operand.get(), applyMap(op.getLoc(), op.getMatchingIndexingMap(&operand), dims));
}

/// Only of scalars, by loops of its own: the way of tensors too large to be kept.
Element KernelEmitter::evaluateReduction(linalg::LinalgOp op, unsigned result,
                                         ArrayRef<Coord> coords) {
  Location loc = op.getLoc();
  if (accesses)
    accesses->scalarOnly = true;
  SmallVector<Poly> loopRanges = loopSizes(op);
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
  SmallVector<Coord> dims(op.getNumLoops(), Coord{0, {}});
  for (auto [i, expr] : llvm::enumerate(map.getResults()))
    dims[cast<AffineDimExpr>(expr).getPosition()] = coords[i];
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  size_t numLoads = loads.size();
  bool wasCaching = std::exchange(caching, false);
  SmallVector<Value> values;
  for (OpOperand &init : op.getDpsInitsMutable())
    values.push_back(asValue(loc, evaluateOperand(op, init.getOperandNumber(), dims)));
  std::function<SmallVector<Value>(ArrayRef<unsigned>, ValueRange)> loop =
      [&](ArrayRef<unsigned> rest, ValueRange present) -> SmallVector<Value> {
    if (rest.empty()) {
      SmallVector<Element> yields = evaluateBody(op, dims, [&](unsigned number) -> Element {
        unsigned numInputs = op.getNumDpsInputs();
        return number >= numInputs ? Element{present[number - numInputs], false, {}}
                                   : evaluateOperand(op, number, dims);
      });
      return llvm::map_to_vector(yields, [&](const Element &e) { return asValue(loc, e); });
    }
    auto constant = [&](int64_t n) -> Value {
      return builder.create<arith::ConstantIndexOp>(loc, n);
    };
    Value size = math.materialize(loc, loopRanges[rest.front()]);
    auto nest = builder.create<scf::ForOp>(loc, constant(0), size, constant(1), present);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(nest.getBody());
    dims[rest.front()] = {math.get(nest.getInductionVar()), {}};
    SmallVector<Value> next = loop(rest.drop_front(), nest.getRegionIterArgs());
    builder.create<scf::YieldOp>(loc, next);
    return SmallVector<Value>(nest.getResults());
  };
  Value value = loop(reductions, values)[result];
  loads.resize(numLoads);
  caching = wasCaching;
  return {value, false, {}};
}

SmallVector<Element> KernelEmitter::evaluateBody(linalg::LinalgOp op, ArrayRef<Coord> dims,
                                                 llvm::function_ref<Element(unsigned)> argument) {
  Block *body = op.getBlock();
  DenseMap<Value, Element> known;
  auto get = [&](Value value) -> Element {
    if (auto at = known.find(value); at != known.end())
      return at->second;
    auto arg = dyn_cast<BlockArgument>(value);
    if (!arg || arg.getOwner() != body)
      return evaluateScalar(value);
    return known[value] = argument(arg.getArgNumber());
  };
  for (Operation &inner : body->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      known[index] = fromCoord(dims[index.getDim()]);
      continue;
    }
    SmallVector<Element> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(isa<TensorType>(operand.getType()) ? Element() : get(operand));
    if (inner.getNumResults() != 1)
      fail(&inner, "is not supported in a body by the cpu target");
    else
      known[inner.getResult(0)] = evaluateOp(&inner, operands);
  }
  SmallVector<Element> yields;
  for (Value value : body->getTerminator()->getOperands())
    yields.push_back(get(value));
  return yields;
}

/// What is defined in the kernel's body outside of linalg operations; computed once, at the start.
Element KernelEmitter::evaluateScalar(Value scalar) {
  if (auto at = scalars.find(scalar); at != scalars.end())
    return at->second;
  Operation *op = scalar.getDefiningOp();
  if (std::optional<unsigned> position = op ? getSymbolPosition(op) : std::nullopt)
    return {{}, false, symbols[*position]};
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(prologueEnd);
  Lanes oneLane;
  std::swap(lanes, oneLane);
  LoopAccesses *looking = std::exchange(accesses, nullptr);
  bool wasCaching = std::exchange(caching, false);
  SmallVector<Materialized> elsewhere;
  std::swap(materialized, elsewhere);
  SmallVector<Element> operands;
  for (Value operand : op->getOperands())
    operands.push_back(isa<TensorType>(operand.getType()) ? Element() : evaluateScalar(operand));
  Element result = evaluateOp(op, operands);
  materialized = std::move(elsewhere);
  caching = wasCaching;
  accesses = looking;
  lanes = oneLane;
  return scalars[scalar] = result;
}

/// Index arithmetic stays symbolic, so that it can become part of an address.
std::optional<Element> KernelEmitter::evaluateIndexOp(Operation *op, ArrayRef<Element> operands) {
  Location loc = op->getLoc();
  auto combine = [&](AffineExprKind kind) -> Element {
    return fromCoord(
        combineCoords(loc, kind, toCoord(loc, operands[0]), toCoord(loc, operands[1])));
  };
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    AffineMap map = apply.getAffineMap();
    SmallVector<Coord> coords;
    for (const Element &operand : operands)
      coords.push_back(toCoord(loc, operand));
    AffineExpr expr = map.getResult(0).shiftSymbols(map.getNumSymbols(), map.getNumDims());
    return fromCoord(applyExpr(loc, expr, coords));
  }
  if (auto dim = dyn_cast<tensor::DimOp>(op))
    if (std::optional<int64_t> axis = dim.getConstantIndex())
      return Element{{}, false, sizes(dim.getSource())[*axis]};
  if (!op->getResult(0).getType().isIndex())
    return std::nullopt;
  if (isa<arith::AddIOp>(op))
    return combine(AffineExprKind::Add);
  if (isa<arith::MulIOp>(op))
    return combine(AffineExprKind::Mul);
  if (isa<arith::SubIOp>(op)) {
    Coord negative = combineCoords(loc, AffineExprKind::Mul, toCoord(loc, operands[1]), {-1, {}});
    return fromCoord(combineCoords(loc, AffineExprKind::Add, toCoord(loc, operands[0]), negative));
  }
  if (auto constant = dyn_cast<arith::ConstantIndexOp>(op))
    return Element{{}, false, constant.value()};
  return std::nullopt;
}

/// One operation of a body, for all lanes. Operands that are tensors have no element.
Element KernelEmitter::evaluateOp(Operation *op, ArrayRef<Element> operands) {
  Location loc = op->getLoc();
  if (std::optional<Element> index = evaluateIndexOp(op, operands))
    return *index;
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    SmallVector<Coord> coords;
    for (const Element &operand : operands.drop_front())
      coords.push_back(toCoord(loc, operand));
    return evaluate(extract.getTensor(), coords);
  }
  if (op->getNumRegions() > 0 || op->getNumResults() != 1 ||
      (!OpTrait::hasElementwiseMappableTraits(op) && !op->hasTrait<OpTrait::ConstantLike>())) {
    fail(op, "is not supported here by the cpu target");
    return {zero(loc, op->getResult(0).getType()), false, {}};
  }
  // There are no vector divisions of integers; and lanes that do not exist might divide by zero.
  if (accesses && isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
                      arith::FloorDivSIOp, arith::CeilDivSIOp, arith::CeilDivUIOp>(op))
    accesses->scalarOnly = true;
  SmallVector<Value> values;
  bool isVector = false;
  for (const Element &operand : operands) {
    values.push_back(asValue(loc, operand));
    isVector |= isa<VectorType>(values.back().getType());
  }
  Type type = op->getResult(0).getType();
  if (isVector) {
    type = vectorOf(type);
    for (Value &value : values)
      value = asVector(loc, {value, false, {}});
  }
  OperationState state(loc, op->getName().getStringRef(), values, {type}, op->getAttrs());
  return {builder.create(state)->getResult(0), isVector, {}};
}
