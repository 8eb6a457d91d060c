//===- LoopEmitter.cpp - the loops of one computation ---------------------===//

#include "codegen/cpu/LoopEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace nnc::codegen;

LoopEmitter::LoopEmitter(KernelEmitter &emitter, const Nest &nest)
    : e(emitter), nest(nest), builder(emitter.builder), loc(nest.loc),
      hasReduction(llvm::is_contained(nest.reduction, true)) {
  for (const Interval &range : nest.ranges)
    coords.push_back({range.offset, {}});
}

void LoopEmitter::emit() {
  plan();
  SmallVector<unsigned> parallel;
  for (auto [i, loop] : llvm::enumerate(planned.loops)) {
    bool isUnrolled = llvm::any_of(planned.unrolled, [&](auto &u) { return u.first == i; });
    if (!loop.reduction && !isUnrolled && int(i) != planned.vectorLoop)
      parallel.push_back(i);
  }
  emitParallel(parallel);
}

/// Evaluates the body on placeholders in a block that is not part of the function.
LoopAccesses LoopEmitter::look() {
  Region &region = *e.lookedAt.emplace_back(std::make_unique<Region>());
  Block &block = region.emplaceBlock();
  for (size_t i = 0; i < nest.ranges.size(); ++i)
    block.addArgument(builder.getIndexType(), loc);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&block);
  LoopAccesses accesses;
  e.accesses = &accesses;
  SmallVector<Coord> dims;
  for (auto [range, placeholder] : llvm::zip(nest.ranges, block.getArguments()))
    dims.push_back({range.offset + e.math.get(placeholder), {}});
  SmallVector<Element> outputs;
  for (const Nest::Output &output : nest.outputs) {
    SmallVector<Coord> at = e.applyMap(loc, output.map, dims);
    if (hasReduction)
      outputs.push_back(e.recordLoad(loc, output.view, 0));
    else
      outputs.push_back(nest.readsOutputs ? e.evaluate(output.init, at) : Element());
  }
  if (hasReduction)
    accesses.list.clear();
  nest.compute(dims, outputs);
  for (const Nest::Output &output : nest.outputs) {
    e.load(loc, output.view, e.applyMap(loc, output.map, dims));
    accesses.list.back().isOutput = true;
  }
  e.accesses = nullptr;
  return accesses;
}

void LoopEmitter::plan() {
  LoopAccesses accesses = look();
  for (const Access &access : accesses.list)
    leastBytes = std::min(leastBytes, access.bytes);
  Block &block = e.lookedAt.back()->front();
  SmallVector<LoopDim> loops;
  for (bool reduction : {false, true})
    for (auto [i, range] : llvm::enumerate(nest.ranges))
      if (nest.reduction[i] == reduction)
        loops.push_back({unsigned(i), range.size, range.bound, reduction, block.getArgument(i)});
  bool canSplitSum =
      llvm::all_of(nest.outputs, [](const Nest::Output &output) { return output.combiner; });
  planned = planLoops(std::move(loops), accesses, e.math, e.features, canSplitSum);
  if (planned.isVectorReduction() && !canMask()) {
    std::optional<int64_t> size = planned.loops[planned.vectorLoop].size.constant();
    sumsHaveRest = !size || *size % planned.lanes != 0;
  }
}

bool LoopEmitter::canMask() const { return leastBytes >= e.features.maskBytes; }

void LoopEmitter::setCounter(const LoopDim &loop, Poly counter) {
  coords[loop.dim] = {nest.ranges[loop.dim].offset + counter, {}};
}

void LoopEmitter::withLanes(Lanes lanes, llvm::function_ref<void()> body) {
  std::swap(e.lanes, lanes);
  body();
  e.lanes = lanes;
}

Poly LoopEmitter::roundDown(const Poly &size, int64_t step) {
  return step == 1 ? size : e.math.floorDiv(loc, size, step) * step;
}

LoopEmitter::Values LoopEmitter::forEachCarrying(Poly from, Poly to, int64_t step, Values carried,
                                                 CarryingBody body) {
  if (std::optional<int64_t> size = (to - from).constant()) {
    if (*size <= 0)
      return carried;
    if (*size <= step)
      return body(from, carried);
  }
  Value lower = e.math.materialize(loc, from), upper = e.math.materialize(loc, to);
  Value stride = builder.create<arith::ConstantIndexOp>(loc, step);
  auto loop = builder.create<scf::ForOp>(loc, lower, upper, stride, carried);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Values next = body(e.math.get(loop.getInductionVar()), loop.getRegionIterArgs());
  if (!carried.empty())
    builder.create<scf::YieldOp>(loc, next);
  return Values(loop.getResults());
}

void LoopEmitter::forEach(Poly from, Poly to, int64_t step, Body body) {
  (void)forEachCarrying(from, to, step, {}, [&](Poly counter, ValueRange) {
    body(counter);
    return Values();
  });
}

/// A vector of i1: the first `live` of `count` lanes.
Value LoopEmitter::maskOf(int64_t count, const Poly &live) {
  auto type = VectorType::get({count}, builder.getI32Type());
  SmallVector<int32_t> numbers = llvm::to_vector(llvm::seq<int32_t>(0, int32_t(count)));
  if (std::optional<int64_t> constant = live.constant()) {
    SmallVector<bool> bits =
        llvm::map_to_vector(numbers, [&](int32_t number) { return number < *constant; });
    return builder.create<arith::ConstantOp>(
        loc, DenseElementsAttr::get(VectorType::get({count}, builder.getI1Type()), ArrayRef(bits)));
  }
  Value lanes =
      builder.create<arith::ConstantOp>(loc, DenseElementsAttr::get(type, ArrayRef(numbers)));
  Value limit =
      builder.create<arith::IndexCastOp>(loc, builder.getI32Type(), e.math.materialize(loc, live));
  Value limits = builder.create<vector::SplatOp>(loc, type, limit);
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, lanes, limits);
}

void LoopEmitter::emitParallel(ArrayRef<unsigned> order) {
  if (!order.empty()) {
    const LoopDim &loop = planned.loops[order.front()];
    return forEach(0, loop.size, 1, [&](Poly counter) {
      setCounter(loop, counter);
      emitParallel(order.drop_front());
    });
  }
  if (planned.vectorLoop < 0 || planned.isVectorReduction()) {
    copies = {coords};
    return emitUnrolled(planned.unrolled);
  }
  emitVectors(planned.loops[planned.vectorLoop], [&] {
    copies = {coords};
    emitUnrolled(planned.unrolled);
  });
}

/// The loop by full vectors, then what is left over by a masked vector or smaller ones.
void LoopEmitter::emitVectors(const LoopDim &loop, llvm::function_ref<void()> body) {
  int64_t count = planned.lanes;
  auto piece = [&](Poly counter, Lanes lanes) {
    setCounter(loop, lanes.count == 1 ? counter : counter + IndexMath::lane());
    withLanes(lanes, body);
  };
  Poly whole = roundDown(loop.size, count);
  forEach(0, whole, count, [&](Poly counter) { piece(counter, {count, {}, {}}); });
  Poly rest = loop.size - whole;
  std::optional<int64_t> constant = rest.constant();
  if (constant && canMask() && *constant > 0) {
    int64_t lanes = llvm::PowerOf2Ceil(*constant);
    Value mask = lanes == *constant ? Value() : maskOf(lanes, rest);
    return piece(whole, {lanes, mask, constant});
  }
  if (constant) {
    for (int64_t lanes = count / 2; lanes > 0; lanes /= 2) {
      if ((*constant & lanes) == 0)
        continue;
      piece(whole, {lanes, {}, {}});
      whole = whole + lanes;
    }
    return;
  }
  // Register by register, for there may be few.
  int64_t lanes = std::min(count, planned.registerLanes);
  if (canMask())
    return forEach(whole, loop.size, lanes, [&](Poly counter) {
      piece(counter, {lanes, maskOf(lanes, loop.size - counter), {}});
    });
  forEach(whole, loop.size, 1, [&](Poly counter) { piece(counter, {}); });
}

/// Copies of the body for several iterations of the outermost of `rest`; the last iterations by
/// fewer.
void LoopEmitter::emitUnrolled(ArrayRef<std::pair<unsigned, int64_t>> rest) {
  if (rest.empty())
    return hasReduction ? emitReduction() : emitElements();
  const LoopDim &loop = planned.loops[rest.front().first];
  SmallVector<SmallVector<Coord>> outer = copies;
  auto repeat = [&](Poly counter, int64_t factor) {
    copies.clear();
    for (const SmallVector<Coord> &base : outer) {
      for (int64_t i = 0; i < factor; ++i) {
        copies.push_back(base);
        copies.back()[loop.dim] = {nest.ranges[loop.dim].offset + counter + i, {}};
      }
    }
    emitUnrolled(rest.drop_front());
  };
  Poly done = 0;
  int64_t factor = rest.front().second;
  while (!(done == loop.size)) {
    Poly until = done + roundDown(loop.size - done, factor);
    forEach(done, until, factor, [&](Poly counter) { repeat(counter, factor); });
    done = until;
    std::optional<int64_t> left = (loop.size - done).constant();
    factor = left ? *left : factor > 4 ? 4 : 1;
  }
  copies = outer;
}

void LoopEmitter::emitElements() {
  e.startCaching();
  Values values;
  for (const SmallVector<Coord> &dims : copies) {
    SmallVector<Element> outputs;
    for (const Nest::Output &output : nest.outputs)
      outputs.push_back(nest.readsOutputs
                            ? e.evaluate(output.init, e.applyMap(loc, output.map, dims))
                            : Element());
    for (auto [output, element] : llvm::zip(nest.outputs, nest.compute(dims, outputs)))
      e.store(loc, output.view, e.applyMap(loc, output.map, dims), element);
  }
  e.stopCaching();
}
