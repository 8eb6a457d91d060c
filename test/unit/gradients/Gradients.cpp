#include "Gradients.h"

#include "passes/Passes.h"
#include "test/unit/frontend/Compiling.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace mlir;
using namespace nnc;
using namespace nnc::test;

static MLIRContext &context() {
  static MLIRContext *made = [] {
    DialectRegistry registry;
    nn::registerAllDialects(registry);
    auto *context = new MLIRContext(registry);
    context->loadAllAvailableDialects();
    return context;
  }();
  return *made;
}

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }
static bool isFloat(Type type) {
  return isa<FloatType>(cast<RankedTensorType>(type).getElementType());
}

namespace {

/// A function whose first result is the loss; with gradients, those follow.
class Differentiated {
public:
  Differentiated(const std::string &text, bool withGradients)
      : Differentiated(parseSourceString<ModuleOp>(text, &context()), withGradients) {}

  Differentiated(OwningOpRef<ModuleOp> parsed, bool withGradients) : module(std::move(parsed)) {
    if (!module)
      return;
    function = *module->getOps<func::FuncOp>().begin();
    for (Type type : function.getArgumentTypes())
      types.push_back(cast<RankedTensorType>(type));
    append(withGradients);
    // A lowered loop over unknown sizes has types that its verifier does not know.
    PassManager passes(module->getContext()), lowering(module->getContext());
    passes.addPass(createDifferentiate());
    lowering.enableVerifier(false);
    lowering.addPass(createLowerToLinalg(LowerToLinalgOptions{/*functions=*/true}));
    if (failed(verify(*module)) || failed(passes.run(*module)) || failed(lowering.run(*module)))
      module = {};
  }

  std::vector<Array> run(const std::vector<Array> &arguments, const std::vector<int64_t> &dims) {
    return interpret(function.getBody().front(), arguments, dims);
  }

  OwningOpRef<ModuleOp> module;        ///< null: it could not be made
  SmallVector<RankedTensorType> types; ///< of the arguments, then of the weights

private:
  void append(bool withGradients) {
    Block &block = function.getBody().front();
    Operation *end = block.getTerminator();
    OpBuilder builder(end);
    Location loc = end->getLoc();
    SmallVector<Value> wrt;
    for (BlockArgument argument : block.getArguments())
      if (isFloat(argument.getType()))
        wrt.push_back(argument);
    Value loss;
    for (Value result : SmallVector<Value>(end->getOperands())) {
      types.push_back(typeOf(result));
      Value part = builder.create<nn::MulOp>(loc, result.getType(), result,
                                             block.addArgument(result.getType(), loc));
      auto axes = llvm::to_vector(llvm::seq<int64_t>(0, typeOf(result).getRank()));
      auto scalar = RankedTensorType::get({}, typeOf(result).getElementType());
      part = builder.create<nn::ReduceOp>(loc, scalar, nn::ReduceKind::Sum, part, axes);
      loss = loss ? builder.create<nn::AddOp>(loc, scalar, loss, part) : part;
    }
    SmallVector<Value> results = {loss};
    if (withGradients)
      llvm::append_range(results,
                         builder.create<nn::GradientOp>(loc, loss, Value(), wrt)->getResults());
    end->setOperands(results);
    function.setType(builder.getFunctionType(block.getArgumentTypes(), ValueRange(results)));
  }

  func::FuncOp function;
};

} // namespace

Array test::vector(std::vector<double> values) {
  return {{int64_t(values.size())}, std::move(values)};
}
Array test::tensor(std::vector<int64_t> shape, std::vector<double> values) {
  return {std::move(shape), std::move(values)};
}

std::vector<Array> test::gradientsOf(const std::string &text, const std::vector<Array> &arguments,
                                     const std::vector<int64_t> &dims) {
  Differentiated function(text, true);
  EXPECT_TRUE(function.module) << text;
  if (!function.module)
    return {};
  std::vector<Array> results = function.run(arguments, dims);
  results.erase(results.begin());
  return results;
}

Array test::gradientOfModel(const std::string &source, const Array &argument) {
  frontend::testing::Compilation compilation(source);
  compilation.emit();
  EXPECT_EQ(compilation.messages(), "");
  if (!compilation.module)
    return {};
  PassManager inlining(&compilation.context);
  inlining.addPass(createNameLocations()); // knows how
  inlining.addPass(createInlinerPass());
  inlining.addPass(createSymbolDCEPass());
  EXPECT_TRUE(succeeded(inlining.run(*compilation.module)));
  Differentiated function(std::move(compilation.module), true);
  EXPECT_TRUE(function.module) << source;
  if (!function.module)
    return {};
  Array ones = {argument.shape, std::vector<double>(argument.data.size(), 1)};
  return function.run({argument, ones}, {}).at(1);
}

static Array draw(RankedTensorType type, test::Range range, const std::vector<int64_t> &dims,
                  std::mt19937 &random) {
  Array array{shapeOf(type, dims), {}};
  size_t count = 1;
  for (int64_t size : array.shape)
    count *= size_t(size);
  for (size_t i = 0; i < count; ++i) {
    double unit = double(random()) / double(std::mt19937::max());
    if (isFloat(type))
      array.data.push_back(range.low + unit * (range.high - range.low));
    else if (type.getElementType().isInteger(1))
      array.data.push_back(unit < 0.7 ? 1 : 0);
    else
      array.data.push_back(std::floor(unit * 8) - 1);
  }
  return array;
}

/// The step is small against what changes and large against the rounding of f64.
static double differenceAt(Differentiated &function, std::vector<Array> arguments, size_t argument,
                           size_t element, const std::vector<int64_t> &dims) {
  constexpr double Step = 1e-5;
  double &value = arguments[argument].data[element], middle = value;
  value = middle + Step;
  double above = function.run(arguments, dims).front().data.front();
  value = middle - Step;
  double below = function.run(arguments, dims).front().data.front();
  return (above - below) / (2 * Step);
}

void test::checkGradients(const std::string &text, test::Range range,
                          const std::vector<int64_t> &dims) {
  constexpr size_t MostElements = 12;
  Differentiated forward(text, false), backward(text, true);
  ASSERT_TRUE(forward.module && backward.module) << text;
  std::mt19937 random(7);
  std::vector<Array> arguments;
  for (RankedTensorType type : backward.types)
    arguments.push_back(draw(type, range, dims, random));
  std::vector<Array> results = backward.run(arguments, dims);
  size_t next = 1;
  for (size_t i = 0; next < results.size(); ++i) {
    if (!isFloat(backward.types[i]))
      continue;
    const Array &gradient = results[next++];
    ASSERT_EQ(gradient.shape, arguments[i].shape) << text;
    size_t count = gradient.data.size(), step = std::max<size_t>(1, count / MostElements);
    for (size_t element = 0; element < count; element += step) {
      double expected = differenceAt(forward, arguments, i, element, dims);
      ASSERT_NEAR(gradient.data[element], expected, 1e-6 + 1e-6 * std::fabs(expected))
          << "argument " << i << ", element " << element << " of\n"
          << text;
    }
  }
}
