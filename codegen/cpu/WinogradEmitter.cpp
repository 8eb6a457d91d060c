//===- WinogradEmitter.cpp - 3x3 convolutions with fewer products ---------===//

#include "codegen/cpu/WinogradEmitter.h"

#include "codegen/cpu/LoopEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;
using namespace nnc::nn::winograd;

WinogradBuffers codegen::getWinogradBuffers(int64_t tile, int64_t tiles, int64_t columns,
                                            int64_t outputs, int64_t channels) {
  int64_t perTile = tile + 2, read = columns + 2;
  return {channels * (tile * tiles + 2) * read, perTile * channels * tiles * read,
          perTile * outputs * tiles * columns};
}

WinogradEmitter::WinogradEmitter(KernelEmitter &emitter, linalg::LinalgOp op, nn::WinogradForm form)
    : e(emitter), op(op), form(std::move(form)), builder(emitter.builder), loc(op.getLoc()) {
  SmallVector<Poly> sizes = e.loopSizes(op);
  for (auto [size, bound] : llvm::zip_equal(sizes, op.getStaticLoopRanges()))
    ranges.push_back({0, size, ShapedType::isDynamic(bound) ? -1 : bound});
}

void WinogradEmitter::emit(const Box &box, const View &dest) {
  if (!box[Row].size.isConstant(form.tile))
    return e.fail(op, "is wanted in parts of tiles");
  llvm::copy(box, ranges.begin());
  chooseParts();
  forParts({Image, Output, Tile, Column}, [&] { emitPart(dest); });
}

/// Halves of the box until the buffers of one fit; channels last, for all of a sum is better formed
/// at once.
void WinogradEmitter::chooseParts() {
  constexpr int64_t unbounded = 1024, fewChannels = 16, fewColumns = 64, fewOutputs = 16;
  for (const Interval &range : ranges)
    parts.push_back(range.bound < 0 ? unbounded : std::max<int64_t>(range.bound, 1));
  parts[Image] = 1;
  int64_t room = e.freeStackBytes() / int64_t(sizeof(float));
  int64_t mostSums = std::min(WinogradBuffers::mostSums, room * 3 / 10);
  int64_t mostProducts = std::min(WinogradBuffers::mostProducts, room * 4 / 10);
  auto buffers = [&] {
    return getWinogradBuffers(form.tile, parts[Tile], parts[Column], parts[Output], parts[Channel]);
  };
  auto halve = [&](Loop loop, int64_t least) {
    bool isLarge = parts[loop] > least;
    if (isLarge)
      parts[loop] = std::max(least, int64_t(llvm::divideCeil(parts[loop], 2)));
    return isLarge;
  };
  while (buffers().products > mostProducts)
    if (!halve(Tile, 1) && !halve(Output, fewOutputs) && !halve(Column, 1))
      break;
  while (buffers().sums > mostSums)
    if (!halve(Channel, fewChannels) && !halve(Tile, 1) && !halve(Column, fewColumns) &&
        !halve(Channel, 1) && !halve(Column, 1))
      break;
}

/// `body` for every part of `ranges` along `loops`.
void WinogradEmitter::forParts(ArrayRef<Loop> loops, llvm::function_ref<void()> body) {
  if (loops.empty())
    return body();
  Loop first = loops.front();
  Interval whole = ranges[first];
  int64_t part = parts[first];
  if (whole.bound >= 0 && whole.bound <= part)
    return forParts(loops.drop_front(), body);
  auto constant = [&](int64_t n) -> Value {
    return builder.create<arith::ConstantIndexOp>(loc, n);
  };
  Value size = e.math.materialize(loc, whole.size);
  auto loop = builder.create<scf::ForOp>(loc, constant(0), size, constant(part));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Poly start = e.math.get(loop.getInductionVar());
  std::optional<int64_t> known = whole.size.constant();
  bool divides = part == 1 || (known && *known % part == 0);
  Poly here = divides ? Poly(part) : e.math.minimum(loc, part, whole.size - start);
  ranges[first] = {whole.offset + start, here, part};
  forParts(loops.drop_front(), body);
  ranges[first] = whole;
}

/// The columns of the image that those of the result read.
Interval WinogradEmitter::readColumns() const {
  Interval columns = ranges[Column];
  return {columns.offset, columns.size + 2, columns.bound + 2};
}

void WinogradEmitter::emitPart(const View &dest) {
  Type element = builder.getF32Type();
  View products =
      e.allocate(loc, element, {ranges[Product], ranges[Output], ranges[Tile], ranges[Column]});
  bool isWhole = ranges[Channel].bound >= 0 && ranges[Channel].bound <= parts[Channel];
  if (!isWhole)
    emitZeros(products);
  forParts({Channel}, [&] {
    size_t depth = e.materialized.size();
    KernelEmitter::Demands demands;
    e.demandOperands(op, ranges, demands);
    e.materializeAll(demands);
    View sums =
        e.allocate(loc, element, {ranges[Product], ranges[Channel], ranges[Tile], readColumns()});
    emitSums(sums);
    emitProducts(sums, products, !isWhole);
    e.materialized.resize(depth);
  });
  emitResults(products, dest);
}

Nest WinogradEmitter::makeNest(ArrayRef<Loop> loops) {
  Nest nest(loc);
  for (Loop loop : loops) {
    nest.ranges.push_back(ranges[loop]);
    nest.reduction.push_back(loop == Channel || loop == Tap);
  }
  return nest;
}

/// `view` at one place of an axis, which it loses.
static View at(View view, unsigned axis, const Poly &at) {
  view.base = view.base + view.strides[axis] * at;
  view.strides.erase(view.strides.begin() + axis);
  return view;
}

void WinogradEmitter::emitSums(const View &sums) {
  Nest nest = makeNest({Channel, Tile, Column});
  nest.reduction.assign(3, false);
  nest.ranges.back() = readColumns();
  AffineMap identity = builder.getMultiDimIdentityMap(3);
  for (size_t product = 0; product < form.input.size(); ++product)
    nest.outputs.push_back(
        {at(sums, 0, int64_t(product)), identity, builder.getF32Type(), {}, nullptr});
  AffineExpr channel, tile, column;
  bindDims(builder.getContext(), channel, tile, column);
  nest.compute = [&](ArrayRef<Coord> dims, ArrayRef<Element>) {
    SmallVector<Element> rows;
    for (size_t row = 0; row < form.input.size(); ++row) {
      AffineMap map = AffineMap::get(3, 0, {channel, tile * form.tile + int64_t(row), column},
                                     builder.getContext());
      SmallVector<Coord> place = e.applyMap(loc, map, dims);
      place.insert(place.begin(), Coord{ranges[Image].offset, {}});
      rows.push_back({e.asVector(loc, e.evaluate(op->getOperand(0), place)), true, {}});
    }
    return llvm::map_to_vector(form.input,
                               [&](ArrayRef<double> row) { return combine(row, rows); });
  };
  LoopEmitter(e, nest).emit();
}

void WinogradEmitter::emitZeros(const View &products) {
  Nest nest = makeNest({Product, Output, Tile, Column});
  Type element = builder.getF32Type();
  nest.outputs.push_back({products, builder.getMultiDimIdentityMap(4), element, {}, nullptr});
  nest.compute = [&](ArrayRef<Coord>, ArrayRef<Element>) {
    return SmallVector<Element>{{e.zero(loc, element), false, {}}};
  };
  LoopEmitter(e, nest).emit();
}

void WinogradEmitter::emitProducts(const View &sums, const View &products, bool accumulate) {
  Nest nest = makeNest({Product, Output, Tile, Column, Channel, Tap});
  AffineExpr product, output, tile, column, channel, tap;
  MLIRContext *context = builder.getContext();
  bindDims(context, product, output, tile, column, channel, tap);
  auto map = [&](ArrayRef<AffineExpr> results) { return AffineMap::get(6, 0, results, context); };
  nest.outputs.push_back(
      {products, map({product, output, tile, column}), builder.getF32Type(), {}, nullptr});
  nest.accumulate = accumulate;
  AffineMap ofSums = map({product, channel, tile, column + tap});
  AffineMap ofWindow = map({product, output, channel, tap});
  nest.compute = [&, ofSums, ofWindow](ArrayRef<Coord> dims, ArrayRef<Element> outputs) {
    Element sum = e.load(loc, sums, e.applyMap(loc, ofSums, dims));
    Element window = e.evaluate(op->getOperand(1), e.applyMap(loc, ofWindow, dims));
    Value times = builder.create<arith::MulFOp>(loc, e.asVector(loc, sum), e.asVector(loc, window));
    Value total = builder.create<arith::AddFOp>(loc, times, e.asVector(loc, outputs.front()));
    return SmallVector<Element>{{total, isa<VectorType>(total.getType()), {}}};
  };
  LoopEmitter(e, nest).emit();
}

void WinogradEmitter::emitResults(const View &products, const View &dest) {
  Nest nest = makeNest({Output, Tile, Column});
  AffineMap identity = builder.getMultiDimIdentityMap(3);
  View image = at(dest, 0, ranges[Image].offset);
  for (int64_t row = 0; row < form.tile; ++row)
    nest.outputs.push_back({at(image, 2, row), identity, builder.getF32Type(), {}, nullptr});
  nest.compute = [&](ArrayRef<Coord> dims, ArrayRef<Element>) {
    SmallVector<Element> terms;
    for (size_t product = 0; product < form.input.size(); ++product) {
      SmallVector<Coord> place(dims);
      place.insert(place.begin(), Coord{int64_t(product), {}});
      terms.push_back({e.asVector(loc, e.load(loc, products, place)), true, {}});
    }
    return llvm::map_to_vector(form.output,
                               [&](ArrayRef<double> row) { return combine(row, terms); });
  };
  LoopEmitter(e, nest).emit();
}

Value WinogradEmitter::numberLike(Value like, double number) {
  TypedAttr scalar = builder.getF32FloatAttr(float(number));
  if (auto vector = dyn_cast<VectorType>(like.getType()))
    return builder.create<arith::ConstantOp>(loc,
                                             DenseElementsAttr::get(vector, Attribute(scalar)));
  return builder.create<arith::ConstantOp>(loc, scalar);
}

/// The sum of `factors` times `values`; those by 1 and -1 are no multiplications.
Element WinogradEmitter::combine(ArrayRef<double> factors, ArrayRef<Element> values) {
  Value sum;
  auto add = [&](double factor, Value value) {
    if (!sum && factor == 1)
      sum = value;
    else if (sum && factor == 1)
      sum = builder.create<arith::AddFOp>(loc, sum, value);
    else if (sum && factor == -1)
      sum = builder.create<arith::SubFOp>(loc, sum, value);
    else {
      Value times = builder.create<arith::MulFOp>(loc, value, numberLike(value, factor));
      sum = sum ? builder.create<arith::AddFOp>(loc, times, sum).getResult() : times;
    }
  };
  // Those without a product first, so that there is something to subtract from.
  for (bool isPlain : {true, false})
    for (auto [factor, element] : llvm::zip_equal(factors, values))
      if (factor != 0 && (factor == 1) == isPlain)
        add(factor, element.value);
  return {sum, isa<VectorType>(sum.getType()), {}};
}
