// Fusion takes time proportional to the number of ops, also where the graph is made to hurt.
#include "passes/FusionPlan.h"

#include "ir/NNOps.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"

#include <gtest/gtest.h>

#include <ctime>
#include <functional>

using namespace mlir;

namespace {

/// Of this thread alone, in milliseconds: other processes may want the core too.
double timeOfThread() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

class FusionTimeTest : public testing::Test {
protected:
  FusionTimeTest() {
    context.loadDialect<nnc::nn::NNDialect, func::FuncDialect>();
    type = RankedTensorType::get({64, 64}, Float32Type::get(&context));
  }

  /// The least time of three for forming kernels in a function of `count` steps, in milliseconds.
  double measure(unsigned count, llvm::function_ref<Value(OpBuilder &, Value x, Value last)> step) {
    double least = 1e9;
    for (unsigned round = 0; round < 3; ++round) {
      OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
      func::FuncOp function = build(*module, count, step);
      double start = timeOfThread();
      FailureOr<nnc::FusionPlan> plan =
          nnc::planFusion(function.getBody().front(), nnc::Target::Cuda);
      EXPECT_TRUE(succeeded(plan));
      nnc::KernelNames names;
      nnc::outlineKernels(function.getBody().front(), *plan, names);
      least = std::min(least, timeOfThread() - start);
      EXPECT_TRUE(succeeded(verify(*module)));
    }
    return least;
  }

  func::FuncOp build(ModuleOp module, unsigned count,
                     llvm::function_ref<Value(OpBuilder &, Value x, Value last)> step) {
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    Location loc = builder.getUnknownLoc();
    auto function =
        builder.create<func::FuncOp>(loc, "forward", builder.getFunctionType({type}, {type}));
    Block *block = function.addEntryBlock();
    builder.setInsertionPointToEnd(block);
    Value x = block->getArgument(0), last = x;
    for (unsigned i = 0; i < count; ++i)
      last = step(builder, x, last);
    builder.create<func::ReturnOp>(loc, last);
    return function;
  }

  MLIRContext context;
  RankedTensorType type;
};

TEST_F(FusionTimeTest, TwoThousandOps) {
  auto layer = [&](OpBuilder &builder, Value x, Value last) -> Value {
    Location loc = builder.getUnknownLoc();
    Value product = builder.create<nnc::nn::MatmulOp>(loc, type, last, x, false, true);
    Value sum = builder.create<nnc::nn::AddOp>(loc, type, product, last);
    Value soft = builder.create<nnc::nn::SoftmaxOp>(loc, type, sum, 1);
    return builder.create<nnc::nn::TanhOp>(loc, type, soft);
  };
  EXPECT_LT(measure(500, layer), 100);
}

/// Ten times the ops may take at most thirty times as long.
#define EXPECT_LINEAR(step) EXPECT_LT(measure(20000, step), 30 * (measure(2000, step) + 1))

TEST_F(FusionTimeTest, OneValueReadByAll) {
  auto step = [&](OpBuilder &builder, Value x, Value last) -> Value {
    Location loc = builder.getUnknownLoc();
    Value exp = builder.create<nnc::nn::ExpOp>(loc, type, x);
    return builder.create<nnc::nn::AddOp>(loc, type, exp, last);
  };
  EXPECT_LINEAR(step);
}

TEST_F(FusionTimeTest, ChainOfViews) {
  auto step = [&](OpBuilder &builder, Value, Value last) -> Value {
    Location loc = builder.getUnknownLoc();
    Value turned = builder.create<nnc::nn::TransposeOp>(loc, type, last, ArrayRef<int64_t>{1, 0});
    return builder.create<nnc::nn::NegOp>(loc, type, turned);
  };
  EXPECT_LINEAR(step);
}

TEST_F(FusionTimeTest, OnlyViews) {
  auto step = [&](OpBuilder &builder, Value, Value last) -> Value {
    return builder.create<nnc::nn::TransposeOp>(builder.getUnknownLoc(), type, last,
                                                ArrayRef<int64_t>{1, 0});
  };
  EXPECT_LINEAR(step);
}

TEST_F(FusionTimeTest, EveryValueReadTwice) {
  auto step = [&](OpBuilder &builder, Value, Value last) -> Value {
    Location loc = builder.getUnknownLoc();
    Value sum = builder.create<nnc::nn::AddOp>(loc, type, last, last);
    Value soft = builder.create<nnc::nn::SoftmaxOp>(loc, type, sum, 0);
    return builder.create<nnc::nn::MulOp>(loc, type, soft, sum);
  };
  EXPECT_LINEAR(step);
}

} // namespace
