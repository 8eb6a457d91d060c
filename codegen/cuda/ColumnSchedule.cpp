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
#include "codegen/cuda/ColumnWriter.h"

#include "codegen/cuda/ScalarOps.h"
#include "ir/Spread.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {

Result<Scheduled> ColumnWriter::write() {
  if (std::optional<nnc::Error> error = plan())
    return *error;
  writeBody();
  if (evaluator.error())
    return *evaluator.error();
  AffineExpr tiles = columns.ceilDiv(shape.columns());
  Scheduled scheduled{out.take(), tiles * shape.parts, shape.threads, {"columns.cuh"}};
  unsigned words = wordsOfSums();
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

Result<Scheduled> ColumnWriter::writePart() {
  isPart = true;
  if (std::optional<nnc::Error> error = plan())
    return *error;
  writeBody();
  if (evaluator.error())
    return *evaluator.error();
  Scheduled scheduled{out.take(), {}, shape.threads, {"columns.cuh"}};
  scheduled.scratch = math.constant(wordsOfSums());
  scheduled.partThreads = math.constantOf(turns()).value_or(0);
  return scheduled;
}

void ColumnWriter::writeBody() {
  writeNumbers();
  writeAccumulators();
  writeRows();
  writeTotals();
  if (isPart || shape.parts > 1)
    writeParts();
  writeResults();
}

unsigned ColumnWriter::wordsOfSums() const {
  unsigned words = 0;
  for (const Sum &sum : sums)
    words += sum.words();
  return words;
}

/// How often a thread would take what it takes at once if it were alone with its columns.
AffineExpr ColumnWriter::turns() const {
  return math.simplify(rows.floorDiv(shape.isAcross ? 1 : shape.width));
}
std::string ColumnWriter::turnsText() const { return isPart ? "count" : math.text(turns()); }
std::string ColumnWriter::blocksOfTile() const {
  return isPart ? "blocks" : std::to_string(shape.parts);
}
/// From one turn of a thread to its next one.
std::string ColumnWriter::step() const {
  return isPart ? fmt::format("(blocks * {})", shape.down())
                : std::to_string(shape.parts * shape.down());
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
  std::string parts = blocksOfTile(), across = std::to_string(shape.across);
  if (isPart)
    out.line("const Index tile = 0, part = (Index)blockId;");
  else
    out.line("const Index tile = (Index)blockId / " + parts + ", part = (Index)blockId % " + parts +
             ";");
  out.line(fmt::format("const Index beside = tile * {0} + threadIdx.x % {0};", across));
  out.line(fmt::format("const Index first = part * {} + threadIdx.x / {};", shape.down(), across));
}

/// Each thread's own, as arrays of one per column. Numbers of which the spread is wanted are
/// counted from the first one.
void ColumnWriter::writeAccumulators() {
  AffineExpr beside = math.simplify(columns.floorDiv(shape.columnsOfThread()));
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
  out.line("NNC_UNROLL_BY(4)");
  evaluator.openBlock(
      fmt::format("for (Index row = first; row < {}; row += {})", turnsText(), step()));
  row = evaluator.declare("row", turns());
}

void ColumnWriter::writePivots() {
  evaluator.openBlock("if (first < " + turnsText() + ")");
  AffineExpr start = evaluator.declare("first", turns());
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
  if (llvm::any_of(sums, [](const Sum &sum) { return sum.isSpread; }))
    out.line(
        fmt::format("const float seen = first < {0} ? (float)((({0} - first + {1} - 1) / {1}) * "
                    "{2}) : 0.0f;",
                    turnsText(), step(), taken));
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

/// From where on others than the first `words` of each block and column lie in the scratch memory.
std::string ColumnWriter::scratchBefore(unsigned words) const {
  if (words == 0)
    return "";
  if (isPart)
    return fmt::format(" + blocks * {}", words);
  AffineExpr tiles = columns.ceilDiv(shape.columns());
  return " + " + math.text(math.simplify(tiles * (words * shape.parts * shape.columns())));
}

/// The block writes its sums, and leaves unless it is the last of its tile.
void ColumnWriter::writeParts() {
  std::string count = std::to_string(shape.columns()), parts = blocksOfTile();
  std::vector<std::string> places;
  unsigned before = 0;
  for (const Sum &sum : sums) {
    places.push_back(evaluator.freshName("parts"));
    out.line(fmt::format("{0} *const {1} = ({0} *)(scratch{2}) + tile * {3};", sum.type,
                         places.back(), scratchBefore(before),
                         isPart ? parts : std::to_string(shape.parts * shape.columns())));
    before += sum.words();
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

Result<Scheduled> scheduleColumns(const KernelBody &body) { return ColumnWriter(body).write(); }

Result<Scheduled> scheduleSumPart(const KernelBody &body) { return ColumnWriter(body).writePart(); }

} // namespace nnc::codegen
