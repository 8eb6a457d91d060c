//===- PointwiseSchedule.cpp - One thread, one element or four --------------------------------===//
//
// Results of equal sizes share their threads, so that what they have in common is computed once;
// for results of other sizes more blocks follow.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Schedule.h"

#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {
namespace {

/// Four neighbours per thread pay off when there are enough threads even so. Blocks of a loop wait
/// for each other in every step: there more threads with less work each.
constexpr int64_t VectorWidth = 4, VectorWidthInLoop = 2;
constexpr int64_t VectorMinimum = 1 << 16;

class PointwiseWriter {
public:
  explicit PointwiseWriter(const KernelBody &body)
      : body(body), writing(body), math(writing.math), out(writing.out),
        evaluator(writing.evaluator) {}

  Result<Scheduled> write();
  Result<Scheduled> writePart();

private:
  using Group = std::vector<Output>;
  std::vector<Group> groupBySize(std::vector<Output> outputs) const;
  void writeGroup(const Group &group, AffineExpr firstBlock);
  void writeElement(const Group &group, AffineExpr index);
  void writeVector(const Group &group, AffineExpr index);
  bool isVector(const Group &group) const;
  AffineExpr threadsOf(const Group &group) const;
  std::optional<ElementReads> findReads(const Group &group) const;

  const KernelBody &body;
  Writing writing;
  IndexMath &math;
  CodeWriter &out;
  Evaluator &evaluator;
  unsigned threads = body.threads ? body.threads : PartThreads;
  int64_t vectorWidth = body.threads ? VectorWidthInLoop : VectorWidth;
  bool isByThread = false; ///< statements are told their thread's number
  bool isPart = false;     ///< of a launch: statements are told how many threads there are
};

std::vector<PointwiseWriter::Group>
PointwiseWriter::groupBySize(std::vector<Output> outputs) const {
  std::vector<Group> groups;
  for (Output &output : outputs) {
    auto place = llvm::find_if(
        groups, [&](const Group &group) { return sameDims(math, group[0].dims, output.dims); });
    if (place == groups.end())
      groups.push_back({std::move(output)});
    else
      place->push_back(std::move(output));
  }
  return groups;
}

bool PointwiseWriter::isVector(const Group &group) const {
  AffineExpr total = math.product(group[0].dims);
  return areNarrow(group) && body.updateStart.empty() && math.divisorOf(total) % vectorWidth == 0 &&
         (isPart || math.rangeOf(total).high >= VectorMinimum);
}

AffineExpr PointwiseWriter::threadsOf(const Group &group) const {
  AffineExpr total = math.product(group[0].dims);
  return isVector(group) ? math.simplify(total.floorDiv(vectorWidth)) : total;
}

Result<Scheduled> PointwiseWriter::write() {
  Result<std::vector<Output>> outputs = outputsOf(body, evaluator);
  if (!outputs)
    return outputs.error();
  std::vector<Group> groups = groupBySize(std::move(*outputs));
  AffineExpr blocks = math.constant(0);
  std::optional<ElementReads> reads;
  if (body.threads && groups.size() == 1)
    reads = findReads(groups[0]);
  isByThread = reads.has_value();
  for (const Group &group : groups) {
    writeGroup(group, blocks);
    blocks = blocks + threadsOf(group).ceilDiv(threads);
  }
  if (evaluator.error())
    return *evaluator.error();
  Scheduled scheduled{out.take(), blocks, threads, {}};
  bool areVectors = llvm::all_of(groups, [&](const Group &group) { return isVector(group); });
  scheduled.tactic =
      areVectors ? fmt::format("{} elements a thread", vectorWidth) : "1 element a thread";
  scheduled.reads = reads;
  return scheduled;
}

Result<Scheduled> PointwiseWriter::writePart() {
  isPart = true;
  Result<std::vector<Output>> outputs = outputsOf(body, evaluator);
  if (!outputs)
    return outputs.error();
  // They have one size; what lies before reshapes of them has the same elements in the same order.
  AffineExpr count = threadsOf(*outputs);
  writeGroup(*outputs, math.constant(0));
  if (evaluator.error())
    return *evaluator.error();
  Scheduled scheduled{out.take(), count.ceilDiv(threads), threads, {}};
  scheduled.partThreads = math.constantOf(count).value_or(0);
  return scheduled;
}

/// Follows what an element of the results, which are all of the same sizes, is computed from.
std::optional<ElementReads> PointwiseWriter::findReads(const Group &group) const {
  const IndexList &dims = group[0].dims;
  std::optional<int64_t> units = dims.empty() ? std::nullopt : math.constantOf(dims.back());
  int64_t width = isVector(group) ? vectorWidth : 1;
  if (!units || *units % width != 0 || !body.updateStart.empty())
    return std::nullopt;
  Writing dry(body);
  AffineExpr rows = dry.math.product(ArrayRef(dims).drop_back());
  AffineExpr row = dry.evaluator.declare("row", rows);
  AffineExpr unit = dry.evaluator.declare("unit", dims.back());
  ElementReads reads{math.text(rows), *units, static_cast<unsigned>(width), {}};
  std::vector<bool> isOff(body.argumentDims.size(), false);
  for (const IndexList &sizes : body.argumentDims) {
    AffineExpr length = dry.math.product(sizes).floorDiv(rows);
    reads.columns.push_back(math.constantOf(rows) == 0 ? 0 : math.constantOf(length).value_or(0));
  }
  dry.evaluator.intercept = [&](Value tensor, const IndexList &at) -> std::optional<std::string> {
    auto argument = dyn_cast<BlockArgument>(tensor);
    if (!argument || argument.getOwner() != body.block)
      return std::nullopt;
    unsigned number = argument.getArgNumber();
    int64_t length = reads.columns[number];
    AffineExpr linear = dry.math.linearize(at, body.argumentDims[number]);
    std::optional<int64_t> offset = dry.math.constantOf(linear - (row * length + unit));
    isOff[number] = isOff[number] || length == 0 || !offset || *offset < 0 || *offset >= length ||
                    *offset % *units != 0;
    return std::nullopt;
  };
  for (const Output &output : group)
    dry.evaluator.element(output.tensor, dry.math.delinearize(row * *units + unit, output.dims));
  if (dry.evaluator.error())
    return std::nullopt;
  for (auto [length, off] : llvm::zip(reads.columns, isOff))
    length = off ? 0 : length;
  return reads;
}

void PointwiseWriter::writeGroup(const Group &group, AffineExpr firstBlock) {
  AffineExpr count = threadsOf(group);
  std::string name = evaluator.freshName("i"), block = "blockId", condition;
  if (math.constantOf(firstBlock) != 0) {
    block = "(blockId - " + math.operandText(firstBlock) + ")";
    condition = name + " >= 0 && ";
  }
  out.line("const Index " + name + " = (Index)" +
           (isByThread ? "threadId" : block + " * " + std::to_string(threads) + " + threadIdx.x") +
           ";");
  evaluator.openBlock("if (" + condition + name + " < " + (isPart ? "count" : math.text(count)) +
                      ")");
  AffineExpr index = evaluator.declare(name, count);
  if (isVector(group))
    writeVector(group, index);
  else
    writeElement(group, index);
  evaluator.closeScope();
}

/// All is read before anything is written, for results may lie where operands do.
void PointwiseWriter::writeElement(const Group &group, AffineExpr index) {
  std::vector<std::string> stores;
  for (const Output &output : group) {
    IndexList indices = math.delinearize(index, output.dims);
    std::string value = evaluator.element(output.tensor, indices);
    AffineExpr place = body.updateStart.empty() ? index : placeOf(body, math, output, indices);
    stores.push_back(output.pointer + "[" + math.text(place) + "] = " + value + ";");
  }
  for (const std::string &store : stores)
    out.line(store);
}

void PointwiseWriter::writeVector(const Group &group, AffineExpr index) {
  VectorStores stores(evaluator);
  AffineExpr element = index * vectorWidth + stores.open(group, vectorWidth);
  for (const Output &output : group) {
    IndexList indices = math.delinearize(element, output.dims);
    stores.add(output, element, evaluator.element(output.tensor, indices));
  }
  stores.close();
}

} // namespace

Result<Scheduled> schedulePointwise(const KernelBody &body) {
  return PointwiseWriter(body).write();
}

Result<Scheduled> schedulePart(const KernelBody &body) { return PointwiseWriter(body).writePart(); }

} // namespace nnc::codegen
