//===- Schedule.cpp - What all schedules ask about a kernel -----------------------------------===//
#include "codegen/cuda/Schedule.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

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

bool sameDims(const IndexMath &math, const IndexList &a, const IndexList &b) {
  return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [&](auto pair) {
           return math.isEqual(std::get<0>(pair), std::get<1>(pair));
         });
}

int64_t typicalValue(const KernelBody &body, const IndexMath &math, AffineExpr expr) {
  SmallVector<AffineExpr> values;
  for (const IndexRange &range : body.symbolRanges)
    values.push_back(math.constant(std::min(range.high, std::max<int64_t>(range.low, 64))));
  AffineExpr value = math.simplify(expr.replaceSymbols(values));
  return math.constantOf(value).value_or(64);
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
