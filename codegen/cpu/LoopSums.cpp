//===- LoopSums.cpp - what the loops of a reduction add up ----------------===//
//
// Sums stay in registers, one per copy of the body and output, while loops go on. One whose lanes
// are parts of it is joined at the end.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/LoopEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace nnc::codegen;

/// Iterations whose elements are summed by themselves; a sum in blocks has two of them at least.
static constexpr int64_t SumBlock = 32;

/// One value per copy and output.
LoopEmitter::Values LoopEmitter::initialValues() {
  Values values;
  e.startCaching();
  for (const SmallVector<Coord> &dims : copies) {
    for (const Nest::Output &output : nest.outputs) {
      SmallVector<Coord> at = e.applyMap(loc, output.map, dims);
      Element element = nest.accumulate ? e.load(loc, output.view, at)
                        : output.init   ? e.evaluate(output.init, at)
                                        : Element{e.zero(loc, output.type), false, {}};
      values.push_back(e.asVector(loc, element));
    }
  }
  e.stopCaching();
  return values;
}

void LoopEmitter::storeAll(ValueRange values) {
  for (const SmallVector<Coord> &dims : copies) {
    for (const Nest::Output &output : nest.outputs) {
      e.store(loc, output.view, e.applyMap(loc, output.map, dims), {values.front(), false, {}});
      values = values.drop_front();
    }
  }
}

Value LoopEmitter::join(Operation *combiner, Value a, Value b) {
  OperationState state(loc, combiner->getName().getStringRef(), {a, b}, {a.getType()},
                       combiner->getAttrs());
  return builder.create(state)->getResult(0);
}

/// `a` and `b` with half as many lanes for each sum: runs of `run` lanes belong to one sum, and its
/// second half is added to the first. `b` may be null.
Value LoopEmitter::joinHalves(Operation *combiner, Value a, Value b, int64_t run) {
  int64_t count = cast<VectorType>(a.getType()).getNumElements() * (b ? 2 : 1);
  auto halves = [&](int64_t first) -> Value {
    SmallVector<int64_t> picked;
    for (int64_t lane = 0; lane < count; lane += run)
      for (int64_t i = 0; i < run / 2; ++i)
        picked.push_back(lane + first + i);
    return builder.create<vector::ShuffleOp>(loc, a, b ? b : a, picked);
  };
  return join(combiner, halves(0), halves(run / 2));
}

/// The sum of the lanes of each vector, in the lanes of one: together they take fewer shuffles. At
/// most as many vectors as they have lanes, and a power of two.
Value LoopEmitter::joinLanes(Operation *combiner, Values vectors) {
  int64_t run = cast<VectorType>(vectors[0].getType()).getNumElements();
  for (; run > 1; run /= 2) {
    if (vectors.size() == 1) {
      vectors[0] = joinHalves(combiner, vectors[0], {}, run);
      continue;
    }
    for (size_t i = 0; i < vectors.size() / 2; ++i)
      vectors[i] = joinHalves(combiner, vectors[2 * i], vectors[2 * i + 1], run);
    vectors.resize(vectors.size() / 2);
  }
  return vectors[0];
}

/// The lanes of each of `sums` joined, and joined with `starts`.
LoopEmitter::Values LoopEmitter::joinAll(ValueRange starts, ValueRange sums) {
  size_t numOutputs = nest.outputs.size();
  Values results(sums.size());
  for (size_t output = 0; output < numOutputs; ++output) {
    Operation *combiner = nest.outputs[output].combiner;
    size_t number = sums.size() / numOutputs, done = 0;
    auto place = [&](size_t i) { return (done + i) * numOutputs + output; };
    while (done < number) {
      auto lanes = size_t(cast<VectorType>(sums[output].getType()).getNumElements());
      size_t group = std::min(llvm::bit_floor(number - done), lanes);
      Values vectors;
      for (size_t i = 0; i < group; ++i)
        vectors.push_back(sums[place(i)]);
      Value joined = joinLanes(combiner, vectors);
      bool isOneStart = llvm::all_of(llvm::seq<size_t>(0, group), [&](size_t i) {
        return starts[place(i)] == starts[place(0)];
      });
      if (isOneStart)
        joined =
            join(combiner, builder.create<vector::SplatOp>(loc, joined.getType(), starts[place(0)]),
                 joined);
      for (size_t i = 0; i < group; ++i) {
        Value sum = builder.create<vector::ExtractOp>(loc, joined, int64_t(i));
        results[place(i)] = isOneStart ? sum : join(combiner, starts[place(i)], sum);
      }
      done += group;
    }
  }
  return results;
}

Value LoopEmitter::neutralVector(const Nest::Output &output) {
  std::optional<TypedAttr> neutral = arith::getNeutralElement(output.combiner);
  auto type = VectorType::get({planned.lanes}, output.type);
  return builder.create<arith::ConstantOp>(loc, DenseElementsAttr::get(type, Attribute(*neutral)));
}

LoopEmitter::Values LoopEmitter::zerosLike(ValueRange sums) {
  Values zeros;
  for (Value value : sums) {
    TypedAttr zero = builder.getFloatAttr(getElementTypeOrSelf(value), -0.0);
    if (auto type = dyn_cast<VectorType>(value.getType()))
      zero = DenseElementsAttr::get(type, Attribute(zero));
    zeros.push_back(builder.create<arith::ConstantOp>(loc, zero));
  }
  return zeros;
}

LoopEmitter::Values LoopEmitter::addEach(ValueRange before, Values sums) {
  for (auto [i, sum] : llvm::enumerate(sums))
    sum = join(nest.outputs[i % nest.outputs.size()].combiner, before[i], sum);
  return sums;
}

/// As forEachCarrying. In blocks, some iterations at a time are summed by themselves, so that a
/// long sum does not round once for each of its elements at its own magnitude.
LoopEmitter::Values LoopEmitter::forEachSumming(bool inBlocks, Poly from, Poly to, int64_t step,
                                                Values carried, CarryingBody body) {
  if (!inBlocks)
    return forEachCarrying(from, to, step, carried, body);
  const int64_t block = SumBlock * step;
  Poly whole = from + roundDown(to - from, block);
  carried = forEachCarrying(from, whole, block, carried, [&](Poly start, ValueRange before) {
    return addEach(before, forEachCarrying(start, start + block, step, zerosLike(before), body));
  });
  return forEachCarrying(whole, to, step, carried, body);
}

/// The innermost one that is long enough; one of them, for its body is written twice.
int LoopEmitter::chooseBlockedLoop(ArrayRef<unsigned> order) const {
  auto isLong = [&](int number, int64_t step) {
    std::optional<int64_t> size = planned.loops[number].size.constant();
    return !size || *size >= 2 * SumBlock * step;
  };
  if (!nest.isPlainSum)
    return -1;
  if (planned.isVectorReduction() && isLong(planned.vectorLoop, planned.lanes))
    return planned.vectorLoop;
  for (unsigned number : llvm::reverse(order))
    if (isLong(number, 1))
      return number;
  return -1;
}

void LoopEmitter::emitReduction() {
  SmallVector<unsigned> order;
  for (auto [i, loop] : llvm::enumerate(planned.loops))
    if (loop.reduction && int(i) != planned.vectorLoop)
      order.push_back(i);
  blockedLoop = chooseBlockedLoop(order);
  Values initial = initialValues();
  if (!planned.isVectorReduction())
    return storeAll(emitSums(order, initial));
  Values carried;
  for (size_t i = 0; i < initial.size(); ++i)
    carried.push_back(neutralVector(nest.outputs[i % nest.outputs.size()]));
  if (sumsHaveRest)
    carried.append(initial);
  Values sums = emitSums(order, carried);
  ArrayRef<Value> all(sums);
  size_t number = initial.size();
  Values results =
      joinAll(sumsHaveRest ? all.drop_front(number) : ArrayRef(initial), all.take_front(number));
  storeAll(results);
}

LoopEmitter::Values LoopEmitter::emitSums(ArrayRef<unsigned> order, Values carried) {
  if (order.empty())
    return planned.isVectorReduction() ? emitVectorSums(planned.loops[planned.vectorLoop], carried)
                                       : computeOnce(carried);
  const LoopDim &loop = planned.loops[order.front()];
  bool inBlocks = int(order.front()) == blockedLoop;
  return forEachSumming(inBlocks, 0, loop.size, 1, carried, [&](Poly counter, ValueRange present) {
    for (SmallVector<Coord> &dims : copies)
      dims[loop.dim] = {nest.ranges[loop.dim].offset + counter, {}};
    return emitSums(order.drop_front(), Values(present));
  });
}

LoopEmitter::Values LoopEmitter::emitVectorSums(const LoopDim &loop, Values carried) {
  size_t number = copies.size() * nest.outputs.size();
  Poly whole = roundDown(loop.size, planned.lanes), rest = loop.size - whole;
  auto step = [&](Poly counter, Lanes lanes, ValueRange present) {
    Poly lane = lanes.count == 1 ? Poly(0) : IndexMath::lane();
    for (SmallVector<Coord> &dims : copies)
      dims[loop.dim] = {nest.ranges[loop.dim].offset + counter + lane, {}};
    Values next;
    withLanes(lanes, [&] { next = computeOnce(present); });
    if (lanes.mask)
      for (auto [value, before] : llvm::zip(next, present))
        value = builder.create<arith::SelectOp>(loc, lanes.mask, value, before);
    return next;
  };
  auto both = [&](ValueRange vectors, ValueRange scalars) {
    Values all(vectors);
    all.append(scalars.begin(), scalars.end());
    return all;
  };
  bool inBlocks = planned.vectorLoop == blockedLoop;
  carried = forEachSumming(
      inBlocks, 0, whole, planned.lanes, carried, [&](Poly counter, ValueRange present) {
        Values next = step(counter, {planned.lanes, {}, {}}, present.take_front(number));
        return both(next, present.drop_front(number));
      });
  if (sumsHaveRest)
    return forEachCarrying(whole, loop.size, 1, carried, [&](Poly counter, ValueRange present) {
      Values next = step(counter, {}, present.drop_front(number));
      return both(present.take_front(number), next);
    });
  if (rest.isConstant(0))
    return carried;
  return forEachCarrying(
      whole, loop.size, planned.lanes, carried, [&](Poly counter, ValueRange present) {
        Poly left = loop.size - counter;
        return step(counter, {planned.lanes, maskOf(planned.lanes, left), left.constant()},
                    present);
      });
}

/// The new values of all copies and outputs.
LoopEmitter::Values LoopEmitter::computeOnce(ValueRange carried) {
  e.startCaching();
  Values next;
  for (const SmallVector<Coord> &dims : copies) {
    SmallVector<Element> outputs;
    for (size_t i = 0; i < nest.outputs.size(); ++i)
      outputs.push_back({carried[next.size() + i], false, {}});
    for (const Element &element : nest.compute(dims, outputs))
      next.push_back(e.asVector(loc, element));
  }
  e.stopCaching();
  return next;
}
