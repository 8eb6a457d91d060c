#include "test/unit/cuda/Elements.h"

#include "runtime/format/DType.h"
#include <cmath>

using namespace nnc::test;

namespace {

class Pointwise : public KernelTest {};

const std::string BxT = "affine_map<()[s0, s1] -> (s0, s1)>";
const std::string BxTx6 = "affine_map<()[s0, s1] -> (s0, s1, 6)>";

std::vector<float> mapped(std::vector<float> values, float (*function)(float)) {
  for (float &value : values)
    value = function(value);
  return values;
}

TEST_F(Pointwise, FusesAChainOverDynamicSizes) {
  std::string t = "tensor<?x?xf32, " + BxT + ">";
  build("%x: " + t + ", %y: " + t, R"(
    nn.kernel "chain" (%x, %y : )" + t +
                                       ", " + t + ") -> (" + t + R"()
        attributes {anchor = "pointwise"} {
    ^bb0(%a: )" + t + ", %b: " + t + R"():
      %0 = nn.mul %a, %b : )" + t + R"(
      %1 = nn.tanh %0 : )" + t + R"(
      %2 = nn.add %1, %a : )" + t + R"(
      nn.yield %2 : )" + t + R"(
    })");
  for (auto [b, t] : {std::pair<int64_t, int64_t>{1, 1}, {3, 7}, {64, 5}, {5, 512}}) {
    auto x = randomFloats(b * t, 1), y = randomFloats(b * t, 2), expected = x;
    for (size_t i = 0; i < x.size(); ++i)
      expected[i] += std::tanh(x[i] * y[i]);
    expectNear(valuesOf<float>(run({b, t}, {bytesOf(x), bytesOf(y)}).at(0)), expected);
  }
}

TEST_F(Pointwise, UsesVectorsForLargeAlignedTensors) {
  build("%x: tensor<8x32x512xf32>, %bias: tensor<32xf32>", R"(
    nn.kernel "relu" (%x, %bias : tensor<8x32x512xf32>, tensor<32xf32>)
        -> (tensor<8x32x512xf32>, tensor<8x32x512xi1>) attributes {anchor = "pointwise"} {
    ^bb0(%a: tensor<8x32x512xf32>, %b: tensor<32xf32>):
      %0 = nn.broadcast %b {dims = array<i64: 1>} : tensor<32xf32> -> tensor<8x32x512xf32>
      %1 = nn.add %a, %0 : tensor<8x32x512xf32>
      %zero = nn.full 0.0 : f32 -> tensor<8x32x512xf32>
      %2 = nn.max %1, %zero : tensor<8x32x512xf32>
      %3 = nn.cmp gt %1, %zero : tensor<8x32x512xf32>
      nn.yield %2, %3 : tensor<8x32x512xf32>, tensor<8x32x512xi1>
    })");
  EXPECT_NE(source().find("loadVector<4>(in0 + "), std::string::npos) << source();
  EXPECT_NE(source().find("storeVector(out0 + "), std::string::npos);
  auto x = randomFloats(8 * 32 * 512), bias = randomFloats(32, 2), expected = x;
  std::vector<char> positive(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    float sum = x[i] + bias[i / 512 % 32];
    positive[i] = sum > 0;
    expected[i] = std::max(sum, 0.0f);
  }
  auto out = run({1, 1}, {bytesOf(x), bytesOf(bias)});
  expectNear(valuesOf<float>(out.at(0)), expected, 0);
  EXPECT_EQ(out.at(1), positive);
}

TEST_F(Pointwise, ComputesEveryFunction) {
  struct Case {
    const char *name;
    float (*function)(float);
  };
  const Case cases[] = {
      {"exp", [](float x) { return std::exp(x); }},
      {"log", [](float x) { return std::log(x); }},
      {"sqrt", [](float x) { return std::sqrt(x); }},
      {"rsqrt", [](float x) { return 1 / std::sqrt(x); }},
      {"sin", [](float x) { return std::sin(x); }},
      {"cos", [](float x) { return std::cos(x); }},
      {"atan", [](float x) { return std::atan(x); }},
      {"tanh", [](float x) { return std::tanh(x); }},
      {"erf", [](float x) { return std::erf(x); }},
      {"floor", [](float x) { return std::floor(x); }},
      {"round", [](float x) { return std::nearbyint(x); }},
      {"abs", [](float x) { return std::abs(x); }},
      {"neg", [](float x) { return -x; }},
  };
  std::string body, results, yields;
  for (const Case &c : cases) {
    std::string name = c.name;
    body += "      %" + name + " = nn." + name + " %a : tensor<37xf32>\n";
    results += (results.empty() ? "" : ", ") + std::string("tensor<37xf32>");
    yields += (yields.empty() ? "%" : ", %") + name;
  }
  build("%x: tensor<37xf32>", "%r:13 = nn.kernel \"all\" (%x : tensor<37xf32>) -> (" + results +
                                  ") attributes {anchor = \"pointwise\"} {\n"
                                  "    ^bb0(%a: tensor<37xf32>):\n" +
                                  body + "      nn.yield " + yields + " : " + results + "\n    }");
  auto x = mapped(randomFloats(37), [](float v) { return v * 4; });
  x[0] = 0.5f, x[1] = 1.5f, x[2] = -2.5f, x[3] = 0, x[4] = -0.0f;
  x[5] = NAN, x[6] = INFINITY, x[7] = -INFINITY;
  auto out = run({1, 1}, {bytesOf(x)});
  for (size_t i = 0; i < std::size(cases); ++i) {
    SCOPED_TRACE(cases[i].name);
    expectNear(valuesOf<float>(out.at(i)), mapped(x, cases[i].function), 1e-6f);
  }
}

/// GELU in both forms: the function and 1 are one function, and rounding on the way is no type.
TEST_F(Pointwise, CombinesFunctions) {
  build("%x: tensor<37xbf16>", R"(
    %r:2 = nn.kernel "gelu" (%x : tensor<37xbf16>) -> (tensor<37xf32>, tensor<37xf32>)
        attributes {anchor = "pointwise"} {
    ^bb0(%a: tensor<37xbf16>):
      %one = nn.full 1.000000e+00 : f32 -> tensor<37xf32>
      %0 = nn.cast %a : tensor<37xbf16> -> tensor<37xf32>
      %1 = nn.mul %0, %0 : tensor<37xf32>
      %2 = nn.cast %1 : tensor<37xf32> -> tensor<37xbf16>
      %3 = nn.cast %2 : tensor<37xbf16> -> tensor<37xf32>
      %4 = nn.erf %0 : tensor<37xf32>
      %5 = nn.add %4, %one : tensor<37xf32>
      %6 = nn.mul %5, %3 : tensor<37xf32>
      %7 = nn.tanh %0 : tensor<37xf32>
      %8 = nn.add %one, %7 : tensor<37xf32>
      nn.yield %6, %8 : tensor<37xf32>, tensor<37xf32>
    })");
  for (const char *text : {"errorFunctionAndOne(", "tanhAndOne(", "rounded<bf16>("})
    EXPECT_NE(source().find(text), std::string::npos) << text << " is not in\n" << source();
  for (const char *text : {"errorFunction(", "tanhf(", "trunc"})
    EXPECT_EQ(source().find(text), std::string::npos) << text << " is in\n" << source();
  std::vector<uint16_t> x;
  for (float value : randomFloats(37))
    x.push_back(halfOf("bf16", 4 * value));
  std::vector<float> erf, tanh;
  for (uint16_t bits : x) {
    float value = floatOf("bf16", bits), square = floatOf("bf16", halfOf("bf16", value * value));
    erf.push_back(static_cast<float>((1 + std::erf(double(value))) * square));
    tanh.push_back(static_cast<float>(1 + std::tanh(double(value))));
  }
  auto out = run({1, 1}, {bytesOf(x)});
  expectNear(valuesOf<float>(out.at(0)), erf, 1e-5f);
  expectNear(valuesOf<float>(out.at(1)), tanh, 2e-6f);
}

TEST_F(Pointwise, PropagatesNaN) {
  build("%x: tensor<4xf32>, %y: tensor<4xf32>", R"(
    %r:2 = nn.kernel "extrema" (%x, %y : tensor<4xf32>, tensor<4xf32>)
        -> (tensor<4xf32>, tensor<4xf32>) attributes {anchor = "pointwise"} {
    ^bb0(%a: tensor<4xf32>, %b: tensor<4xf32>):
      %0 = nn.max %a, %b : tensor<4xf32>
      %1 = nn.min %a, %b : tensor<4xf32>
      nn.yield %0, %1 : tensor<4xf32>, tensor<4xf32>
    })");
  std::vector<float> x{1, NAN, 3, -INFINITY}, y{2, 1, NAN, 0};
  auto out = run({1, 1}, {bytesOf(x), bytesOf(y)});
  expectNear(valuesOf<float>(out.at(0)), {2, NAN, NAN, 0}, 0);
  expectNear(valuesOf<float>(out.at(1)), {1, NAN, NAN, -INFINITY}, 0);
}

TEST_F(Pointwise, ComputesWithIntegers) {
  build("%x: tensor<9xi32>, %y: tensor<9xi32>", R"(
    %r:5 = nn.kernel "integers" (%x, %y : tensor<9xi32>, tensor<9xi32>)
        -> (tensor<9xi32>, tensor<9xi32>, tensor<9xi64>, tensor<9xf32>, tensor<9xi32>)
        attributes {anchor = "pointwise"} {
    ^bb0(%a: tensor<9xi32>, %b: tensor<9xi32>):
      %0 = nn.floordiv %a, %b : tensor<9xi32>
      %1 = nn.mod %a, %b : tensor<9xi32>
      %2 = nn.cast %a : tensor<9xi32> -> tensor<9xi64>
      %3 = nn.cast %b : tensor<9xi32> -> tensor<9xf32>
      %4 = nn.iota {axis = 0} : tensor<9xi32>
      nn.yield %0, %1, %2, %3, %4
          : tensor<9xi32>, tensor<9xi32>, tensor<9xi64>, tensor<9xf32>, tensor<9xi32>
    })");
  std::vector<int> x{7, -7, 7, -7, 0, 6, -6, 1, -1}, y{2, 2, -2, -2, 5, 3, 3, 9, 9};
  auto out = run({1, 1}, {bytesOf(x), bytesOf(y)});
  EXPECT_EQ(valuesOf<int>(out.at(0)), (std::vector<int>{3, -4, -4, 3, 0, 2, -2, 0, -1}));
  EXPECT_EQ(valuesOf<int>(out.at(1)), (std::vector<int>{1, 1, -1, -1, 0, 0, 0, 1, 8}));
  EXPECT_EQ(valuesOf<int64_t>(out.at(2)), std::vector<int64_t>(x.begin(), x.end()));
  expectNear(valuesOf<float>(out.at(3)), std::vector<float>(y.begin(), y.end()), 0);
  EXPECT_EQ(valuesOf<int>(out.at(4)), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

uint16_t toBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
float fromBf16(uint16_t value) {
  uint32_t bits = uint32_t(value) << 16;
  float result;
  std::memcpy(&result, &bits, 4);
  return result;
}

TEST_F(Pointwise, RoundsStorageTypes) {
  build("%x: tensor<33xbf16>, %y: tensor<33xf16>", R"(
    %r:2 = nn.kernel "halves" (%x, %y : tensor<33xbf16>, tensor<33xf16>)
        -> (tensor<33xbf16>, tensor<33xf16>) attributes {anchor = "pointwise"} {
    ^bb0(%a: tensor<33xbf16>, %b: tensor<33xf16>):
      %0 = nn.exp %a : tensor<33xbf16>
      %1 = nn.mul %b, %b : tensor<33xf16>
      nn.yield %0, %1 : tensor<33xbf16>, tensor<33xf16>
    })");
  auto values = randomFloats(33);
  std::vector<uint16_t> x, expected;
  std::vector<_Float16> y, squares;
  for (float value : values) {
    x.push_back(toBf16(value));
    expected.push_back(toBf16(std::exp(fromBf16(x.back()))));
    y.push_back(_Float16(value));
    squares.push_back(_Float16(float(y.back()) * float(y.back())));
  }
  auto out = run({1, 1}, {bytesOf(x), bytesOf(y)});
  EXPECT_EQ(valuesOf<uint16_t>(out.at(0)), expected);
  EXPECT_EQ(out.at(1), bytesOf(squares));
}

TEST_F(Pointwise, MovesElements) {
  std::string t = "tensor<?x?x6xf32, " + BxTx6 + ">";
  std::string r = "tensor<?x8x?xf32, affine_map<()[s0, s1] -> (s0, 8, s1 + 2)>>";
  std::string u = "tensor<?x6x?xf32, affine_map<()[s0, s1] -> (s0, 6, s1)>>";
  std::string c = "tensor<?x8x?xf32, affine_map<()[s0, s1] -> (s0, 8, s1)>>";
  std::string h = "tensor<?x2x?xf32, affine_map<()[s0, s1] -> (s0, 2, s1)>>";
  build("%x: " + t, R"(
    nn.kernel "moves" (%x : )" +
                        t + ") -> (" + r + R"() attributes {anchor = "pointwise"} {
    ^bb0(%a: )" + t + R"():
      %0 = nn.transpose %a {permutation = array<i64: 0, 2, 1>} : )" +
                        t + " -> " + u + R"(
      %1 = nn.slice %0 start affine_map<()[s0, s1] -> (0, 1, 0)> step [1, 3, 1] : )" +
                        u + " -> " + h + R"(
      %2 = nn.concat %0, %1 {axis = 1} : )" +
                        u + ", " + h + " -> " + c + R"(
      %3 = nn.pad %2 {low = array<i64: 0, 0, 1>, high = array<i64: 0, 0, 1>, value = 7.0 : f32} : )" +
                        c + " -> " + r + R"(
      nn.yield %3 : )" + r +
                        R"(
    })");
  for (auto [b, t] : {std::pair<int64_t, int64_t>{1, 1}, {2, 5}, {3, 33}}) {
    auto x = randomFloats(b * t * 6);
    std::vector<float> expected;
    for (int64_t i = 0; i < b; ++i)
      for (int64_t j = 0; j < 8; ++j)
        for (int64_t k = 0; k < t + 2; ++k) {
          int64_t row = j < 6 ? j : 1 + 3 * (j - 6);
          expected.push_back(k == 0 || k == t + 1 ? 7 : x[(i * t + k - 1) * 6 + row]);
        }
    expectNear(valuesOf<float>(run({b, t}, {bytesOf(x)}).at(0)), expected, 0);
  }
}

TEST_F(Pointwise, GathersRowsAndClampsIds) {
  std::string ids = "tensor<?x?xi64, " + BxT + ">", r = "tensor<?x?x6xf32, " + BxTx6 + ">";
  build("%table: tensor<10x6xf32>, %ids: " + ids, R"(
    nn.kernel "embedding" (%table, %ids : tensor<10x6xf32>, )" +
                                                      ids + ") -> (" + r + R"()
        attributes {anchor = "gather"} {
    ^bb0(%a: tensor<10x6xf32>, %i: )" + ids + R"():
      %0 = nn.gather %a, %i {axis = 0} : tensor<10x6xf32>, )" +
                                                      ids + " -> " + r + R"(
      nn.yield %0 : )" + r + R"(
    })");
  auto table = randomFloats(60);
  std::vector<int64_t> list{3, 0, 9, 10, -1, int64_t(1) << 40, 5, 5, 2, 7, 8, 1, 4, 6, 9};
  std::vector<float> expected;
  for (int64_t id : list)
    for (int64_t j = 0; j < 6; ++j)
      expected.push_back(table[std::min<int64_t>(std::max<int64_t>(id, 0), 9) * 6 + j]);
  expectNear(valuesOf<float>(run({3, 5}, {bytesOf(table), bytesOf(list)}).at(0)), expected, 0);
}

TEST_F(Pointwise, WritesResultsOfDifferentSizes) {
  std::string t = "tensor<?x?xf32, " + BxT + ">";
  build("%x: " + t + ", %y: tensor<5xf32>", R"(
    %r:3 = nn.kernel "two" (%x, %y : )" + t + ", tensor<5xf32>) -> (" +
                                                t + R"(, tensor<5xf32>, tensor<i64>)
        attributes {anchor = "pointwise"} {
    ^bb0(%a: )" + t + R"(, %b: tensor<5xf32>):
      %0 = nn.abs %a : )" + t + R"(
      %1 = nn.neg %b : tensor<5xf32>
      %2 = nn.size affine_map<()[s0, s1] -> (s0 * s1 + 1)> : tensor<i64>
      nn.yield %0, %1, %2 : )" + t + R"(, tensor<5xf32>, tensor<i64>
    })");
  auto x = randomFloats(3 * 300), y = randomFloats(5, 2);
  auto out = run({3, 300}, {bytesOf(x), bytesOf(y)});
  expectNear(valuesOf<float>(out.at(0)), mapped(x, [](float v) { return std::abs(v); }), 0);
  expectNear(valuesOf<float>(out.at(1)), mapped(y, [](float v) { return -v; }), 0);
  EXPECT_EQ(valuesOf<int64_t>(out.at(2)), std::vector<int64_t>{901});
}

} // namespace
