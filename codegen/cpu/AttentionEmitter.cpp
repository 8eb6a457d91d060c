//===- AttentionEmitter.cpp - attention as one loop nest ------------------===//

#include "codegen/cpu/AttentionEmitter.h"
#include "codegen/cpu/KernelSource.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/bit.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

static constexpr int64_t tileRows = 32;    ///< rows of a block
static constexpr int64_t tileKeys = 64;    ///< keys of a step; their scores are on the stack
static constexpr int64_t keysAtOnce = 4;   ///< whose sums are in registers together
static constexpr int64_t chunksAtOnce = 4; ///< of the result, in registers together

AttentionEmitter::AttentionEmitter(nn::KernelOp kernel, unsigned numSymbols,
                                   const CpuFeatures &features, OpBuilder &builder)
    : LoopWriter(kernel.getLoc(), numSymbols, builder), kernel(kernel),
      access(nn::getAttentionAccess(kernel)),
      width(
          std::min<int64_t>(features.vectorBytes / 4, llvm::bit_floor(uint64_t(access.headSize)))),
      rowsAtOnce(features.vectorRegisters >= 32 ? 4 : 2) {
  width = std::max(width, keysAtOnce);
  for (int64_t begin = 0; begin < access.headSize;) {
    auto rest = int64_t(llvm::bit_floor(uint64_t(access.headSize - begin)));
    chunks.push_back({begin, std::min(rest, width)});
    begin += chunks.back().width;
  }
}

//===- The function ---------------------------------------------------------------------------===//

AffineMap AttentionEmitter::emit(ModuleOp module, StringRef symbol) {
  func::FuncOp function = emitFunction(module, symbol);
  Block *entry = &function.front();
  locate(builder.create<arith::IndexCastOp>(loc, builder.getIndexType(),
                                            entry->getArguments().back()));
  emitTile();
  AffineExpr perHead = access.queries * access.heads.floorDiv(access.keyHeads);
  return AffineMap::get(0, numSymbols, access.batch * access.keyHeads * perHead.ceilDiv(tileRows));
}

func::FuncOp AttentionEmitter::emitFunction(ModuleOp module, StringRef symbol) {
  unsigned numOperands = kernel.getNumOperands();
  func::FuncOp function = makeKernelFunction(builder, loc, module, symbol, numOperands + 1);
  Block *entry = &function.front();
  loadSymbols(entry->getArgument(numOperands + 1));
  Type element = access.op.getType().getElementType();
  query = tensorOf(entry, access.query, element, 0);
  keys = tensorOf(entry, access.key, element, 0);
  values = tensorOf(entry, access.value, element, 0);
  result = tensorOf(entry, access.result, element, numOperands);
  if (access.mask)
    mask = tensorOf(entry, *access.mask, builder.getI8Type(), 0);
  if (access.offset) {
    Type type = access.op.getOffset().getType().getElementType();
    Value loaded = builder.create<LLVM::LoadOp>(loc, type, entry->getArgument(*access.offset));
    offset = builder.create<arith::IndexCastOp>(loc, builder.getIndexType(), loaded);
  }
  return function;
}

AttentionEmitter::Tensor AttentionEmitter::tensorOf(Block *entry, const nn::StridedAccess &from,
                                                    Type element, unsigned first) {
  Tensor tensor{entry->getArgument(first + from.number), evaluate(from.offset), {}, element};
  for (AffineExpr stride : from.strides)
    tensor.strides.push_back(evaluate(stride));
  return tensor;
}

/// Which batch, head and rows the block is about.
void AttentionEmitter::locate(Value block) {
  queryCount = evaluate(access.queries);
  keyCount = evaluate(access.keys);
  groups = evaluate(access.heads.floorDiv(access.keyHeads));
  Value keyHeads = evaluate(access.keyHeads), perHead = mul(queryCount, groups);
  auto divide = [&](Value a, Value b) { return builder.create<arith::DivUIOp>(loc, a, b); };
  auto remainder = [&](Value a, Value b) { return builder.create<arith::RemUIOp>(loc, a, b); };
  Value tiles = divide(add(perHead, index(tileRows - 1)), index(tileRows));
  Value head = divide(block, tiles);
  firstRow = mul(remainder(block, tiles), index(tileRows));
  rows = minimum(index(tileRows), sub(perHead, firstRow));
  batch = divide(head, keyHeads);
  keyHead = remainder(head, keyHeads);
}

//===- A tile of rows -------------------------------------------------------------------------===//

void AttentionEmitter::emitTile() {
  scores = allocate(rowsAtOnce * tileKeys);
  maxima = allocate(tileRows);
  sums = allocate(tileRows);
  results = allocate(tileRows * access.headSize);
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
            add(mul(row, index(access.headSize)), index(chunk.begin)));
  });
}

/// Where the keys end that some row of the tile sees. Later rows see more.
Value AttentionEmitter::lastKey() {
  if (!access.op.getCausal())
    return keyCount;
  return seenKeys(rowAt(sub(rows, index(1))).query);
}

AttentionEmitter::Row AttentionEmitter::rowAt(Value row) {
  Value number = add(firstRow, row);
  if (nn::getConstant(access.heads.floorDiv(access.keyHeads)) == 1 ||
      nn::areEqual(access.heads, access.keyHeads))
    return {keyHead, number};
  Value group = builder.create<arith::RemUIOp>(loc, number, groups);
  return {add(mul(keyHead, groups), group), builder.create<arith::DivUIOp>(loc, number, groups)};
}

Value AttentionEmitter::seenKeys(Value position) {
  if (!access.op.getCausal())
    return keyCount;
  Value seen = add(position, index(1));
  if (offset)
    seen = add(seen, offset);
  return minimum(keyCount, builder.create<arith::MaxSIOp>(loc, seen, index(0)));
}

void AttentionEmitter::emitKeys(Value key) {
  Value whole =
      mul(builder.create<arith::DivUIOp>(loc, rows, index(rowsAtOnce)), index(rowsAtOnce));
  loop(index(0), whole, rowsAtOnce, [&](Value row) { emitRows(key, row, rowsAtOnce); });
  loop(whole, rows, 1, [&](Value row) { emitRows(key, row, 1); });
}

/// All of one tile of keys for `count` rows.
void AttentionEmitter::emitRows(Value key, Value row, int64_t count) {
  emitScores(key, row, count);
  Values corrections;
  Value base = scores;
  for (int64_t i = 0; i < count; ++i) {
    scores = pointerTo(base, f32, index(i * tileKeys));
    Value own = add(row, index(i));
    if (access.mask)
      hideByMask(key, own);
    corrections.push_back(emitWeights(key, own));
  }
  scores = base;
  addValues(key, row, corrections);
}

//===- Scores ---------------------------------------------------------------------------------===//

/// query . key for `count` rows and the tile's keys. Beyond the last key that key is read again;
/// what comes of it is hidden later.
void AttentionEmitter::emitScores(Value key, Value row, int64_t count) {
  Values queryPlaces;
  for (int64_t i = 0; i < count; ++i) {
    Row at = rowAt(add(row, index(i)));
    queryPlaces.push_back(placeOf(query, at.head, at.query));
  }
  Value end = minimum(index(tileKeys), sub(keyCount, key)), last = sub(keyCount, index(1));
  Value scale = number(1 / std::sqrt(double(access.headSize)), keysAtOnce);
  loop(index(0), end, keysAtOnce, [&](Value first) {
    Values keyPlaces;
    for (int64_t j = 0; j < keysAtOnce; ++j)
      keyPlaces.push_back(placeOf(keys, keyHead, minimum(last, add(add(key, first), index(j)))));
    auto accumulate = [&](Value begin, int64_t part, ValueRange so) {
      auto widened = [&](Value vector) {
        if (part == width)
          return vector;
        return Value(builder.create<vector::InsertStridedSliceOp>(
            loc, vector, number(0, width), ArrayRef<int64_t>{0}, ArrayRef<int64_t>{1}));
      };
      Values left, next;
      for (Value place : queryPlaces)
        left.push_back(widened(load(query.pointer, query.element, add(place, begin), part)));
      for (int64_t j = 0; j < keysAtOnce; ++j) {
        Value right = widened(load(keys.pointer, keys.element, add(keyPlaces[j], begin), part));
        for (int64_t i = 0; i < count; ++i)
          next.push_back(multiplyAdd(left[i], right, so[j * count + i]));
      }
      return next;
    };
    Values parts(count * keysAtOnce, number(0, width));
    int64_t whole = access.headSize / width * width;
    parts = loop(index(0), index(whole), width, parts,
                 [&](Value begin, ValueRange so) { return accumulate(begin, width, so); });
    for (const Chunk &chunk : chunks)
      if (chunk.begin >= whole)
        parts = accumulate(index(chunk.begin), chunk.width, parts);
    for (int64_t i = 0; i < count; ++i) {
      Values ofRow;
      for (int64_t j = 0; j < keysAtOnce; ++j)
        ofRow.push_back(parts[j * count + i]);
      Value four = builder.create<arith::MulFOp>(loc, sumOfFour(ofRow), scale);
      store(four, scores, f32, add(first, index(i * tileKeys)));
    }
  });
}

/// The sum of the lanes of each of four vectors. A vector holds `groups` parts whose lanes belong
/// together; halves of parts are added until each is one lane.
Value AttentionEmitter::sumOfFour(Values parts) {
  auto halves = [&](Value a, Value b, int64_t lanes, int64_t groups) {
    SmallVector<int64_t> low, high;
    int64_t size = lanes / groups;
    for (int64_t base : {int64_t(0), lanes}) {
      for (int64_t group = 0; group < groups; ++group)
        for (int64_t lane = 0; lane < size / 2; ++lane) {
          low.push_back(base + group * size + lane);
          high.push_back(base + group * size + size / 2 + lane);
        }
      if (a == b)
        break;
    }
    Value x = builder.create<vector::ShuffleOp>(loc, a, b, low);
    Value y = builder.create<vector::ShuffleOp>(loc, a, b, high);
    return Value(builder.create<arith::AddFOp>(loc, x, y));
  };
  Value all =
      halves(halves(parts[0], parts[1], width, 1), halves(parts[2], parts[3], width, 1), width, 2);
  for (int64_t lanes = width; lanes > 4; lanes /= 2)
    all = halves(all, all, lanes, 4);
  return all;
}

void AttentionEmitter::hideByMask(Value key, Value row) {
  Row at = rowAt(row);
  Value place = add(placeOf(mask, at.head, at.query), mul(key, mask.strides[3]));
  Value end = minimum(index(tileKeys), sub(keyCount, key));
  loop(index(0), end, 1, [&](Value j) {
    Value byte = builder.create<LLVM::LoadOp>(
        loc, mask.element,
        pointerTo(mask.pointer, mask.element, add(place, mul(j, mask.strides[3]))));
    Value zero = builder.create<arith::ConstantIntOp>(loc, 0, 8);
    Value isSeen = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ne, byte, zero);
    Value score = builder.create<arith::SelectOp>(loc, isSeen, load(scores, f32, j, 0),
                                                  number(-std::numeric_limits<double>::infinity()));
    store(score, scores, f32, j);
  });
}

//===- Weights --------------------------------------------------------------------------------===//

/// Turns the row's scores into exp(score - maximum), 0 where hidden, and updates maximum and sum.
/// Returns what earlier weights must be multiplied by.
Value AttentionEmitter::emitWeights(Value key, Value row) {
  Value infinity = number(-std::numeric_limits<double>::infinity());
  Value seen = sub(seenKeys(rowAt(row).query), key);
  auto lanes = VectorType::get({width}, builder.getI32Type());
  SmallVector<int32_t> counts = llvm::to_vector(llvm::seq<int32_t>(0, width));
  Value counted =
      builder.create<arith::ConstantOp>(loc, DenseElementsAttr::get(lanes, ArrayRef(counts)));
  Value limit =
      builder.create<arith::IndexCastOp>(loc, builder.getI32Type(), minimum(seen, index(tileKeys)));
  Values highest =
      loop(index(0), index(tileKeys), width, {splat(infinity, width)}, [&](Value j, ValueRange so) {
        Value first = builder.create<arith::IndexCastOp>(loc, builder.getI32Type(), j);
        Value left = builder.create<arith::SubIOp>(loc, limit, first);
        Value inside = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, counted,
                                                     splat(left, width));
        Value score = builder.create<arith::SelectOp>(loc, inside, load(scores, f32, j, width),
                                                      splat(infinity, width));
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

/// results = results * correction + weights . values
void AttentionEmitter::addValues(Value key, Value row, const Values &corrections) {
  int64_t count = corrections.size();
  Value end = minimum(index(tileKeys), sub(keyCount, key));
  for (ArrayRef<Chunk> rest = chunks; !rest.empty();) {
    ArrayRef<Chunk> part = rest.take_front(chunksAtOnce);
    rest = rest.drop_front(part.size());
    auto placeIn = [&](int64_t i, const Chunk &chunk) {
      return add(mul(add(row, index(i)), index(access.headSize)), index(chunk.begin));
    };
    Values so;
    for (int64_t i = 0; i < count; ++i)
      for (const Chunk &chunk : part)
        so.push_back(
            builder.create<arith::MulFOp>(loc, load(results, f32, placeIn(i, chunk), chunk.width),
                                          splat(corrections[i], chunk.width)));
    so = loop(index(0), end, 1, so, [&](Value j, ValueRange sums) {
      Value place = placeOf(values, keyHead, add(key, j));
      Values loaded, next;
      for (const Chunk &chunk : part)
        loaded.push_back(
            load(values.pointer, values.element, add(place, index(chunk.begin)), chunk.width));
      for (int64_t i = 0; i < count; ++i) {
        Value weight = load(scores, f32, add(j, index(i * tileKeys)), 0);
        for (auto [c, chunk] : llvm::enumerate(part))
          next.push_back(
              multiplyAdd(splat(weight, chunk.width), loaded[c], sums[i * part.size() + c]));
      }
      return next;
    });
    for (int64_t i = 0; i < count; ++i)
      for (auto [c, chunk] : llvm::enumerate(part))
        store(so[i * part.size() + c], results, f32, placeIn(i, chunk));
  }
}

/// Divides by the sum: 0 / 0 where all keys are hidden; 0 if there are none.
void AttentionEmitter::finishRow(Value row) {
  Value isEmpty = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, keyCount, index(0));
  Value sum = builder.create<arith::SelectOp>(loc, isEmpty, number(1), load(sums, f32, row, 0));
  Row at = rowAt(row);
  Value place = placeOf(result, at.head, at.query);
  for (const Chunk &chunk : chunks) {
    Value from = add(mul(row, index(access.headSize)), index(chunk.begin));
    Value quotient = builder.create<arith::DivFOp>(loc, load(results, f32, from, chunk.width),
                                                   splat(sum, chunk.width));
    store(quotient, result.pointer, result.element, add(place, index(chunk.begin)));
  }
}

//===- Small pieces of code -------------------------------------------------------------------===//

/// Of element 0 of a head of a tensor [batch, head, position, element].
Value AttentionEmitter::placeOf(const Tensor &tensor, Value head, Value position) {
  Value place = add(tensor.offset, mul(batch, tensor.strides[0]));
  place = add(place, mul(head, tensor.strides[1]));
  return add(place, mul(position, tensor.strides[2]));
}
