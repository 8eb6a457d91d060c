//===- ColumnSchedule.cpp - Reductions of few results over very many elements -----------------===//
//
// The elements that reductions run over are a matrix: a column per result, and rows over all other
// axes. If neighbours in memory belong to different results, threads take neighbouring columns and
// every n-th row; else a block has one column, and threads take neighbouring rows. Where that
// leaves the GPU idle, several blocks share the rows of a column, and the last of them to be done
// combines what all have (columns.cuh). It computes what depends on the sums, one number per
// column; results with a number per element are written on the way.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Schedule.h"

#include "codegen/cuda/ScalarOps.h"
#include "ir/Spread.h"
#include "runtime/format/Counters.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/TypeUtilities.h"
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {
namespace {

/// Blocks that fill an H200, of so many threads.
constexpr int64_t WantedBlocks = 264;
constexpr unsigned MostThreads = 512;
/// Rows that each thread takes before more blocks share a column, and columns that are worth it.
constexpr int64_t RowsOfThread = 4, ShortestColumn = 32;
/// Threads beside each other: with 16 bytes each they read a line of 128.
constexpr unsigned Across = 8;
/// Reductions of one kernel: their accumulators are registers.
constexpr size_t MostSums = 8;

/// A reduction, and the variables that hold it.
struct Sum {
  linalg::LinalgOp op;
  bool isSpread;
  std::string type;       ///< of an accumulator: "float", "Spread"
  std::string variable;   ///< the accumulators, one per column of the thread
  std::string identity;   ///< what changes nothing
  std::string combine;    ///< a lambda
  std::string total = {}; ///< the variable with the result for the thread's column
  unsigned words() const { return isSpread ? 3 : 1; }
};

/// How the matrix is shared out.
struct Shape {
  bool isAcross = true; ///< threads of a block beside each other, in columns of their own
  unsigned across = 1;  ///< so many
  int64_t width = 1;    ///< neighbours that a thread takes at once
  unsigned threads = 256;
  int64_t parts = 1; ///< blocks of one tile
  int64_t columnsOfThread() const { return isAcross ? width : 1; }
  int64_t columns() const { return isAcross ? across * width : 1; } ///< of a tile
  unsigned down() const { return threads / across; }
};

class ColumnWriter {
public:
  explicit ColumnWriter(const KernelBody &body)
      : body(body), writing(body), math(writing.math), out(writing.out),
        evaluator(writing.evaluator) {}

  Result<Scheduled> write();

private:
  std::optional<nnc::Error> plan();
  std::optional<nnc::Error> findSums();
  std::optional<nnc::Error> sortOutputs(std::vector<Output> outputs);
  std::optional<nnc::Error> addSum(linalg::LinalgOp op);
  bool isOfSums(const Output &output, std::vector<linalg::LinalgOp> *found) const;
  bool dependsOnSums(linalg::LinalgOp op) const;
  int64_t vectorWidth() const;
  bool chooseShape();

  void writeNumbers();
  void writeAccumulators();
  void writePivots();
  void writeRows();
  void accumulate(const Sum &sum, const IndexList &loops, const std::string &place);
  void writeTotals();
  void writeParts();
  void writeResults();
  IndexList loopsAt(AffineExpr column, AffineExpr row) const;
  std::string spreadElement(const Sum &sum, const IndexList &loops);

  const KernelBody &body;
  Writing writing;
  IndexMath &math;
  CodeWriter &out;
  Evaluator &evaluator;
  std::vector<Output> full, perColumn;
  std::vector<Sum> sums;
  IndexList space, keptDims, reducedDims;
  llvm::SmallBitVector isReduced;
  AffineExpr columns, rows;
  Shape shape;
  AffineExpr column, row; ///< of the thread: of groups of neighbours, if it takes several
};

nnc::Error refused(const char *why) { return nnc::Error{why}; }

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

/// The element of which a reduction with nn.spread adds the squared distance from the mean.
Value elementOfSpread(linalg::LinalgOp op) {
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

std::optional<nnc::Error> ColumnWriter::plan() {
  if (!body.updateStart.empty())
    return refused("an update");
  Result<std::vector<Output>> outputs = outputsOf(body, evaluator);
  if (!outputs)
    return outputs.error();
  if (std::optional<nnc::Error> error = sortOutputs(std::move(*outputs)))
    return error;
  if (!chooseShape())
    return refused("few elements");
  return std::nullopt;
}

Result<Scheduled> ColumnWriter::write() {
  if (std::optional<nnc::Error> error = plan())
    return *error;
  writeNumbers();
  writeAccumulators();
  writeRows();
  writeTotals();
  if (shape.parts > 1)
    writeParts();
  writeResults();
  if (evaluator.error())
    return *evaluator.error();
  AffineExpr tiles = columns.ceilDiv(shape.columns());
  Scheduled scheduled{out.take(), tiles * shape.parts, shape.threads, {"columns.cuh"}};
  unsigned words = 0;
  for (const Sum &sum : sums)
    words += sum.words();
  scheduled.staticShared =
      16 +
      words * 4 * (shape.threads / 32 * shape.columns() + (shape.parts > 1 ? shape.threads : 0));
  if (shape.parts > 1)
    scheduled.scratch = math.simplify(tiles * (shape.parts * shape.columns() * words));
  scheduled.tactic = fmt::format("{} column{} a block of {}, {} block{} a column", shape.columns(),
                                 shape.columns() == 1 ? "" : "s", shape.threads, shape.parts,
                                 shape.parts == 1 ? "" : "s");
  return scheduled;
}

/// The iteration of the reductions at a column and a row of the matrix.
IndexList ColumnWriter::loopsAt(AffineExpr column, AffineExpr row) const {
  IndexList kept = math.delinearize(column, keptDims), reduced = math.delinearize(row, reducedDims);
  IndexList loops;
  unsigned nextKept = 0, nextReduced = 0;
  for (unsigned axis = 0; axis < space.size(); ++axis)
    loops.push_back(isReduced.test(axis) ? reduced[nextReduced++] : kept[nextKept++]);
  return loops;
}

void ColumnWriter::writeNumbers() {
  std::string parts = std::to_string(shape.parts), across = std::to_string(shape.across);
  out.line("const Index tile = (Index)blockId / " + parts + ", part = (Index)blockId % " + parts +
           ";");
  out.line(fmt::format("const Index beside = tile * {0} + threadIdx.x % {0};", across));
  out.line(fmt::format("const Index first = part * {} + threadIdx.x / {};", shape.down(), across));
}

/// Each thread's own, as arrays of one per column. Numbers of which the spread is wanted are
/// counted from the first one.
void ColumnWriter::writeAccumulators() {
  AffineExpr beside = math.simplify(columns.floorDiv(shape.columnsOfThread()));
  AffineExpr turns = math.simplify(rows.floorDiv(shape.isAcross ? 1 : shape.width));
  std::string inside = "beside < " + math.text(beside),
              count = std::to_string(shape.columnsOfThread());
  for (const Sum &sum : sums) {
    out.line(
        fmt::format("{} {}[{}];", sum.isSpread ? "SpreadSums" : sum.type, sum.variable, count));
    out.line(fmt::format("NNC_UNROLL for (int i = 0; i < {}; ++i) {}[i] = {};", count, sum.variable,
                         sum.isSpread ? "{0.0f, 0.0f, 0.0f}" : sum.identity));
  }
  evaluator.openBlock("if (" + inside + ")");
  column = evaluator.declare("beside", beside);
  if (llvm::any_of(sums, [](const Sum &sum) { return sum.isSpread; }))
    writePivots();
  std::string turn = fmt::format("for (Index row = first; row < {}; row += {})", math.text(turns),
                                 shape.parts * shape.down());
  out.line("NNC_UNROLL_BY(4)");
  evaluator.openBlock(turn);
  row = evaluator.declare("row", turns);
}

void ColumnWriter::writePivots() {
  AffineExpr turns = math.simplify(rows.floorDiv(shape.isAcross ? 1 : shape.width));
  evaluator.openBlock("if (first < " + math.text(turns) + ")");
  AffineExpr start = evaluator.declare("first", turns);
  VectorStores lanes(evaluator);
  bool isVector = shape.isAcross && shape.width > 1;
  AffineExpr lane = isVector ? lanes.open({}, shape.width) : math.constant(0);
  IndexList loops =
      loopsAt(column * shape.columnsOfThread() + lane, start * (shape.isAcross ? 1 : shape.width));
  for (const Sum &sum : sums)
    if (sum.isSpread)
      out.line(fmt::format("{}[{}].pivot = {};", sum.variable, isVector ? math.text(lane) : "0",
                           spreadElement(sum, loops)));
  if (isVector)
    lanes.close();
  evaluator.closeScope();
}

std::string ColumnWriter::spreadElement(const Sum &sum, const IndexList &loops) {
  return evaluator.bodyValue(sum.op, elementOfSpread(sum.op), loops);
}

void ColumnWriter::writeRows() {
  VectorStores lanes(evaluator);
  AffineExpr lane = shape.width > 1 ? lanes.open(full, shape.width) : math.constant(0);
  IndexList loops = shape.isAcross ? loopsAt(column * shape.width + lane, row)
                                   : loopsAt(column, row * shape.width + lane);
  std::string place = shape.isAcross ? math.text(lane) : "0";
  for (const Sum &sum : sums)
    accumulate(sum, loops, place);
  for (const Output &output : full) {
    std::string value = evaluator.element(output.tensor, loops);
    AffineExpr at = math.linearize(loops, output.dims);
    if (shape.width > 1)
      lanes.add(output, at, value);
    else
      out.line(output.pointer + "[" + math.text(at) + "] = " + value + ";");
  }
  if (shape.width > 1)
    lanes.close();
  evaluator.closeScope(); // rows
  evaluator.closeScope(); // columns
}

void ColumnWriter::accumulate(const Sum &sum, const IndexList &loops, const std::string &place) {
  std::string variable = sum.variable + "[" + place + "]";
  if (sum.isSpread)
    out.line(variable + ".add(" + spreadElement(sum, loops) + ");");
  else
    evaluator.accumulateAt(sum.op, {variable}, loops);
}

/// Combines what the block has: afterwards thread i knows its column i.
void ColumnWriter::writeTotals() {
  int64_t width = shape.columnsOfThread(), taken = shape.isAcross ? 1 : shape.width;
  AffineExpr turns = math.simplify(rows.floorDiv(taken));
  if (llvm::any_of(sums, [](const Sum &sum) { return sum.isSpread; })) {
    std::string step = std::to_string(shape.parts * shape.down());
    out.line(fmt::format(
        "const float seen = first < {0} ? (float)((({0} - first + {1} - 1) / {1}) * {2}) : 0.0f;",
        math.operandText(turns), step, taken));
  }
  for (Sum &sum : sums) {
    std::string own = sum.variable;
    if (sum.isSpread) {
      own = evaluator.freshName("own");
      out.line(fmt::format("Spread {}[{}];", own, width));
      out.line(fmt::format("NNC_UNROLL for (int i = 0; i < {}; ++i) {}[i] = beside < {} ? "
                           "{}[i].close(seen) : noSpread();",
                           width, own, math.operandText(math.simplify(columns.floorDiv(width))),
                           sum.variable));
    }
    sum.total = evaluator.freshName("sum");
    out.line(fmt::format("{} {} = combineColumns<{}, {}, {}>({}, {});", sum.type, sum.total,
                         shape.threads, shape.across, width, own, sum.combine));
  }
}

/// The block writes its sums, and leaves unless it is the last of its tile.
void ColumnWriter::writeParts() {
  AffineExpr tiles = columns.ceilDiv(shape.columns());
  std::string count = std::to_string(shape.columns()), parts = std::to_string(shape.parts);
  int64_t before = 0;
  std::vector<std::string> places;
  for (const Sum &sum : sums) {
    places.push_back(evaluator.freshName("parts"));
    std::string start = before ? " + " + math.text(math.simplify(tiles * before)) : "";
    out.line(fmt::format("{0} *const {1} = ({0} *)(scratch{2}) + tile * {3};", sum.type,
                         places.back(), start, shape.parts * shape.columns()));
    before += shape.parts * shape.columns() * sum.words();
  }
  evaluator.openBlock("if (threadIdx.x < " + count + ")");
  for (auto [sum, place] : llvm::zip(sums, places))
    out.line(fmt::format("{}[part * {} + threadIdx.x] = {};", place, count, sum.total));
  evaluator.closeScope();
  out.line("if (!arrivesLast(arrivals + tile, " + parts + "))");
  out.line("  return;");
  for (auto [sum, place] : llvm::zip(sums, places))
    out.line(fmt::format("{} = combineParts<{}, {}>({}, {}, {}({}), {});", sum.total, shape.threads,
                         count, place, parts, sum.type, sum.identity, sum.combine));
}

/// One thread per column computes what depends on the sums.
void ColumnWriter::writeResults() {
  std::string count = std::to_string(shape.columns());
  out.line("const Index own = tile * " + count + " + threadIdx.x;");
  evaluator.openBlock("if (threadIdx.x < " + count + " && own < " + math.text(columns) + ")");
  AffineExpr own = evaluator.declare("own", columns);
  IndexList kept = math.delinearize(own, keptDims);
  evaluator.intercept = [&](Value tensor, const IndexList &at) -> std::optional<std::string> {
    auto op = tensor.getDefiningOp<linalg::LinalgOp>();
    auto sum = llvm::find_if(sums, [&](const Sum &sum) { return sum.op == op; });
    if (!op || sum == sums.end())
      return std::nullopt;
    if (!sameDims(math, at, kept))
      return evaluator.fail(op, "a column needs the sums of others");
    std::string value = sum->isSpread ? sum->total + ".squares" : sum->total;
    Value initial = op.getDpsInits()[0];
    std::string start = evaluator.element(initial, at);
    bool isNothing = start == *identityText(findCombiner(op)) ||
                     (*identityText(findCombiner(op)) == "0.0f" && start == "-0.0f");
    if (isNothing)
      return value;
    return "(" + *scalarText(findCombiner(op), {start, value}) + ")";
  };
  for (const Output &output : perColumn) {
    std::string value = evaluator.element(output.tensor, math.delinearize(own, output.dims));
    out.line(output.pointer + "[" + math.text(own) + "] = " + value + ";");
  }
  evaluator.intercept = nullptr;
  evaluator.closeScope();
}

} // namespace

Result<Scheduled> scheduleColumns(const KernelBody &body) { return ColumnWriter(body).write(); }

} // namespace nnc::codegen
