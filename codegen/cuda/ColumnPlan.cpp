// Which reductions a kernel of columns has, and how its elements are shared out.
#include "codegen/cuda/ColumnWriter.h"
#include "codegen/cuda/ScalarOps.h"
#include "ir/Spread.h"
#include "runtime/format/Counters.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace nnc::codegen {

/// Blocks that fill an H200, of so many threads.
static constexpr int64_t WantedBlocks = 264;
static constexpr unsigned MostThreads = 512;
/// Rows that each thread takes before more blocks share a column, and columns that are worth it.
static constexpr int64_t RowsOfThread = 4, ShortestColumn = 32;
/// Threads beside each other: with 16 bytes each they read a line of 128.
static constexpr unsigned Across = 8;
/// Reductions of one kernel: their accumulators are registers.
static constexpr size_t MostSums = 8;

static nnc::Error refused(const char *why) { return nnc::Error{why}; }

/// The reductions that an output's elements depend on.
bool ColumnWriter::isOfSums(const Output &output, std::vector<linalg::LinalgOp> *found) const {
  Writing dry(body);
  bool any = false;
  IndexList indices;
  for (auto [axis, dim] : llvm::enumerate(output.dims))
    indices.push_back(dry.evaluator.declare("v" + std::to_string(axis), dim));
  dry.evaluator.intercept = [&](Value tensor, const IndexList &) -> std::optional<std::string> {
    auto op = tensor.getDefiningOp<linalg::LinalgOp>();
    if (!op || op.getNumReductionLoops() == 0)
      return std::nullopt;
    any = true;
    if (found && !llvm::is_contained(*found, op))
      found->push_back(op);
    return "0";
  };
  dry.evaluator.element(output.tensor, indices);
  return any;
}

Value ColumnWriter::elementOfSpread(linalg::LinalgOp op) {
  Block &block = op->getRegion(0).front();
  auto sum = block.getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  for (Value part : sum ? ValueRange(sum->getOperands()) : ValueRange())
    if (auto square = part.getDefiningOp<arith::MulFOp>())
      if (auto distance = square.getLhs().getDefiningOp<arith::SubFOp>())
        return square.getLhs() == square.getRhs() ? distance.getLhs() : Value();
  return {};
}

/// Whether an element of the reduction needs another one; the mean of a spread aside.
bool ColumnWriter::dependsOnSums(linalg::LinalgOp op) const {
  Writing dry(body);
  bool any = false;
  IndexList loops;
  for (auto [axis, extent] : llvm::enumerate(dry.evaluator.sizes.extentsOf(op)))
    loops.push_back(dry.evaluator.declare("v" + std::to_string(axis), extent));
  dry.evaluator.intercept = [&](Value tensor, const IndexList &) -> std::optional<std::string> {
    auto other = tensor.getDefiningOp<linalg::LinalgOp>();
    if (!other || other.getNumReductionLoops() == 0)
      return std::nullopt;
    any = true;
    return "0";
  };
  if (op->hasAttr(nn::kSpreadAttr))
    dry.evaluator.bodyValue(op, elementOfSpread(op), loops);
  else
    dry.evaluator.accumulateAt(op, {"sum"}, loops);
  return any || dry.evaluator.error();
}

std::optional<nnc::Error> ColumnWriter::addSum(linalg::LinalgOp op) {
  IndexList extents = evaluator.sizes.extentsOf(op);
  llvm::SmallBitVector reduced(extents.size());
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      reduced.set(loop);
  if (llvm::is_contained(extents, AffineExpr()))
    return refused("an extent is not known");
  if (sums.empty()) {
    space = extents;
    isReduced = reduced;
  } else if (!sameDims(math, space, extents) || reduced != isReduced) {
    return refused("its reductions run over different elements");
  }
  bool isSpread = op->hasAttr(nn::kSpreadAttr);
  Operation *combiner = findCombiner(op);
  if (!combiner || (isSpread && !elementOfSpread(op)) || dependsOnSums(op))
    return refused("a reduction needs another one, or has no order of its own");
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!map.isProjectedPermutation() ||
      !llvm::is_sorted(map.getResults(), [](AffineExpr a, AffineExpr b) {
        return cast<AffineDimExpr>(a).getPosition() < cast<AffineDimExpr>(b).getPosition();
      }))
    return refused("the results of a reduction are in another order");
  std::string type = typeText(getElementTypeOrSelf(op.getDpsInits()[0].getType())).value_or(""),
              number = std::to_string(sums.size());
  if (type != "float" && type != "int")
    return refused("a reduction of other elements than f32 and i32");
  if (isSpread) {
    sums.push_back({op, true, "Spread", "spread" + number, "noSpread()",
                    "[](Spread a, Spread b) -> Spread { return mergeSpreads(a, b); }"});
    return std::nullopt;
  }
  std::string combined = *scalarText(combiner, {std::string("a"), std::string("b")});
  sums.push_back({op, false, type, "total" + number, *identityText(combiner),
                  fmt::format("[]({0} a, {0} b) -> {0} {{ return {1}; }}", type, combined)});
  return std::nullopt;
}

std::optional<nnc::Error> ColumnWriter::sortOutputs(std::vector<Output> outputs) {
  std::vector<linalg::LinalgOp> found;
  std::vector<bool> areOfSums;
  for (const Output &output : outputs)
    areOfSums.push_back(isOfSums(output, &found));
  if (found.empty() || found.size() > MostSums)
    return refused("too few reductions, or too many");
  for (linalg::LinalgOp op : found)
    if (std::optional<nnc::Error> error = addSum(op))
      return error;
  for (auto [axis, dim] : llvm::enumerate(space))
    (isReduced.test(axis) ? reducedDims : keptDims).push_back(dim);
  columns = math.product(keptDims);
  rows = math.product(reducedDims);
  for (auto [output, isOfSums] : llvm::zip(outputs, areOfSums)) {
    if (math.isEqual(math.product(output.dims), columns))
      perColumn.push_back(output);
    else if (!isOfSums && sameDims(math, output.dims, space))
      full.push_back(output);
    else
      return refused("a result needs the reductions for each element");
  }
  return std::nullopt;
}

/// Neighbours of the last axis that are longer than 1, and whether that is reduced.
int64_t ColumnWriter::vectorWidth() const {
  int64_t most = 4;
  for (BlockArgument argument : body.block->getArguments()) {
    Type type = getElementTypeOrSelf(argument.getType());
    IndexList dims = body.argumentDims[argument.getArgNumber()];
    if (type.isIntOrFloat() && type.getIntOrFloatBitWidth() == 16 &&
        typicalValue(body, math, math.product(dims)) > typicalValue(body, math, columns))
      most = 8;
  }
  AffineExpr last = math.constant(1);
  for (AffineExpr dim : space)
    last = math.constantOf(dim) == 1 ? last : dim;
  while (math.divisorOf(last) % most != 0)
    most /= 2;
  return most;
}

/// False where a thread, a warp or a block for each column is as good, which have no results with a
/// number per element unless columns are rows in memory.
bool ColumnWriter::chooseShape() {
  for (auto [axis, dim] : llvm::enumerate(space))
    if (math.constantOf(dim) != 1)
      shape.isAcross = !isReduced.test(axis);
  int64_t length = typicalValue(body, math, rows), width = typicalValue(body, math, columns);
  shape.width = vectorWidth();
  shape.across = shape.isAcross ? Across : 1;
  shape.threads = body.threads ? body.threads : MostThreads;
  if (!body.threads && length * width < MostThreads * 64)
    shape.threads = MostThreads / 2;
  int64_t tiles = llvm::divideCeil(width, shape.columns());
  int64_t rowsOfBlock = int64_t(shape.down()) * RowsOfThread * (shape.isAcross ? 1 : shape.width);
  int64_t parts = std::min(WantedBlocks / std::max<int64_t>(1, tiles), length / rowsOfBlock);
  bool canMeet =
      !body.isInLoop && !body.threads &&
      math.rangeOf(columns.ceilDiv(shape.columns())).high <= int64_t(format::MaxArrivals);
  shape.parts = canMeet ? std::max<int64_t>(1, parts) : 1;
  if (shape.isAcross || !full.empty())
    return length >= ShortestColumn;
  return shape.parts > 1;
}

/// All elements are one column, however few they are.
bool ColumnWriter::choosePartShape() {
  shape = {false, 1, vectorWidth(), PartThreads, 1};
  return math.constantOf(columns) == 1 && full.empty();
}

std::optional<nnc::Error> ColumnWriter::plan() {
  if (!body.updateStart.empty())
    return refused("an update");
  Result<std::vector<Output>> outputs = outputsOf(body, evaluator);
  if (!outputs)
    return outputs.error();
  if (std::optional<nnc::Error> error = sortOutputs(std::move(*outputs)))
    return error;
  if (!(isPart ? choosePartShape() : chooseShape()))
    return refused("few elements");
  return std::nullopt;
}

} // namespace nnc::codegen
