//===- Materialize.cpp - parts of tensors in memory -----------------------===//
//
// Writes a box of a tensor into memory: an output of the kernel, or a buffer on the stack for what
// a consumer wants to read from memory.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelEmitter.h"
#include "codegen/cpu/LoopEmitter.h"
#include "codegen/cpu/WinogradEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

static SmallVector<Coord> coordsOf(ArrayRef<unsigned> dims, ArrayRef<Coord> all) {
  return llvm::map_to_vector(dims, [&](unsigned dim) { return all[dim]; });
}

/// The entry of `tensor` that counts, or null.
const KernelEmitter::Materialized *KernelEmitter::findMaterialized(Value tensor) const {
  for (const Materialized &entry : llvm::reverse(materialized))
    if (entry.tensor == tensor)
      return entry.isHidden ? nullptr : &entry;
  return nullptr;
}

const View *KernelEmitter::findView(Value tensor) const {
  if (const Materialized *entry = findMaterialized(tensor))
    return &entry->view;
  auto at = argumentViews.find(tensor);
  return at == argumentViews.end() ? nullptr : &at->second;
}

bool KernelEmitter::isMaterialized(Value tensor, const Box &box) {
  const Materialized *entry = findMaterialized(tensor);
  return entry && llvm::all_of(llvm::zip_equal(entry->box, box, sizes(tensor)), [](auto axis) {
           auto &[has, wants, size] = axis;
           return has == wants || (has.offset.isConstant(0) && has.size == size);
         });
}

void KernelEmitter::materializeAll(const Demands &demands) {
  // In the order of the program, so that what several of them need is there for all.
  SmallVector<std::pair<Value, Demand>> ordered(demands.begin(), demands.end());
  llvm::sort(ordered, [](const auto &a, const auto &b) {
    Operation *x = a.first.getDefiningOp(), *y = b.first.getDefiningOp();
    if (x && y && x != y)
      return x->isBeforeInBlock(y);
    auto number = [](Value value) {
      auto result = dyn_cast<OpResult>(value);
      return result ? result.getResultNumber() : cast<BlockArgument>(value).getArgNumber();
    };
    return !x == !y ? number(a.first) < number(b.first) : !x;
  });
  for (const auto &[tensor, demanded] : ordered) {
    const auto &[box, inMemory] = demanded;
    if (isMaterialized(tensor, box))
      continue;
    if (!inMemory) {
      // What is in memory from outside has not all of it.
      if (findMaterialized(tensor))
        materialized.push_back({tensor, {}, {}, true});
      continue;
    }
    View view = allocate(tensor.getLoc(), getElementTypeOrSelf(tensor), box);
    emitInto(tensor, box, view);
    materialized.push_back({tensor, box, view, false});
  }
}

void KernelEmitter::emitInto(Value tensor, const Box &box, const View &dest) {
  size_t depth = materialized.size();
  auto restore = llvm::make_scope_exit([&] { materialized.resize(depth); });
  Operation *op = tensor.getDefiningOp();
  if (auto linalg = dyn_cast_or_null<linalg::LinalgOp>(op))
    return emitLinalg(linalg, cast<OpResult>(tensor).getResultNumber(), box, dest);
  if (auto pad = dyn_cast_or_null<tensor::PadOp>(op))
    return emitPad(pad, box, dest);
  if (auto insert = dyn_cast_or_null<tensor::InsertSliceOp>(op); insert && isPlainInsert(insert))
    return emitInsert(insert, box, dest);
  if (isa_and_nonnull<tensor::EmptyOp>(op))
    return;
  Demands demands;
  demand(tensor, box, {}, demands);
  materializeAll(demands);
  emitCopy(tensor, box, dest);
}

/// Writes the elements of `tensor` one by one, however they are computed.
void KernelEmitter::emitCopy(Value tensor, const Box &box, const View &dest) {
  Nest nest(tensor.getLoc());
  nest.ranges = box;
  nest.reduction.assign(box.size(), false);
  AffineMap identity = builder.getMultiDimIdentityMap(box.size());
  nest.outputs.push_back({dest, identity, getElementTypeOrSelf(tensor), {}, nullptr});
  nest.compute = [&](ArrayRef<Coord> dims, ArrayRef<Element>) {
    return SmallVector<Element>{evaluate(tensor, dims)};
  };
  LoopEmitter(*this, nest).emit();
}

/// The part of `box` in `starts .. starts + extents`.
Box KernelEmitter::intersect(Location loc, const Box &box, ArrayRef<Poly> starts,
                             ArrayRef<Poly> extents) {
  Box result;
  for (auto [range, start, extent] : llvm::zip_equal(box, starts, extents)) {
    Poly low = math.maximum(loc, range.offset, start);
    Poly high = math.minimum(loc, range.offset + range.size, start + extent);
    Poly size = math.maximum(loc, high - low, 0);
    int64_t bound = range.bound;
    if (std::optional<int64_t> most = extent.constant())
      bound = bound < 0 ? *most : std::min(bound, *most);
    result.push_back({low, size, size.constant().value_or(bound)});
  }
  return result;
}

/// `view` for coordinates from which `start` has been subtracted.
static View shifted(View view, ArrayRef<Poly> start) {
  for (auto [offset, stride] : llvm::zip_equal(start, view.strides))
    view.base = view.base + offset * stride;
  return view;
}

static Box shifted(Box box, ArrayRef<Poly> start) {
  for (auto [range, offset] : llvm::zip_equal(box, start))
    range.offset = range.offset - offset;
  return box;
}

void KernelEmitter::emitPad(tensor::PadOp op, const Box &box, const View &dest) {
  Value number = op.getConstantPaddingValue();
  if (!number)
    return fail(op, "pads with more than one number");
  SmallVector<Poly> low;
  for (OpFoldResult amount : op.getMixedLowPad())
    low.push_back(indexOf(amount));
  Nest fill(op.getLoc());
  fill.ranges = box;
  fill.reduction.assign(box.size(), false);
  AffineMap identity = builder.getMultiDimIdentityMap(box.size());
  fill.outputs.push_back({dest, identity, number.getType(), {}, nullptr});
  fill.compute = [&](ArrayRef<Coord>, ArrayRef<Element>) {
    return SmallVector<Element>{evaluateScalar(number)};
  };
  LoopEmitter(*this, fill).emit();
  SmallVector<Poly> extents(sizes(op.getSource()));
  Box inside = intersect(op.getLoc(), box, low, extents);
  emitInto(op.getSource(), shifted(inside, low), shifted(dest, low));
}

void KernelEmitter::emitInsert(tensor::InsertSliceOp op, const Box &box, const View &dest) {
  SmallVector<Poly> start;
  for (OpFoldResult offset : op.getMixedOffsets())
    start.push_back(indexOf(offset));
  SmallVector<Poly> extents(sizes(op.getSource()));
  emitInto(op.getDest(), box, dest);
  Box inside = intersect(op.getLoc(), box, start, extents);
  emitInto(op.getSource(), shifted(inside, start), shifted(dest, start));
}

/// Products are none: they read elements more than once.
static bool isPlainSum(linalg::LinalgOp op, const Nest &nest) {
  auto readsEachOnce = [&](OpOperand *input) {
    return op.getMatchingIndexingMap(input).isPermutation();
  };
  return llvm::any_of(op.getDpsInputOperands(), readsEachOnce) &&
         llvm::all_of(nest.outputs, [](const Nest::Output &output) {
           return isa_and_nonnull<arith::AddFOp>(output.combiner);
         });
}

void KernelEmitter::emitLinalg(linalg::LinalgOp op, unsigned result, const Box &box,
                               const View &dest) {
  if (std::optional<nn::WinogradForm> form = nn::matchWinograd(op))
    return WinogradEmitter(*this, op, std::move(*form)).emit(box, dest);
  Nest nest(op.getLoc());
  SmallVector<Poly> loops = loopSizes(op);
  for (auto [size, bound] : llvm::zip(loops, op.getStaticLoopRanges()))
    nest.ranges.push_back({0, size, ShapedType::isDynamic(bound) ? -1 : bound});
  for (utils::IteratorType iterator : op.getIteratorTypesArray())
    nest.reduction.push_back(iterator == utils::IteratorType::reduction);
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
  for (auto [axis, expr] : llvm::enumerate(map.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      nest.ranges[dim.getPosition()] = box[axis];
  for (auto [number, init] : llvm::enumerate(op.getDpsInits())) {
    AffineMap outMap = op.getMatchingIndexingMap(op.getDpsInitOperand(number));
    Type element = getElementTypeOrSelf(init);
    View view = dest;
    if (number != result) {
      Box part = mapBox(outMap, nest.ranges, init);
      if (!isSmall(init, part))
        return fail(op, "has several results, one of which is too large for the stack");
      view = allocate(op.getLoc(), element, part);
    }
    nest.outputs.push_back({view, outMap, element, init, findCombiner(op, number)});
    nest.readsOutputs |= op.payloadUsesValueFromOperand(op.getDpsInitOperand(number));
  }
  nest.isPlainSum = isPlainSum(op, nest);
  Packs packs;
  nest.compute = [&, op](ArrayRef<Coord> dims, ArrayRef<Element> outputs) mutable {
    return evaluateBody(op, dims, [&](unsigned number) -> Element {
      unsigned numInputs = op.getNumDpsInputs();
      if (number >= numInputs)
        return outputs[number - numInputs];
      for (const PackedOperand &packed : packs)
        if (packed.number == number)
          return load(op.getLoc(), packed.view, coordsOf(packed.dims, dims));
      return evaluateOperand(op, number, dims);
    });
  };
  emitChunks(op, nest, packs);
}

/// Brings operands into memory where they are wanted there, and loops over `nest`.
void KernelEmitter::emitChunk(linalg::LinalgOp op, Nest &nest, Packs &packs) {
  Demands demands;
  demandOperands(op, nest.ranges, demands);
  materializeAll(demands);
  for (OpOperand *operand : op.getDpsInputOperands())
    if (wantsPacking(op, *operand, nest.ranges))
      packs.push_back(pack(op, *operand, nest.ranges));
  LoopEmitter(*this, nest).emit();
}

/// Loops over parts of the first reduction where operands for all of it would not fit into buffers.
void KernelEmitter::emitChunks(linalg::LinalgOp op, Nest &nest, Packs &packs) {
  Location loc = op.getLoc();
  std::optional<std::pair<unsigned, int64_t>> chunk = chooseChunk(op, nest);
  if (!chunk)
    return emitChunk(op, nest, packs);
  auto [dim, size] = *chunk;
  emitInitialValues(nest);
  nest.accumulate = true;
  Poly whole = nest.ranges[dim].size;
  auto constant = [&](int64_t n) -> Value {
    return builder.create<arith::ConstantIndexOp>(loc, n);
  };
  auto loop =
      builder.create<scf::ForOp>(loc, constant(0), math.materialize(loc, whole), constant(size));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Poly start = math.get(loop.getInductionVar());
  bool divides = whole.constant() && *whole.constant() % size == 0;
  Poly here = divides ? Poly(size) : math.minimum(loc, size, whole - start);
  nest.ranges[dim] = {start, here, size};
  emitChunk(op, nest, packs);
}

/// False if `operand` wants a buffer that is too large.
bool KernelEmitter::fitsInto(linalg::LinalgOp op, OpOperand &operand, ArrayRef<Interval> dims) {
  Value tensor = operand.get();
  if (!isa<RankedTensorType>(tensor.getType()) || op.isDpsInit(&operand) ||
      !op.payloadUsesValueFromOperand(&operand))
    return true;
  if (isWorthPacking(op, operand, dims))
    return wantsPacking(op, operand, dims);
  if (!wantsPart(op, operand, dims))
    return true;
  return isSmall(tensor, mapBox(op.getMatchingIndexingMap(&operand), dims, tensor));
}

/// A dimension and the size of its parts, if some operand wants a buffer that would be too large.
std::optional<std::pair<unsigned, int64_t>> KernelEmitter::chooseChunk(linalg::LinalgOp op,
                                                                       const Nest &nest) {
  auto fits = [&](ArrayRef<Interval> ranges) {
    return llvm::all_of(op->getOpOperands(),
                        [&](OpOperand &operand) { return fitsInto(op, operand, ranges); });
  };
  for (const Nest::Output &output : nest.outputs)
    if (!output.combiner)
      return std::nullopt;
  if (fits(nest.ranges))
    return std::nullopt;
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  for (unsigned dim : reductions) {
    SmallVector<Interval> ranges(nest.ranges);
    int64_t most = ranges[dim].bound < 0 ? 1024 : ranges[dim].bound;
    for (int64_t size = llvm::PowerOf2Ceil(most) / 2; size >= 4; size /= 2) {
      ranges[dim] = {0, size, size};
      if (fits(ranges))
        return std::make_pair(dim, size);
    }
  }
  return std::nullopt;
}

/// Writes the initial values of the outputs of a reduction.
void KernelEmitter::emitInitialValues(const Nest &nest) {
  for (const Nest::Output &output : nest.outputs) {
    Box box;
    for (AffineExpr expr : output.map.getResults())
      box.push_back(nest.ranges[cast<AffineDimExpr>(expr).getPosition()]);
    emitInto(output.init, box, output.view);
  }
}
