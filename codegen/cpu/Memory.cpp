//===- Memory.cpp - loads and stores of elements and vectors --------------===//
//
// Elements of i1 are bytes in memory. Vectors are loaded at the alignment of an element.
//
//===----------------------------------------------------------------------===//

#include "codegen/cpu/KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace nnc::codegen;

static Type memoryType(Type element) {
  return element.isInteger(1) ? IntegerType::get(element.getContext(), 8) : element;
}

static unsigned bytesOf(Type element) {
  return std::max(1u, memoryType(element).getIntOrFloatBitWidth() / 8);
}

Type KernelEmitter::vectorOf(Type element) const { return VectorType::get({lanes.count}, element); }

Value KernelEmitter::zero(Location loc, Type type) {
  return builder.create<arith::ConstantOp>(loc, builder.getZeroAttr(type));
}

/// A scalar or a vector.
Value KernelEmitter::asValue(Location loc, const Element &element) {
  if (element.value)
    return element.value;
  if (element.index->isFreeOf([](unsigned atom) { return atom == IndexMath::laneAtom; }))
    return math.materialize(loc, *element.index);
  return lanesOf(loc, *element.index);
}

Value KernelEmitter::asVector(Location loc, const Element &element) {
  Value value = asValue(loc, element);
  if (lanes.count == 1 || isa<VectorType>(value.getType()))
    return value;
  return builder.create<vector::SplatOp>(loc, vectorOf(value.getType()), value);
}

/// A vector of index: the value of `poly` in each lane.
Value KernelEmitter::lanesOf(Location loc, const Poly &poly) {
  Type type = vectorOf(builder.getIndexType());
  Value first = builder.create<vector::SplatOp>(
      loc, type, math.materialize(loc, poly.without(IndexMath::laneAtom)));
  std::optional<Poly> step = poly.coefficient(IndexMath::laneAtom);
  if (!step || step->isConstant(0))
    return first;
  SmallVector<int64_t> numbers = llvm::to_vector(llvm::seq<int64_t>(0, lanes.count));
  Value counted =
      builder.create<arith::ConstantOp>(loc, DenseElementsAttr::get(cast<ShapedType>(type), [&] {
                                          SmallVector<Attribute> attributes;
                                          for (int64_t number : numbers)
                                            attributes.push_back(builder.getIndexAttr(number));
                                          return attributes;
                                        }()));
  if (!step->isConstant(1)) {
    Value factor = builder.create<vector::SplatOp>(loc, type, math.materialize(loc, *step));
    counted = builder.create<arith::MulIOp>(loc, counted, factor);
  }
  return builder.create<arith::AddIOp>(loc, first, counted);
}

Value KernelEmitter::fromMemory(Location loc, Value stored, Type element) {
  if (!element.isInteger(1))
    return stored;
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ne, stored,
                                       zero(loc, stored.getType()));
}

Value KernelEmitter::toMemory(Location loc, Value value, Type element) {
  if (!element.isInteger(1))
    return value;
  Type byte = builder.getI8Type();
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    byte = VectorType::get(vector.getShape(), byte);
  return builder.create<arith::ExtUIOp>(loc, byte, value);
}

Value KernelEmitter::pointerTo(Location loc, const View &view, const Poly &address) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Type element = memoryType(view.element);
  if (std::optional<int64_t> constant = address.constant();
      constant && *constant == int32_t(*constant))
    return builder.create<LLVM::GEPOp>(loc, pointer, element, view.pointer,
                                       ArrayRef<LLVM::GEPArg>{int32_t(*constant)});
  Value index =
      builder.create<arith::IndexCastOp>(loc, builder.getI64Type(), math.materialize(loc, address));
  return builder.create<LLVM::GEPOp>(loc, pointer, element, view.pointer,
                                     ArrayRef<LLVM::GEPArg>{index});
}

Element KernelEmitter::load(Location loc, const View &view, ArrayRef<Coord> coords) {
  Poly address = view.base;
  Value scattered;
  SmallVector<std::pair<Value, Poly>, 2> apart;
  for (auto [coord, stride] : llvm::zip_equal(coords, view.strides)) {
    if (!coord.lanes) {
      address = address + coord.poly * stride;
      continue;
    }
    apart.push_back({coord.lanes, stride});
    Value step =
        builder.create<vector::SplatOp>(loc, coord.lanes.getType(), math.materialize(loc, stride));
    Value offset = builder.create<arith::MulIOp>(loc, coord.lanes, step);
    scattered = scattered ? builder.create<arith::AddIOp>(loc, scattered, offset) : offset;
  }
  if (accesses)
    return recordLoad(loc, view, address);
  if (apart.size() == 1)
    if (std::optional<Element> runs =
            loadByRuns(loc, view, address, apart[0].first, apart[0].second))
      return *runs;
  if (scattered) {
    Value first = lanesOf(loc, address);
    return loadGather(loc, view, builder.create<arith::AddIOp>(loc, first, scattered));
  }
  for (const CachedLoad &known : loads)
    if (caching && known.pointer == view.pointer && known.address == address)
      return known.element;
  Element element = loadAt(loc, view, address);
  if (caching)
    loads.push_back({view.pointer, address, element});
  return element;
}

/// While looking at a body: a value that depends on what the address depends on.
Element KernelEmitter::recordLoad(Location loc, const View &view, const Poly &address) {
  accesses->list.push_back({address, bytesOf(view.element), false});
  SmallVector<Value> operands;
  for (const auto &[monomial, factor] : address.getTerms())
    for (unsigned atom : monomial)
      if (Value value = math.valueOf(atom); value && !llvm::is_contained(operands, value))
        operands.push_back(value);
  Value placeholder =
      builder.create<UnrealizedConversionCastOp>(loc, view.element, operands).getResult(0);
  return {placeholder, false, {}};
}

/// Where the lanes' addresses are a polynomial.
Element KernelEmitter::loadAt(Location loc, const View &view, const Poly &address) {
  unsigned align = bytesOf(view.element);
  Type element = memoryType(view.element);
  std::optional<Poly> step = address.coefficient(IndexMath::laneAtom);
  if (step && step->isConstant(0)) {
    Value stored = builder.create<LLVM::LoadOp>(loc, element, pointerTo(loc, view, address), align);
    return {fromMemory(loc, stored, view.element), false, {}};
  }
  std::optional<int64_t> stride = step ? step->constant() : std::nullopt;
  Poly first = address.without(IndexMath::laneAtom);
  if (stride && *stride > 1 && *stride <= 4 && (!lanes.mask || lanes.live))
    return loadStrided(loc, view, first, *stride);
  if (stride != 1)
    return loadGather(loc, view, lanesOf(loc, address));
  Value pointer = pointerTo(loc, view, first), stored;
  if (lanes.mask)
    stored = builder.create<LLVM::MaskedLoadOp>(loc, vectorOf(element), pointer, lanes.mask,
                                                zero(loc, vectorOf(element)), align);
  else
    stored = builder.create<LLVM::LoadOp>(loc, vectorOf(element), pointer, align);
  return {fromMemory(loc, stored, view.element), true, {}};
}

/// Every `stride`-th element, by loading all between and picking. Nothing beyond the last is read.
Element KernelEmitter::loadStrided(Location loc, const View &view, const Poly &address,
                                   int64_t stride) {
  Type element = memoryType(view.element);
  auto wide = VectorType::get({lanes.count * stride}, element);
  int64_t live = (lanes.live.value_or(lanes.count) - 1) * stride + 1;
  SmallVector<bool> bits(lanes.count * stride, false);
  std::fill(bits.begin(), bits.begin() + live, true);
  auto maskType = VectorType::get({lanes.count * stride}, builder.getI1Type());
  Value mask =
      builder.create<arith::ConstantOp>(loc, DenseElementsAttr::get(maskType, ArrayRef(bits)));
  Value all = builder.create<LLVM::MaskedLoadOp>(loc, wide, pointerTo(loc, view, address), mask,
                                                 zero(loc, wide), bytesOf(view.element));
  SmallVector<int64_t> picked;
  for (int64_t lane = 0; lane < lanes.count; ++lane)
    picked.push_back(lane * stride);
  Value stored = builder.create<vector::ShuffleOp>(loc, all, all, picked);
  return {fromMemory(loc, stored, view.element), true, {}};
}

/// Where the lanes' coordinate along one axis is a quotient: few elements serve all lanes.
std::optional<Element> KernelEmitter::loadByRuns(Location loc, const View &view,
                                                 const Poly &address, Value quotient,
                                                 const Poly &stride) {
  auto found = laneQuotients.find(quotient);
  bool hasLane = !address.isFreeOf([](unsigned atom) { return atom == IndexMath::laneAtom; });
  if (found == laneQuotients.end() || hasLane || lanes.mask)
    return std::nullopt;
  if (found->second.divisor >= lanes.count)
    return loadTwo(loc, view, address, found->second, stride);
  if (found->second.divisor == 2 && view.element.isInteger(8) && stride.isConstant(1) &&
      lanes.count % 2 == 0)
    return loadHalves(loc, view, address, found->second.numerator);
  return std::nullopt;
}

/// The elements of the first and of the last lane; those between change from one to the other where
/// the second run begins.
Element KernelEmitter::loadTwo(Location loc, const View &view, const Poly &address,
                               const IndexMath::Quotient &quotient, const Poly &stride) {
  Poly start = quotient.numerator.without(IndexMath::laneAtom);
  Poly first = math.floorDiv(loc, start, quotient.divisor);
  Poly last = math.floorDiv(loc, start + Poly(lanes.count - 1), quotient.divisor);
  auto lanesOfRun = [&](const Poly &run) {
    return asVector(loc, loadAt(loc, view, address + run * stride));
  };
  Value front = lanesOfRun(first), back = lanesOfRun(last);
  Value number = lanesOf(loc, IndexMath::lane());
  Value change = builder.create<vector::SplatOp>(
      loc, number.getType(),
      math.materialize(loc, (first + Poly(1)) * Poly(quotient.divisor) - start));
  Value isFront = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, number, change);
  return {builder.create<arith::SelectOp>(loc, isFront, front, back), true, {}};
}

/// Each byte serves two lanes, but for the first where the lanes begin with the second half of it;
/// then there is one byte more. No other is read.
Element KernelEmitter::loadHalves(Location loc, const View &view, const Poly &address,
                                  const Poly &numerator) {
  int64_t count = lanes.count / 2;
  Poly start = numerator.without(IndexMath::laneAtom);
  Poly first = math.floorDiv(loc, start, 2);
  Poly odd = start - first * Poly(2);
  auto type = VectorType::get({count}, view.element);
  Value bytes = builder.create<LLVM::LoadOp>(loc, type, pointerTo(loc, view, address + first), 1);
  Poly end = address + first + Poly(count - 1) + odd;
  Value next = builder.create<LLVM::LoadOp>(loc, view.element, pointerTo(loc, view, end), 1);
  Value nexts = builder.create<vector::SplatOp>(loc, type, next);
  SmallVector<int64_t> even, shifted;
  for (int64_t lane = 0; lane < lanes.count; ++lane) {
    even.push_back(lane / 2);
    shifted.push_back((lane + 1) / 2);
  }
  Value isOdd =
      builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ne, math.materialize(loc, odd),
                                    builder.create<arith::ConstantIndexOp>(loc, 0));
  Value stored = builder.create<arith::SelectOp>(
      loc, isOdd, builder.create<vector::ShuffleOp>(loc, bytes, nexts, shifted),
      builder.create<vector::ShuffleOp>(loc, bytes, nexts, even));
  return {stored, true, {}};
}

/// `index` is a vector of index.
Element KernelEmitter::loadGather(Location loc, const View &view, Value index) {
  Type element = memoryType(view.element);
  auto pointers =
      LLVM::getVectorType(LLVM::LLVMPointerType::get(builder.getContext()), lanes.count);
  Value offsets = builder.create<arith::IndexCastOp>(loc, vectorOf(builder.getI64Type()), index);
  Value addresses = builder.create<LLVM::GEPOp>(loc, pointers, element, view.pointer,
                                                ArrayRef<LLVM::GEPArg>{offsets});
  Value mask = lanes.mask;
  if (!mask)
    mask = builder.create<arith::ConstantOp>(
        loc, DenseElementsAttr::get(cast<ShapedType>(vectorOf(builder.getI1Type())), true));
  Value stored = builder.create<LLVM::masked_gather>(
      loc, vectorOf(element), addresses, mask, zero(loc, vectorOf(element)), bytesOf(view.element));
  return {fromMemory(loc, stored, view.element), true, {}};
}

void KernelEmitter::store(Location loc, const View &view, ArrayRef<Coord> coords, Element element) {
  Poly address = view.base;
  for (auto [coord, stride] : llvm::zip_equal(coords, view.strides))
    address = address + coord.poly * stride;
  unsigned align = bytesOf(view.element);
  bool isVector = lanes.count > 1 && !address.coefficient(IndexMath::laneAtom)->isConstant(0);
  Value value = isVector ? asVector(loc, element) : asValue(loc, element);
  Value pointer = pointerTo(loc, view, address.without(IndexMath::laneAtom));
  value = toMemory(loc, value, view.element);
  if (isVector && lanes.mask)
    builder.create<LLVM::MaskedStoreOp>(loc, value, pointer, lanes.mask, align);
  else
    builder.create<LLVM::StoreOp>(loc, value, pointer, align);
}
