// Movements of elements.
#include "Gradients.h"

#include <gtest/gtest.h>

using namespace nnc::test;

static void check(const std::string &arguments, const std::string &op, const std::string &result) {
  checkGradients("func.func @f(" + arguments + ") -> " + result + " {\n  %y = nn." + op +
                 "\n  return %y : " + result + "\n}");
}

TEST(Shapes, Views) {
  check("%x: tensor<4x6xf32>", "reshape %x : tensor<4x6xf32> -> tensor<2x12xf32>",
        "tensor<2x12xf32>");
  check("%x: tensor<2x3x4xf32>",
        "transpose %x {permutation = array<i64: 2, 0, 1>} : tensor<2x3x4xf32> -> tensor<4x2x3xf32>",
        "tensor<4x2x3xf32>");
  check(
      "%x: tensor<2x3xf32>, %y0: tensor<2x1xf32>",
      "concat %x, %y0, %x {axis = 1 : i64} : tensor<2x3xf32>, tensor<2x1xf32>, tensor<2x3xf32> -> "
      "tensor<2x7xf32>",
      "tensor<2x7xf32>");
  check("%x: tensor<2x3xf32>",
        "pad %x {low = array<i64: 1, 0>, high = array<i64: 0, 2>, value = 3.0 : f32} : "
        "tensor<2x3xf32> -> tensor<3x5xf32>",
        "tensor<3x5xf32>");
}

TEST(Shapes, Broadcasts) {
  check("%x: tensor<3xf32>",
        "broadcast %x {dims = array<i64: 1>} : tensor<3xf32> -> tensor<2x3x2xf32>",
        "tensor<2x3x2xf32>");
  check("%x: tensor<1x3xf32>",
        "broadcast %x {dims = array<i64: 0, 1>} : tensor<1x3xf32> -> tensor<4x3xf32>",
        "tensor<4x3xf32>");
  check("%x: tensor<1x1xf32>",
        "broadcast %x {dims = array<i64: 0, 2>} : tensor<1x1xf32> -> tensor<1x2x3xf32>",
        "tensor<1x2x3xf32>");
  check("%x: tensor<f32>", "broadcast %x {dims = array<i64>} : tensor<f32> -> tensor<2x2xf32>",
        "tensor<2x2xf32>");
}

TEST(Shapes, Slices) {
  check("%x: tensor<5x7xf32>",
        "slice %x start affine_map<() -> (1, 2)> step [1, 1] : tensor<5x7xf32> -> tensor<3x4xf32>",
        "tensor<3x4xf32>");
  // The last step ends at the end, before it, and beyond it.
  check("%x: tensor<7x8xf32>",
        "slice %x start affine_map<() -> (0, 1)> step [2, 3] : tensor<7x8xf32> -> tensor<4x3xf32>",
        "tensor<4x3xf32>");
  check("%x: tensor<9xf32>",
        "slice %x start affine_map<() -> (1)> step [2] : tensor<9xf32> -> tensor<2xf32>",
        "tensor<2xf32>");
}

TEST(Shapes, SlicesAtARunTimePlace) {
  checkGradients(R"(func.func @f(%x: tensor<5x7xf32>) -> tensor<2x7xf32> {
  %y = nn.slice %x start affine_map<()[s0] -> (s0, 0)> step [2, 1] : tensor<5x7xf32> -> tensor<2x7xf32>
  return %y : tensor<2x7xf32>
})",
                 {}, {1});
}

TEST(Shapes, Updates) {
  checkGradients(R"(func.func @f(%x: tensor<5x6xf32>, %v: tensor<2x3xf32>) -> tensor<5x6xf32> {
  %y = nn.update %x, %v start affine_map<()[s0] -> (s0, 1)> step [2, 1] : tensor<5x6xf32>, tensor<2x3xf32>
  return %y : tensor<5x6xf32>
})",
                 {}, {1});
}

/// Ids are in -1..6, so that some occur twice and some are out of range.
TEST(Shapes, Gathers) {
  check("%t: tensor<5x3xf32>, %i: tensor<2x4xi32>",
        "gather %t, %i {axis = 0 : i64} : tensor<5x3xf32>, tensor<2x4xi32> -> tensor<2x4x3xf32>",
        "tensor<2x4x3xf32>");
  check("%t: tensor<2x5x3xf32>, %i: tensor<6xi64>",
        "gather %t, %i {axis = 1 : i64} : tensor<2x5x3xf32>, tensor<6xi64> -> tensor<2x6x3xf32>",
        "tensor<2x6x3xf32>");
  check(
      "%v: tensor<2x6x3xf32>, %i: tensor<6xi64>",
      "scatter_add %v, %i {axis = 1 : i64} : tensor<2x6x3xf32>, tensor<6xi64> -> tensor<2x5x3xf32>",
      "tensor<2x5x3xf32>");
}
