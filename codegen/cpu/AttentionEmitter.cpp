//===- AttentionEmitter.cpp - attention as one loop nest ------------------===//

#include "codegen/cpu/AttentionEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

AttentionEmitter::AttentionEmitter(nn::KernelOp kernel, const nn::AttentionAccess &access,
                                   unsigned numSymbols, const CpuFeatures &features,
                                   OpBuilder &builder)
    : AttentionLoops(kernel, access, numSymbols, features, builder), access(access) {}

AffineMap AttentionEmitter::emit(ModuleOp module, StringRef symbol) {
  Value block = emitFunction(module, symbol);
  result = tensorOf(access.result, inputs.element, true);
  if (access.lse)
    lse = tensorOf(*access.lse, f32, true);
  locate(block, mul(queryCount, groups));
  emitTile();
  AffineExpr perHead = inputs.queries * inputs.heads.floorDiv(inputs.keyHeads);
  return AffineMap::get(0, numSymbols, inputs.batch * inputs.keyHeads * perHead.ceilDiv(tileRows));
}

//===- A tile of rows -------------------------------------------------------------------------===//

void AttentionEmitter::emitTile() {
  scores = allocate(rowsAtOnce * tileKeys);
  maxima = allocate(tileRows);
  sums = allocate(tileRows);
  results = allocate(tileRows * inputs.headSize);
  clearRows();
  loop(index(0), lastKey(), tileKeys, [&](Value key) { emitKeys(key); });
  loop(index(0), rows, 1, [&](Value row) { finishRow(row); });
}

void AttentionEmitter::clearRows() {
  loop(index(0), rows, 1, [&](Value row) {
    store(number(-std::numeric_limits<double>::infinity()), maxima, f32, row);
    store(number(0), sums, f32, row);
    for (const Chunk &chunk : chunks)
      store(number(0, chunk.width), results, f32,
            add(mul(row, index(inputs.headSize)), index(chunk.begin)));
  });
}

/// Where the keys end that some row of the tile sees. Later rows see more.
LoopWriter::Value AttentionEmitter::lastKey() {
  return inputs.isCausal ? seenKeys(rowOf(sub(rows, index(1))).query) : keyCount;
}

void AttentionEmitter::emitKeys(Value key) {
  loopOverRows([&](Value row, int64_t count) { emitRows(key, row, count); });
}

/// All of one tile of keys for `count` rows.
void AttentionEmitter::emitRows(Value key, Value row, int64_t count) {
  Value end = minimum(index(tileKeys), sub(keyCount, key));
  auto placeIn = [&](const Tensor &tensor) {
    return [&](Value j) { return placeOf(tensor, keyHead, add(key, j)); };
  };
  Values queryPlaces;
  for (int64_t i = 0; i < count; ++i) {
    Row at = rowOf(add(row, index(i)));
    queryPlaces.push_back(placeOf(query, at.head, at.query));
  }
  multiplyRows(query, queryPlaces, keys, placeIn(keys), end, 1 / std::sqrt(double(inputs.headSize)),
               scores);
  Values corrections;
  Value base = scores;
  for (int64_t i = 0; i < count; ++i) {
    scores = pointerTo(base, f32, index(i * tileKeys));
    Value own = add(row, index(i));
    if (inputs.mask)
      hideByMask(key, own);
    corrections.push_back(emitWeights(key, own));
  }
  scores = base;
  addRows(results, row, count, corrections, scores, values, placeIn(values), end);
}

void AttentionEmitter::hideByMask(Value key, Value row) {
  Value place = maskPlace(rowOf(row), key);
  Value end = minimum(index(tileKeys), sub(keyCount, key));
  loop(index(0), end, 1, [&](Value j) {
    Value isSeen = isShown(add(place, mul(j, mask.strides[3])));
    Value score = builder.create<arith::SelectOp>(loc, isSeen, load(scores, f32, j, 0),
                                                  number(-std::numeric_limits<double>::infinity()));
    store(score, scores, f32, j);
  });
}

//===- Weights --------------------------------------------------------------------------------===//

/// Turns the row's scores into exp(score - maximum), 0 where hidden, and updates maximum and sum.
/// Returns what earlier weights must be multiplied by.
LoopWriter::Value AttentionEmitter::emitWeights(Value key, Value row) {
  Value infinity = number(-std::numeric_limits<double>::infinity());
  Value seen = sub(seenKeys(rowOf(row).query), key), limit = minimum(seen, index(tileKeys));
  Values highest =
      loop(index(0), index(tileKeys), width, {splat(infinity, width)}, [&](Value j, ValueRange so) {
        Value score = builder.create<arith::SelectOp>(
            loc, areBelow(j, limit), load(scores, f32, j, width), splat(infinity, width));
        store(score, scores, f32, j);
        return Values{builder.create<arith::MaximumFOp>(loc, so[0], score)};
      });
  Value highestHere =
      builder.create<vector::ReductionOp>(loc, vector::CombiningKind::MAXIMUMF, highest[0]);
  Value before = load(maxima, f32, row, 0);
  Value maximum = builder.create<arith::MaximumFOp>(loc, before, highestHere);
  // Of nothing but -inf, differences would be NaN.
  Value isNone = builder.create<arith::CmpFOp>(loc, arith::CmpFPredicate::OEQ, maximum, infinity);
  Value shift = builder.create<arith::SelectOp>(loc, isNone, number(0), maximum);
  auto exponential = [&](Value x) {
    Value by = isa<VectorType>(x.getType()) ? splat(shift, width) : shift;
    return Value(builder.create<math::ExpOp>(loc, builder.create<arith::SubFOp>(loc, x, by)));
  };
  Values total =
      loop(index(0), index(tileKeys), width, {number(0, width)}, [&](Value j, ValueRange so) {
        Value weight = exponential(load(scores, f32, j, width));
        store(weight, scores, f32, j);
        return Values{builder.create<arith::AddFOp>(loc, so[0], weight)};
      });
  Value correction = exponential(before);
  Value sum = sumOfFour({total[0], number(0, width), number(0, width), number(0, width)});
  sum = builder.create<vector::ExtractOp>(loc, sum, 0);
  store(multiplyAdd(load(sums, f32, row, 0), correction, sum), sums, f32, row);
  store(maximum, maxima, f32, row);
  return correction;
}

/// Keeps the sum, and divides by it: 0 / 0 where all keys are hidden; 0 if there are none.
void AttentionEmitter::finishRow(Value row) {
  Row at = rowOf(row);
  if (access.lse) {
    Value log = builder.create<math::LogOp>(loc, load(sums, f32, row, 0));
    Value all = builder.create<arith::AddFOp>(loc, load(maxima, f32, row, 0), log);
    store(all, lse.pointer, f32, placeOf(lse, at.head, at.query));
  }
  Value isEmpty = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, keyCount, index(0));
  Value sum = builder.create<arith::SelectOp>(loc, isEmpty, number(1), load(sums, f32, row, 0));
  Value place = placeOf(result, at.head, at.query);
  for (const Chunk &chunk : chunks) {
    Value from = add(mul(row, index(inputs.headSize)), index(chunk.begin));
    Value quotient = builder.create<arith::DivFOp>(loc, load(results, f32, from, chunk.width),
                                                   splat(sum, chunk.width));
    store(quotient, result.pointer, result.element, add(place, index(chunk.begin)));
  }
}
