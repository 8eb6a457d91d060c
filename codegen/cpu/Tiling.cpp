//===- Tiling.cpp - the part of a result that a block computes ------------===//

#include "codegen/cpu/Tiling.h"

#include "codegen/cpu/Fusion.h"
#include "codegen/cpu/KernelEmitter.h"
#include "codegen/cpu/WinogradEmitter.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nnc;
using namespace nnc::codegen;

namespace {

// Nanoseconds on one core, roughly; only their ratios matter much.
constexpr double perOperation = 0.05;   ///< of a vectorized body
constexpr double perProduct = 0.02;     ///< operations of reductions stay in registers
constexpr double perElementMoved = 0.1; ///< from the second level cache
constexpr double leastBlock = 20'000;   ///< below this, starting a block would show
constexpr double largestBlock = 1'000'000;
constexpr double wantedBlocks = 128;
constexpr double toleratedRepetition = 1.3; ///< work of two halves against that of the whole
constexpr int64_t unknownSize = 64;         ///< what a dynamic size counts as
constexpr double usualBatch = 4;            ///< the same of the first axis of a result
constexpr int64_t contiguous = 64;          ///< elements of the innermost axis that stay together
constexpr double maxBuffers = 256 * 1024;   ///< bytes at once

using Sizes = SmallVector<double>;

/// What one block costs.
class BlockCost {
public:
  BlockCost(Value root, const Sizes &tile) { compute(root, tile); }

  double time = 0;  ///< nanoseconds
  double bytes = 0; ///< of buffers
  double whole = 0; ///< bytes of the largest one that cannot be filled part by part

  /// Without their buffers, sums are formed again for every element that reads them.
  bool isTooLarge() const { return bytes > maxBuffers || whole > double(maxBufferBytes); }
  double excess() const { return std::max({1.0, bytes / maxBuffers, whole / maxBufferBytes}); }

private:
  void compute(Value tensor, const Sizes &sizes);
  void computeLinalg(linalg::LinalgOp op, const Sizes &dims);
  void computeWinograd(linalg::LinalgOp op, const Sizes &dims);
  void readOperand(linalg::LinalgOp op, OpOperand &operand, const Sizes &dims);
  void read(Value tensor, const Sizes &sizes, const UseOfTensor &use, double times);
  void readThrough(Operation *op, const Sizes &sizes, const UseOfTensor &use, double times);
  static Sizes dimsOf(linalg::LinalgOp op, unsigned result, const Sizes &sizes);
  static double product(const Sizes &sizes) {
    double all = 1;
    for (double size : sizes)
      all *= size;
    return all;
  }

  DenseSet<Value> buffers;
};

Sizes sizesOf(Value tensor) {
  return llvm::map_to_vector(cast<RankedTensorType>(tensor.getType()).getShape(), [](int64_t n) {
    return double(ShapedType::isDynamic(n) ? unknownSize : n);
  });
}

} // namespace

Sizes BlockCost::dimsOf(linalg::LinalgOp op, unsigned result, const Sizes &sizes) {
  Sizes dims;
  for (int64_t size : op.getStaticLoopRanges())
    dims.push_back(double(ShapedType::isDynamic(size) ? unknownSize : size));
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
  for (auto [axis, expr] : llvm::enumerate(map.getResults()))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      dims[dim.getPosition()] = sizes[axis];
  return dims;
}

/// Products get slower where few iterations share what is in registers.
static double registerReuse(linalg::LinalgOp op, const Sizes &dims) {
  if (op.getNumDpsInputs() < 2)
    return 1;
  SmallVector<unsigned> parallel;
  op.getParallelDims(parallel);
  double sharing = 1;
  for (unsigned dim : parallel)
    if (dim != parallel.back())
      sharing *= dims[dim];
  return 1 + 2 / std::min(sharing, 16.0);
}

void BlockCost::computeLinalg(linalg::LinalgOp op, const Sizes &dims) {
  if (nn::isWinograd(op))
    return computeWinograd(op, dims);
  double iterations = product(dims);
  bool isReduction = op.getNumReductionLoops() > 0;
  time += iterations * (isReduction ? perProduct * costOfBody(op) * registerReuse(op, dims)
                                    : perElementMoved + perOperation * costOfBody(op));
  for (OpOperand *operand : op.getDpsInputOperands())
    if (isa<RankedTensorType>(operand->get().getType()) && op.payloadUsesValueFromOperand(operand))
      readOperand(op, *operand, dims);
}

void BlockCost::readOperand(linalg::LinalgOp op, OpOperand &operand, const Sizes &dims) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  Sizes sizes = sizesOf(operand.get());
  for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
    std::optional<LinearForm> form = getLinearForm(expr, dims.size());
    if (!form)
      continue;
    double size = 1;
    for (auto [dim, factor] : llvm::zip_equal(dims, form->factors))
      size += (dim - 1) * double(factor);
    sizes[axis] = size;
  }
  read(operand.get(), sizes, getUse(op, operand.getOperandNumber()), product(dims));
}

/// As WinogradEmitter does it: sums of the image for each block, then products, then sums of these.
void BlockCost::computeWinograd(linalg::LinalgOp op, const Sizes &dims) {
  using namespace nn::winograd;
  auto size = [&](Loop loop) { return int64_t(dims[loop]); };
  WinogradBuffers buffers =
      getWinogradBuffers(size(Row), size(Tile), size(Column), size(Output), size(Channel));
  double sums = dims[Image] * double(buffers.sums),
         products = dims[Image] * double(buffers.products);
  double reuse = 1 + 2 / std::min(dims[Output], 16.0);
  time += products * dims[Channel] * dims[Tap] * perProduct * reuse;
  time += (sums + products) * (perElementMoved + perOperation);
  constexpr double perElement = sizeof(float);
  double before = bytes;
  for (unsigned number : {0, 1})
    readOperand(op, op->getOpOperand(number), dims);
  // Channels are done in parts where they do not fit; the image is read once for each.
  bytes = before +
          perElement * double(std::min(buffers.sums, WinogradBuffers::mostSums) + buffers.products);
  whole = std::max(whole, perElement * double(buffers.products));
}

void BlockCost::compute(Value tensor, const Sizes &sizes) {
  Operation *op = tensor.getDefiningOp();
  if (auto linalg = dyn_cast_or_null<linalg::LinalgOp>(op))
    return computeLinalg(linalg, dimsOf(linalg, cast<OpResult>(tensor).getResultNumber(), sizes));
  if (isa_and_nonnull<tensor::EmptyOp>(op))
    return;
  time += product(sizes) * 2 * perElementMoved;
  if (isa_and_nonnull<tensor::PadOp, tensor::InsertSliceOp>(op)) {
    for (Value operand : op->getOperands())
      if (isa<RankedTensorType>(operand.getType()) && operand.getDefiningOp())
        compute(operand, sizes);
  } else if (op) {
    readThrough(op, sizes, {}, product(sizes));
  }
}

/// `times` elements, of a part of `tensor` with these sizes.
void BlockCost::read(Value tensor, const Sizes &sizes, const UseOfTensor &use, double times) {
  Operation *op = tensor.getDefiningOp();
  if (!op) {
    time += perElementMoved * std::min(times, product(sizes));
    return;
  }
  if (!wantsBuffer(tensor, use))
    return readThrough(op, sizes, use, times);
  if (!buffers.insert(tensor).second)
    return;
  unsigned bits = getElementTypeOrSelf(tensor).getIntOrFloatBitWidth();
  double size = product(sizes) * std::max(1u, bits / 8);
  bytes += size;
  if (!use.reduced)
    whole = std::max(whole, size);
  compute(tensor, sizes);
}

/// Of the axes that become one the outermost is cut.
static Sizes sizesBehind(tensor::CollapseShapeOp collapse, const Sizes &sizes) {
  Sizes inner = sizesOf(collapse.getSrc());
  for (auto [size, axes] : llvm::zip_equal(sizes, collapse.getReassociationIndices())) {
    double rest = 1;
    for (int64_t axis : ArrayRef(axes).drop_front())
      rest *= inner[axis];
    if (!axes.empty() && rest > 0)
      inner[axes.front()] = std::ceil(size / rest);
  }
  return inner;
}

void BlockCost::readThrough(Operation *op, const Sizes &sizes, const UseOfTensor &use,
                            double times) {
  if (auto linalg = dyn_cast<linalg::LinalgOp>(op)) {
    Sizes dims = dimsOf(linalg, 0, sizes);
    time += times * perOperation * costOfBody(linalg);
    for (OpOperand *operand : linalg.getDpsInputOperands()) {
      if (!isa<RankedTensorType>(operand->get().getType()))
        continue;
      Sizes inner = sizesOf(operand->get());
      AffineMap map = linalg.getMatchingIndexingMap(operand);
      for (auto [axis, expr] : llvm::enumerate(map.getResults()))
        if (auto dim = dyn_cast<AffineDimExpr>(expr))
          inner[axis] = dims[dim.getPosition()];
      read(operand->get(), inner, getUse(linalg, operand->getOperandNumber()), times);
    }
    return;
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return read(collapse.getSrc(), sizesBehind(collapse, sizes), use, times);
  double part = 1;
  for (auto [size, whole] : llvm::zip(sizes, sizesOf(op->getResult(0))))
    part *= whole > 0 ? size / whole : 1;
  for (Value operand : op->getOperands()) {
    if (!isa<RankedTensorType>(operand.getType()))
      continue;
    // The part of a reshape or slice is cut from the outermost axis.
    Sizes inner = sizesOf(operand);
    if (inner.size() == sizes.size())
      inner = sizes;
    else if (!inner.empty())
      inner.front() = std::max(1.0, inner.front() * part);
    read(operand, inner, use, times);
  }
}

/// The size of parts that are about as large as `wanted` and nearly equal.
static int64_t evenParts(int64_t size, int64_t wanted) {
  int64_t parts = std::max<int64_t>((size + wanted / 2) / wanted, 1);
  return llvm::alignTo(llvm::divideCeil(size, parts), 4);
}

/// How many elements of each axis of a result belong together: a row of those axes that a reshape
/// before it joins, such as the channels of one group of a convolution.
static SmallVector<int64_t> grainsOf(Value result, unsigned depth = 0) {
  SmallVector<int64_t> grains(cast<RankedTensorType>(result.getType()).getRank(), 1);
  Operation *op = depth < 8 ? result.getDefiningOp() : nullptr;
  if (auto collapse = dyn_cast_or_null<tensor::CollapseShapeOp>(op)) {
    SmallVector<int64_t> inner = grainsOf(collapse.getSrc(), depth + 1);
    for (auto [grain, axes] : llvm::zip_equal(grains, collapse.getReassociationIndices())) {
      if (!axes.empty())
        grain = inner[axes.front()];
      for (int64_t axis : ArrayRef(axes).drop_front())
        grain *= std::max<int64_t>(collapse.getSrcType().getDimSize(axis), 1);
    }
  }
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op)) {
    bool isFront = slice.hasZeroOffset() && slice.hasUnitStride();
    if (isFront && slice.getDroppedDims().none())
      return grainsOf(slice.getSource(), depth + 1);
  }
  if (op && nn::isWinograd(op)) {
    using namespace nn::winograd;
    ArrayRef<int64_t> shape = cast<RankedTensorType>(result.getType()).getShape();
    grains[Output] = evenParts(shape[Output], 64);
    grains[Row] = shape[Row];
    grains[Column] = 32;
  }
  auto linalg = dyn_cast_or_null<linalg::LinalgOp>(op);
  if (!linalg || linalg.getNumReductionLoops() > 0)
    return grains;
  for (OpOperand *operand : linalg.getDpsInputOperands())
    if (isa<RankedTensorType>(operand->get().getType()) &&
        linalg.getMatchingIndexingMap(operand).isIdentity())
      for (auto [grain, other] : llvm::zip_equal(grains, grainsOf(operand->get(), depth + 1)))
        grain = std::max(grain, other);
  return grains;
}

/// Halves of one axis; the innermost stays in whole cache lines.
static int64_t half(int64_t size, bool isInnermost, int64_t grain) {
  int64_t result = llvm::alignTo(llvm::divideCeil(size, 2), grain);
  return isInnermost ? llvm::alignTo(result, 16) : result;
}

namespace {

/// Cuts a tile in halves, each time along the axis that repeats the least work.
class TileSearch {
public:
  TileSearch(Value root, ArrayRef<int64_t> sizes) : root(root), grains(grainsOf(root)) {
    for (auto [axis, size] : llvm::enumerate(sizes))
      whole.push_back(double(size >= 0 ? size : axis + 1 == sizes.size() ? 1024 : 256));
    usual = whole;
    if (sizes.size() > 1 && sizes.front() < 0)
      usual.front() = usualBatch;
  }

  Sizes run() {
    Sizes tile = whole;
    BlockCost now(root, tile);
    double target =
        std::clamp(BlockCost(root, usual).time / wantedBlocks, leastBlock, largestBlock);
    least = now.time;
    while (now.time > target || now.isTooLarge()) {
      std::optional<Sizes> smaller = cut(tile, now);
      if (!smaller)
        break;
      tile = *smaller;
      now = BlockCost(root, tile);
      least = std::min(least, totalTime(tile, now));
    }
    return tile;
  }

private:
  double totalTime(const Sizes &tile, const BlockCost &cost) const {
    double blocks = 1;
    for (auto [all, part] : llvm::zip_equal(whole, tile))
      blocks *= std::ceil(all / part);
    return cost.time * blocks;
  }

  std::optional<Sizes> cut(const Sizes &tile, const BlockCost &now) const {
    bool isTooLarge = now.isTooLarge();
    double best = isTooLarge ? HUGE_VAL : toleratedRepetition * least;
    std::optional<Sizes> result;
    for (size_t axis = 0; axis < tile.size(); ++axis) {
      bool isInnermost = axis + 1 == tile.size();
      auto size = int64_t(tile[axis]);
      int64_t smaller = half(size, isInnermost, grains[axis]);
      if (smaller >= size || (isInnermost && smaller < contiguous && !isTooLarge))
        continue;
      Sizes candidate = tile;
      candidate[axis] = double(smaller);
      BlockCost cost(root, candidate);
      double score = totalTime(candidate, cost);
      if (isTooLarge)
        score *= cost.excess();
      if (score < best) {
        best = score;
        result = candidate;
      }
    }
    return result;
  }

  Value root;
  SmallVector<int64_t> grains;
  Sizes whole;      ///< that a tile can have
  Sizes usual;      ///< of the result in a call
  double least = 0; ///< of all work, so far
};

} // namespace

SmallVector<int64_t> codegen::chooseTile(Value root, ArrayRef<int64_t> sizes) {
  return llvm::map_to_vector(TileSearch(root, sizes).run(),
                             [](double size) { return int64_t(std::max(size, 1.0)); });
}

/// Whether `op` multiplies two operands of which each element has one place, unlike in a window.
static bool isProduct(Operation &op) {
  auto linalg = dyn_cast<linalg::LinalgOp>(op);
  return linalg && linalg.getNumReductionLoops() > 0 && linalg.getNumDpsInputs() == 2 &&
         llvm::all_of(linalg.getDpsInputOperands(), [&](OpOperand *operand) {
           return linalg.getMatchingIndexingMap(operand).isProjectedPermutation();
         });
}

SmallVector<unsigned> codegen::orderOfBlocks(Value root) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(root.getType()).getShape();
  SmallVector<unsigned> order =
      llvm::to_vector(llvm::reverse(llvm::seq<unsigned>(0, shape.size())));
  Operation *op = root.getDefiningOp();
  if (shape.size() < 2 || !op || llvm::none_of(*op->getBlock(), isProduct))
    return order;
  auto size = [&](unsigned axis) {
    return ShapedType::isDynamic(shape[axis]) ? unknownSize : shape[axis];
  };
  if (size(order[0]) > size(order[1])) // more columns than rows: the weight is larger
    std::swap(order[0], order[1]);
  return order;
}
