// Convolutions and pools.
#include "Gradients.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nnc::test;

namespace {

struct Side {
  int64_t size, kernel, stride, dilation, before, after;

  int64_t windows() const {
    return (size + before + after - dilation * (kernel - 1) - 1) / stride + 1;
  }
};

std::string image(int64_t batch, int64_t channels, int64_t height, int64_t width) {
  return fmt::format("tensor<{}x{}x{}x{}xf32>", batch, channels, height, width);
}

std::string attributes(const Side &height, const Side &width) {
  return fmt::format("strides = array<i64: {}, {}>, padding = array<i64: {}, {}, {}, {}>, "
                     "dilation = array<i64: {}, {}>",
                     height.stride, width.stride, height.before, height.after, width.before,
                     width.after, height.dilation, width.dilation);
}

void checkConvolution(int64_t groups, int64_t inputs, int64_t outputs, const Side &height,
                      const Side &width) {
  std::string x = image(2, groups * inputs, height.size, width.size);
  std::string w = image(groups * outputs, inputs, height.kernel, width.kernel);
  std::string y = image(2, groups * outputs, height.windows(), width.windows());
  checkGradients(fmt::format("func.func @f(%x: {0}, %w: {1}) -> {2} {{\n  %y = nn.conv2d %x, %w "
                             "{{{3}, groups = {4} : i64}} : {0}, {1} -> {2}\n  return %y : {2}\n}}",
                             x, w, y, attributes(height, width), groups));
}

void checkPool(const std::string &kind, const Side &height, const Side &width) {
  std::string x = image(1, 2, height.size, width.size);
  std::string y = image(1, 2, height.windows(), width.windows());
  checkGradients(fmt::format("func.func @f(%x: {0}) -> {1} {{\n  %y = nn.pool2d {2} %x {{kernel = "
                             "array<i64: {3}, {4}>, {5}}} : {0} -> {1}\n  return %y : {1}\n}}",
                             x, y, kind, height.kernel, width.kernel, attributes(height, width)));
}

} // namespace

TEST(Convolutions, Plain) {
  checkConvolution(1, 2, 3, {5, 3, 1, 1, 0, 0}, {6, 3, 1, 1, 0, 0});
  checkConvolution(1, 2, 3, {5, 3, 1, 1, 1, 1}, {4, 1, 1, 1, 0, 0});
  checkConvolution(1, 1, 1, {3, 3, 1, 1, 0, 0}, {3, 3, 1, 1, 0, 0});
}

/// Elements at the end that no window holds; windows of strides that do not divide the kernel.
TEST(Convolutions, Strides) {
  checkConvolution(1, 2, 2, {7, 3, 2, 1, 1, 1}, {8, 3, 2, 1, 1, 1});
  checkConvolution(1, 1, 2, {9, 2, 3, 1, 0, 0}, {8, 3, 3, 1, 0, 0});
  checkConvolution(1, 1, 2, {6, 1, 2, 1, 0, 0}, {7, 1, 3, 1, 0, 0});
  checkConvolution(1, 1, 1, {11, 7, 2, 1, 3, 3}, {12, 7, 2, 1, 3, 3});
}

TEST(Convolutions, DilationAndPadding) {
  checkConvolution(1, 2, 2, {7, 3, 1, 2, 2, 2}, {8, 2, 1, 3, 0, 3});
  checkConvolution(1, 1, 2, {9, 3, 2, 2, 1, 0}, {8, 2, 3, 2, 2, 1});
  checkConvolution(1, 1, 1, {5, 3, 1, 1, 3, 0}, {4, 2, 1, 1, 0, 4});
}

TEST(Convolutions, Groups) {
  checkConvolution(2, 2, 3, {5, 3, 1, 1, 1, 1}, {5, 3, 2, 1, 1, 1});
  checkConvolution(3, 1, 1, {5, 3, 2, 1, 1, 1}, {6, 3, 1, 1, 1, 1});
  checkConvolution(2, 1, 2, {5, 2, 1, 2, 0, 1}, {5, 3, 1, 1, 0, 0});
}

/// A batch and sides that are known at run time only: with an odd and an even side.
TEST(Convolutions, UnknownSizes) {
  std::string text = R"(
#x = affine_map<()[s0, s1] -> (s0, 2, s1, s1 * 2)>
#y = affine_map<()[s0, s1] -> (s0, 4, (s1 - 1) floordiv 2 + 1, (s1 * 2 - 1) floordiv 2 + 1)>
func.func @f(%x: tensor<?x2x?x?xf32, #x>, %w: tensor<4x1x3x3xf32>) -> tensor<?x4x?x?xf32, #y> {
  %y = nn.conv2d %x, %w {strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>, dilation = array<i64: 1, 1>, groups = 2 : i64} : tensor<?x2x?x?xf32, #x>, tensor<4x1x3x3xf32> -> tensor<?x4x?x?xf32, #y>
  return %y : tensor<?x4x?x?xf32, #y>
})";
  checkGradients(text, {}, {3, 5});
  checkGradients(text, {}, {1, 4});
}

TEST(Pools, Maxima) {
  checkPool("max", {4, 2, 2, 1, 0, 0}, {6, 2, 2, 1, 0, 0});
  checkPool("max", {7, 3, 2, 1, 1, 1}, {8, 3, 2, 1, 1, 1});
  checkPool("max", {5, 3, 1, 1, 1, 1}, {5, 2, 1, 1, 0, 1});
  checkPool("max", {8, 2, 3, 2, 0, 0}, {9, 3, 2, 2, 2, 1});
  checkPool("max", {5, 2, 2, 1, 0, 0}, {7, 1, 2, 1, 0, 0});
}

TEST(Pools, Sums) {
  for (const char *kind : {"avg", "sum"}) {
    checkPool(kind, {4, 2, 2, 1, 0, 0}, {7, 2, 2, 1, 0, 0});
    checkPool(kind, {7, 3, 2, 1, 1, 1}, {8, 3, 2, 1, 1, 1});
    checkPool(kind, {5, 3, 1, 1, 1, 1}, {5, 2, 1, 1, 0, 1});
    checkPool(kind, {8, 2, 3, 2, 0, 0}, {9, 3, 2, 2, 2, 1});
  }
}

/// torch.max_pool2d: the first of equal elements, row by row.
TEST(Pools, EqualMaxima) {
  std::string text = R"(func.func @f(%x: tensor<1x1x2x4xf32>) -> tensor<1x1x1x3xf32> {
  %y = nn.pool2d max %x {kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>} : tensor<1x1x2x4xf32> -> tensor<1x1x1x3xf32>
  return %y : tensor<1x1x1x3xf32>
})";
  auto gradients = gradientsOf(
      text, {tensor({1, 1, 2, 4}, {1, 5, 5, 5, 5, 5, 0, 5}), tensor({1, 1, 1, 3}, {1, 10, 100})});
  EXPECT_EQ(gradients[0].data, (std::vector<double>{0, 11, 100, 0, 0, 0, 0, 0}));
}
