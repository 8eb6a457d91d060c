// Floats of 16 and 8 bits and quantized weights in generated kernels, on the twin.
#include "test/unit/cuda/KernelTest.h"

#include "runtime/format/Half.h"

#include <array>
#include <bit>
#include <cmath>
#include <random>

using namespace nnc;
using namespace nnc::test;

namespace {

class Narrow : public KernelTest {
protected:
  void buildCast(size_t count, const std::string &from, const std::string &to) {
    std::string a = "tensor<" + std::to_string(count) + "x" + from + ">",
                b = "tensor<" + std::to_string(count) + "x" + to + ">";
    build("%x: " + a, "%r = nn.kernel \"cast\" (%x : " + a + ") -> (" + b +
                          ") attributes {anchor = \"pointwise\"} {\n^bb0(%a: " + a +
                          "):\n%0 = nn.cast %a : " + a + " -> " + b + "\nnn.yield %0 : " + b +
                          "\n}");
  }

  template <typename Bits, typename Convert>
  void checkRounding(const std::string &name, Convert convert) {
    std::vector<float> values = {0.0f,   -0.0f, INFINITY, -INFINITY, 448,   464,   465,  480,
                                 -1e30f, 57344, 61439,    61440,     65504, 65519, 65520};
    std::mt19937 random(1);
    for (int exponent = -28; exponent <= 18; ++exponent)
      for (int i = 0; i < 16; ++i) {
        int bits = std::array{10, 7, 3, 2}[i % 4]; // ties at each length of a fraction
        float value = 1 + (float(random() % (1u << bits)) + 0.5f) / float(1 << bits);
        values.push_back(std::ldexp(i % 2 ? value : -value, exponent));
        values.push_back(std::ldexp(1 + float(random() % 4096) / 4096, exponent));
      }
    buildCast(values.size(), "f32", name);
    auto rounded = valuesOf<Bits>(run({1, 1}, {bytesOf(values)}).at(0));
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(rounded.at(i), convert(values[i])) << name << " of " << values[i];
  }

  template <typename Bits, typename Convert>
  void checkExpansion(const std::string &name, Convert convert) {
    constexpr size_t count = size_t(1) << (8 * sizeof(Bits));
    std::vector<Bits> values(count);
    for (size_t i = 0; i < count; ++i)
      values[i] = Bits(i);
    buildCast(count, name, "f32");
    auto expanded = valuesOf<float>(run({1, 1}, {bytesOf(values)}).at(0));
    for (size_t i = 0; i < count; ++i)
      if (float wanted = convert(values[i]); std::isnan(wanted))
        ASSERT_TRUE(std::isnan(expanded.at(i))) << name << " " << i;
      else
        ASSERT_EQ(std::bit_cast<uint32_t>(expanded.at(i)), std::bit_cast<uint32_t>(wanted))
            << name << " " << i;
  }

  /// A product whose weight is packed i4 with groups of 16 and zeros.
  void buildProduct(const std::string &type) {
    std::string x = "tensor<3x37x" + type + ">", w = "tensor<5x37x" + type + ">";
    std::string y = "tensor<3x5x" + type + ">";
    build("%x: " + x + ", %q: tensor<5x19xi8>, %s: tensor<5x3xf32>, %z: tensor<5x3xf32>",
          "%r = nn.kernel \"product\" (%x, %q, %s, %z : " + x +
              ", tensor<5x19xi8>, tensor<5x3xf32>, tensor<5x3xf32>) -> (" + y +
              ") attributes {anchor = \"contraction\"} {\n^bb0(%a: " + x +
              ", %b: tensor<5x19xi8>, %c: tensor<5x3xf32>, %d: tensor<5x3xf32>):\n"
              "%w = nn.dequantize %b scales %c zeros %d {group = 16, packed} : (tensor<5x19xi8>, "
              "tensor<5x3xf32>, tensor<5x3xf32>) -> " +
              w + "\n%0 = nn.matmul %a, %w {transpose_b} : " + x + ", " + w + " -> " + y +
              "\nnn.yield %0 : " + y + "\n}");
  }
};

TEST_F(Narrow, RoundsToF8e4m3) { checkRounding<uint8_t>("f8E4M3FN", format::f8e4m3FromFloat); }
TEST_F(Narrow, RoundsToF8e5m2) { checkRounding<uint8_t>("f8E5M2", format::f8e5m2FromFloat); }
TEST_F(Narrow, RoundsToF16) { checkRounding<uint16_t>("f16", format::f16FromFloat); }
TEST_F(Narrow, RoundsToBf16) { checkRounding<uint16_t>("bf16", format::bf16FromFloat); }
TEST_F(Narrow, ExpandsF8e4m3) { checkExpansion<uint8_t>("f8E4M3FN", format::floatFromF8e4m3); }
TEST_F(Narrow, ExpandsF8e5m2) { checkExpansion<uint8_t>("f8E5M2", format::floatFromF8e5m2); }

TEST_F(Narrow, ProductsDequantizeOnRead) {
  std::mt19937 random(3);
  std::vector<float> x(3 * 37), scales(15), zeros(15), expected(15);
  std::vector<int8_t> q(5 * 19);
  for (float &value : x)
    value = float(random() % 64) / 32 - 1; // exact in bf16
  for (size_t i = 0; i < 15; ++i) {
    scales[i] = 0.25f * float(1 + random() % 2);
    zeros[i] = float(random() % 16) - 8;
  }
  for (int8_t &value : q)
    value = int8_t(random());
  for (size_t m = 0; m < 3; ++m)
    for (size_t n = 0; n < 5; ++n)
      for (size_t k = 0; k < 37; ++k) {
        int byte = q[n * 19 + k / 2], value = k % 2 ? byte >> 4 : int8_t(byte << 4) >> 4;
        expected[m * 5 + n] +=
            x[m * 37 + k] * (float(value) - zeros[n * 3 + k / 16]) * scales[n * 3 + k / 16];
      }
  buildProduct("f32");
  std::vector<Bytes> weights = {bytesOf(q), bytesOf(scales), bytesOf(zeros)};
  auto with = [&](Bytes first) {
    std::vector<Bytes> all = {std::move(first)};
    all.insert(all.end(), weights.begin(), weights.end());
    return all;
  };
  expectNear(valuesOf<float>(run({1, 1}, with(bytesOf(x))).at(0)), expected);

  std::vector<uint16_t> narrow(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    narrow[i] = format::bf16FromFloat(x[i]);
  buildProduct("bf16");
  auto got = valuesOf<uint16_t>(run({1, 1}, with(bytesOf(narrow))).at(0));
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_EQ(got.at(i), format::bf16FromFloat(expected[i])) << i;
}

/// 16-bit operands with a sum in f32: as it is, and rounded after a bias was added, where a product
/// rounded by itself would be 256.
TEST_F(Narrow, ASumIsRoundedOnce) {
  const std::string x = "tensor<9x16xbf16>", w = "tensor<8x16xbf16>", wide = "tensor<9x8xf32>",
                    narrow = "tensor<9x8xbf16>";
  build("%x: " + x + ", %w: " + w + ", %y: " + wide,
        "%r:2 = nn.kernel \"product\" (%x, %w, %y : " + x + ", " + w + ", " + wide + ") -> (" +
            wide + ", " + narrow + ") attributes {anchor = \"contraction\"} {\n^bb0(%a: " + x +
            ", %b: " + w + ", %c: " + wide + "):\n%0 = nn.matmul %a, %b {transpose_b} : " + x +
            ", " + w + " -> " + wide + "\n%1 = nn.add %0, %c : " + wide + "\n%2 = nn.cast %1 : " +
            wide + " -> " + narrow + "\nnn.yield %0, %2 : " + wide + ", " + narrow + "\n}");
  std::vector<uint16_t> a(9 * 16), b(8 * 16, format::bf16FromFloat(1));
  for (size_t row = 0; row < 9; ++row) {
    a[row * 16] = format::bf16FromFloat(256);
    a[row * 16 + 1 + row] = format::bf16FromFloat(1);
  }
  std::vector<Bytes> results =
      run({1, 1}, {bytesOf(a), bytesOf(b), bytesOf(std::vector<float>(9 * 8, 1))});
  EXPECT_EQ(valuesOf<float>(results.at(0)), std::vector<float>(9 * 8, 257));
  EXPECT_EQ(valuesOf<uint16_t>(results.at(1)),
            std::vector<uint16_t>(9 * 8, format::bf16FromFloat(258)));
}

} // namespace
