//===- ProductsTest.cpp - products, convolutions, windows on the cpu ------===//

#include "Harness.h"
#include "ProductText.h"
#include "codegen/cpu/Tiling.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::test;

TEST(CpuProducts, ProductsOfTransposedOperands) {
  checkModel(R"(
    #x = affine_map<()[s0] -> (2, s0, 3, 20)>
    #h = affine_map<()[s0] -> (2, 3, s0, 20)>
    #s = affine_map<()[s0] -> (2, 3, s0, s0)>
    func.func @f(%x: tensor<2x?x3x20xf32, #x>, %y: tensor<2x?x3x20xf32, #x>)
        -> (tensor<2x3x?x?xf32, #s>, tensor<2x3x?x20xf32, #h>)
        attributes {nn.entry, nn.dims = ["T"]} {
      %q = nn.transpose %x {permutation = array<i64: 0, 2, 1, 3>}
          : tensor<2x?x3x20xf32, #x> -> tensor<2x3x?x20xf32, #h>
      %k = nn.transpose %y {permutation = array<i64: 0, 2, 1, 3>}
          : tensor<2x?x3x20xf32, #x> -> tensor<2x3x?x20xf32, #h>
      %s = nn.matmul %q, %k {transpose_b}
          : tensor<2x3x?x20xf32, #h>, tensor<2x3x?x20xf32, #h> -> tensor<2x3x?x?xf32, #s>
      %r = nn.matmul %s, %k
          : tensor<2x3x?x?xf32, #s>, tensor<2x3x?x20xf32, #h> -> tensor<2x3x?x20xf32, #h>
      return %s, %r : tensor<2x3x?x?xf32, #s>, tensor<2x3x?x20xf32, #h>
    })",
             {{1}, {5}, {33}, {130}});
}

TEST(CpuProducts, Products) {
  for (bool a : {false, true})
    for (bool b : {false, true})
      for (auto [m, k, n] : {std::tuple{1, 1, 1},
                             {1, 70, 33},
                             {5, 3, 2},
                             {13, 40, 31},
                             {37, 19, 75},
                             {64, 64, 64},
                             {130, 70, 150}})
        checkModel(product(m, k, n, a, b));
}

TEST(CpuProducts, ProductsOfDynamicSize) {
  checkModel(R"(
    #x = affine_map<()[s0, s1] -> (s0, s1, 24)>
    #k = affine_map<()[s0, s1] -> (s0, 24, s1)>
    #s = affine_map<()[s0, s1] -> (s0, s1, s1)>
    #y = affine_map<()[s0, s1] -> (s0, s1, 10)>
    func.func @f(%q: tensor<?x?x24xf32, #x>, %k: tensor<?x?x24xf32, #x>, %w: tensor<10x24xf32>,
                 %b: tensor<10xf32>)
        -> (tensor<?x?x24xf32, #x>, tensor<?x?x10xf32, #y>)
        attributes {nn.entry, nn.dims = ["B", "T"]} {
      %0 = nn.matmul %q, %k {transpose_b} : tensor<?x?x24xf32, #x>, tensor<?x?x24xf32, #x> -> tensor<?x?x?xf32, #s>
      %1 = nn.softmax %0 {axis = 2 : i64} : tensor<?x?x?xf32, #s>
      %2 = nn.matmul %1, %k : tensor<?x?x?xf32, #s>, tensor<?x?x24xf32, #x> -> tensor<?x?x24xf32, #x>
      %3 = nn.matmul %2, %w {transpose_b} : tensor<?x?x24xf32, #x>, tensor<10x24xf32> -> tensor<?x?x10xf32, #y>
      %4 = nn.broadcast %b {dims = array<i64: 2>} : tensor<10xf32> -> tensor<?x?x10xf32, #y>
      %5 = nn.add %3, %4 : tensor<?x?x10xf32, #y>
      %6 = nn.tanh %5 : tensor<?x?x10xf32, #y>
      return %2, %6 : tensor<?x?x24xf32, #x>, tensor<?x?x10xf32, #y>
    })",
             {{1, 1}, {2, 5}, {3, 40}, {1, 131}});
}

/// Blocks go along the axis on which the larger operand does not depend.
TEST(CpuProducts, OrderOfBlocks) {
  auto orderOf = [](const std::string &text) {
    Model model = makeModel(text);
    return codegen::orderOfBlocks(model.kernels[0].getBody()->getTerminator()->getOperand(0));
  };
  EXPECT_EQ(orderOf(product(64, 70, 512, false, true)), (llvm::SmallVector<unsigned>{0, 1}));
  EXPECT_EQ(orderOf(product(512, 70, 64, false, true)), (llvm::SmallVector<unsigned>{1, 0}));
  EXPECT_EQ(orderOf(convolution({8, 7, 24, 3, 1, 1, 1, 1})),
            (llvm::SmallVector<unsigned>{3, 2, 1, 0}));
  for (auto [m, n] : {std::pair{150, 600}, {600, 150}})
    checkModel(product(m, 300, n, false, true));
}

TEST(CpuProducts, Convolutions) {
  for (const Convolution &c : {Convolution{1, 28, 6, 5, 1, 2, 1, 1},
                               {6, 14, 16, 5, 1, 0, 1, 1},
                               {3, 17, 5, 3, 2, 1, 1, 1},
                               {8, 7, 24, 3, 1, 1, 1, 1},
                               {16, 9, 8, 1, 1, 0, 1, 1},
                               {16, 9, 8, 1, 2, 0, 1, 1},
                               {8, 12, 8, 3, 1, 1, 1, 8},
                               {8, 11, 12, 3, 2, 1, 1, 2},
                               {4, 20, 6, 3, 1, 2, 2, 1},
                               {3, 40, 8, 7, 2, 3, 1, 1}})
    checkModel(convolution(c), {{1}, {3}});
}

TEST(CpuProducts, ConvolutionWithDynamicImage) {
  checkModel(R"(
    #x = affine_map<()[s0, s1, s2] -> (s0, 5, s1, s2)>
    #y = affine_map<()[s0, s1, s2] -> (s0, 9, (s1 - 1) floordiv 2 + 1, (s2 - 1) floordiv 2 + 1)>
    func.func @f(%x: tensor<?x5x?x?xf32, #x>, %w: tensor<9x5x3x3xf32>) -> tensor<?x9x?x?xf32, #y>
        attributes {nn.entry, nn.dims = ["B", "H", "W"]} {
      %0 = nn.conv2d %x, %w {strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>,
                             dilation = array<i64: 1, 1>}
          : tensor<?x5x?x?xf32, #x>, tensor<9x5x3x3xf32> -> tensor<?x9x?x?xf32, #y>
      return %0 : tensor<?x9x?x?xf32, #y>
    })",
             {{1, 1, 1}, {2, 8, 9}, {1, 33, 50}});
}

/// Blocks cut the channels between groups, and compute the groups that they need where they cannot.
TEST(CpuProducts, ConvolutionsOfGroupsWithWhatFollows) {
  const std::string text = R"(
    #x = affine_map<()[s0, s1] -> (1, 132, s0, s1)>
    #t = affine_map<()[s0, s1] -> (1, s0, s1, 132)>
    func.func @f(%x: tensor<1x132x?x?xf32, #x>, %w: tensor<132x3x3x3xf32>) -> RESULT
        attributes {nn.entry, nn.dims = ["H", "W"]} {
      %0 = nn.conv2d %x, %w {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>,
                             dilation = array<i64: 1, 1>, groups = 44 : i64}
          : tensor<1x132x?x?xf32, #x>, tensor<132x3x3x3xf32> -> tensor<1x132x?x?xf32, #x>
      %1 = nn.full 0.0 : f32 -> tensor<1x132x?x?xf32, #x>
      %2 = nn.max %0, %1 : tensor<1x132x?x?xf32, #x>
      TURN
    })";
  auto with = [&](std::string_view result, std::string_view turn) {
    std::string filled = text;
    filled.replace(filled.find("RESULT"), 6, result);
    return filled.replace(filled.find("TURN"), 4, turn);
  };
  std::string straight = with("tensor<1x132x?x?xf32, #x>", "return %2 : tensor<1x132x?x?xf32, #x>");
  checkModel(straight, {{1, 1}, {2, 3}, {9, 17}, {40, 21}});
  checkModel(with("tensor<1x?x?x132xf32, #t>",
                  "%3 = nn.transpose %2 {permutation = array<i64: 0, 2, 3, 1>} "
                  ": tensor<1x132x?x?xf32, #x> -> tensor<1x?x?x132xf32, #t>\n"
                  "return %3 : tensor<1x?x?x132xf32, #t>"),
             {{2, 3}, {9, 17}});

  Model model = makeModel(straight);
  ASSERT_EQ(model.kernels.size(), 1u);
  mlir::Value root = model.kernels[0].getBody()->getTerminator()->getOperand(0);
  llvm::SmallVector<int64_t> tile =
      codegen::chooseTile(root, llvm::cast<mlir::RankedTensorType>(root.getType()).getShape());
  EXPECT_LT(tile[1], 132);
  EXPECT_EQ(tile[1] % 3, 0);
}

/// What a window of many channels reads fits into a buffer, however wide the image may be.
TEST(CpuProducts, ConvolutionsOfManyChannelsWithADynamicImage) {
  const std::string text = R"(
    #x = affine_map<()[s0, s1] -> (1, 384, s0, s1)>
    #y = affine_map<()[s0, s1] -> (1, 5, (s0 - 1) floordiv 2 + 1, (s1 - 1) floordiv 2 + 1)>
    func.func @f(%x: tensor<1x384x?x?xf32, #x>, %w: tensor<5x384x3x3xf32>)
        -> tensor<1x5x?x?xf32, #y> attributes {nn.entry, nn.dims = ["H", "W"]} {
      %0 = nn.conv2d %x, %w {strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>,
                             dilation = array<i64: 1, 1>}
          : tensor<1x384x?x?xf32, #x>, tensor<5x384x3x3xf32> -> tensor<1x5x?x?xf32, #y>
      return %0 : tensor<1x5x?x?xf32, #y>
    })";
  Model model = makeModel(text);
  mlir::Value root = model.kernels[0].getBody()->getTerminator()->getOperand(0);
  llvm::SmallVector<int64_t> tile =
      codegen::chooseTile(root, llvm::cast<mlir::RankedTensorType>(root.getType()).getShape());
  EXPECT_LE(384 * (2 * tile[2] + 1) * (2 * tile[3] + 1) * 4, 256 * 1024);
}

TEST(CpuProducts, Pooling) {
  checkModel(R"(
    #x = affine_map<()[s0] -> (s0, 6, 15, 17)>
    #y = affine_map<()[s0] -> (s0, 6, 7, 8)>
    #z = affine_map<()[s0] -> (s0, 6, 8, 9)>
    func.func @f(%x: tensor<?x6x15x17xf32, #x>)
        -> (tensor<?x6x7x8xf32, #y>, tensor<?x6x8x9xf32, #z>)
        attributes {nn.entry, nn.dims = ["B"]} {
      %0 = nn.tanh %x : tensor<?x6x15x17xf32, #x>
      %1 = nn.pool2d avg %0 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>}
          : tensor<?x6x15x17xf32, #x> -> tensor<?x6x7x8xf32, #y>
      %2 = nn.pool2d max %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>}
          : tensor<?x6x15x17xf32, #x> -> tensor<?x6x8x9xf32, #z>
      return %1, %2 : tensor<?x6x7x8xf32, #y>, tensor<?x6x8x9xf32, #z>
    })",
             {{1}, {2}, {3}, {7}, {16}, {33}});
}

/// Two operands of a product are different parts of one tensor.
TEST(CpuProducts, ProductOfATensorWithItself) {
  checkModel(R"(
    func.func @f(%x: tensor<8x1100xf32>) -> tensor<1100x1100xf32>
        attributes {nn.entry, nn.dims = []} {
      %0 = nn.matmul %x, %x {transpose_a}
          : tensor<8x1100xf32>, tensor<8x1100xf32> -> tensor<1100x1100xf32>
      return %0 : tensor<1100x1100xf32>
    })",
             {{}});
}
