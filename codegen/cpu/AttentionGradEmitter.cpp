//===- AttentionGradEmitter.cpp - the gradients of attention --------------===//

#include "codegen/cpu/AttentionGradEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cmath>

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

AttentionGradEmitter::AttentionGradEmitter(nn::KernelOp kernel,
                                           const nn::AttentionGradAccess &access,
                                           unsigned numSymbols, const CpuFeatures &features,
                                           OpBuilder &builder)
    : AttentionLoops(kernel, access, numSymbols, features, builder), access(access) {}

AffineMap AttentionGradEmitter::emit(ModuleOp module, StringRef symbol) {
  Value block = emitFunction(module, symbol);
  gradient = tensorOf(access.gradient, inputs.element, false);
  lse = tensorOf(access.lse, f32, false);
  delta = tensorOf(access.delta, f32, false);
  weights = allocate(rowsAtOnce * tileKeys);
  errors = allocate(rowsAtOnce * tileKeys);
  otherLse = allocate(tileKeys);
  otherDelta = allocate(tileKeys);
  firstSums = allocate(tileRows * inputs.headSize);
  secondSums = allocate(tileRows * inputs.headSize);
  AffineExpr heads = inputs.batch * inputs.keyHeads, none = builder.getAffineConstantExpr(0);
  AffineExpr rowsOfHead = inputs.queries * inputs.heads.floorDiv(inputs.keyHeads);
  bool hasKeys = access.keyGrad || access.valueGrad;
  AffineExpr ofKeys = hasKeys ? heads * inputs.keys.ceilDiv(tileRows) : none;
  AffineExpr ofQueries = access.queryGrad ? heads * rowsOfHead.ceilDiv(tileRows) : none;
  if (hasKeys)
    emitBlocks(block, none, ofKeys, /*ownKeys=*/true);
  if (access.queryGrad)
    emitBlocks(block, ofKeys, ofQueries, /*ownKeys=*/false);
  return AffineMap::get(0, numSymbols, ofKeys + ofQueries);
}

void AttentionGradEmitter::emitBlocks(Value block, AffineExpr begin, AffineExpr count,
                                      bool ownKeys) {
  OpBuilder::InsertionGuard guard(builder);
  Value own = sub(block, evaluate(begin));
  // Unsigned, so that blocks before these are outside.
  Value inside =
      builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ult, own, evaluate(count));
  auto branch = builder.create<scf::IfOp>(loc, inside, /*withElseRegion=*/false);
  builder.setInsertionPointToStart(branch.thenBlock());
  isOfKeys = ownKeys;
  locate(own, isOfKeys ? keyCount : mul(queryCount, groups));
  emitTile();
}

//===- A tile of own rows ---------------------------------------------------------------------===//

void AttentionGradEmitter::emitTile() {
  loop(index(0), mul(rows, index(inputs.headSize)), 1, [&](Value place) {
    store(number(0), firstSums, f32, place);
    if (isOfKeys)
      store(number(0), secondSums, f32, place);
  });
  Value begin = isOfKeys ? firstThatSees(firstRow) : index(0);
  Value end = isOfKeys ? mul(queryCount, groups)
                       : seenKeys(rowAt(add(firstRow, sub(rows, index(1)))).query);
  loop(begin, end, tileKeys, [&](Value other) { emitOthers(other, end); });
  loop(index(0), rows, 1, [&](Value row) {
    const auto &first = isOfKeys ? access.keyGrad : access.queryGrad;
    if (first)
      storeRow(firstSums, row, tensorOf(*first, inputs.element, true));
    if (isOfKeys && access.valueGrad)
      storeRow(secondSums, row, tensorOf(*access.valueGrad, inputs.element, true));
  });
}

LoopWriter::Value AttentionGradEmitter::firstThatSees(Value key) {
  if (!inputs.isCausal)
    return index(0);
  Value position = offset ? sub(key, offset) : key;
  position = builder.create<arith::MaxSIOp>(loc, position, index(0));
  return mul(minimum(position, queryCount), groups);
}

/// The tile of others from `other` on, for all own rows.
void AttentionGradEmitter::emitOthers(Value other, Value end) {
  otherCount = minimum(index(tileKeys), sub(end, other));
  if (isOfKeys)
    loop(index(0), otherCount, 1, [&](Value j) {
      Value row = add(other, j);
      store(numberOf(lse, row), otherLse, f32, j);
      store(numberOf(delta, row), otherDelta, f32, j);
    });
  loopOverRows([&](Value row, int64_t count) { emitRows(other, row, count); });
}

void AttentionGradEmitter::emitRows(Value other, Value row, int64_t count) {
  // Scores are products of the first of both kinds, errors have those of the second.
  const Tensor &ownFirst = isOfKeys ? keys : query, &ownSecond = isOfKeys ? values : gradient;
  const Tensor &otherFirst = isOfKeys ? query : keys, &otherSecond = isOfKeys ? gradient : values;
  auto placesOf = [&](const Tensor &tensor) {
    Values places;
    for (int64_t i = 0; i < count; ++i)
      places.push_back(placeOfRow(tensor, isOfKeys, add(firstRow, add(row, index(i)))));
    return places;
  };
  auto placeIn = [&](const Tensor &tensor) {
    return [&](Value j) { return placeOfRow(tensor, !isOfKeys, add(other, j)); };
  };
  multiplyRows(ownFirst, placesOf(ownFirst), otherFirst, placeIn(otherFirst), otherCount,
               1 / std::sqrt(double(inputs.headSize)), weights);
  multiplyRows(ownSecond, placesOf(ownSecond), otherSecond, placeIn(otherSecond), otherCount, 1,
               errors);
  for (int64_t i = 0; i < count; ++i) {
    Value own = add(firstRow, add(row, index(i)));
    Value rowWeights = pointerTo(weights, f32, index(i * tileKeys));
    Value rowErrors = pointerTo(errors, f32, index(i * tileKeys));
    emitNumbers(other, own, rowWeights, rowErrors);
    if (inputs.mask)
      hideByMask(other, own, rowWeights, rowErrors);
  }
  addRows(firstSums, row, count, {}, errors, otherFirst, placeIn(otherFirst), otherCount);
  if (isOfKeys)
    addRows(secondSums, row, count, {}, weights, otherSecond, placeIn(otherSecond), otherCount);
}

/// Turns scores of an own row into weights, and products of gradients and values into errors.
void AttentionGradEmitter::emitNumbers(Value other, Value row, Value rowWeights, Value rowErrors) {
  // Those of the others from `low` on and below `high` are a query and a key that it sees.
  Value low = index(0), high = otherCount, ownLse, ownDelta;
  if (isOfKeys) {
    low = sub(firstThatSees(row), other);
  } else {
    high = minimum(otherCount, sub(seenKeys(rowAt(row).query), other));
    ownLse = splat(numberOf(lse, row), width);
    ownDelta = splat(numberOf(delta, row), width);
  }
  Value zero = number(0, width);
  Value scale = number(1 / std::sqrt(double(inputs.headSize)), width);
  loop(index(0), index(tileKeys), width, [&](Value j) {
    Value rowLse = isOfKeys ? load(otherLse, f32, j, width) : ownLse;
    Value rowDelta = isOfKeys ? load(otherDelta, f32, j, width) : ownDelta;
    Value weight = builder.create<math::ExpOp>(
        loc, builder.create<arith::SubFOp>(loc, load(rowWeights, f32, j, width), rowLse));
    Value error = builder.create<arith::SubFOp>(loc, load(rowErrors, f32, j, width), rowDelta);
    error = builder.create<arith::MulFOp>(loc, builder.create<arith::MulFOp>(loc, weight, error),
                                          scale);
    Value before = areBelow(j, low), inside = areBelow(j, high);
    auto keep = [&](Value value) {
      value = builder.create<arith::SelectOp>(loc, inside, value, zero);
      return Value(builder.create<arith::SelectOp>(loc, before, zero, value));
    };
    store(keep(weight), rowWeights, f32, j);
    store(keep(error), rowErrors, f32, j);
  });
}

void AttentionGradEmitter::hideByMask(Value other, Value row, Value rowWeights, Value rowErrors) {
  loop(index(0), otherCount, 1, [&](Value j) {
    Value otherRow = add(other, j);
    Value shown =
        isShown(isOfKeys ? maskPlace(rowAt(otherRow), row) : maskPlace(rowAt(row), otherRow));
    for (Value numbers : {rowWeights, rowErrors}) {
      Value kept = builder.create<arith::SelectOp>(loc, shown, load(numbers, f32, j, 0), number(0));
      store(kept, numbers, f32, j);
    }
  });
}

void AttentionGradEmitter::storeRow(Value sums, Value row, const Tensor &to) {
  Value place = placeOfRow(to, isOfKeys, add(firstRow, row));
  for (const Chunk &chunk : chunks) {
    Value from = add(mul(row, index(inputs.headSize)), index(chunk.begin));
    store(load(sums, f32, from, chunk.width), to.pointer, to.element,
          add(place, index(chunk.begin)));
  }
}

LoopWriter::Value AttentionGradEmitter::placeOfRow(const Tensor &tensor, bool isKey, Value number) {
  if (isKey)
    return placeOf(tensor, keyHead, number);
  Row at = rowAt(number);
  return placeOf(tensor, at.head, at.query);
}

LoopWriter::Value AttentionGradEmitter::numberOf(const Tensor &tensor, Value row) {
  Row at = rowAt(row);
  return load(tensor.pointer, f32, placeOf(tensor, at.head, at.query), 0);
}
