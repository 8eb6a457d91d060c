// Reductions of few results: sums of columns and of a few long rows, by one block or by several.
#include "test/unit/cuda/KernelTest.h"

#include <cmath>

using namespace nnc::test;

namespace {

class Column : public KernelTest {};

uint16_t toBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
float fromBf16(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

std::string sum(const std::string &from, const std::string &to, const std::string &axes) {
  return "%o = nn.kernel \"sum\" (%x : " + from + ") -> (" + to +
         ") attributes {anchor = \"reduction\"} {\n^bb0(%a: " + from +
         "):\n %r = nn.reduce sum %a {axes = array<i64: " + axes + ">} : " + from + " -> " + to +
         "\n nn.yield %r : " + to + "\n}";
}

/// Sums of [outer, columns, inner] over all but the middle.
std::vector<float> sums(const std::vector<float> &x, size_t columns, size_t inner) {
  std::vector<double> result(columns);
  for (size_t i = 0; i < x.size(); ++i)
    result[i / inner % columns] += x[i];
  return {result.begin(), result.end()};
}

TEST_F(Column, OneBlockSumsFewRows) {
  build("%x: tensor<64x10xf32>", sum("tensor<64x10xf32>", "tensor<10xf32>", "0"));
  EXPECT_NE(source().find("combineColumns<256, 8, 2>"), std::string::npos) << source();
  EXPECT_EQ(source().find("arrivesLast"), std::string::npos) << source();
  auto x = randomFloats(640);
  expectNear(valuesOf<float>(run({1, 1}, {bytesOf(x)}).at(0)), sums(x, 10, 1));
}

TEST_F(Column, SeveralBlocksShareColumns) {
  build("%x: tensor<5000x36xf32>", sum("tensor<5000x36xf32>", "tensor<36xf32>", "0"));
  EXPECT_NE(source().find("combineColumns<512, 8, 4>"), std::string::npos) << source();
  EXPECT_NE(source().find("arrivesLast(arrivals + tile, 19)"), std::string::npos) << source();
  auto x = randomFloats(5000 * 36);
  expectNear(valuesOf<float>(run({1, 1}, {bytesOf(x)}).at(0)), sums(x, 36, 1));
}

TEST_F(Column, OddColumnsOfDynamicRows) {
  std::string t = "tensor<?x?x37xf32, affine_map<()[s0, s1] -> (s0, s1, 37)>>";
  build("%x: " + t, sum(t, "tensor<37xf32>", "0, 1"));
  for (auto [b, t] : {std::pair<int64_t, int64_t>{1, 1}, {3, 5}, {64, 70}}) {
    auto x = randomFloats(b * t * 37);
    expectNear(valuesOf<float>(run({b, t}, {bytesOf(x)}).at(0)), sums(x, 37, 1));
  }
}

TEST_F(Column, ChannelsInTheMiddle) {
  std::string t = "tensor<?x3x60x60xf32, affine_map<()[s0, s1] -> (s0, 3, 60, 60)>>";
  build("%x: " + t, sum(t, "tensor<3xf32>", "0, 2, 3"));
  EXPECT_NE(source().find("combineColumns<512, 1, 1>"), std::string::npos) << source();
  EXPECT_NE(source().find("loadVector<4>"), std::string::npos) << source();
  for (int64_t b : {1, 5}) {
    auto x = randomFloats(b * 3 * 3600);
    expectNear(valuesOf<float>(run({b, 1}, {bytesOf(x)}).at(0)), sums(x, 3, 3600));
  }
}

/// Too few rows for several blocks a column; still better than a thread a column, which is what is
/// left where each element is a result too.
TEST_F(Column, FewChannelsInTheMiddleBesideTheirElements) {
  std::string t = "tensor<16x5x8x8xf32>", c = "tensor<5xf32>";
  build("%x: " + t, "%o:2 = nn.kernel \"both\" (%x : " + t + ") -> (" + t + ", " + c +
                        ") attributes {anchor = \"reduction\"} {\n^bb0(%a: " + t +
                        "):\n%d = nn.neg %a : " + t +
                        "\n%s = nn.reduce sum %d {axes = array<i64: 0, 2, 3>} : " + t + " -> " + c +
                        "\nnn.yield %d, %s : " + t + ", " + c + "\n}");
  EXPECT_NE(source().find("combineColumns"), std::string::npos) << source();
  auto x = randomFloats(size_t{16} * 5 * 64), negative = x;
  for (float &value : negative)
    value = -value;
  auto out = run({1, 1}, {bytesOf(x)});
  EXPECT_EQ(valuesOf<float>(out.at(0)), negative);
  expectNear(valuesOf<float>(out.at(1)), sums(negative, 5, 64));
}

TEST_F(Column, EverythingIsOneSum) {
  build("%x: tensor<300x1000xf32>", sum("tensor<300x1000xf32>", "tensor<f32>", "0, 1"));
  EXPECT_NE(source().find("arrivesLast"), std::string::npos) << source();
  auto x = randomFloats(300000);
  expectNear(valuesOf<float>(run({1, 1}, {bytesOf(x)}).at(0)), sums(x, 1, 1), 1e-4f);
}

/// What a batch norm wants of its gradients: sums with and without a factor, masked on the way; the
/// masked gradient is stored, and what depends on the sums is computed by whoever is last.
TEST_F(Column, MaskedGradientsOfABatchNorm) {
  constexpr size_t Rows = 4096, Columns = 16;
  std::string f = "tensor<4096x16xbf16>", w = "tensor<4096x16xf32>", c = "tensor<16xf32>",
              m = "tensor<4096x16xi1>";
  build("%m: " + m + ", %g: " + f + ", %x: " + f,
        "%o:3 = nn.kernel \"grad\" (%m, %g, %x : " + m + ", " + f + ", " + f + ") -> (" + f + ", " +
            c + ", " + c + ") attributes {anchor = \"reduction\"} {\n^bb0(%a: " + m + ", %b: " + f +
            ", %c: " + f + "):\n" + "%z = nn.full 0.0 : bf16 -> " + f +
            "\n%k = nn.select %a, %b, %z : " + f + "\n%kf = nn.cast %k : " + f + " -> " + w +
            "\n%xf = nn.cast %c : " + f + " -> " + w + "\n%p = nn.mul %kf, %xf : " + w +
            "\n%s = nn.reduce sum %kf {axes = array<i64: 0>} : " + w + " -> " + c +
            "\n%q = nn.reduce sum %p {axes = array<i64: 0>} : " + w + " -> " + c +
            "\n%t = nn.mul %s, %q : " + c + "\nnn.yield %k, %s, %t : " + f + ", " + c + ", " + c +
            "\n}");
  EXPECT_NE(source().find("combineColumns<512, 8, 8>"), std::string::npos) << source();
  EXPECT_NE(source().find("storeVector"), std::string::npos) << source();
  auto gradients = randomFloats(Rows * Columns, 1), x = randomFloats(Rows * Columns, 2);
  std::vector<uint8_t> mask(Rows * Columns);
  std::vector<uint16_t> g(mask.size()), h(mask.size()), kept(mask.size());
  std::vector<double> s(Columns), q(Columns);
  for (size_t i = 0; i < mask.size(); ++i) {
    mask[i] = i % 3 != 0;
    g[i] = toBf16(gradients[i]), h[i] = toBf16(x[i]);
    kept[i] = mask[i] ? g[i] : 0;
    s[i % Columns] += fromBf16(kept[i]);
    q[i % Columns] += double(fromBf16(kept[i])) * fromBf16(h[i]);
  }
  auto out = run({1, 1}, {bytesOf(mask), bytesOf(g), bytesOf(h)});
  EXPECT_EQ(valuesOf<uint16_t>(out.at(0)), kept);
  std::vector<float> expected, product;
  for (size_t i = 0; i < Columns; ++i)
    expected.push_back(s[i]), product.push_back(s[i] * q[i]);
  expectNear(valuesOf<float>(out.at(1)), expected, 1e-5f);
  expectNear(valuesOf<float>(out.at(2)), product, 1e-4f);
}

std::string moments(const std::string &t, const std::string &r, const std::string &axes) {
  return "%o:2 = nn.kernel \"moments\" (%x : " + t + ") -> (" + r + ", " + r +
         ") attributes {anchor = \"reduction\"} {\n^bb0(%a: " + t +
         "):\n %m = nn.reduce mean %a {axes = array<i64: " + axes + ">} : " + t + " -> " + r +
         "\n %v = nn.reduce mean %a {axes = array<i64: " + axes + ">, nn.spread} : " + t + " -> " +
         r + "\n nn.yield %m, %v : " + r + ", " + r + "\n}";
}

/// Means of 1000 beside deviations of 1: squares would lose all digits. The means of parts are
/// rounded to f32, which the variance shows.
void expectMoments(const std::vector<float> &x, size_t columns, size_t inner,
                   const std::vector<float> &means, const std::vector<float> &variances) {
  double count = double(x.size()) / columns;
  std::vector<double> mean(columns), square(columns);
  for (size_t i = 0; i < x.size(); ++i)
    mean[i / inner % columns] += x[i] / count;
  for (size_t i = 0; i < x.size(); ++i)
    square[i / inner % columns] += std::pow(x[i] - mean[i / inner % columns], 2) / count;
  expectNear(means, {mean.begin(), mean.end()}, 1e-5f);
  expectNear(variances, {square.begin(), square.end()}, 5e-5f);
}

TEST_F(Column, SpreadOfNumbersFarFromZero) {
  std::string t = "tensor<?x?x24xf32, affine_map<()[s0, s1] -> (s0, s1, 24)>>";
  build("%x: " + t, moments(t, "tensor<24xf32>", "0, 1"));
  EXPECT_NE(source().find("mergeSpreads"), std::string::npos) << source();
  for (auto [b, t] : {std::pair<int64_t, int64_t>{1, 1}, {2, 9}, {64, 90}}) {
    auto x = randomFloats(b * t * 24);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = x[i] + 50.0f * (i % 24);
    auto out = run({b, t}, {bytesOf(x)});
    expectMoments(x, 24, 1, valuesOf<float>(out.at(0)), valuesOf<float>(out.at(1)));
  }
}

/// The first number of a column is far from all others.
TEST_F(Column, SpreadAroundAnOutlier) {
  build("%x: tensor<6000x8xf32>", moments("tensor<6000x8xf32>", "tensor<8xf32>", "0"));
  auto x = randomFloats(48000);
  for (size_t i = 0; i < 8; ++i)
    x[i] = 100.0f;
  auto out = run({1, 1}, {bytesOf(x)});
  expectMoments(x, 8, 1, valuesOf<float>(out.at(0)), valuesOf<float>(out.at(1)));
}

TEST_F(Column, SpreadOfChannelsInTheMiddle) {
  build("%x: tensor<9x2x50x50xf32>", moments("tensor<9x2x50x50xf32>", "tensor<2xf32>", "0, 2, 3"));
  EXPECT_NE(source().find("mergeSpreads"), std::string::npos) << source();
  auto x = randomFloats(45000);
  auto out = run({1, 1}, {bytesOf(x)});
  expectMoments(x, 2, 2500, valuesOf<float>(out.at(0)), valuesOf<float>(out.at(1)));
}

TEST_F(Column, MaximaPropagateNaN) {
  std::string body = sum("tensor<700x8xf32>", "tensor<8xf32>", "0");
  body.replace(body.find("reduce sum"), 10, "reduce max");
  build("%x: tensor<700x8xf32>", body);
  auto x = randomFloats(5600);
  x[8 * 600 + 3] = NAN;
  std::vector<float> expected(8, -INFINITY);
  for (size_t i = 0; i < x.size(); ++i)
    expected[i % 8] =
        std::isnan(x[i]) || std::isnan(expected[i % 8]) ? NAN : std::max(expected[i % 8], x[i]);
  expectNear(valuesOf<float>(run({1, 1}, {bytesOf(x)}).at(0)), expected);
}

/// A result per element that needs the sums cannot be written before all blocks are done.
TEST_F(Column, ResultsThatNeedTheSumsAreLeftToOthers) {
  std::string t = "tensor<2000x8xf32>", c = "tensor<8xf32>";
  build("%x: " + t, "%o = nn.kernel \"shift\" (%x : " + t + ") -> (" + t +
                        ") attributes {anchor = \"reduction\"} {\n^bb0(%a: " + t +
                        "):\n%m = nn.reduce mean %a {axes = array<i64: 0>} : " + t + " -> " + c +
                        "\n%b = nn.broadcast %m {dims = array<i64: 1>} : " + c + " -> " + t +
                        "\n%r = nn.sub %a, %b : " + t + "\nnn.yield %r : " + t + "\n}");
  EXPECT_EQ(source().find("combineColumns"), std::string::npos) << source();
  auto x = randomFloats(16000), expected = x, means = sums(x, 8, 1);
  for (size_t i = 0; i < x.size(); ++i)
    expected[i] -= means[i % 8] / 2000;
  expectNear(valuesOf<float>(run({1, 1}, {bytesOf(x)}).at(0)), expected);
}

} // namespace
