#include "test/unit/cuda/KernelTest.h"

#include <cmath>

using namespace nnc::test;

namespace {

class Row : public KernelTest {};

/// Softmax along the middle of [outer, length, inner].
std::vector<float> softmax(const std::vector<float> &x, size_t outer, size_t length, size_t inner) {
  std::vector<float> result(x.size());
  for (size_t o = 0; o < outer; ++o)
    for (size_t i = 0; i < inner; ++i) {
      auto at = [&](size_t k) { return (o * length + k) * inner + i; };
      double largest = -INFINITY, sum = 0;
      for (size_t k = 0; k < length; ++k)
        largest = std::max<double>(largest, x[at(k)]);
      for (size_t k = 0; k < length; ++k)
        sum += std::exp(x[at(k)] - largest);
      for (size_t k = 0; k < length; ++k)
        result[at(k)] = std::exp(x[at(k)] - largest) / sum;
    }
  return result;
}

std::string kernelOf(const std::string &from, const std::string &to, const std::string &body) {
  return "nn.kernel \"row\" (%x : " + from + ") -> (" + to +
         ") attributes {anchor = \"reduction\"} {\n" + "^bb0(%a: " + from + "):\n" + body +
         "\n nn.yield %r : " + to + "\n}";
}

TEST_F(Row, SoftmaxOfShortRowsByWarps) {
  std::string t = "tensor<?x10xf32, affine_map<()[s0, s1] -> (s0, 10)>>";
  build("%x: " + t, kernelOf(t, t, "%r = nn.softmax %a {axis = 1} : " + t));
  EXPECT_NE(source().find("rowReduce<32>"), std::string::npos) << source();
  for (int64_t b : {1, 2, 9, 64}) {
    auto x = randomFloats(b * 10);
    expectNear(valuesOf<float>(run({b, 1}, {bytesOf(x)}).at(0)), softmax(x, b, 10, 1));
  }
}

TEST_F(Row, SoftmaxOfDynamicRows) {
  std::string t = "tensor<?x?xf32, affine_map<()[s0, s1] -> (s0, s1)>>";
  build("%x: " + t, kernelOf(t, t, "%r = nn.log_softmax %a {axis = 1} : " + t));
  for (auto [b, t] : {std::pair<int64_t, int64_t>{1, 1}, {3, 31}, {5, 512}}) {
    auto x = randomFloats(b * t), expected = softmax(x, b, t, 1);
    for (float &value : expected)
      value = std::log(value);
    expectNear(valuesOf<float>(run({b, t}, {bytesOf(x)}).at(0)), expected);
  }
}

TEST_F(Row, SoftmaxOfLongRowsByBlocks) {
  std::string t = "tensor<3x5001xf32>";
  build("%x: " + t, kernelOf(t, t, "%r = nn.softmax %a {axis = 1} : " + t));
  EXPECT_NE(source().find("rowReduce<256>"), std::string::npos) << source();
  auto x = randomFloats(3 * 5001);
  expectNear(valuesOf<float>(run({1, 1}, {bytesOf(x)}).at(0)), softmax(x, 3, 5001, 1));
}

TEST_F(Row, SoftmaxAlongAnInnerAxisByThreads) {
  std::string t = "tensor<?x7x45xf32, affine_map<()[s0, s1] -> (s0, 7, 45)>>";
  build("%x: " + t, kernelOf(t, t, "%r = nn.softmax %a {axis = 1} : " + t));
  EXPECT_NE(source().find("rowReduce<1>"), std::string::npos) << source();
  auto x = randomFloats(5 * 7 * 45);
  expectNear(valuesOf<float>(run({5, 1}, {bytesOf(x)}).at(0)), softmax(x, 5, 7, 45));
}

TEST_F(Row, LayerNormWithFusedNeighbours) {
  std::string t = "tensor<?x?x48xf32, affine_map<()[s0, s1] -> (s0, s1, 48)>>";
  std::string r = "tensor<?x?xf32, affine_map<()[s0, s1] -> (s0, s1)>>";
  build("%x: " + t + ", %y: " + t + ", %g: tensor<48xf32>",
        R"(
    %o:2 = nn.kernel "norm" (%x, %y, %g : )" +
            t + ", " + t + ", tensor<48xf32>) -> (" + t + ", " + r +
            R"() attributes {anchor = "reduction"} {
    ^bb0(%a: )" +
            t + ", %b: " + t + R"(, %c: tensor<48xf32>):
      %0 = nn.add %a, %b : )" +
            t + R"(
      %1 = nn.reduce mean %0 {axes = array<i64: 2>} : )" +
            t + " -> " + r + R"(
      %2 = nn.broadcast %1 {dims = array<i64: 0, 1>} : )" +
            r + " -> " + t + R"(
      %3 = nn.sub %0, %2 : )" +
            t + R"(
      %4 = nn.mul %3, %3 : )" +
            t + R"(
      %5 = nn.reduce mean %4 {axes = array<i64: 2>} : )" +
            t + " -> " + r + R"(
      %eps = nn.full 1.0e-5 : f32 -> )" +
            r + R"(
      %6 = nn.add %5, %eps : )" +
            r + R"(
      %7 = nn.rsqrt %6 : )" +
            r + R"(
      %8 = nn.broadcast %7 {dims = array<i64: 0, 1>} : )" +
            r + " -> " + t + R"(
      %9 = nn.mul %3, %8 : )" +
            t + R"(
      %10 = nn.broadcast %c {dims = array<i64: 2>} : tensor<48xf32> -> )" +
            t + R"(
      %11 = nn.mul %9, %10 : )" +
            t + R"(
      nn.yield %11, %7 : )" +
            t + ", " + r + R"(
    })");
  int64_t b = 3, t_ = 11;
  auto x = randomFloats(b * t_ * 48, 1), y = randomFloats(b * t_ * 48, 2), g = randomFloats(48, 3);
  std::vector<float> expected(x.size()), scales;
  for (int64_t row = 0; row < b * t_; ++row) {
    double mean = 0, variance = 0;
    for (int64_t k = row * 48; k < row * 48 + 48; ++k)
      mean += (double(x[k]) + y[k]) / 48;
    for (int64_t k = row * 48; k < row * 48 + 48; ++k)
      variance += std::pow(double(x[k]) + y[k] - mean, 2) / 48;
    scales.push_back(1 / std::sqrt(variance + 1e-5));
    for (int64_t k = row * 48; k < row * 48 + 48; ++k)
      expected[k] = (double(x[k]) + y[k] - mean) * scales.back() * g[k % 48];
  }
  auto out = run({b, t_}, {bytesOf(x), bytesOf(y), bytesOf(g)});
  expectNear(valuesOf<float>(out.at(0)), expected);
  expectNear(valuesOf<float>(out.at(1)), scales);
}

TEST_F(Row, ArgmaxPrefersTheFirstAndNaN) {
  std::string t = "tensor<?x300xf32, affine_map<()[s0, s1] -> (s0, 300)>>";
  std::string r = "tensor<?xi32, affine_map<()[s0, s1] -> (s0)>>";
  build("%x: " + t, kernelOf(t, r, "%r = nn.argreduce max %a {axis = 1} : " + t + " -> " + r));
  auto x = randomFloats(5 * 300);
  x[17] = x[200] = 2;
  x[300 + 299] = 3;
  for (size_t k = 600; k < 900; ++k)
    x[k] = -INFINITY;
  x[900 + 40] = 9, x[900 + 77] = NAN;
  int largest = std::max_element(x.begin() + 1200, x.end()) - x.begin() - 1200;
  EXPECT_EQ(valuesOf<int>(run({5, 1}, {bytesOf(x)}).at(0)),
            (std::vector<int>{17, 299, 0, 77, largest}));
}

TEST_F(Row, ReducesSeveralAxesAndDynamicCounts) {
  std::string t = "tensor<?x3x?x7xf32, affine_map<()[s0, s1] -> (s0, 3, s1, 7)>>";
  std::string r = "tensor<?x3xf32, affine_map<()[s0, s1] -> (s0, 3)>>";
  build("%x: " + t,
        kernelOf(t, r, "%r = nn.reduce mean %a {axes = array<i64: 2, 3>} : " + t + " -> " + r));
  for (auto [b, t] : {std::pair<int64_t, int64_t>{1, 1}, {4, 23}}) {
    auto x = randomFloats(b * 3 * t * 7);
    std::vector<float> expected;
    for (int64_t row = 0; row < b * 3; ++row) {
      double sum = 0;
      for (int64_t k = 0; k < t * 7; ++k)
        sum += x[row * t * 7 + k];
      expected.push_back(sum / (t * 7));
    }
    expectNear(valuesOf<float>(run({b, t}, {bytesOf(x)}).at(0)), expected);
  }
}

TEST_F(Row, ReducesLeadingAxes) {
  std::string t = "tensor<?x?x9xf32, affine_map<()[s0, s1] -> (s0, s1, 9)>>";
  build("%x: " + t,
        kernelOf(t, "tensor<9xf32>",
                 "%r = nn.reduce max %a {axes = array<i64: 0, 1>} : " + t + " -> tensor<9xf32>"));
  auto x = randomFloats(4 * 33 * 9);
  std::vector<float> expected(9, -INFINITY);
  for (size_t i = 0; i < x.size(); ++i)
    expected[i % 9] = std::max(expected[i % 9], x[i]);
  expectNear(valuesOf<float>(run({4, 33}, {bytesOf(x)}).at(0)), expected, 0);
}

TEST_F(Row, ReducesEverythingToAScalar) {
  std::string t = "tensor<?x?xi32, affine_map<()[s0, s1] -> (s0, s1)>>";
  build("%x: " + t,
        kernelOf(t, "tensor<i32>",
                 "%r = nn.reduce sum %a {axes = array<i64: 0, 1>} : " + t + " -> tensor<i32>"));
  std::vector<int> x(64 * 511);
  int sum = 0;
  for (size_t i = 0; i < x.size(); ++i)
    sum += x[i] = int(i * 7919 % 1000) - 400;
  EXPECT_EQ(valuesOf<int>(run({64, 511}, {bytesOf(x)}).at(0)), std::vector<int>{sum});
}

} // namespace
