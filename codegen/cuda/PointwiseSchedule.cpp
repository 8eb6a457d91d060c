//===- PointwiseSchedule.cpp - One thread, one element or four --------------------------------===//
//
// Results of equal sizes share their threads, so that what they have in common is computed once;
// for results of other sizes more blocks follow.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/Schedule.h"

#include "codegen/cuda/ScalarOps.h"

#include "mlir/IR/TypeUtilities.h"
using namespace mlir;

namespace nnc::codegen {
namespace {

/// Four neighbours per thread pay off when there are enough threads even so.
constexpr int64_t VectorWidth = 4;
constexpr int64_t VectorMinimum = 1 << 16;

class PointwiseWriter {
public:
  explicit PointwiseWriter(const KernelBody &body)
      : body(body), writing(body), math(writing.math), out(writing.out),
        evaluator(writing.evaluator) {}

  Result<Scheduled> write();

private:
  using Group = std::vector<Output>;
  std::vector<Group> groupBySize(std::vector<Output> outputs) const;
  void writeGroup(const Group &group, AffineExpr firstBlock);
  void writeElement(const Group &group, AffineExpr index);
  void writeVector(const Group &group, AffineExpr index);
  bool isVector(const Group &group) const;
  AffineExpr threadsOf(const Group &group) const;

  const KernelBody &body;
  Writing writing;
  IndexMath &math;
  CodeWriter &out;
  Evaluator &evaluator;
  unsigned threads = body.threads ? body.threads : 256;
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
  bool isNarrow = llvm::all_of(group, [](const Output &output) {
    Type type = getElementTypeOrSelf(output.tensor.getType());
    return type.isIntOrFloat() && type.getIntOrFloatBitWidth() <= 32;
  });
  return isNarrow && body.updateStart.empty() && math.divisorOf(total) % VectorWidth == 0 &&
         math.rangeOf(total).high >= VectorMinimum;
}

AffineExpr PointwiseWriter::threadsOf(const Group &group) const {
  AffineExpr total = math.product(group[0].dims);
  return isVector(group) ? math.simplify(total.floorDiv(VectorWidth)) : total;
}

Result<Scheduled> PointwiseWriter::write() {
  Result<std::vector<Output>> outputs = outputsOf(body, evaluator);
  if (!outputs)
    return outputs.error();
  std::vector<Group> groups = groupBySize(std::move(*outputs));
  AffineExpr blocks = math.constant(0);
  for (const Group &group : groups) {
    writeGroup(group, blocks);
    blocks = blocks + threadsOf(group).ceilDiv(threads);
  }
  if (evaluator.error())
    return *evaluator.error();
  return Scheduled{out.take(), blocks, threads, {}};
}

void PointwiseWriter::writeGroup(const Group &group, AffineExpr firstBlock) {
  AffineExpr count = threadsOf(group);
  std::string name = evaluator.freshName("i"), block = "blockId", condition;
  if (math.constantOf(firstBlock) != 0) {
    block = "(blockId - " + math.operandText(firstBlock) + ")";
    condition = name + " >= 0 && ";
  }
  out.line("const Index " + name + " = (Index)" + block + " * " + std::to_string(threads) +
           " + threadIdx.x;");
  evaluator.openBlock("if (" + condition + name + " < " + math.text(count) + ")");
  AffineExpr index = evaluator.declare(name, count);
  if (isVector(group))
    writeVector(group, index);
  else
    writeElement(group, index);
  evaluator.closeScope();
}

void PointwiseWriter::writeElement(const Group &group, AffineExpr index) {
  for (const Output &output : group) {
    IndexList indices = math.delinearize(index, output.dims);
    std::string value = evaluator.element(output.tensor, indices);
    AffineExpr place = body.updateStart.empty() ? index : placeOf(body, math, output, indices);
    out.line(output.pointer + "[" + math.text(place) + "] = " + value + ";");
  }
}

void PointwiseWriter::writeVector(const Group &group, AffineExpr index) {
  std::string width = std::to_string(VectorWidth);
  for (const Output &output : group) {
    std::string type = typeText(getElementTypeOrSelf(output.tensor.getType())).value_or("float");
    out.line("Vector<" + type + ", " + width + "> " + output.pointer + "v;");
  }
  AffineExpr lane = evaluator.openLoop("j", math.constant(VectorWidth), /*unrolls=*/true);
  unsigned variable = cast<AffineDimExpr>(lane).getPosition();
  evaluator.lane = {variable, out.depth(), VectorWidth};
  AffineExpr element = index * VectorWidth + lane;
  for (const Output &output : group) {
    std::string value = evaluator.element(output.tensor, math.delinearize(element, output.dims));
    out.line(output.pointer + "v[" + math.nameOf(variable) + "] = " + value + ";");
  }
  evaluator.lane.reset();
  evaluator.closeScope();
  for (const Output &output : group)
    out.line("storeVector(" + output.pointer + " + " + math.text(index * VectorWidth) + ", " +
             output.pointer + "v);");
}

} // namespace

Result<Scheduled> schedulePointwise(const KernelBody &body) {
  return PointwiseWriter(body).write();
}

} // namespace nnc::codegen
