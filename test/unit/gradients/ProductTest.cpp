// Reductions, softmax, products and attention.
#include "Gradients.h"

#include <gtest/gtest.h>

using namespace nnc::test;

static std::string function(const std::string &arguments, const std::string &op,
                            const std::string &result) {
  return "func.func @f(" + arguments + ") -> " + result + " {\n  %y = nn." + op +
         "\n  return %y : " + result + "\n}";
}

TEST(Reductions, OverAxes) {
  for (const char *kind : {"sum", "mean", "max", "min"}) {
    std::string op = std::string("reduce ") + kind + " %x ";
    checkGradients(function("%x: tensor<2x3x4xf32>",
                            op + "{axes = array<i64: 0, 2>} : tensor<2x3x4xf32> -> tensor<3xf32>",
                            "tensor<3xf32>"));
    checkGradients(function("%x: tensor<2x3xf32>",
                            op + "{axes = array<i64: 0, 1>} : tensor<2x3xf32> -> tensor<f32>",
                            "tensor<f32>"));
  }
}

TEST(Reductions, OverAnUnknownNumber) {
  checkGradients(
      R"(func.func @f(%x: tensor<?x3xf32, affine_map<()[s0] -> (s0, 3)>>) -> tensor<3xf32> {
  %y = nn.reduce mean %x {axes = array<i64: 0>} : tensor<?x3xf32, affine_map<()[s0] -> (s0, 3)>> -> tensor<3xf32>
  return %y : tensor<3xf32>
})",
      {}, {5});
}

/// torch.amax: in equal parts.
TEST(Reductions, EqualMaxima) {
  auto gradients = gradientsOf(
      function("%x: tensor<2x3xf32>",
               "reduce max %x {axes = array<i64: 0, 1>} : tensor<2x3xf32> -> tensor<f32>",
               "tensor<f32>"),
      {tensor({2, 3}, {1, 5, 5, 0, 5, 5}), tensor({}, {8})});
  EXPECT_EQ(gradients[0].data, (std::vector<double>{0, 2, 2, 0, 2, 2}));
}

TEST(Softmax, AlongAnyAxis) {
  for (const char *op : {"softmax", "log_softmax"})
    for (const char *axis : {"0", "1", "2"})
      checkGradients(
          function("%x: tensor<2x3x4xf32>",
                   std::string(op) + " %x {axis = " + axis + " : i64} : tensor<2x3x4xf32>",
                   "tensor<2x3x4xf32>"));
}

static std::string shape(std::vector<int64_t> batch, int64_t rows, int64_t columns, bool swapped) {
  batch.push_back(swapped ? columns : rows);
  batch.push_back(swapped ? rows : columns);
  std::string text = "tensor<";
  for (int64_t size : batch)
    text += std::to_string(size) + "x";
  return text + "f32>";
}

TEST(Products, WithTranspositions) {
  struct Batches {
    std::vector<int64_t> left, right;
  };
  for (const Batches &batch : {Batches{{}, {}}, Batches{{2}, {2}}, Batches{{2, 3}, {}}})
    for (int flags = 0; flags < 4; ++flags) {
      std::string left = shape(batch.left, 2, 4, flags & 1);
      std::string right = shape(batch.right, 4, 3, flags & 2);
      std::string result = shape(batch.left, 2, 3, false), attributes;
      if (flags)
        attributes = flags == 3   ? " {transpose_a, transpose_b}"
                     : flags == 1 ? " {transpose_a}"
                                  : " {transpose_b}";
      checkGradients(function(
          "%a: " + left + ", %b: " + right,
          "matmul %a, %b" + attributes + " : " + left + ", " + right + " -> " + result, result));
    }
}

TEST(Attention, Plain) {
  checkGradients(
      R"(func.func @f(%q: tensor<2x2x3x4xf32>, %k: tensor<2x2x5x4xf32>, %v: tensor<2x2x5x4xf32>) -> tensor<2x2x3x4xf32> {
  %y = nn.attention %q, %k, %v : (tensor<2x2x3x4xf32>, tensor<2x2x5x4xf32>, tensor<2x2x5x4xf32>) -> tensor<2x2x3x4xf32>
  return %y : tensor<2x2x3x4xf32>
})");
}

TEST(Attention, CausalWithGroupsMaskAndOffset) {
  checkGradients(
      R"(func.func @f(%q: tensor<1x4x3x2xf32>, %k: tensor<1x2x5x2xf32>, %v: tensor<1x2x5x2xf32>, %c: tensor<1x4x3x5xi1>) -> tensor<1x4x3x2xf32> {
  %first = nn.iota {axis = 3 : i64} : tensor<1x4x3x5xi32>
  %zero = nn.full 0 : i32 -> tensor<1x4x3x5xi32>
  %seen = nn.cmp eq %first, %zero : tensor<1x4x3x5xi32>
  %m = nn.or %seen, %c : tensor<1x4x3x5xi1>
  %two = nn.full 2 : i32 -> tensor<i32>
  %y = nn.attention %q, %k, %v mask %m offset %two {causal} : (tensor<1x4x3x2xf32>, tensor<1x2x5x2xf32>, tensor<1x2x5x2xf32>, tensor<1x4x3x5xi1>, tensor<i32>) -> tensor<1x4x3x2xf32>
  return %y : tensor<1x4x3x2xf32>
})");
}

/// Heads that have no kernel of their own going backwards.
TEST(Attention, WideHeads) {
  std::string type = "tensor<1x1x2x130xf32>";
  checkGradients("func.func @f(%q: " + type + ", %k: " + type + ", %v: " + type + ") -> " + type +
                 " {\n  %y = nn.attention %q, %k, %v {causal} : (" + type + ", " + type + ", " +
                 type + ") -> " + type + "\n  return %y : " + type + "\n}");
}

/// With 16-bit elements the products round where fused kernels do: close to the gradients in f32.
TEST(Attention, Bf16) {
  auto text = [](const std::string &element) {
    std::string type = "tensor<1x2x6x8x" + element + ">", arguments, casts;
    for (const char *name : {"q", "k", "v"}) {
      arguments += (arguments.empty() ? "%" : ", %") + std::string(name) + "0: tensor<1x2x6x8xf32>";
      casts += "  %" + std::string(name) + " = nn.cast %" + name + "0 : tensor<1x2x6x8xf32> -> " +
               type + "\n";
    }
    return "func.func @f(" + arguments + ") -> tensor<1x2x6x8xf32> {\n" + casts +
           "  %y = nn.attention %q, %k, %v {causal} : (" + type + ", " + type + ", " + type +
           ") -> " + type + "\n  %r = nn.cast %y : " + type +
           " -> tensor<1x2x6x8xf32>\n  return %r : tensor<1x2x6x8xf32>\n}";
  };
  std::vector<Array> arguments;
  for (int n = 0; n < 4; ++n) {
    arguments.push_back({{1, 2, 6, 8}, {}});
    for (int i = 0; i < 96; ++i)
      arguments.back().data.push_back((i * 37 + n * 11) % 64 / 32.0 - 1); // exact in bf16
  }
  auto wanted = gradientsOf(text("f32"), arguments), found = gradientsOf(text("bf16"), arguments);
  for (size_t i = 0; i < 3; ++i)
    for (size_t at = 0; at < 96; ++at)
      EXPECT_NEAR(found[i].data[at], wanted[i].data[at], 0.02) << i << ", " << at;
}
