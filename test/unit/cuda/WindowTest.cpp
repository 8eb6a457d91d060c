#include "test/unit/cuda/KernelTest.h"

#include <cmath>

using namespace nnc::test;

namespace {

class Window : public KernelTest {};

std::string image(int64_t channels, int64_t size) {
  std::string c = std::to_string(channels), s = std::to_string(size);
  return "tensor<?x" + c + "x" + s + "x" + s + "xf32, affine_map<()[s0, s1] -> (s0, " + c + ", " +
         s + ", " + s + ")>>";
}

std::string pool(const std::string &kind, const std::string &from, const std::string &to,
                 int kernel, int stride, int padding) {
  auto pair = [](int v) { return std::to_string(v) + ", " + std::to_string(v); };
  return "nn.kernel \"pool\" (%x : " + from + ") -> (" + to +
         ") attributes {anchor = \"window\"} {\n^bb0(%a: " + from + "):\n  %r = nn.pool2d " + kind +
         " %a {kernel = array<i64: " + pair(kernel) + ">, strides = array<i64: " + pair(stride) +
         ">, padding = array<i64: " + pair(padding) + ", " + pair(padding) + ">} : " + from +
         " -> " + to + "\n  nn.yield %r : " + to + "\n}";
}

std::vector<float> naive(const std::vector<float> &x, int64_t images, int64_t size, int64_t kernel,
                         int64_t stride, int64_t padding, bool isMax) {
  std::vector<float> result;
  int64_t out = (size + 2 * padding - kernel) / stride + 1;
  for (int64_t n = 0; n < images; ++n)
    for (int64_t oh = 0; oh < out; ++oh)
      for (int64_t ow = 0; ow < out; ++ow) {
        float largest = -INFINITY;
        double sum = 0;
        for (int64_t h = oh * stride - padding; h < oh * stride - padding + kernel; ++h)
          for (int64_t w = ow * stride - padding; w < ow * stride - padding + kernel; ++w)
            if (h >= 0 && h < size && w >= 0 && w < size) {
              largest = std::max(largest, x[(n * size + h) * size + w]);
              sum += x[(n * size + h) * size + w];
            }
        result.push_back(isMax ? largest : sum / double(kernel * kernel));
      }
  return result;
}

TEST_F(Window, AveragePool) {
  build("%x: " + image(6, 28), pool("avg", image(6, 28), image(6, 14), 2, 2, 0));
  for (int64_t b : {1, 5}) {
    auto x = randomFloats(b * 6 * 28 * 28);
    expectNear(valuesOf<float>(run({b, 1}, {bytesOf(x)}).at(0)),
               naive(x, b * 6, 28, 2, 2, 0, false));
  }
}

TEST_F(Window, MaxPoolOverlapsAndPads) {
  build("%x: " + image(3, 15), pool("max", image(3, 15), image(3, 8), 3, 2, 1));
  auto x = randomFloats(4 * 3 * 15 * 15);
  for (float &value : x)
    value -= 2; // a padding of zero would win
  expectNear(valuesOf<float>(run({4, 1}, {bytesOf(x)}).at(0)), naive(x, 12, 15, 3, 2, 1, true), 0);
}

} // namespace
