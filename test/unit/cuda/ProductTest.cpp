#include "test/unit/cuda/KernelTest.h"

#include <cmath>

using namespace nnc::test;

namespace {

class Product : public KernelTest {};

TEST_F(Product, MatmulWithEpilogue) {
  std::string x = "tensor<?x37xf32, affine_map<()[s0, s1] -> (s1, 37)>>";
  std::string y = "tensor<?x19xf32, affine_map<()[s0, s1] -> (s1, 19)>>";
  build("%x: " + x + ", %w: tensor<19x37xf32>, %b: tensor<19xf32>, %r: " + y,
        R"(
    nn.kernel "fc" (%x, %w, %b, %r : )" +
            x + ", tensor<19x37xf32>, tensor<19xf32>, " + y + ") -> (" + y +
            R"() attributes {anchor = "contraction"} {
    ^bb0(%a: )" +
            x + ", %c: tensor<19x37xf32>, %d: tensor<19xf32>, %e: " + y + R"():
      %0 = nn.matmul %a, %c {transpose_b} : )" +
            x + ", tensor<19x37xf32> -> " + y + R"(
      %1 = nn.broadcast %d {dims = array<i64: 1>} : tensor<19xf32> -> )" +
            y + R"(
      %2 = nn.add %0, %1 : )" +
            y + R"(
      %3 = nn.tanh %2 : )" +
            y + R"(
      %4 = nn.add %3, %e : )" +
            y + R"(
      nn.yield %4 : )" +
            y + R"(
    })");
  EXPECT_NE(source().find("tileGemm<Tile"), std::string::npos) << source();
  for (int64_t t : {1, 7, 65, 130}) {
    auto a = randomFloats(t * 37, 1), w = randomFloats(19 * 37, 2), b = randomFloats(19, 3),
         r = randomFloats(t * 19, 4);
    std::vector<float> expected;
    for (int64_t i = 0; i < t; ++i)
      for (int64_t j = 0; j < 19; ++j) {
        double sum = b[j];
        for (int64_t k = 0; k < 37; ++k)
          sum += double(a[i * 37 + k]) * w[j * 37 + k];
        expected.push_back(std::tanh(sum) + r[i * 19 + j]);
      }
    auto out = run({1, t}, {bytesOf(a), bytesOf(w), bytesOf(b), bytesOf(r)});
    expectNear(valuesOf<float>(out.at(0)), expected);
  }
}

/// The end of a network that gives images: memory bounds it, and tiles read that evenly.
TEST_F(Product, FewFiltersOverManyPixelsAreTiles) {
  constexpr int64_t Pixels = 66 * 64, Channels = 40, Filters = 2;
  std::string x = "tensor<1x66x64x40xf32>", w = "tensor<2x1x1x40xf32>", y = "tensor<1x66x64x2xf32>";
  build("%x: " + x + ", %w: " + w,
        R"(
    nn.kernel "out" (%x, %w : )" +
            x + ", " + w + ") -> (" + y + R"() attributes {anchor = "convolution"} {
    ^bb0(%a: )" +
            x + ", %b: " + w + R"():
      %0 = nn.conv2d %a, %b {strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
        dilation = array<i64: 1, 1>, groups = 1, channels_last} : )" +
            x + ", " + w + " -> " + y + R"(
      nn.yield %0 : )" +
            y + R"(
    })");
  EXPECT_NE(source().find("using Tile = FmaTile<"), std::string::npos) << source();
  auto a = randomFloats(Pixels * Channels, 1), b = randomFloats(Filters * Channels, 2);
  std::vector<float> expected;
  for (int64_t i = 0; i < Pixels; ++i)
    for (int64_t f = 0; f < Filters; ++f) {
      double sum = 0;
      for (int64_t c = 0; c < Channels; ++c)
        sum += double(a[i * Channels + c]) * b[f * Channels + c];
      expected.push_back(static_cast<float>(sum));
    }
  expectNear(valuesOf<float>(run({1, 1}, {bytesOf(a), bytesOf(b)}).at(0)), expected);
}

TEST_F(Product, BatchedMatmulOfTransposed) {
  std::string a = "tensor<?x3x?x20xf32, affine_map<()[s0, s1] -> (s0, 3, s1, 20)>>";
  std::string r = "tensor<?x3x?x?xf32, affine_map<()[s0, s1] -> (s0, 3, s1, s1)>>";
  build("%x: " + a + ", %y: " + a, R"(
    nn.kernel "scores" (%x, %y : )" + a +
                                       ", " + a + ") -> (" + r + R"()
        attributes {anchor = "contraction"} {
    ^bb0(%b: )" + a + ", %c: " + a + R"():
      %0 = nn.matmul %b, %c {transpose_b} : )" +
                                       a + ", " + a + " -> " + r + R"(
      %s = nn.full 0.25 : f32 -> )" + r +
                                       R"(
      %1 = nn.mul %0, %s : )" + r + R"(
      nn.yield %1 : )" + r + R"(
    })");
  EXPECT_NE(source().find("gemm<Tile"), std::string::npos) << source();
  for (auto [b, t] : {std::pair<int64_t, int64_t>{1, 1}, {2, 33}}) {
    auto x = randomFloats(b * 3 * t * 20, 1), y = randomFloats(b * 3 * t * 20, 2);
    std::vector<float> expected;
    for (int64_t o = 0; o < b * 3; ++o)
      for (int64_t i = 0; i < t; ++i)
        for (int64_t j = 0; j < t; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < 20; ++k)
            sum += double(x[(o * t + i) * 20 + k]) * y[(o * t + j) * 20 + k];
          expected.push_back(sum / 4);
        }
    expectNear(valuesOf<float>(run({b, t}, {bytesOf(x), bytesOf(y)}).at(0)), expected);
  }
}

/// Too short for the template of vectors.
TEST_F(Product, VectorTimesMatrixByWarps) {
  build("%x: tensor<1x60xf32>, %w: tensor<33x60xf32>", R"(
    nn.kernel "gemv" (%x, %w : tensor<1x60xf32>, tensor<33x60xf32>) -> (tensor<1x33xf32>)
        attributes {anchor = "contraction"} {
    ^bb0(%a: tensor<1x60xf32>, %b: tensor<33x60xf32>):
      %0 = nn.matmul %a, %b {transpose_b} : tensor<1x60xf32>, tensor<33x60xf32> -> tensor<1x33xf32>
      %1 = nn.exp %0 : tensor<1x33xf32>
      nn.yield %1 : tensor<1x33xf32>
    })");
  EXPECT_NE(source().find("rowReduce<32>"), std::string::npos) << source();
  auto x = randomFloats(60, 1), w = randomFloats(33 * 60, 2);
  std::vector<float> expected;
  for (int64_t j = 0; j < 33; ++j) {
    double sum = 0;
    for (int64_t k = 0; k < 60; ++k)
      sum += double(x[k]) * w[j * 60 + k];
    expected.push_back(std::exp(sum));
  }
  expectNear(valuesOf<float>(run({1, 1}, {bytesOf(x), bytesOf(w)}).at(0)), expected, 1e-4f);
}

/// Products of bf16; where the depth allows, tensor cores get the rows by address.
class Bfloat : public Product, public testing::WithParamInterface<int64_t> {};

TEST_P(Bfloat, OperandsAccumulateInFloat) {
  const int64_t depth = GetParam();
  std::string left = "tensor<40x" + std::to_string(depth) + "xbf16>";
  std::string right = "tensor<" + std::to_string(depth) + "x24xbf16>";
  build("%x: " + left + ", %y: " + right, R"(
    nn.kernel "half" (%x, %y : )" + left + ", " +
                                              right + R"() -> (tensor<40x24xbf16>)
        attributes {anchor = "contraction"} {
    ^bb0(%a: )" + left + ", %b: " + right + R"():
      %0 = nn.matmul %a, %b : )" + left + ", " +
                                              right + R"( -> tensor<40x24xbf16>
      nn.yield %0 : tensor<40x24xbf16>
    })");
  EXPECT_NE(source().find("tileGemm<Tile, bf16"), std::string::npos) << source();
  bool isByAddress =
      source().find("auto a = [&](const Rowa &row, Index k) -> const bf16 *") != std::string::npos;
  EXPECT_EQ(isByAddress, depth % 8 == 0) << source();
  auto half = [](size_t count, unsigned seed) {
    std::vector<uint16_t> bits;
    for (float value : randomFloats(count, seed)) {
      uint32_t word;
      std::memcpy(&word, &value, 4);
      bits.push_back(word >> 16);
    }
    return bits;
  };
  auto wide = [](uint16_t bits) {
    uint32_t word = uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &word, 4);
    return value;
  };
  auto x = half(40 * depth, 1), y = half(depth * 24, 2);
  auto out = valuesOf<uint16_t>(run({1, 1}, {bytesOf(x), bytesOf(y)}).at(0));
  std::vector<float> actual, expected;
  for (int64_t i = 0; i < 40; ++i)
    for (int64_t j = 0; j < 24; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < depth; ++k)
        sum += double(wide(x[i * depth + k])) * wide(y[k * 24 + j]);
      expected.push_back(sum);
      actual.push_back(wide(out[i * 24 + j]));
    }
  expectNear(actual, expected, 1.0f / 256); // one rounding to 8 bits
}

INSTANTIATE_TEST_SUITE_P(Depths, Bfloat, testing::Values(300, 304));

struct Convolution {
  int64_t batch, channels, height, width, filters, kernel, stride, padding, dilation, groups;
  int64_t out(int64_t size) const {
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  }
};

std::vector<float> convolve(const Convolution &c, const std::vector<float> &x,
                            const std::vector<float> &w, const std::vector<float> &bias) {
  std::vector<float> result;
  int64_t perGroup = c.channels / c.groups;
  for (int64_t n = 0; n < c.batch; ++n)
    for (int64_t f = 0; f < c.filters; ++f)
      for (int64_t oh = 0; oh < c.out(c.height); ++oh)
        for (int64_t ow = 0; ow < c.out(c.width); ++ow) {
          double sum = bias[f];
          for (int64_t i = 0; i < perGroup; ++i)
            for (int64_t kh = 0; kh < c.kernel; ++kh)
              for (int64_t kw = 0; kw < c.kernel; ++kw) {
                int64_t h = oh * c.stride + kh * c.dilation - c.padding;
                int64_t v = ow * c.stride + kw * c.dilation - c.padding;
                int64_t channel = f / (c.filters / c.groups) * perGroup + i;
                if (h < 0 || h >= c.height || v < 0 || v >= c.width)
                  continue;
                sum += double(x[((n * c.channels + channel) * c.height + h) * c.width + v]) *
                       w[((f * perGroup + i) * c.kernel + kh) * c.kernel + kw];
              }
          result.push_back(std::max(sum, 0.0));
        }
  return result;
}

class ConvolutionTest : public KernelTest, public testing::WithParamInterface<Convolution> {};

TEST_P(ConvolutionTest, WithBiasAndRelu) {
  Convolution c = GetParam();
  auto number = [](int64_t value) { return std::to_string(value); };
  auto tensor = [&](int64_t channels, int64_t height, int64_t width) {
    std::string rest = number(channels) + ", " + number(height) + ", " + number(width);
    return "tensor<?x" + number(channels) + "x" + number(height) + "x" + number(width) +
           "xf32, affine_map<()[s0, s1] -> (s0, " + rest + ")>>";
  };
  std::string x = tensor(c.channels, c.height, c.width);
  std::string y = tensor(c.filters, c.out(c.height), c.out(c.width));
  std::string w = "tensor<" + number(c.filters) + "x" + number(c.channels / c.groups) + "x" +
                  number(c.kernel) + "x" + number(c.kernel) + "xf32>";
  std::string b = "tensor<" + number(c.filters) + "xf32>", p = number(c.padding);
  std::string attributes = "strides = array<i64: S, S>, padding = array<i64: P, P, P, P>, "
                           "dilation = array<i64: D, D>, groups = G";
  for (auto [letter, value] :
       {std::pair('S', c.stride), {'P', c.padding}, {'D', c.dilation}, {'G', c.groups}})
    for (size_t at; (at = attributes.find(letter)) != std::string::npos;)
      attributes.replace(at, 1, number(value));
  build("%x: " + x + ", %w: " + w + ", %b: " + b, R"(
    nn.kernel "conv" (%x, %w, %b : )" + x + ", " + w + ", " +
                                                      b + ") -> (" + y + R"()
        attributes {anchor = "convolution"} {
    ^bb0(%a: )" + x + ", %c: " + w + ", %d: " + b + R"():
      %0 = nn.conv2d %a, %c {)" + attributes +
                                                      "} : " + x + ", " + w + " -> " + y + R"(
      %1 = nn.broadcast %d {dims = array<i64: 1>} : )" +
                                                      b + " -> " + y + R"(
      %2 = nn.add %0, %1 : )" + y + R"(
      %zero = nn.full 0.0 : f32 -> )" + y + R"(
      %3 = nn.max %2, %zero : )" + y + R"(
      nn.yield %3 : )" + y + R"(
    })");
  // With few results per group, a thread per result; never the threads of a warp for nine products.
  bool isDirect = c.filters / c.groups < 4;
  EXPECT_EQ(source().find("emm<Tile") != std::string::npos, !isDirect) << source();
  EXPECT_EQ(source().find("rowReduce"), std::string::npos) << source();
  for (int64_t batch : {c.batch, int64_t(1)}) {
    c.batch = batch;
    auto input = randomFloats(batch * c.channels * c.height * c.width, 1);
    auto weight = randomFloats(c.filters * (c.channels / c.groups) * c.kernel * c.kernel, 2);
    auto bias = randomFloats(c.filters, 3);
    auto out = run({batch, 1}, {bytesOf(input), bytesOf(weight), bytesOf(bias)});
    expectNear(valuesOf<float>(out.at(0)), convolve(c, input, weight, bias));
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, ConvolutionTest,
                         testing::Values(Convolution{3, 1, 28, 28, 6, 5, 1, 2, 1, 1},  // LeNet
                                         Convolution{2, 6, 14, 14, 16, 5, 1, 0, 1, 1}, // LeNet
                                         Convolution{2, 3, 19, 17, 24, 7, 2, 3, 1, 1}, // strides
                                         Convolution{2, 8, 9, 11, 70, 1, 1, 0, 1, 1},  // 1x1
                                         Convolution{2, 4, 13, 13, 5, 3, 1, 2, 2, 1},  // dilated
                                         Convolution{2, 6, 8, 8, 9, 3, 1, 1, 1, 3},    // groups
                                         Convolution{2, 5, 7, 7, 5, 3, 2, 1, 1, 5}));  // depthwise

} // namespace
