//===- Schedule.cpp - What all schedules ask about a kernel -----------------------------------===//
#include "codegen/cuda/Schedule.h"

#include "codegen/cuda/ScalarOps.h"
#include "codegen/cuda/Tactics.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include <sstream>

using namespace mlir;

namespace nnc::codegen {

Result<std::vector<Output>> outputsOf(const KernelBody &body, Evaluator &evaluator) {
  std::vector<Output> outputs;
  for (auto [i, value] : llvm::enumerate(body.block->getTerminator()->getOperands())) {
    Value tensor = value;
    bool isDense = body.updateStart.empty();
    while (Operation *op = tensor.getDefiningOp()) {
      if (!isDense || !isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op))
        break;
      tensor = op->getOperand(0);
    }
    outputs.push_back({tensor, "out" + std::to_string(i), evaluator.sizes.dimsOf(tensor)});
    if (tensor == value && isDense)
      outputs.back().dims = body.resultDims[i];
    if (llvm::is_contained(outputs.back().dims, AffineExpr())) {
      evaluator.fail(body.op, "a size of a result is not known");
      return *evaluator.error();
    }
  }
  return outputs;
}

AffineExpr placeOf(const KernelBody &body, const IndexMath &math, const Output &output,
                   const IndexList &indices) {
  if (body.updateStart.empty())
    return math.linearize(indices, output.dims);
  IndexList places;
  for (auto [index, start, step] : llvm::zip(indices, body.updateStart, body.updateStep))
    places.push_back(start + index * step);
  return math.simplify(math.linearize(places, body.argumentDims[0]));
}

AffineExpr VectorStores::open(ArrayRef<Output> outputs, int64_t neighbours,
                              Evaluator::AheadLoads *ahead) {
  width = neighbours;
  for (const Output &output : outputs)
    evaluator.out.line("Vector<" +
                       typeText(getElementTypeOrSelf(output.tensor.getType())).value_or("float") +
                       ", " + std::to_string(width) + "> " + output.pointer + "v;");
  lane = evaluator.openLanes(width, ahead);
  return lane;
}

void VectorStores::add(const Output &output, AffineExpr place, const std::string &value) {
  IndexMath &math = evaluator.math;
  unsigned variable = cast<AffineDimExpr>(lane).getPosition();
  AffineExpr start = math.simplify(place - lane);
  bool isVector =
      !llvm::is_contained(math.variablesOf(start), variable) && math.divisorOf(start) % width == 0;
  std::string to = isVector ? "v[" + math.nameOf(variable) + "]" : "[" + math.text(place) + "]";
  evaluator.out.line(output.pointer + to + " = " + value + ";");
  if (isVector)
    stores.push_back("storeVector(" + output.pointer + " + " + math.text(start) + ", " +
                     output.pointer + "v);");
}

void VectorStores::close() {
  evaluator.closeLanes();
  for (const std::string &store : stores)
    evaluator.out.line(store);
}

bool areNarrow(ArrayRef<Output> outputs) {
  return llvm::all_of(outputs, [](const Output &output) {
    Type type = getElementTypeOrSelf(output.tensor.getType());
    return type.isIntOrFloat() && type.getIntOrFloatBitWidth() <= 32;
  });
}

bool sameDims(const IndexMath &math, const IndexList &a, const IndexList &b) {
  return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [&](auto pair) {
           return math.isEqual(std::get<0>(pair), std::get<1>(pair));
         });
}

size_t chooseTactic(const KernelBody &body, const std::string &key,
                    std::vector<std::string> candidates) {
  return body.tactics ? body.tactics->choose(body.op, key, std::move(candidates)) : 0;
}

int64_t typicalValue(const KernelBody &body, const IndexMath &math, AffineExpr expr) {
  SmallVector<AffineExpr> values;
  for (const IndexRange &range : body.symbolRanges)
    values.push_back(math.constant(std::min(range.high, std::max<int64_t>(range.low, 64))));
  AffineExpr value = math.simplify(expr.replaceSymbols(values));
  return math.constantOf(value).value_or(64);
}

std::string indented(const std::string &text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);)
    result += "  " + line + "\n";
  return result;
}

Error unsupportedElement(const KernelBody &body) {
  return {"kernel \"" + body.name + "\" at " + describeLocation(body.op->getLoc()) +
          " has an element type that the cuda target does not support"};
}

bool fitsInt(const KernelBody &body) {
  constexpr int64_t Limit = int64_t(1) << 30;
  IndexMath math(body.op->getContext(), body.symbolRanges);
  Sizes sizes(body, math);
  auto fits = [&](Value value) {
    if (!isa<RankedTensorType>(value.getType()))
      return true;
    IndexList dims = sizes.dimsOf(value);
    return !llvm::is_contained(dims, AffineExpr()) &&
           math.rangeOf(math.product(dims)).high <= Limit;
  };
  if (!llvm::all_of(body.block->getArguments(), fits))
    return false;
  for (Operation &op : *body.block)
    if (!llvm::all_of(op.getResults(), fits))
      return false;
  return true;
}

} // namespace nnc::codegen
