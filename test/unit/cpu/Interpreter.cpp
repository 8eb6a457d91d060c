//===- Interpreter.cpp - kernel bodies, the naive way ---------------------===//

#include "Interpreter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <functional>

using namespace mlir;
using namespace nnc;
using namespace nnc::test;

using Index = std::vector<int64_t>;

size_t Array::offset(const Index &index) const {
  size_t position = 0;
  for (size_t axis = 0; axis < shape.size(); ++axis)
    position = position * size_t(shape[axis]) + size_t(index[axis]);
  return position;
}

static Array makeArray(Index shape) {
  size_t count = 1;
  for (int64_t size : shape)
    count *= size_t(size);
  return {std::move(shape), std::vector<double>(count)};
}

static void forEachIndex(const Index &shape, const std::function<void(const Index &)> &body) {
  Index index(shape.size(), 0);
  for (int64_t size : shape)
    if (size == 0)
      return;
  while (true) {
    body(index);
    size_t axis = shape.size();
    while (axis-- > 0 && ++index[axis] == shape[axis])
      index[axis] = 0;
    if (axis == size_t(-1))
      return;
  }
}

double test::roundTo(Type type, double value) {
  if (auto floating = dyn_cast<FloatType>(type)) {
    llvm::APFloat number(value);
    bool lossy;
    number.convert(floating.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &lossy);
    number.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &lossy);
    return number.convertToDouble();
  }
  return value;
}

std::vector<int64_t> test::shapeOf(RankedTensorType type, const Index &dims) {
  Index shape;
  MLIRContext *context = type.getContext();
  SmallVector<AffineExpr> symbols;
  for (int64_t dim : dims)
    symbols.push_back(getAffineConstantExpr(dim, context));
  for (AffineExpr expr : nn::getDims(type)) {
    AffineExpr value = simplifyAffineExpr(expr.replaceSymbols(symbols), 0, 0);
    shape.push_back(cast<AffineConstantExpr>(value).getValue());
  }
  return shape;
}

namespace {

class Interpreter {
public:
  explicit Interpreter(Index dims) : dims(std::move(dims)) {}
  std::vector<Array> run(Block &block, const std::vector<Array> &operands);

private:
  void runOp(Operation *op);
  void runScan(nn::ScanOp op);
  void runLinalg(linalg::LinalgOp op);
  double scalar(Value value) { return scalars.at(value); }
  int64_t number(OpFoldResult value) {
    std::optional<int64_t> constant = getConstantIntValue(value);
    return constant ? *constant : int64_t(scalar(cast<Value>(value)));
  }
  Index numbers(ArrayRef<OpFoldResult> values) {
    Index result;
    for (OpFoldResult value : values)
      result.push_back(number(value));
    return result;
  }
  double compute(Operation *op);
  double computeInteger(Operation *op, double a, double b);
  double computeFloat(Operation *op, double a, double b);

  Index dims; ///< and the counters of loops
  DenseMap<Value, Array> arrays;
  DenseMap<Value, double> scalars;
  Index loop; ///< of the innermost linalg operation
};

} // namespace

double Interpreter::computeInteger(Operation *op, double a, double b) {
  auto x = int64_t(a), y = int64_t(b);
  return TypeSwitch<Operation *, double>(op)
      .Case([&](arith::AddIOp) { return double(x + y); })
      .Case([&](arith::SubIOp) { return double(x - y); })
      .Case([&](arith::MulIOp) { return double(x * y); })
      .Case([&](arith::FloorDivSIOp) { return std::floor(a / b); })
      .Case([&](arith::RemSIOp) { return double(x % y); })
      .Case([&](arith::DivSIOp) { return double(x / y); })
      .Case([&](arith::MaxSIOp) { return std::max(a, b); })
      .Case([&](arith::MinSIOp) { return std::min(a, b); })
      .Case([&](arith::AndIOp) { return double(x & y); })
      .Case([&](arith::OrIOp) { return double(x | y); })
      .Case([&](arith::XOrIOp) { return double((x ^ y) & 1); })
      .Case([&](arith::CmpIOp cmp) {
        return double(arith::applyCmpPredicate(cmp.getPredicate(), APInt(64, uint64_t(x)),
                                               APInt(64, uint64_t(y))));
      })
      .Default([&](Operation *) { return computeFloat(op, a, b); });
}

double Interpreter::computeFloat(Operation *op, double a, double b) {
  bool isNan = std::isnan(a) || std::isnan(b);
  return TypeSwitch<Operation *, double>(op)
      .Case([&](arith::AddFOp) { return a + b; })
      .Case([&](arith::SubFOp) { return a - b; })
      .Case([&](arith::MulFOp) { return a * b; })
      .Case([&](arith::DivFOp) { return a / b; })
      .Case([&](arith::RemFOp) { return std::fmod(a, b); })
      .Case([&](arith::NegFOp) { return -a; })
      .Case([&](arith::MaximumFOp) { return isNan ? NAN : std::max(a, b); })
      .Case([&](arith::MinimumFOp) { return isNan ? NAN : std::min(a, b); })
      .Case([&](arith::CmpFOp cmp) {
        return double(
            arith::applyCmpPredicate(cmp.getPredicate(), llvm::APFloat(a), llvm::APFloat(b)));
      })
      .Case([&](math::AbsFOp) { return std::fabs(a); })
      .Case([&](math::ExpOp) { return std::exp(a); })
      .Case([&](math::LogOp) { return std::log(a); })
      .Case([&](math::SqrtOp) { return std::sqrt(a); })
      .Case([&](math::RsqrtOp) { return 1 / std::sqrt(a); })
      .Case([&](math::SinOp) { return std::sin(a); })
      .Case([&](math::CosOp) { return std::cos(a); })
      .Case([&](math::AtanOp) { return std::atan(a); })
      .Case([&](math::TanhOp) { return std::tanh(a); })
      .Case([&](math::ErfOp) { return std::erf(a); })
      .Case([&](math::FloorOp) { return std::floor(a); })
      .Case([&](math::RoundEvenOp) { return std::nearbyint(a); })
      .Case([&](math::PowFOp) { return std::pow(a, b); })
      .Case<arith::FPToSIOp>([&](Operation *) { return std::trunc(a); })
      .Case<arith::ExtFOp, arith::SIToFPOp, arith::UIToFPOp, arith::ExtSIOp, arith::ExtUIOp,
            arith::IndexCastOp>([&](Operation *) { return a; })
      .Case([&](arith::TruncFOp) { return roundTo(op->getResult(0).getType(), a); })
      .Case([&](arith::TruncIOp) {
        return op->getResult(0).getType().isInteger(1) ? double(int64_t(a) & 1)
                                                       : double(int32_t(int64_t(a)));
      })
      .Default([&](Operation *) -> double {
        llvm::report_fatal_error("the interpreter lacks " + op->getName().getStringRef());
      });
}

double Interpreter::compute(Operation *op) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    if (auto number = dyn_cast<FloatAttr>(constant.getValue()))
      return number.getValueAsDouble();
    auto integer = cast<IntegerAttr>(constant.getValue());
    return integer.getType().isInteger(1) ? double(integer.getValue().getZExtValue())
                                          : double(integer.getInt());
  }
  if (auto symbol = dyn_cast<nn::SymbolOp>(op))
    return double(dims[symbol.getPosition()]);
  if (auto index = dyn_cast<linalg::IndexOp>(op))
    return double(loop[index.getDim()]);
  if (auto dim = dyn_cast<tensor::DimOp>(op))
    return double(arrays[dim.getSource()].shape[*dim.getConstantIndex()]);
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return scalar(select.getCondition()) != 0 ? scalar(select.getTrueValue())
                                              : scalar(select.getFalseValue());
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    Index index;
    for (Value value : extract.getIndices())
      index.push_back(int64_t(scalar(value)));
    const Array &array = arrays[extract.getTensor()];
    return array.data[array.offset(index)];
  }
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    SmallVector<AffineExpr> values;
    for (Value operand : apply.getMapOperands())
      values.push_back(getAffineConstantExpr(int64_t(scalar(operand)), op->getContext()));
    unsigned numDims = apply.getAffineMap().getNumDims();
    AffineExpr value = apply.getAffineMap().getResult(0).replaceDimsAndSymbols(
        ArrayRef(values).take_front(numDims), ArrayRef(values).drop_front(numDims));
    return double(cast<AffineConstantExpr>(simplifyAffineExpr(value, 0, 0)).getValue());
  }
  double a = scalar(op->getOperand(0)),
         b = op->getNumOperands() > 1 ? scalar(op->getOperand(1)) : 0;
  bool isFloat = isa<FloatType>(op->getOperand(0).getType());
  return isFloat ? computeFloat(op, a, b) : computeInteger(op, a, b);
}

void Interpreter::runLinalg(linalg::LinalgOp op) {
  Index sizes(op.getNumLoops(), 0);
  for (OpOperand &operand : op->getOpOperands())
    if (arrays.contains(operand.get()))
      for (auto [axis, expr] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
        if (auto dim = dyn_cast<AffineDimExpr>(expr))
          sizes[dim.getPosition()] = arrays[operand.get()].shape[axis];
  SmallVector<Array> outputs;
  for (Value init : op.getDpsInits())
    outputs.push_back(arrays[init]);
  // Positions are linear in the loops: read the steps off the maps once.
  auto place = [&](OpOperand &operand, const Array &array) {
    auto at = [&](const Index &index) {
      SmallVector<int64_t> coords = op.getMatchingIndexingMap(&operand).compose(index);
      return int64_t(array.offset(Index(coords.begin(), coords.end())));
    };
    Index index(sizes.size(), 0), steps{at(index)};
    for (size_t dim = 0; dim < sizes.size(); ++dim) {
      index[dim] = 1;
      steps.push_back(at(index) - steps.front());
      index[dim] = 0;
    }
    return steps;
  };
  auto position = [](const Index &steps, const Index &index) {
    int64_t sum = steps.front();
    for (size_t dim = 0; dim < index.size(); ++dim)
      sum += steps[dim + 1] * index[dim];
    return size_t(sum);
  };
  struct Access {
    Value argument;
    const Array *array;
    Index steps;
  };
  SmallVector<Access> reads, writes;
  for (OpOperand &operand : op->getOpOperands()) {
    Value argument = op.getBlock()->getArgument(operand.getOperandNumber());
    unsigned inputs = op.getNumDpsInputs(), number = operand.getOperandNumber();
    if (!arrays.contains(operand.get())) {
      scalars[argument] = scalar(operand.get());
      continue;
    }
    const Array *array = number < inputs ? &arrays[operand.get()] : &outputs[number - inputs];
    reads.push_back({argument, array, place(operand, *array)});
    if (number >= inputs)
      writes.push_back(reads.back());
  }
  forEachIndex(sizes, [&](const Index &index) {
    loop = index;
    for (const Access &read : reads)
      scalars[read.argument] = read.array->data[position(read.steps, index)];
    for (Operation &inner : op.getBlock()->without_terminator())
      scalars[inner.getResult(0)] = compute(&inner);
    for (auto [number, value] : llvm::enumerate(op.getBlock()->getTerminator()->getOperands()))
      outputs[number].data[position(writes[number].steps, index)] = scalar(value);
  });
  for (auto [result, array] : llvm::zip(op->getResults(), outputs))
    arrays[result] = array;
}

void Interpreter::runOp(Operation *op) {
  if (auto linalg = dyn_cast<linalg::LinalgOp>(op))
    return runLinalg(linalg);
  if (auto empty = dyn_cast<tensor::EmptyOp>(op)) {
    arrays[empty] = makeArray(numbers(empty.getMixedSizes()));
  } else if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    Array source = arrays[pad.getSource()];
    Index low = numbers(pad.getMixedLowPad()), high = numbers(pad.getMixedHighPad());
    Index shape = source.shape;
    for (size_t axis = 0; axis < shape.size(); ++axis)
      shape[axis] += low[axis] + high[axis];
    Array result = makeArray(shape);
    std::fill(result.data.begin(), result.data.end(), scalar(pad.getConstantPaddingValue()));
    forEachIndex(source.shape, [&](const Index &index) {
      Index to = index;
      for (size_t axis = 0; axis < to.size(); ++axis)
        to[axis] += low[axis];
      result.data[result.offset(to)] = source.data[source.offset(index)];
    });
    arrays[pad] = result;
  } else if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op)) {
    Array source = arrays[op->getOperand(0)];
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
      OpBuilder builder(op);
      source.shape =
          numbers(getMixedValues(expand.getStaticOutputShape(), expand.getOutputShape(), builder));
    } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
      Index shape;
      for (const ReassociationIndices &group : collapse.getReassociationIndices()) {
        shape.push_back(1);
        for (int64_t axis : group)
          shape.back() *= source.shape[axis];
      }
      source.shape = shape;
    }
    arrays[op->getResult(0)] = source;
  } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    Array source = arrays[slice.getSource()];
    Index offsets = numbers(slice.getMixedOffsets()), steps = numbers(slice.getMixedStrides());
    Array result = makeArray(numbers(slice.getMixedSizes()));
    forEachIndex(result.shape, [&](const Index &index) {
      Index from = index;
      for (size_t axis = 0; axis < from.size(); ++axis)
        from[axis] = offsets[axis] + index[axis] * steps[axis];
      result.data[result.offset(index)] = source.data[source.offset(from)];
    });
    arrays[slice] = result;
  } else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    Array source = arrays[insert.getSource()], result = arrays[insert.getDest()];
    Index offsets = numbers(insert.getMixedOffsets()), steps = numbers(insert.getMixedStrides());
    forEachIndex(source.shape, [&](const Index &index) {
      Index to = index;
      for (size_t axis = 0; axis < to.size(); ++axis)
        to[axis] = offsets[axis] + index[axis] * steps[axis];
      result.data[result.offset(to)] = source.data[source.offset(index)];
    });
    arrays[insert] = result;
  } else if (auto scan = dyn_cast<nn::ScanOp>(op)) {
    runScan(scan);
  } else {
    scalars[op->getResult(0)] = compute(op);
  }
}

std::vector<Array> Interpreter::run(Block &block, const std::vector<Array> &operands) {
  for (auto [argument, array] : llvm::zip(block.getArguments(), operands))
    arrays[argument] = array;
  for (Operation &op : block.without_terminator())
    runOp(&op);
  std::vector<Array> results;
  for (Value value : block.getTerminator()->getOperands())
    results.push_back(arrays[value]);
  return results;
}

void Interpreter::runScan(nn::ScanOp scan) {
  MLIRContext *context = scan.getContext();
  SmallVector<AffineExpr> symbols;
  for (int64_t dim : dims)
    symbols.push_back(getAffineConstantExpr(dim, context));
  AffineExpr length = scan.getLengthExpr().replaceSymbols(symbols);
  int64_t steps = cast<AffineConstantExpr>(simplifyAffineExpr(length, 0, 0)).getValue();
  dims.resize(std::max<size_t>(dims.size(), scan.getCounter() + 1));
  std::vector<Array> values;
  for (Value init : scan.getInits())
    values.push_back(arrays[init]);
  SmallVector<Array> stacks(scan.getStacked().size());
  for (int64_t step = 0; step < steps; ++step) {
    int64_t place = dims[scan.getCounter()] = scan.getReverse() ? steps - 1 - step : step;
    values = run(*scan.getBody(), values);
    for (auto [i, stack] : llvm::enumerate(stacks)) {
      const Array &part = values[scan.getNumCarried() + i];
      if (stack.data.empty()) {
        stack.shape = part.shape;
        stack.shape.insert(stack.shape.begin(), steps);
        stack.data.resize(part.data.size() * size_t(steps));
      }
      std::copy(part.data.begin(), part.data.end(),
                stack.data.begin() + place * int64_t(part.data.size()));
    }
    values.resize(scan.getNumCarried());
  }
  for (auto [result, array] : llvm::zip(scan.getCarried(), values))
    arrays[result] = array;
  for (auto [result, array] : llvm::zip(scan.getStacked(), stacks))
    arrays[result] = array;
}

/// Operations that code generators take whole are lowered for it, in a copy.
static void lowerWholeOps(nn::KernelOp kernel) {
  for (Operation &op : llvm::make_early_inc_range(*kernel.getBody())) {
    auto whole = dyn_cast<nn::LinalgLoweringInterface>(op);
    if (!whole)
      continue;
    OpBuilder builder(&op);
    op.replaceAllUsesWith(*whole.lowerToLinalg(builder, op.getOperands()));
    op.erase();
  }
}

std::vector<Array> test::interpret(nn::KernelOp kernel, const std::vector<Array> &operands,
                                   const Index &dims) {
  nn::KernelOp copy = kernel.clone();
  lowerWholeOps(copy);
  std::vector<Array> results = Interpreter(dims).run(*copy.getBody(), operands);
  copy.erase();
  return results;
}

std::vector<Array> test::interpret(Block &function, const std::vector<Array> &operands,
                                   const Index &dims) {
  return Interpreter(dims).run(function, operands);
}
