//===- RowSchedule.cpp - Reductions, one row at a time ----------------------------------------===//
//
// The axes of a result on which some reduction's place depends make a row's number; a thread, a
// warp or a block takes one row, reduces what it needs together, and then writes the rest of the
// axes.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Schedule.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {
namespace {

/// Rows up to these lengths are a thread's and a warp's; longer ones a block's.
constexpr int64_t ThreadRow = 8, WarpRow = 1024;
/// From this length on a row that is read again is not in the cache any more if many blocks share
/// it, so blocks are large.
constexpr int64_t VeryLongRow = 16384;

/// How many threads share a row, and how many rows a block has.
struct Sharing {
  unsigned threads = 32, rows = 8;
};

class RowWriter {
public:
  explicit RowWriter(const KernelBody &body)
      : body(body), writing(body), math(writing.math), out(writing.out),
        evaluator(writing.evaluator) {}

  Result<Scheduled> write();

private:
  /// What an output needs of the reductions, found by evaluating it without keeping the text.
  struct Trace {
    llvm::SmallBitVector rowAxes;
    std::vector<linalg::LinalgOp> reductions;
  };
  Trace trace(const Output &output) const;
  bool planRows(const std::vector<Output> &outputs);
  Sharing chooseSharing();
  void writeNumbers();
  void writeOutput(const Output &output, const llvm::SmallBitVector &rowAxes, AffineExpr row);

  const KernelBody &body;
  Writing writing;
  IndexMath &math;
  CodeWriter &out;
  Evaluator &evaluator;
  std::vector<llvm::SmallBitVector> rowAxes; ///< by output
  std::vector<linalg::LinalgOp> reductions;
  IndexList rowDims;
  Sharing sharing;
};

RowWriter::Trace RowWriter::trace(const Output &output) const {
  Writing dry(body);
  Trace result;
  result.rowAxes.resize(output.dims.size());
  IndexList indices;
  for (auto [axis, dim] : llvm::enumerate(output.dims))
    indices.push_back(dry.evaluator.declare("v" + std::to_string(axis), dim));
  dry.evaluator.intercept = [&](Value tensor, const IndexList &at) -> std::optional<std::string> {
    auto op = tensor.getDefiningOp<linalg::LinalgOp>();
    if (!op || op.getNumReductionLoops() == 0)
      return std::nullopt;
    result.reductions.push_back(op);
    for (AffineExpr index : at)
      for (unsigned variable : dry.math.variablesOf(index))
        if (variable < result.rowAxes.size())
          result.rowAxes.set(variable);
    return "0";
  };
  dry.evaluator.element(output.tensor, indices);
  return result;
}

/// Finds the axes that number rows; all outputs must agree on their sizes.
bool RowWriter::planRows(const std::vector<Output> &outputs) {
  bool isPlanned = false;
  for (const Output &output : outputs) {
    Trace found = trace(output);
    llvm::append_range(reductions, found.reductions);
    rowAxes.push_back(found.rowAxes);
    if (found.reductions.empty())
      continue;
    IndexList dims;
    for (unsigned axis : found.rowAxes.set_bits())
      dims.push_back(output.dims[axis]);
    if (isPlanned && !sameDims(math, dims, rowDims))
      return false;
    rowDims = dims;
    isPlanned = true;
  }
  // Outputs without reductions are cut into the same rows if they start with the same axes.
  for (auto [output, axes] : llvm::zip(outputs, rowAxes)) {
    if (axes.count() == rowDims.size())
      continue;
    if (output.dims.size() < rowDims.size() ||
        !sameDims(math, IndexList(ArrayRef(output.dims).take_front(rowDims.size())), rowDims))
      return false;
    axes.set(0, rowDims.size());
  }
  return isPlanned;
}

/// Whether a reduction loop runs along the last axis of some operand.
bool isReadAlongReduction(linalg::LinalgOp op) {
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
      if (kind == utils::IteratorType::reduction && map.getNumResults() > 0 &&
          map.getResults().back().isFunctionOfDim(loop))
        return true;
  }
  return false;
}

/// One thread per row where neighbouring rows are neighbours in memory, else 32 or 256.
Sharing RowWriter::chooseSharing() {
  int64_t longest = 1;
  bool isAlongRows = true;
  for (linalg::LinalgOp op : reductions) {
    IndexList extents = evaluator.sizes.extentsOf(op);
    int64_t length = 1;
    for (auto [extent, kind] : llvm::zip(extents, op.getIteratorTypesArray()))
      if (kind == utils::IteratorType::reduction && extent)
        length *= typicalValue(body, math, extent);
    longest = std::max(longest, length);
    if (isReadAlongReduction(op))
      isAlongRows = false;
  }
  int64_t rows = typicalValue(body, math, math.product(rowDims));
  if (longest <= ThreadRow || (isAlongRows && rows >= 32))
    return {1, body.threads ? body.threads : 128};
  unsigned threads = body.threads ? body.threads : 256;
  if (!body.threads && longest >= VeryLongRow)
    threads = 1024;
  if (longest > WarpRow || (rows <= 64 && longest > 256))
    return {threads, 1};
  return {32, threads / 32};
}

Result<Scheduled> RowWriter::write() {
  Result<std::vector<Output>> outputs = outputsOf(body, evaluator);
  if (!outputs)
    return outputs.error();
  if (!planRows(*outputs))
    return nnc::Error{"the results have no rows in common"};
  sharing = chooseSharing();
  AffineExpr rows = math.product(rowDims);
  writeNumbers();
  evaluator.openBlock("if (row < " + math.text(rows) + ")");
  evaluator.row = {sharing.threads, sharing.threads == 1 ? "0" : "lane"};
  AffineExpr row = evaluator.declare("row", rows);
  for (auto [output, axes] : llvm::zip(*outputs, rowAxes))
    writeOutput(output, axes, row);
  evaluator.closeScope();
  if (evaluator.error())
    return *evaluator.error();
  Scheduled scheduled{
      out.take(), rows.ceilDiv(sharing.rows), sharing.threads * sharing.rows, {"reduce.cuh"}};
  scheduled.tactic =
      fmt::format("{} thread{} a row, {} row{} a block", sharing.threads,
                  sharing.threads == 1 ? "" : "s", sharing.rows, sharing.rows == 1 ? "" : "s");
  return scheduled;
}

/// Which row the thread works on, and as which of the row's threads.
void RowWriter::writeNumbers() {
  std::string block = "(Index)blockId", threads = std::to_string(sharing.threads);
  if (sharing.threads == 1) {
    out.line("const Index row = " + block + " * " + std::to_string(sharing.rows) +
             " + threadIdx.x;");
    return;
  }
  if (sharing.rows == 1)
    out.line("const Index row = " + block + ";");
  else
    out.line("const Index row = " + block + " * " + std::to_string(sharing.rows) +
             " + threadIdx.x / " + threads + ";");
  out.line("const Index lane = threadIdx.x" + (sharing.rows == 1 ? "" : " % " + threads) + ";");
}

void RowWriter::writeOutput(const Output &output, const llvm::SmallBitVector &axes,
                            AffineExpr row) {
  IndexList restDims, rowIndices = math.delinearize(row, rowDims);
  for (auto [axis, dim] : llvm::enumerate(output.dims))
    if (!axes.test(axis))
      restDims.push_back(dim);
  AffineExpr rest = math.constant(0), count = math.product(restDims);
  bool isRest = math.constantOf(count) != 1;
  int64_t width = isRest && areNarrow(output) ? evaluator.rowVector(count) : 1;
  VectorStores stores(evaluator);
  if (isRest)
    rest = evaluator.openRowLoop("k", math.simplify(count.floorDiv(width)));
  if (width > 1)
    rest = rest * width + stores.open(output, width);
  IndexList restIndices = math.delinearize(rest, restDims), indices;
  unsigned nextRow = 0, nextRest = 0;
  for (unsigned axis = 0; axis < output.dims.size(); ++axis)
    indices.push_back(axes.test(axis) ? rowIndices[nextRow++] : restIndices[nextRest++]);
  std::string value = evaluator.element(output.tensor, indices);
  AffineExpr place = math.linearize(indices, output.dims);
  std::string guard = isRest || sharing.threads == 1 ? "" : "if (lane == 0) ";
  if (width > 1) {
    stores.add(output, place, value);
    stores.close();
  } else {
    out.line(guard + output.pointer + "[" + math.text(place) + "] = " + value + ";");
  }
  if (isRest)
    evaluator.closeScope();
}

} // namespace

Result<Scheduled> scheduleRows(const KernelBody &body) { return RowWriter(body).write(); }

} // namespace nnc::codegen
