//===- AttentionLoops.cpp - what attention and its gradients share --------===//

#include "codegen/cpu/AttentionLoops.h"
#include "codegen/cpu/KernelSource.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

static constexpr int64_t keysAtOnce = 4;   ///< whose sums are in registers together
static constexpr int64_t chunksAtOnce = 4; ///< of a row's sums, in registers together

AttentionLoops::AttentionLoops(nn::KernelOp kernel, const nn::AttentionInputs &inputs,
                               unsigned numSymbols, const CpuFeatures &features, OpBuilder &builder)
    : LoopWriter(kernel.getLoc(), numSymbols, builder), kernel(kernel), inputs(inputs),
      width(
          std::min<int64_t>(features.vectorBytes / 4, llvm::bit_floor(uint64_t(inputs.headSize)))),
      rowsAtOnce(features.vectorRegisters >= 32 ? 4 : 2) {
  width = std::max(width, keysAtOnce);
  for (int64_t begin = 0; begin < inputs.headSize;) {
    auto rest = int64_t(llvm::bit_floor(uint64_t(inputs.headSize - begin)));
    chunks.push_back({begin, std::min(rest, width)});
    begin += chunks.back().width;
  }
}

//===- Operands -------------------------------------------------------------------------------===//

LoopWriter::Value AttentionLoops::emitFunction(ModuleOp module, StringRef symbol) {
  unsigned numBuffers = kernel.getNumOperands() + kernel.getNumResults();
  func::FuncOp function = makeKernelFunction(builder, loc, module, symbol, numBuffers);
  entry = &function.front();
  loadSymbols(entry->getArgument(numBuffers));
  query = tensorOf(inputs.query, inputs.element, false);
  keys = tensorOf(inputs.key, inputs.element, false);
  values = tensorOf(inputs.value, inputs.element, false);
  if (inputs.mask)
    mask = tensorOf(*inputs.mask, builder.getI8Type(), false);
  if (inputs.offset) {
    auto type = cast<RankedTensorType>(kernel.getOperand(*inputs.offset).getType());
    Value loaded = builder.create<LLVM::LoadOp>(loc, type.getElementType(),
                                                entry->getArgument(*inputs.offset));
    offset = builder.create<arith::IndexCastOp>(loc, builder.getIndexType(), loaded);
  }
  queryCount = evaluate(inputs.queries);
  keyCount = evaluate(inputs.keys);
  groups = evaluate(inputs.heads.floorDiv(inputs.keyHeads));
  return builder.create<arith::IndexCastOp>(loc, builder.getIndexType(),
                                            entry->getArguments().back());
}

AttentionLoops::Tensor AttentionLoops::tensorOf(const nn::StridedAccess &from, Type element,
                                                bool isResult) {
  unsigned first = isResult ? kernel.getNumOperands() : 0;
  Tensor tensor{entry->getArgument(first + from.number), evaluate(from.offset), {}, element};
  for (AffineExpr stride : from.strides)
    tensor.strides.push_back(evaluate(stride));
  return tensor;
}

void AttentionLoops::locate(Value block, Value total) {
  auto divide = [&](Value a, Value b) { return builder.create<arith::DivUIOp>(loc, a, b); };
  auto remainder = [&](Value a, Value b) { return builder.create<arith::RemUIOp>(loc, a, b); };
  Value keyHeads = evaluate(inputs.keyHeads);
  Value tiles = divide(add(total, index(tileRows - 1)), index(tileRows));
  Value number = divide(block, tiles);
  firstRow = mul(remainder(block, tiles), index(tileRows));
  rows = minimum(index(tileRows), sub(total, firstRow));
  batch = divide(number, keyHeads);
  keyHead = remainder(number, keyHeads);
}

AttentionLoops::Row AttentionLoops::rowAt(Value number) {
  if (nn::getConstant(inputs.heads.floorDiv(inputs.keyHeads)) == 1 ||
      nn::areEqual(inputs.heads, inputs.keyHeads))
    return {keyHead, number};
  Value group = builder.create<arith::RemUIOp>(loc, number, groups);
  return {add(mul(keyHead, groups), group), builder.create<arith::DivUIOp>(loc, number, groups)};
}

LoopWriter::Value AttentionLoops::seenKeys(Value position) {
  if (!inputs.isCausal)
    return keyCount;
  Value seen = add(position, index(1));
  if (offset)
    seen = add(seen, offset);
  return minimum(keyCount, builder.create<arith::MaxSIOp>(loc, seen, index(0)));
}

LoopWriter::Value AttentionLoops::placeOf(const Tensor &tensor, Value head, Value position) {
  Value place = add(tensor.offset, mul(batch, tensor.strides[0]));
  place = add(place, mul(head, tensor.strides[1]));
  return add(place, mul(position, tensor.strides[2]));
}

LoopWriter::Value AttentionLoops::maskPlace(Row row, Value key) {
  return add(placeOf(mask, row.head, row.query), mul(key, mask.strides[3]));
}

LoopWriter::Value AttentionLoops::isShown(Value place) {
  Value byte =
      builder.create<LLVM::LoadOp>(loc, mask.element, pointerTo(mask.pointer, mask.element, place));
  Value zero = builder.create<arith::ConstantIntOp>(loc, 0, 8);
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ne, byte, zero);
}

LoopWriter::Value AttentionLoops::areBelow(Value first, Value limit) {
  auto lanes = VectorType::get({width}, builder.getI32Type());
  SmallVector<int32_t> counts = llvm::to_vector(llvm::seq<int32_t>(0, width));
  Value counted =
      builder.create<arith::ConstantOp>(loc, DenseElementsAttr::get(lanes, ArrayRef(counts)));
  Value left = builder.create<arith::IndexCastOp>(loc, builder.getI32Type(), sub(limit, first));
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, counted, splat(left, width));
}

//===- Products -------------------------------------------------------------------------------===//

/// Beyond the last row of `right` that row is read again.
void AttentionLoops::multiplyRows(const Tensor &left, const Values &leftPlaces, const Tensor &right,
                                  PlaceOf rightPlace, Value end, double scale, Value into) {
  auto count = int64_t(leftPlaces.size());
  Value last = sub(end, index(1)), factor = number(scale, keysAtOnce);
  loop(index(0), end, keysAtOnce, [&](Value first) {
    Values rightPlaces;
    for (int64_t j = 0; j < keysAtOnce; ++j)
      rightPlaces.push_back(rightPlace(minimum(last, add(first, index(j)))));
    auto accumulate = [&](Value begin, int64_t part, ValueRange so) {
      auto widened = [&](Value vector) {
        if (part == width)
          return vector;
        return Value(builder.create<vector::InsertStridedSliceOp>(
            loc, vector, number(0, width), ArrayRef<int64_t>{0}, ArrayRef<int64_t>{1}));
      };
      Values lefts, next;
      for (Value place : leftPlaces)
        lefts.push_back(widened(load(left.pointer, left.element, add(place, begin), part)));
      for (int64_t j = 0; j < keysAtOnce; ++j) {
        Value other = widened(load(right.pointer, right.element, add(rightPlaces[j], begin), part));
        for (int64_t i = 0; i < count; ++i)
          next.push_back(multiplyAdd(lefts[i], other, so[j * count + i]));
      }
      return next;
    };
    Values parts(count * keysAtOnce, number(0, width));
    int64_t whole = inputs.headSize / width * width;
    parts = loop(index(0), index(whole), width, parts,
                 [&](Value begin, ValueRange so) { return accumulate(begin, width, so); });
    for (const Chunk &chunk : chunks)
      if (chunk.begin >= whole)
        parts = accumulate(index(chunk.begin), chunk.width, parts);
    for (int64_t i = 0; i < count; ++i) {
      Values ofRow;
      for (int64_t j = 0; j < keysAtOnce; ++j)
        ofRow.push_back(parts[j * count + i]);
      Value four = sumOfFour(ofRow);
      if (scale != 1)
        four = builder.create<arith::MulFOp>(loc, four, factor);
      store(four, into, f32, add(first, index(i * tileKeys)));
    }
  });
}

void AttentionLoops::addRows(Value sums, Value row, int64_t count, const Values &corrections,
                             Value numbers, const Tensor &right, PlaceOf rightPlace, Value end) {
  for (ArrayRef<Chunk> rest = chunks; !rest.empty();) {
    ArrayRef<Chunk> part = rest.take_front(chunksAtOnce);
    rest = rest.drop_front(part.size());
    auto placeIn = [&](int64_t i, const Chunk &chunk) {
      return add(mul(add(row, index(i)), index(inputs.headSize)), index(chunk.begin));
    };
    Values so;
    for (int64_t i = 0; i < count; ++i)
      for (const Chunk &chunk : part) {
        Value before = load(sums, f32, placeIn(i, chunk), chunk.width);
        if (!corrections.empty())
          before = builder.create<arith::MulFOp>(loc, before, splat(corrections[i], chunk.width));
        so.push_back(before);
      }
    so = loop(index(0), end, 1, so, [&](Value j, ValueRange carried) {
      Value place = rightPlace(j);
      Values loaded, next;
      for (const Chunk &chunk : part)
        loaded.push_back(
            load(right.pointer, right.element, add(place, index(chunk.begin)), chunk.width));
      for (int64_t i = 0; i < count; ++i) {
        Value weight = load(numbers, f32, add(j, index(i * tileKeys)), 0);
        for (auto [c, chunk] : llvm::enumerate(part))
          next.push_back(
              multiplyAdd(splat(weight, chunk.width), loaded[c], carried[i * part.size() + c]));
      }
      return next;
    });
    for (int64_t i = 0; i < count; ++i)
      for (auto [c, chunk] : llvm::enumerate(part))
        store(so[i * part.size() + c], sums, f32, placeIn(i, chunk));
  }
}

void AttentionLoops::loopOverRows(llvm::function_ref<void(Value, int64_t)> body) {
  Value whole =
      mul(builder.create<arith::DivUIOp>(loc, rows, index(rowsAtOnce)), index(rowsAtOnce));
  loop(index(0), whole, rowsAtOnce, [&](Value row) { body(row, rowsAtOnce); });
  loop(whole, rows, 1, [&](Value row) { body(row, 1); });
}

/// The sum of the lanes of each of four vectors. A vector holds `groups` parts whose lanes belong
/// together; halves of parts are added until each is one lane.
Value AttentionLoops::sumOfFour(Values parts) {
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
