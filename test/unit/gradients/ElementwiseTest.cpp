// Elementwise operations, and their derivatives where there is none.
#include "Gradients.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace nnc::test;

static std::string unary(const std::string &op) {
  return "func.func @f(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {\n  %y = nn." + op +
         " %x : tensor<3x4xf32>\n  return %y : tensor<3x4xf32>\n}";
}

static std::string binary(const std::string &op, const std::string &type = "tensor<3x4xf32>") {
  return "func.func @f(%a: " + type + ", %b: " + type + ") -> " + type + " {\n  %y = nn." + op +
         " %a, %b : " + type + "\n  return %y : " + type + "\n}";
}

/// `op` of a vector and a number.
static std::string withNumber(const std::string &op, const std::string &number) {
  return "func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n  %s = nn.full " + number +
         " : f32 -> tensor<f32>\n  %n = nn.broadcast %s {dims = array<i64>} : tensor<f32> -> "
         "tensor<4xf32>\n  %y = nn." +
         op + " %x, %n : tensor<4xf32>\n  return %y : tensor<4xf32>\n}";
}

TEST(Elementwise, Unary) {
  for (const char *op :
       {"neg", "abs", "exp", "sin", "cos", "atan", "tanh", "erf", "floor", "round"})
    checkGradients(unary(op));
  for (const char *op : {"log", "sqrt", "rsqrt"})
    checkGradients(unary(op), {0.5, 3});
}

TEST(Elementwise, Binary) {
  for (const char *op : {"add", "sub", "mul", "max", "min"})
    checkGradients(binary(op));
  for (const char *op : {"div", "pow", "mod", "floordiv"})
    checkGradients(binary(op), {0.5, 3});
}

TEST(Elementwise, Select) {
  checkGradients("func.func @f(%c: tensor<5xi1>, %a: tensor<5xf32>, %b: tensor<5xf32>) -> "
                 "tensor<5xf32> {\n  %y = nn.select %c, %a, %b : tensor<5xf32>\n"
                 "  return %y : tensor<5xf32>\n}");
}

/// A value that is used twice, in between and in a comparison.
TEST(Elementwise, Paths) {
  checkGradients(R"(func.func @f(%x: tensor<6xf32>) -> (tensor<6xf32>, tensor<6xf32>) {
  %e = nn.exp %x : tensor<6xf32>
  %s = nn.sin %e : tensor<6xf32>
  %m = nn.mul %s, %x : tensor<6xf32>
  %q = nn.mul %m, %m : tensor<6xf32>
  %c = nn.cmp gt %q, %x : tensor<6xf32>
  %y = nn.select %c, %q, %e : tensor<6xf32>
  return %y, %e : tensor<6xf32>, tensor<6xf32>
})");
}

TEST(Elementwise, AbsoluteOfZero) {
  auto gradients = gradientsOf(
      "func.func @f(%x: tensor<3xf32>) -> tensor<3xf32> {\n  %y = nn.abs %x : tensor<3xf32>\n"
      "  return %y : tensor<3xf32>\n}",
      {vector({-1, 0, 2}), vector({1, 1, 1})});
  EXPECT_EQ(gradients[0].data, (std::vector<double>{-1, 0, 1}));
}

/// torch.maximum, torch.minimum: half to each of two equal values.
TEST(Elementwise, ExtremaOfEqualValues) {
  std::vector<Array> values = {vector({1, 2, 3}), vector({1, 5, -1}), vector({8, 8, 8})};
  auto max = gradientsOf(binary("max", "tensor<3xf32>"), values);
  EXPECT_EQ(max[0].data, (std::vector<double>{4, 0, 8}));
  EXPECT_EQ(max[1].data, (std::vector<double>{4, 8, 0}));
  auto min = gradientsOf(binary("min", "tensor<3xf32>"), values);
  EXPECT_EQ(min[0].data, (std::vector<double>{4, 8, 0}));
  EXPECT_EQ(min[1].data, (std::vector<double>{4, 0, 8}));
}

/// torch.relu: 0 at 0, and a NaN lets the gradient through; hardtanh: 0 at both ends.
TEST(Elementwise, ExtremaWithANumber) {
  std::vector<Array> values = {vector({-1, 0, 2, NAN}), vector({3, 3, 3, 3})};
  EXPECT_EQ(gradientsOf(withNumber("max", "0.0"), values)[0].data,
            (std::vector<double>{0, 0, 3, 3}));
  EXPECT_EQ(gradientsOf(withNumber("min", "2.0"), values)[0].data,
            (std::vector<double>{3, 3, 0, 3}));
}

/// torch.pow with a number: 0 where the exponent is 0; of 0 to a power above 1.
TEST(Elementwise, Powers) {
  std::vector<Array> values = {vector({-3, 0, 2, 1}), vector({1, 1, 1, 1})};
  EXPECT_EQ(gradientsOf(withNumber("pow", "2.0"), values)[0].data,
            (std::vector<double>{-6, 0, 4, 2}));
  EXPECT_EQ(gradientsOf(withNumber("pow", "0.0"), values)[0].data,
            (std::vector<double>{0, 0, 0, 0}));
  auto both = gradientsOf(binary("pow", "tensor<3xf32>"),
                          {vector({0, 0, 2}), vector({0, 3, 2}), vector({1, 1, 1})});
  EXPECT_EQ(both[0].data, (std::vector<double>{0, 0, 4}));
  EXPECT_EQ(both[1].data[0], 0);
  EXPECT_EQ(both[1].data[1], 0);
  EXPECT_NEAR(both[1].data[2], 4 * std::log(2), 1e-12);
}
