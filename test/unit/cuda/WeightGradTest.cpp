// Gradients of convolutions' weights as kernels: sums over positions of images, whole and in parts,
// on every template that computes them.
#include "test/unit/cuda/KernelTest.h"

#include <bit>
#include <cmath>
#include <fmt/format.h>

using namespace nnc;
using namespace nnc::test;

namespace {

struct Case {
  const char *name;
  const char *wanted; ///< what the source has in it
  std::string type;   ///< of the operands
  bool last;          ///< channels
  int64_t batch, height, width, channels, filters;
  int64_t kernel[2], strides[2], padding[4], dilation[2], groups = 1;
  int64_t parts[2] = {1, 1};
  bool tf32 = false;
  std::string tactic = "";

  int64_t side(int64_t axis) const {
    int64_t size = axis == 0 ? height : width;
    return (size + padding[2 * axis] + padding[2 * axis + 1] - dilation[axis] * (kernel[axis] - 1) -
            1) /
               strides[axis] +
           1;
  }
};

class WeightGrad : public KernelTest, public testing::WithParamInterface<Case> {};

std::string tensor(std::initializer_list<int64_t> sizes, const std::string &type) {
  std::string text = "tensor<";
  for (int64_t size : sizes)
    text += std::to_string(size) + "x";
  return text + type + ">";
}

/// Multiples of 1/8 up to 1, which every type holds and whose sums here are exact.
std::vector<float> coarse(size_t count, unsigned seed) {
  std::vector<float> values = randomFloats(count, seed);
  for (float &value : values)
    value = std::round(value * 8) / 8;
  return values;
}

Bytes stored(const std::vector<float> &values, const std::string &type) {
  if (type == "f32")
    return bytesOf(values);
  std::vector<uint16_t> narrow;
  for (float value : values)
    narrow.push_back(type == "bf16" ? uint16_t(std::bit_cast<uint32_t>(value) >> 16)
                                    : std::bit_cast<uint16_t>(static_cast<_Float16>(value)));
  return bytesOf(narrow);
}

/// Where a pixel's channel is.
int64_t place(const Case &c, int64_t n, int64_t y, int64_t x, int64_t ch, int64_t height,
              int64_t width, int64_t channels) {
  return c.last ? ((n * height + y) * width + x) * channels + ch
                : ((n * channels + ch) * height + y) * width + x;
}

std::vector<float> expected(const Case &c, const std::vector<float> &x,
                            const std::vector<float> &g) {
  int64_t inputs = c.channels / c.groups, perGroup = c.filters / c.groups;
  int64_t oh = c.side(0), ow = c.side(1), kh = c.kernel[0], kw = c.kernel[1];
  int64_t count = c.filters * inputs * kh * kw;
  std::vector<float> sums(size_t(c.parts[0] * c.parts[1] * count));
  for (int64_t n = 0; n < c.batch; ++n)
    for (int64_t y = 0; y < oh; ++y)
      for (int64_t o = 0; o < c.filters; ++o)
        for (int64_t i = 0; i < kh; ++i)
          for (int64_t j = 0; j < kw; ++j)
            for (int64_t ch = 0; ch < inputs; ++ch) {
              int64_t part = n / (c.batch / c.parts[0]) * c.parts[1] + y / (oh / c.parts[1]);
              int64_t at = c.last ? ((o * kh + i) * kw + j) * inputs + ch
                                  : ((o * inputs + ch) * kh + i) * kw + j;
              int64_t yy = y * c.strides[0] + i * c.dilation[0] - c.padding[0];
              for (int64_t q = 0; q < ow && yy >= 0 && yy < c.height; ++q) {
                int64_t xx = q * c.strides[1] + j * c.dilation[1] - c.padding[2];
                if (xx >= 0 && xx < c.width)
                  sums[size_t(part * count + at)] +=
                      x[size_t(place(c, n, yy, xx, o / perGroup * inputs + ch, c.height, c.width,
                                     c.channels))] *
                      g[size_t(place(c, n, y, q, o, oh, ow, c.filters))];
              }
            }
  return sums;
}

TEST_P(WeightGrad, SumsProducts) {
  const Case &c = GetParam();
  int64_t oh = c.side(0), ow = c.side(1), inputs = c.channels / c.groups;
  auto image = [&](int64_t height, int64_t width, int64_t channels) {
    return c.last ? tensor({c.batch, height, width, channels}, c.type)
                  : tensor({c.batch, channels, height, width}, c.type);
  };
  std::string x = image(c.height, c.width, c.channels), g = image(oh, ow, c.filters);
  bool isCut = c.parts[0] * c.parts[1] > 1;
  std::string w = c.last ? fmt::format("{}x{}x{}x{}", c.filters, c.kernel[0], c.kernel[1], inputs)
                         : fmt::format("{}x{}x{}x{}", c.filters, inputs, c.kernel[0], c.kernel[1]);
  w = fmt::format("tensor<{}{}xf32>",
                  isCut ? fmt::format("{}x{}x", c.parts[0], c.parts[1]) : std::string(), w);
  std::string attributes = fmt::format(
      "strides = array<i64: {}, {}>, padding = array<i64: {}, {}, {}, {}>, dilation = array<i64: "
      "{}, {}>, groups = {} : i64",
      c.strides[0], c.strides[1], c.padding[0], c.padding[1], c.padding[2], c.padding[3],
      c.dilation[0], c.dilation[1], c.groups);
  if (c.last)
    attributes += ", channels_last";
  if (isCut)
    attributes += fmt::format(", parts = array<i64: {}, {}>", c.parts[0], c.parts[1]);
  std::string op = fmt::format("%0 = nn.conv2d_weight_grad %a, %c {{{}{}}} : {}, {} -> {}",
                               attributes, c.tf32 ? ", nn.tf32" : "", x, g, w);
  build("%x: " + x + ", %g: " + g,
        fmt::format("nn.kernel \"grad\" (%x, %g : {0}, {1}) -> ({2}) attributes {{anchor = "
                    "\"convolution\"{4}{5}}} {{\n^bb0(%a: {0}, %c: {1}):\n  {3}\n  nn.yield %0 : "
                    "{2}\n}}",
                    x, g, w, op, c.tf32 ? ", nn.tf32" : "",
                    c.tactic.empty() ? "" : ", nn.tactic = \"" + c.tactic + "\""));
  EXPECT_NE(source().find(c.wanted), std::string::npos) << source();
  auto input = coarse(size_t(c.batch * c.height * c.width * c.channels), 1);
  auto gradient = coarse(size_t(c.batch * oh * ow * c.filters), 2);
  std::vector<float> want = expected(c, input, gradient);
  for (bool withoutHopper : {false, true}) {
    withoutGroups = withoutHopper;
    auto got =
        valuesOf<float>(run({1, 1}, {stored(input, c.type), stored(gradient, c.type)}).at(0));
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i)
      ASSERT_EQ(got[i], want[i]) << i;
  }
}

// clang-format off
INSTANTIATE_TEST_SUITE_P(
    Cases, WeightGrad, testing::Values(
        Case{"AcrossWithBorders", "// false and false", "bf16", true, 2, 7, 9, 16, 24,
             {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
        Case{"AcrossInParts", "// false and false", "f16", true, 4, 8, 6, 8, 16,
             {3, 2}, {2, 1}, {1, 0, 0, 2}, {1, 2}, 1, {2, 2}},
        Case{"AcrossTf32", "MmaTile<", "f32", true, 2, 6, 5, 12, 20,
             {5, 5}, {1, 1}, {2, 2, 2, 2}, {1, 1}, 1, {2, 1}, true},
        Case{"FewChannels", "MmaTile<", "bf16", true, 2, 9, 9, 3, 16,
             {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1, {2, 1}},
        Case{"ByMachine", "pipelineGemm<Tile", "bf16", true, 8, 16, 32, 64, 64,
             {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, {8, 1}, false,
             "PipelineTile<64, 64, 3, true, 8, true, true>"},
        Case{"ByMachineWindows", "pipelineGemm<Tile", "bf16", true, 4, 16, 16, 64, 72,
             {3, 1}, {2, 2}, {1, 1, 0, 0}, {1, 1}, 1, {4, 1}, false,
             "PipelineTile<64, 64, 3, true, 8, true, true>"},
        Case{"ByMachineRagged", "pipelineGemm<Tile", "bf16", true, 2, 7, 9, 64, 136,
             {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1, {1, 1}, false,
             "PipelineTile<64, 64, 3, true, 8, true, true>"},
        Case{"Plain", "gemm<Tile, float", "f32", false, 4, 12, 8, 1, 10,
             {5, 5}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1, {4, 2}},
        Case{"PlainWithBorders", "gemm<Tile, float", "f32", false, 3, 7, 8, 5, 6,
             {3, 3}, {2, 1}, {1, 0, 2, 1}, {1, 2}},
        Case{"Groups", "out0", "f32", false, 2, 6, 6, 8, 8,
             {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 2, {2, 3}},
        Case{"Depthwise", "out0", "bf16", true, 2, 6, 6, 8, 8,
             {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 8, {2, 1}}),
    [](const testing::TestParamInfo<Case> &info) { return std::string(info.param.name); });
// clang-format on

} // namespace
