//===- KernelsTest.cpp - the cpu target's code against an interpreter -----===//

#include "Harness.h"
#include "ProductText.h"

#include "mlir/Parser/Parser.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::test;

/// Small, uneven, and more than one vector of B.
static const std::vector<std::vector<int64_t>> batches = {{1}, {2}, {3}, {7}, {16}, {33}};

TEST(CpuKernels, Pointwise) {
  checkModel(R"(
    #x = affine_map<()[s0] -> (s0, 6, 5, 7)>
    func.func @f(%x: tensor<?x6x5x7xf32, #x>, %b: tensor<6xf32>, %y: tensor<?x6x5x7xf32, #x>)
        -> tensor<?x6x5x7xf32, #x> attributes {nn.entry, nn.dims = ["B"]} {
      %0 = nn.broadcast %b {dims = array<i64: 1>} : tensor<6xf32> -> tensor<?x6x5x7xf32, #x>
      %1 = nn.add %x, %0 : tensor<?x6x5x7xf32, #x>
      %2 = nn.mul %1, %y : tensor<?x6x5x7xf32, #x>
      %3 = nn.tanh %2 : tensor<?x6x5x7xf32, #x>
      return %3 : tensor<?x6x5x7xf32, #x>
    })",
             batches);
}

TEST(CpuKernels, EveryFunction) {
  for (std::string function :
       {"neg", "abs", "exp", "atan", "tanh", "erf", "sin", "cos", "floor", "round"})
    checkModel("func.func @f(%x: tensor<3x37xf32>) -> tensor<3x37xf32> attributes {nn.entry, "
               "nn.dims = []} {\n %0 = nn." +
               function + " %x : tensor<3x37xf32>\n return %0 : tensor<3x37xf32>\n}");
  for (std::string function : {"log", "sqrt", "rsqrt"})
    checkModel("func.func @f(%x: tensor<3x37xf32>) -> tensor<3x37xf32> attributes {nn.entry, "
               "nn.dims = []} {\n %a = nn.abs %x : tensor<3x37xf32>\n %0 = nn." +
               function + " %a : tensor<3x37xf32>\n return %0 : tensor<3x37xf32>\n}");
  for (std::string function : {"add", "sub", "mul", "div", "max", "min", "pow", "mod"})
    checkModel(
        "func.func @f(%x: tensor<3x37xf32>, %y: tensor<3x37xf32>) -> tensor<3x37xf32> "
        "attributes {nn.entry, nn.dims = []} {\n %a = nn.abs %x : tensor<3x37xf32>\n %0 = nn." +
        function + " %a, %y : tensor<3x37xf32>\n return %0 : tensor<3x37xf32>\n}");
}

TEST(CpuKernels, ScalarsAndOneElement) {
  checkModel(R"(
    func.func @f(%x: tensor<f32>, %y: tensor<1xf32>) -> (tensor<f32>, tensor<1xf32>)
        attributes {nn.entry, nn.dims = []} {
      %0 = nn.exp %x : tensor<f32>
      %1 = nn.exp %y : tensor<1xf32>
      return %0, %1 : tensor<f32>, tensor<1xf32>
    })");
}

TEST(CpuKernels, BoolsAndIntegers) {
  checkModel(R"(
    #x = affine_map<()[s0] -> (s0, 19)>
    func.func @f(%x: tensor<?x19xf32, #x>, %y: tensor<?x19xf32, #x>, %m: tensor<?x19xi1, #x>,
                 %i: tensor<?x19xi32, #x>, %j: tensor<?x19xi64, #x>)
        -> (tensor<?x19xi1, #x>, tensor<?x19xf32, #x>, tensor<?x19xi32, #x>, tensor<?x19xi64, #x>,
            tensor<?x19xf32, #x>)
        attributes {nn.entry, nn.dims = ["B"]} {
      %0 = nn.cmp lt %x, %y : tensor<?x19xf32, #x>
      %1 = nn.and %0, %m : tensor<?x19xi1, #x>
      %2 = nn.select %m, %x, %y : tensor<?x19xf32, #x>
      %3 = nn.full 3 : i32 -> tensor<?x19xi32, #x>
      %4 = nn.floordiv %i, %3 : tensor<?x19xi32, #x>
      %5 = nn.mul %j, %j : tensor<?x19xi64, #x>
      %6 = nn.cast %i : tensor<?x19xi32, #x> -> tensor<?x19xf32, #x>
      return %1, %2, %4, %5, %6 : tensor<?x19xi1, #x>, tensor<?x19xf32, #x>, tensor<?x19xi32, #x>,
          tensor<?x19xi64, #x>, tensor<?x19xf32, #x>
    })",
             batches);
}

TEST(CpuKernels, HalfPrecision) {
  std::string text = R"(
    #x = affine_map<()[s0] -> (s0, 19)>
    func.func @f(%x: tensor<?x19xbf16, #x>, %y: tensor<?x19xf16, #x>, %w: tensor<19x21xbf16>)
        -> (tensor<?x19xbf16, #x>, tensor<?x19xf16, #x>, tensor<?x21xbf16, affine_map<()[s0] -> (s0, 21)>>)
        attributes {nn.entry, nn.dims = ["B"]} {
      %0 = nn.tanh %x : tensor<?x19xbf16, #x>
      %1 = nn.exp %y : tensor<?x19xf16, #x>
      %2 = nn.matmul %x, %w : tensor<?x19xbf16, #x>, tensor<19x21xbf16> -> tensor<?x21xbf16, affine_map<()[s0] -> (s0, 21)>>
      return %0, %1, %2 : tensor<?x19xbf16, #x>, tensor<?x19xf16, #x>, tensor<?x21xbf16, affine_map<()[s0] -> (s0, 21)>>
    })";
  for (std::string cpu : {"native", "x86-64", "x86-64-v3"})
    checkModel(text, batches, cpu);
}

static std::string reduction(const std::string &op, const std::string &axes,
                             const std::string &to) {
  return "#x = affine_map<()[s0] -> (s0, 5, 23)>\n#y = affine_map<()[s0] -> (" + to +
         ")>\nfunc.func @f(%x: tensor<?x5x23xf32, #x>) -> " + "tensor<" + "RESULT" +
         "> attributes {nn.entry, nn.dims = [\"B\"]} {\n%0 = nn.reduce " + op +
         " %x {axes = array<i64: " + axes + ">} : tensor<?x5x23xf32, #x> -> tensor<RESULT>\n" +
         "return %0 : tensor<RESULT>\n}";
}

static std::string replaced(std::string text, const std::string &what, const std::string &by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

TEST(CpuKernels, Reductions) {
  for (std::string op : {"sum", "mean", "max", "min"}) {
    checkModel(replaced(reduction(op, "2", "s0, 5"), "RESULT", "?x5xf32, #y"), batches);
    checkModel(replaced(reduction(op, "1", "s0, 23"), "RESULT", "?x23xf32, #y"), batches);
    checkModel(replaced(reduction(op, "1, 2", "s0"), "RESULT", "?xf32, #y"), batches);
    checkModel(replaced(reduction(op, "0", "5, 23"), "RESULT", "5x23xf32"), batches);
    checkModel(replaced(reduction(op, "0, 1, 2", ""), "RESULT", "f32"), batches);
  }
}

TEST(CpuKernels, RowFunctions) {
  checkModel(R"(
    #x = affine_map<()[s0] -> (s0, 4, 37)>
    #t = affine_map<()[s0] -> (4, s0)>
    #r = affine_map<()[s0] -> (s0, 4)>
    #c = affine_map<()[s0] -> (s0, 37)>
    func.func @f(%x: tensor<?x4x37xf32, #x>, %t: tensor<4x?xf32, #t>)
        -> (tensor<?x4x37xf32, #x>, tensor<?x4x37xf32, #x>, tensor<4x?xf32, #t>,
            tensor<?x4xi32, #r>, tensor<?x37xi32, #c>)
        attributes {nn.entry, nn.dims = ["B"]} {
      %0 = nn.softmax %x {axis = 2 : i64} : tensor<?x4x37xf32, #x>
      %1 = nn.log_softmax %x {axis = 1 : i64} : tensor<?x4x37xf32, #x>
      %2 = nn.softmax %t {axis = 1 : i64} : tensor<4x?xf32, #t>
      %3 = nn.argreduce max %x {axis = 2} : tensor<?x4x37xf32, #x> -> tensor<?x4xi32, #r>
      %4 = nn.argreduce min %x {axis = 1} : tensor<?x4x37xf32, #x> -> tensor<?x37xi32, #c>
      return %0, %1, %2, %3, %4 : tensor<?x4x37xf32, #x>, tensor<?x4x37xf32, #x>,
          tensor<4x?xf32, #t>, tensor<?x4xi32, #r>, tensor<?x37xi32, #c>
    })",
             {{1}, {2}, {7}, {33}, {300}});
}

TEST(CpuKernels, WhatIsReadAtSeveralPlacesHasOneBuffer) {
  checkModel(R"(
    #map = affine_map<()[s0, s1, s2] -> (s0, 8, s1, s2)>
    #map1 = affine_map<()[s0, s1, s2] -> (s0, 8, (s1 + 1) floordiv 2 - 1, (s2 + 1) floordiv 2 - 1)>
    #map2 = affine_map<()[s0, s1, s2] -> (s0, 12, (s1 + 1) floordiv 2 - 1, (s2 + 1) floordiv 2 - 1)>
    #map3 = affine_map<() -> (0, 0, 0, 0)>
    #map4 = affine_map<() -> (0, 1, 0, 0)>
    #map5 = affine_map<() -> (0, 2, 0, 0)>
    #map6 = affine_map<() -> (0, 4, 0, 0)>
    func.func @f(%arg0: tensor<?x8x?x?xf32, #map>) -> tensor<?x8x?x?xf32, #map1>
        attributes {nn.entry, nn.dims = ["B", "H", "W"]} {
      %0 = nn.pool2d  max %arg0 {kernel = array<i64: 3, 3>, padding = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>}
          : tensor<?x8x?x?xf32, #map> -> tensor<?x8x?x?xf32, #map1>
      %1 = nn.mul %0, %0 : tensor<?x8x?x?xf32, #map1>
      %2 = nn.pad %1 {high = array<i64: 0, 2, 0, 0>, low = array<i64: 0, 2, 0, 0>, value = 0.000000e+00 : f32}
          : tensor<?x8x?x?xf32, #map1> -> tensor<?x12x?x?xf32, #map2>
      %3 = nn.slice %2 start #map3 step [1, 1, 1, 1]
          : tensor<?x12x?x?xf32, #map2> -> tensor<?x8x?x?xf32, #map1>
      %4 = nn.slice %2 start #map4 step [1, 1, 1, 1]
          : tensor<?x12x?x?xf32, #map2> -> tensor<?x8x?x?xf32, #map1>
      %5 = nn.add %3, %4 : tensor<?x8x?x?xf32, #map1>
      %6 = nn.slice %2 start #map5 step [1, 1, 1, 1]
          : tensor<?x12x?x?xf32, #map2> -> tensor<?x8x?x?xf32, #map1>
      %7 = nn.add %5, %6 : tensor<?x8x?x?xf32, #map1>
      %8 = nn.slice %2 start #map6 step [1, 1, 1, 1]
          : tensor<?x12x?x?xf32, #map2> -> tensor<?x8x?x?xf32, #map1>
      %9 = nn.add %7, %8 : tensor<?x8x?x?xf32, #map1>
      %10 = nn.add %9, %0 : tensor<?x8x?x?xf32, #map1>
      return %10 : tensor<?x8x?x?xf32, #map1>
    })",
             {{1, 30, 35}, {2, 16, 64}});
}

TEST(CpuKernels, Movement) {
  checkModel(R"(
    #x = affine_map<()[s0] -> (s0, 6, 10)>
    #t = affine_map<()[s0] -> (10, s0, 6)>
    #c = affine_map<()[s0] -> (s0, 12, 10)>
    #r = affine_map<()[s0] -> (s0, 60)>
    #s = affine_map<()[s0] -> (s0, 3, 4)>
    #p = affine_map<()[s0] -> (s0, 9, 10)>
    #e = affine_map<()[s0] -> (s0 * 6, 10)>
    func.func @f(%x: tensor<?x6x10xf32, #x>, %y: tensor<?x6x10xf32, #x>)
        -> (tensor<10x?x6xf32, #t>, tensor<?x12x10xf32, #c>, tensor<?x60xf32, #r>,
            tensor<?x3x4xf32, #s>, tensor<?x9x10xf32, #p>, tensor<?x10xf32, #e>)
        attributes {nn.entry, nn.dims = ["B"]} {
      %0 = nn.transpose %x {permutation = array<i64: 2, 0, 1>} : tensor<?x6x10xf32, #x> -> tensor<10x?x6xf32, #t>
      %1 = nn.exp %x : tensor<?x6x10xf32, #x>
      %2 = nn.concat %1, %y {axis = 1 : i64} : tensor<?x6x10xf32, #x>, tensor<?x6x10xf32, #x> -> tensor<?x12x10xf32, #c>
      %3 = nn.transpose %0 {permutation = array<i64: 1, 2, 0>} : tensor<10x?x6xf32, #t> -> tensor<?x6x10xf32, #x>
      %4 = nn.add %3, %y : tensor<?x6x10xf32, #x>
      %5 = nn.reshape %4 : tensor<?x6x10xf32, #x> -> tensor<?x60xf32, #r>
      %6 = nn.slice %y start affine_map<() -> (0, 1, 2)> step [1, 2, 2] : tensor<?x6x10xf32, #x> -> tensor<?x3x4xf32, #s>
      %7 = nn.pad %x {low = array<i64: 0, 1, 0>, high = array<i64: 0, 2, 0>, value = 1.5 : f32} : tensor<?x6x10xf32, #x> -> tensor<?x9x10xf32, #p>
      %8 = nn.reshape %1 : tensor<?x6x10xf32, #x> -> tensor<?x10xf32, #e>
      %9 = nn.neg %8 : tensor<?x10xf32, #e>
      return %0, %2, %5, %6, %7, %9 : tensor<10x?x6xf32, #t>, tensor<?x12x10xf32, #c>,
          tensor<?x60xf32, #r>, tensor<?x3x4xf32, #s>, tensor<?x9x10xf32, #p>, tensor<?x10xf32, #e>
    })",
             batches);
}

TEST(CpuKernels, ConcatOfDynamicParts) {
  checkModel(R"(
    #x = affine_map<()[s0, s1] -> (s0, s1, 3)>
    #y = affine_map<()[s0, s1] -> (s0, 4, 3)>
    #z = affine_map<()[s0, s1] -> (s0, s1 + 4, 3)>
    #q = affine_map<()[s0, s1] -> (s0, s1, 3)>
    func.func @f(%x: tensor<?x?x3xf32, #x>, %y: tensor<?x4x3xf32, #y>)
        -> (tensor<?x?x3xf32, #z>, tensor<?x?x3xf32, #q>) attributes {nn.entry, nn.dims = ["B", "T"]} {
      %0 = nn.concat %x, %y {axis = 1 : i64} : tensor<?x?x3xf32, #x>, tensor<?x4x3xf32, #y> -> tensor<?x?x3xf32, #z>
      %1 = nn.slice %0 start affine_map<()[s0, s1] -> (0, 2, 0)> step [1, 1, 1] : tensor<?x?x3xf32, #z> -> tensor<?x?x3xf32, #q>
      %2 = nn.mul %1, %x : tensor<?x?x3xf32, #q>
      return %0, %2 : tensor<?x?x3xf32, #z>, tensor<?x?x3xf32, #q>
    })",
             {{1, 1}, {3, 5}, {2, 40}});
}

TEST(CpuKernels, GatherAndCounting) {
  checkModel(R"(
    #i = affine_map<()[s0, s1] -> (s0, s1)>
    #y = affine_map<()[s0, s1] -> (s0, s1, 20)>
    #z = affine_map<()[s0, s1] -> (11, s0, s1)>
    #n = affine_map<()[s0, s1] -> (s1)>
    func.func @f(%table: tensor<11x20xf32>, %ids: tensor<?x?xi32, #i>, %wide: tensor<?x?xi64, #i>)
        -> (tensor<?x?x20xf32, #y>, tensor<11x?x?xf32, #z>, tensor<?xi64, #n>, tensor<i64>)
        attributes {nn.entry, nn.dims = ["B", "T"]} {
      %0 = nn.gather %table, %ids {axis = 0 : i64} : tensor<11x20xf32>, tensor<?x?xi32, #i> -> tensor<?x?x20xf32, #y>
      %1 = nn.gather %table, %wide {axis = 1 : i64} : tensor<11x20xf32>, tensor<?x?xi64, #i> -> tensor<11x?x?xf32, #z>
      %2 = nn.iota {axis = 0 : i64} : tensor<?xi64, #n>
      %3 = nn.size affine_map<()[s0, s1] -> (s1 * 2 + 1)> : tensor<i64>
      return %0, %1, %2, %3 : tensor<?x?x20xf32, #y>, tensor<11x?x?xf32, #z>, tensor<?xi64, #n>, tensor<i64>
    })",
             {{1, 1}, {3, 5}, {2, 40}});
}

TEST(CpuKernels, LayerNorm) {
  checkModel(R"(
    #x = affine_map<()[s0] -> (s0, 100)>
    #r = affine_map<()[s0] -> (s0)>
    func.func @f(%x: tensor<?x100xf32, #x>, %g: tensor<100xf32>) -> tensor<?x100xf32, #x>
        attributes {nn.entry, nn.dims = ["B"]} {
      %0 = nn.reduce mean %x {axes = array<i64: 1>} : tensor<?x100xf32, #x> -> tensor<?xf32, #r>
      %1 = nn.broadcast %0 {dims = array<i64: 0>} : tensor<?xf32, #r> -> tensor<?x100xf32, #x>
      %2 = nn.sub %x, %1 : tensor<?x100xf32, #x>
      %3 = nn.mul %2, %2 : tensor<?x100xf32, #x>
      %4 = nn.reduce mean %3 {axes = array<i64: 1>} : tensor<?x100xf32, #x> -> tensor<?xf32, #r>
      %5 = nn.full 1.0e-5 : f32 -> tensor<?xf32, #r>
      %6 = nn.add %4, %5 : tensor<?xf32, #r>
      %7 = nn.rsqrt %6 : tensor<?xf32, #r>
      %8 = nn.broadcast %7 {dims = array<i64: 0>} : tensor<?xf32, #r> -> tensor<?x100xf32, #x>
      %9 = nn.mul %2, %8 : tensor<?x100xf32, #x>
      %10 = nn.broadcast %g {dims = array<i64: 1>} : tensor<100xf32> -> tensor<?x100xf32, #x>
      %11 = nn.mul %9, %10 : tensor<?x100xf32, #x>
      return %11 : tensor<?x100xf32, #x>
    })",
             batches);
}

TEST(CpuKernels, OtherMachines) {
  for (std::string cpu : {"x86-64", "x86-64-v3"}) {
    checkModel(product(37, 19, 75, false, true), {{}}, cpu);
    checkModel(product(37, 19, 75, false, false), {{}}, cpu);
    checkModel(convolution({3, 17, 5, 3, 2, 1, 1, 1}), {{1}, {3}}, cpu);
    checkModel(replaced(reduction("mean", "2", "s0, 5"), "RESULT", "?x5xf32, #y"), batches, cpu);
  }
}

TEST(CpuKernels, NotANumber) {
  std::string text = R"(
    func.func @f(%x: tensor<4x37xf32>) -> (tensor<4xf32>, tensor<37xf32>, tensor<4xi32>, tensor<4x37xf32>)
        attributes {nn.entry, nn.dims = []} {
      %0 = nn.reduce max %x {axes = array<i64: 1>} : tensor<4x37xf32> -> tensor<4xf32>
      %1 = nn.reduce min %x {axes = array<i64: 0>} : tensor<4x37xf32> -> tensor<37xf32>
      %2 = nn.argreduce max %x {axis = 1} : tensor<4x37xf32> -> tensor<4xi32>
      %3 = nn.softmax %x {axis = 1 : i64} : tensor<4x37xf32>
      return %0, %1, %2, %3 : tensor<4xf32>, tensor<37xf32>, tensor<4xi32>, tensor<4x37xf32>
    })";
  Model model = makeModel(text);
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {});
  ASSERT_TRUE(object) << object.error().message;
  Result<rt::LoadedObject> loaded = rt::LoadedObject::load(std::as_bytes(std::span(object->elf)));
  ASSERT_TRUE(loaded) << loaded.error().message;
  Array x{{4, 37}, std::vector<double>(4 * 37, 0.5)};
  x.data[5] = NAN;
  x.data[37 + 36] = INFINITY;
  x.data[2 * 37 + 3] = -INFINITY;
  for (auto [number, kernel] : llvm::enumerate(model.kernels)) {
    std::vector<Array> want = interpret(kernel, {x}, {});
    std::vector<Array> got = runKernel(kernel, *object, number, *loaded, {x}, {});
    for (size_t i = 0; i < got.size(); ++i)
      for (size_t j = 0; j < got[i].data.size(); ++j)
        EXPECT_TRUE(std::isnan(want[i].data[j])
                        ? std::isnan(got[i].data[j])
                        : std::fabs(want[i].data[j] - got[i].data[j]) < 1e-6 ||
                              want[i].data[j] == got[i].data[j])
            << kernel.getKernelName().str() << ", element " << j << ": " << got[i].data[j]
            << ", not " << want[i].data[j];
  }
}

/// A block keeps the sums of its part of the result, 128 KiB at most: else each is formed anew.
TEST(CpuKernels, BlocksOfLargeResultsKeepTheirSums) {
  Model model = makeModel(R"(
    func.func @f(%x: tensor<32x64x56x56xf32>, %w: tensor<256x64x1x1xf32>)
        -> tensor<32x256x56x56xf32> attributes {nn.entry, nn.dims = []} {
      %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
                             dilation = array<i64: 1, 1>}
          : tensor<32x64x56x56xf32>, tensor<256x64x1x1xf32> -> tensor<32x256x56x56xf32>
      %1 = nn.full 0.0 : f32 -> tensor<32x256x56x56xf32>
      %2 = nn.max %0, %1 : tensor<32x256x56x56xf32>
      return %2 : tensor<32x256x56x56xf32>
    })");
  ASSERT_EQ(model.kernels.size(), 1u);
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {});
  ASSERT_TRUE(object);
  auto blocks = cast<mlir::AffineConstantExpr>(object->kernels[0].grid.getResult(0));
  EXPECT_LE(int64_t(32) * 256 * 56 * 56 * 4 / blocks.getValue(), 128 * 1024);
}

/// Ones behind a number of which 1 is less than half a unit in the last place: what is left of them
/// shows that blocks of a long sum are summed by themselves, along rows and down columns.
TEST(CpuKernels, LongSumsAreSumsOfBlocks) {
  constexpr int64_t Length = 65536, Columns = 16, Large = 1 << 24;
  Model model = makeModel(R"(
    func.func @f(%x: tensor<2x65536xf32>, %y: tensor<65536x16xf32>, %z: tensor<?x16xf32, affine_map<()[s0] -> (s0, 16)>>)
        -> (tensor<2xf32>, tensor<16xf32>, tensor<16xf32>)
        attributes {nn.entry, nn.dims = ["B"], nn.ranges = [array<i64: 1, 65536>]} {
      %0 = nn.reduce sum %x {axes = array<i64: 1>} : tensor<2x65536xf32> -> tensor<2xf32>
      %1 = nn.reduce sum %y {axes = array<i64: 0>} : tensor<65536x16xf32> -> tensor<16xf32>
      %2 = nn.reduce sum %z {axes = array<i64: 0>} : tensor<?x16xf32, affine_map<()[s0] -> (s0, 16)>> -> tensor<16xf32>
      return %0, %1, %2 : tensor<2xf32>, tensor<16xf32>, tensor<16xf32>
    })");
  ASSERT_EQ(model.kernels.size(), 3U);
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {});
  ASSERT_TRUE(object) << object.error().message;
  Result<rt::LoadedObject> loaded = rt::LoadedObject::load(std::as_bytes(std::span(object->elf)));
  ASSERT_TRUE(loaded) << loaded.error().message;
  // Every lane of a row begins with a large number, however many lanes there are.
  constexpr int64_t Lanes = 64;
  Array x{{2, Length}, std::vector<double>(2 * Length, 1)};
  for (int64_t i = 0; i < 2 * Lanes; ++i)
    x.data[i / Lanes * Length + i % Lanes] = Large;
  Array y{{Length, Columns}, std::vector<double>(Length * Columns, 1)};
  std::fill_n(y.data.begin(), Columns, Large);
  double rows = double(Large) * Lanes + Length - Lanes, columns = double(Large) + Length - 1;
  for (size_t number : {0, 1, 2}) {
    double wanted = number == 0 ? rows : columns, within = number == 0 ? 64 * Lanes : 64;
    std::vector<Array> sums =
        runKernel(model.kernels[number], *object, number, *loaded, {number == 0 ? x : y}, {Length});
    for (double sum : sums[0].data)
      EXPECT_NEAR(sum, wanted, within) << "kernel " << number;
  }
}

TEST(CpuKernels, SameBytesEveryTime) {
  std::string text = convolution({3, 17, 5, 3, 2, 1, 1, 1});
  Model first = makeModel(text), second = makeModel(text);
  Result<codegen::CpuObject> a = codegen::compileForCpu(first.kernels, {});
  Result<codegen::CpuObject> b = codegen::compileForCpu(second.kernels, {});
  ASSERT_TRUE(a && b);
  EXPECT_TRUE(a->elf == b->elf);
}

TEST(CpuKernels, EqualKernelsShareCode) {
  Model model = makeModel(R"(
    func.func @f(%x: tensor<8xf32>) -> (tensor<8xf32>) attributes {nn.entry, nn.dims = []} {
      %0 = nn.softmax %x {axis = 0 : i64} : tensor<8xf32>
      return %0 : tensor<8xf32>
    }
    func.func @g(%x: tensor<8xf32>) -> (tensor<8xf32>) attributes {nn.entry, nn.dims = []} {
      %0 = nn.softmax %x {axis = 0 : i64} : tensor<8xf32>
      return %0 : tensor<8xf32>
    })");
  ASSERT_EQ(model.kernels.size(), 2u);
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {});
  ASSERT_TRUE(object);
  EXPECT_EQ(object->kernels[0].symbol, object->kernels[1].symbol);
}

TEST(CpuKernels, WhatIsUnknownIsNamed) {
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(
      R"(
    func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
      %r = nn.kernel "odd" (%x : tensor<8xf32>) -> (tensor<8xf32>) attributes {anchor = "pointwise"} {
      ^bb0(%a: tensor<8xf32>):
        %e = tensor.empty() : tensor<8xf32>
        %s = linalg.softmax dimension(0) ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
        nn.yield %s : tensor<8xf32>
      }
      return %r : tensor<8xf32>
    })",
      &testContext());
  ASSERT_TRUE(module);
  llvm::SmallVector<nn::KernelOp> kernels;
  module->walk([&](nn::KernelOp kernel) { kernels.push_back(kernel); });
  Result<codegen::CpuObject> object = codegen::compileForCpu(kernels, {});
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().message,
            "kernel 'odd' cannot be compiled for the cpu: 'linalg.softmax' is "
            "not supported here by the cpu target");
}
