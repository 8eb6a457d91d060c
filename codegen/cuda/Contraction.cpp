//===- Contraction.cpp - A kernel understood as a batch of matrix products --------------------===//
#include "codegen/cuda/Contraction.h"

#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace nnc::codegen {

//===------------------------------------------------------------------------------------------===//
// Understanding
//===------------------------------------------------------------------------------------------===//

/// The factors of the products that `op` adds up; null values if it does something else.
static std::pair<Value, Value> factorsOf(linalg::LinalgOp op) {
  Operation *sum = op.getNumReductionLoops() > 0 ? findCombiner(op) : nullptr;
  if (!sum || !isa<arith::AddFOp, arith::AddIOp>(sum))
    return {};
  BlockArgument total = op->getRegion(0).front().getArgument(op.getNumDpsInputs());
  Operation *times = sum->getOperand(sum->getOperand(0) == total ? 1 : 0).getDefiningOp();
  if (!times || times->getBlock() != sum->getBlock() || !isa<arith::MulFOp, arith::MulIOp>(times))
    return {};
  return {times->getOperand(0), times->getOperand(1)};
}

/// What a factor is computed from, in the body of `op`: operands and the counters of loops.
static void visitReads(linalg::LinalgOp op, Value factor,
                       llvm::function_ref<void(OpOperand &)> visitOperand,
                       llvm::function_ref<void(unsigned)> visitLoop) {
  SmallVector<Value> pending{factor};
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (Operation *maker = next.getDefiningOp()) {
      if (maker->getParentOp() != op)
        continue;
      if (auto index = dyn_cast<linalg::IndexOp>(maker))
        visitLoop(static_cast<unsigned>(index.getDim()));
      llvm::append_range(pending, maker->getOperands());
      continue;
    }
    visitOperand(op->getOpOperand(cast<BlockArgument>(next).getArgNumber()));
  }
}

/// The loops that a factor depends on.
static llvm::SmallBitVector loopsOf(linalg::LinalgOp op, Value factor) {
  llvm::SmallBitVector loops(op.getNumLoops());
  visitReads(
      op, factor,
      [&](OpOperand &operand) {
        AffineMap map = op.getMatchingIndexingMap(&operand);
        for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
          if (map.isFunctionOfDim(loop))
            loops.set(loop);
      },
      [&](unsigned loop) { loops.set(loop); });
  return loops;
}

/// Whether one factor is read again for what the other is not: else there are no rows and columns.
static bool isProduct(linalg::LinalgOp op) {
  auto [left, right] = factorsOf(op);
  return left && left != right && loopsOf(op, left) != loopsOf(op, right);
}

/// Whether both multiply the same left operand, in the same loops.
static bool haveSameRows(linalg::LinalgOp a, linalg::LinalgOp b) {
  return a.getNumDpsInputs() == 2 && b.getNumDpsInputs() == 2 &&
         a.getDpsInputs()[0] == b.getDpsInputs()[0] &&
         a.getIndexingMapsArray() == b.getIndexingMapsArray() &&
         a.getIteratorTypesArray() == b.getIteratorTypesArray() &&
         a.getDpsInputs()[1].getType() == b.getDpsInputs()[1].getType();
}

/// A sum of squares beside the product is none of its own.
bool Contraction::findProduct(bool mayHaveTwo) {
  SmallVector<linalg::LinalgOp> found;
  for (auto op : body.block->getOps<linalg::LinalgOp>())
    if (factorsOf(op).first)
      found.push_back(op);
  if (found.size() > 1)
    llvm::erase_if(found, [](linalg::LinalgOp op) { return !isProduct(op); });
  bool areTwo = mayHaveTwo && found.size() == 2 && haveSameRows(found[0], found[1]);
  if (found.size() != 1 && !areTwo)
    return false;
  product = found[0];
  if (areTwo)
    second = found[1];
  extents = evaluator.sizes.extentsOf(product);
  element = getElementTypeOrSelf(product.getDpsInits()[0].getType());
  bool isSized = !llvm::is_contained(extents, AffineExpr());
  return isSized && (element.isF32() || element.isF64() || isa<IntegerType>(element));
}

Contraction::Factor Contraction::factorOf(Value value) {
  Factor factor{value, loopsOf(product, value), false};
  bool isPlaced = false;
  auto place = [&](OpOperand &operand) {
    AffineMap map = product.getMatchingIndexingMap(&operand);
    if (isPlaced || map.getNumResults() == 0)
      return;
    isPlaced = true;
    factor.alongDepth = true;
    for (auto [loop, kind] : llvm::enumerate(product.getIteratorTypesArray()))
      if (kind == utils::IteratorType::parallel && map.getResults().back().isFunctionOfDim(loop))
        factor.alongDepth = false;
  };
  visitReads(product, value, place, [](unsigned) {});
  return factor;
}

/// Where an output reads the product, which must be one place for each of its elements, and the
/// same for all outputs.
bool Contraction::trace(const Output &output) {
  Writing dry(body);
  IndexList axes;
  for (auto [axis, dim] : llvm::enumerate(axisDims))
    axes.push_back(dry.evaluator.declare("v" + std::to_string(axis), dim));
  bool isSame = true;
  dry.evaluator.intercept = [&](Value tensor, const IndexList &at) -> std::optional<std::string> {
    Operation *maker = tensor.getDefiningOp();
    if (!maker || (maker != product && maker != second))
      return std::nullopt;
    if (!place)
      place = at;
    isSame = isSame && *place == at;
    for (AffineExpr index : at)
      for (unsigned variable : dry.math.variablesOf(index))
        isSame = isSame && variable < axisDims.size();
    return "0";
  };
  dry.evaluator.element(output.tensor, mergeAxes(dry.math, axes));
  return isSame && place && !dry.evaluator.error();
}

bool Contraction::traceAll() {
  axisDims = outputs[0].dims;
  for (unsigned axis = 0; axis < axisDims.size(); ++axis)
    axisOwners.push_back(axis);
  do {
    place.reset();
    for (const Output &output : outputs)
      if (!sameDims(math, output.dims, outputs[0].dims) || !trace(output))
        return false;
  } while (splitAxes());
  return true;
}

/// Cuts the first axis of which the product's place uses quotient and remainder; false if there is
/// none.
bool Contraction::splitAxes() {
  std::optional<std::pair<unsigned, int64_t>> found;
  for (AffineExpr index : *place)
    index.walk([&](AffineExpr part) {
      auto division = dyn_cast<AffineBinaryOpExpr>(part);
      bool divides = division && (part.getKind() == AffineExprKind::Mod ||
                                  part.getKind() == AffineExprKind::FloorDiv);
      auto axis = divides ? dyn_cast<AffineDimExpr>(division.getLHS()) : AffineDimExpr(nullptr);
      if (!axis)
        return;
      std::optional<int64_t> by = math.constantOf(division.getRHS());
      std::optional<int64_t> size = math.constantOf(axisDims[axis.getPosition()]);
      if (by && size && *by > 1 && *by < *size && *size % *by == 0)
        found = {axis.getPosition(), *by};
    });
  if (!found)
    return false;
  auto [axis, by] = *found;
  axisDims.insert(axisDims.begin() + axis + 1, math.constant(by));
  axisDims[axis] = math.simplify(axisDims[axis].floorDiv(by));
  axisOwners.insert(axisOwners.begin() + axis, axisOwners[axis]);
  return true;
}

/// The results' indices, from those of the axes that they were cut into.
IndexList Contraction::mergeAxes(const IndexMath &math, const IndexList &axes) const {
  IndexList indices;
  for (unsigned owner = 0; owner < outputs[0].dims.size(); ++owner) {
    IndexList parts, dims;
    for (auto [axis, index] : llvm::enumerate(axes))
      if (axisOwners[axis] == owner) {
        parts.push_back(index);
        dims.push_back(axisDims[axis]);
      }
    indices.push_back(math.linearize(parts, dims));
  }
  return indices;
}

/// Sorts loops and axes into parts; says what does not fit.
std::optional<std::string> Contraction::classify() {
  auto [first, second] = factorsOf(product);
  left = factorOf(first);
  right = factorOf(second);
  auto partOf = [&](unsigned loop) {
    if (product.getIteratorTypesArray()[loop] == utils::IteratorType::reduction)
      return Depth;
    if (left.loops.test(loop) && right.loops.test(loop))
      return Batch;
    return left.loops.test(loop) ? Rows : Columns;
  };
  for (unsigned loop = 0; loop < product.getNumLoops(); ++loop)
    loopParts.push_back(partOf(loop));

  AffineMap map = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  axisParts.assign(axisDims.size(), Depth);
  for (auto [expr, index] : llvm::zip(map.getResults(), *place)) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop)
      return "the product's result is not indexed by its loops";
    bool isClear = true;
    index.walk([&](AffineExpr part) {
      auto axis = dyn_cast<AffineDimExpr>(part);
      if (!axis)
        return;
      Part &known = axisParts[axis.getPosition()];
      isClear = isClear && (known == Depth || known == loopParts[loop.getPosition()]);
      known = loopParts[loop.getPosition()];
    });
    if (!isClear)
      return "an axis of the result mixes both sides of the product";
  }
  for (auto [part, dim] : llvm::zip(axisParts, axisDims)) {
    if (part == Depth && math.constantOf(dim) != 1)
      return "an axis of the result does not depend on the product";
    if (part == Depth)
      part = Batch;
  }
  // Threads run along the columns when they store: these get the last axis.
  for (auto [part, dim] : llvm::reverse(llvm::zip(axisParts, axisDims))) {
    if (math.constantOf(dim) == 1 || part == Batch)
      continue;
    if (part == Rows)
      swapSides();
    break;
  }
  return std::nullopt;
}

void Contraction::swapSides() {
  std::swap(left, right);
  for (std::vector<Part> *parts : {&axisParts, &loopParts})
    for (Part &part : *parts)
      part = part == Rows ? Columns : part == Columns ? Rows : part;
}

void Contraction::forSecond(llvm::function_ref<void(const Factor &)> write) {
  std::swap(product, second);
  auto [first, other] = factorsOf(product);
  Factor factor = factorOf(first);
  write(factor.loops == right.loops ? factor : factorOf(other));
  std::swap(product, second);
}

std::optional<nnc::Error> Contraction::understand(bool mayHaveTwo) {
  Result<std::vector<Output>> found = outputsOf(body, evaluator);
  if (!found)
    return found.error();
  outputs = std::move(*found);
  if (!findProduct(mayHaveTwo))
    return nnc::Error{"there is not exactly one sum of products"};
  if (!traceAll())
    return nnc::Error{"the results do not read the product at one place each"};
  if (std::optional<std::string> why = classify())
    return nnc::Error{*why};
  batch = math.constant(0);
  return std::nullopt;
}

AffineExpr Contraction::extentOf(Part part) const {
  IndexList dims;
  if (part == Depth) {
    for (auto [loop, extent] : llvm::enumerate(extents))
      if (loopParts[loop] == Depth)
        dims.push_back(extent);
  } else {
    for (auto [axis, dim] : llvm::enumerate(axisDims))
      if (axisParts[axis] == part)
        dims.push_back(dim);
  }
  return math.product(dims);
}

//===------------------------------------------------------------------------------------------===//
// Places
//===------------------------------------------------------------------------------------------===//

IndexList Contraction::axesAt(AffineExpr row, AffineExpr column) {
  IndexList axes(axisParts.size());
  for (auto [part, index] :
       {std::pair(Batch, batch), std::pair(Rows, row), std::pair(Columns, column)}) {
    if (!index)
      continue;
    IndexList dims;
    for (auto [axis, dim] : llvm::enumerate(axisDims))
      if (axisParts[axis] == part)
        dims.push_back(dim);
    IndexList indices = math.delinearize(index, dims);
    unsigned next = 0;
    for (auto [axis, value] : llvm::enumerate(axes))
      if (axisParts[axis] == part)
        value = indices[next++];
  }
  return axes;
}

/// The place in the product's result, null where it depends on an axis that is null.
IndexList Contraction::placeAt(const IndexList &axes) const {
  IndexList result;
  for (AffineExpr index : *place) {
    bool isKnown = true;
    index.walk([&](AffineExpr part) {
      if (auto axis = dyn_cast<AffineDimExpr>(part))
        isKnown = isKnown && axes[axis.getPosition()];
    });
    IndexList filled = axes;
    for (AffineExpr &axis : filled)
      if (!axis)
        axis = math.constant(0);
    result.push_back(isKnown ? math.simplify(index.replaceDims(filled)) : AffineExpr());
  }
  return result;
}

IndexList Contraction::loopsAt(AffineExpr row, AffineExpr column, AffineExpr depth) {
  IndexList loops(product.getNumLoops()), depths;
  AffineMap map = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  for (auto [expr, index] : llvm::zip(map.getResults(), placeAt(axesAt(row, column))))
    loops[cast<AffineDimExpr>(expr).getPosition()] = index;
  for (auto [loop, extent] : llvm::enumerate(extents))
    if (loopParts[loop] == Depth)
      depths.push_back(extent);
  IndexList indices = math.delinearize(depth, depths);
  unsigned next = 0;
  for (auto [loop, index] : llvm::enumerate(loops))
    if (loopParts[loop] == Depth)
      index = indices[next++];
  return loops;
}

} // namespace nnc::codegen
