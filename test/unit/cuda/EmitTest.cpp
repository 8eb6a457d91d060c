// What emitCuda shares, and what it refuses.
#include "codegen/cuda/CudaTarget.h"
#include "ir/NNOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include <gtest/gtest.h>

using namespace nnc;

namespace {

class Emit : public testing::Test {
protected:
  Emit() {
    mlir::DialectRegistry registry;
    nn::registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.disableMultithreading();
  }

  /// The kernels of a function without arguments whose body is `text`, already lowered.
  Result<std::vector<codegen::CudaKernel>> emit(const std::string &text) {
    std::string source = "func.func @f(%x: tensor<4xf32>, %y: tensor<5xf32>) attributes {nn.entry, "
                         "nn.dims = [], nn.ranges = []} {\n" +
                         text + "\n  return\n}\n";
    module = mlir::parseSourceString<mlir::ModuleOp>(source, &context);
    if (!module)
      return Error{"the test does not parse"};
    llvm::SmallVector<nn::KernelOp> kernels;
    module->walk([&](nn::KernelOp kernel) { kernels.push_back(kernel); });
    return codegen::emitCuda(kernels, {});
  }

  /// A kernel that doubles `operand`, which has `size` elements.
  static std::string twice(const std::string &name, const std::string &operand, int size) {
    std::string type = "tensor<" + std::to_string(size) + "xf32>";
    return "%" + name + " = nn.kernel \"" + name + "\" (" + operand + " : " + type + ") -> (" +
           type + ") attributes {anchor = \"pointwise\"} {\n^bb0(%a: " + type +
           "):\n%e = tensor.empty() : " + type +
           "\n%r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> "
           "(i)>], iterator_types = [\"parallel\"]} ins(%a : " +
           type + ") outs(%e : " + type +
           ") {\n^bb0(%p: f32, %q: f32):\n%s = arith.addf %p, %p : f32\nlinalg.yield %s : f32\n} "
           "-> " +
           type + "\nnn.yield %r : " + type + "\n}\n";
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(Emit, EqualKernelsShareTheirSource) {
  auto kernels =
      emit(twice("first", "%x", 4) + twice("second", "%first", 4) + twice("third", "%y", 5));
  ASSERT_TRUE(bool(kernels)) << kernels.error().message;
  ASSERT_EQ(kernels->size(), 3u);
  EXPECT_EQ((*kernels)[0].symbol, "nnc_first");
  EXPECT_EQ((*kernels)[1].symbol, "nnc_first");
  EXPECT_EQ((*kernels)[0].source, (*kernels)[1].source);
  EXPECT_EQ((*kernels)[2].symbol, "nnc_third");
}

TEST_F(Emit, RefusesWithThePlace) {
  auto kernels = emit(R"(
    %r = nn.kernel "table" () -> (tensor<2xf32>) attributes {anchor = "pointwise"} {
      %c = arith.constant dense<[1.0, 2.0]> : tensor<2xf32> loc("model.nn":7:3)
      nn.yield %c : tensor<2xf32>
    })");
  ASSERT_FALSE(bool(kernels));
  EXPECT_EQ(kernels.error().message,
            "cannot make CUDA code of arith.constant in kernel \"table\" at model.nn:7:3: only "
            "constants with one value are supported");
}

} // namespace
