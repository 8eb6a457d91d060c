// Products with few rows on the template gemv.cuh.
#include "test/unit/cuda/KernelTest.h"

#include "runtime/format/Half.h"

#include <bit>
#include <cmath>

using namespace nnc;
using namespace nnc::test;

namespace {

/// y = x @ w.T, [rows, depth] and [columns, depth], of elements of one type.
struct VectorCase {
  int64_t rows, columns, depth;
  std::string type;
  /// What its operands are read by: addresses, else values of vectors of this width.
  int64_t width = 0;
};

float wide(const std::string &type, uint16_t bits) {
  return type == "f16" ? float(std::bit_cast<_Float16>(bits))
                       : std::bit_cast<float>(uint32_t(bits) << 16);
}
uint16_t narrow(const std::string &type, float value) {
  return type == "f16" ? format::f16FromFloat(value) : format::bf16FromFloat(value);
}

std::string tensor(std::initializer_list<int64_t> dims, const std::string &type) {
  std::string text = "tensor<";
  for (int64_t dim : dims)
    text += std::to_string(dim) + "x";
  return text + type + ">";
}

/// Values that `type` has exactly.
std::vector<float> valuesIn(const std::string &type, size_t count, unsigned seed) {
  std::vector<float> values = randomFloats(count, seed);
  for (float &value : values)
    value = type == "f32" ? value : wide(type, narrow(type, value));
  return values;
}

Bytes bytesIn(const std::string &type, const std::vector<float> &values) {
  if (type == "f32")
    return bytesOf(values);
  std::vector<uint16_t> bits;
  for (float value : values)
    bits.push_back(narrow(type, value));
  return bytesOf(bits);
}

std::vector<float> floatsIn(const std::string &type, const Bytes &bytes) {
  if (type == "f32")
    return valuesOf<float>(bytes);
  std::vector<float> values;
  for (uint16_t bits : valuesOf<uint16_t>(bytes))
    values.push_back(wide(type, bits));
  return values;
}

float toleranceOf(const std::string &type) {
  return type == "f32" ? 1e-5f : type == "f16" ? 1.0f / 1024 : 1.0f / 128;
}

class Vectors : public KernelTest, public testing::WithParamInterface<VectorCase> {};

TEST_P(Vectors, TimesMatrixWithResidualAndBias) {
  auto [rows, columns, depth, type, width] = GetParam();
  std::string x = tensor({rows, depth}, type), w = tensor({columns, depth}, type);
  std::string y = tensor({rows, columns}, type), b = tensor({columns}, type);
  build("%x: " + x + ", %w: " + w + ", %b: " + b + ", %r: " + y,
        "nn.kernel \"fc\" (%x, %w, %b, %r : " + x + ", " + w + ", " + b + ", " + y + ") -> (" + y +
            ") attributes {anchor = \"contraction\"} {\n^bb0(%a: " + x + ", %c: " + w +
            ", %d: " + b + ", %e: " + y + "):\n%0 = nn.matmul %a, %c {transpose_b} : " + x + ", " +
            w + " -> " + y + "\n%1 = nn.broadcast %d {dims = array<i64: 1>} : " + b + " -> " + y +
            "\n%2 = nn.add %0, %1 : " + y + "\n%3 = nn.add %e, %2 : " + y + "\nnn.yield %3 : " + y +
            "\n}");
  EXPECT_NE(source().find("vectorProduct<Tile>"), std::string::npos) << source();
  EXPECT_NE(source().find("waitForKernels()"), std::string::npos) << source(); // no weight
  std::string values = "-> Vector<float, " + std::to_string(width) + ">";
  EXPECT_EQ(source().find(values) != std::string::npos, width != 0) << source();
  auto xs = valuesIn(type, rows * depth, 1), ws = valuesIn(type, columns * depth, 2),
       bs = valuesIn(type, columns, 3), rs = valuesIn(type, rows * columns, 4);
  std::vector<float> expected;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      double sum = bs[j] + rs[i * columns + j];
      for (int64_t k = 0; k < depth; ++k)
        sum += double(xs[i * depth + k]) * ws[j * depth + k];
      expected.push_back(float(sum));
    }
  auto out =
      run({1, 1}, {bytesIn(type, xs), bytesIn(type, ws), bytesIn(type, bs), bytesIn(type, rs)});
  // Three roundings in 16 bits.
  expectNear(floatsIn(type, out.at(0)), expected, 3 * toleranceOf(type));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Vectors,
    testing::Values(VectorCase{1, 37, 64, "bf16"}, VectorCase{1, 8, 2056, "bf16"},
                    VectorCase{2, 33, 520, "f16"}, VectorCase{3, 41, 1032, "bf16"},
                    VectorCase{4, 20, 264, "f32"}, VectorCase{8, 19, 1544, "f16"},
                    VectorCase{1, 50, 1000, "f32"}, VectorCase{1, 9, 101, "f32", 1},
                    VectorCase{2, 21, 150, "bf16", 2}, VectorCase{5, 12, 202, "f16", 2}),
    [](const testing::TestParamInfo<VectorCase> &test) {
      const VectorCase &c = test.param;
      return c.type + "_" + std::to_string(c.rows) + "x" + std::to_string(c.columns) + "x" +
             std::to_string(c.depth);
    });

/// What a decoder's layer does: rows are normalized, then multiplied with two matrices, of whose
/// results one gates the other.
class GatedVectors : public KernelTest, public testing::WithParamInterface<VectorCase> {};

TEST_P(GatedVectors, OfNormalizedRows) {
  auto [rows, columns, depth, type, width] = GetParam();
  std::string x = tensor({rows, depth}, type), w = tensor({columns, depth}, type);
  std::string y = tensor({rows, columns}, type), g = tensor({depth}, type);
  std::string wide = tensor({rows, depth}, "f32"), sums = tensor({rows}, "f32");
  std::string isNarrow = type == "f32" ? "" : "1";
  std::string widen = isNarrow.empty() ? "" : "%x1 = nn.cast %x0 : " + x + " -> " + wide + "\n";
  std::string round = isNarrow.empty() ? "" : "%n1 = nn.cast %n0 : " + wide + " -> " + x + "\n";
  std::string from = isNarrow.empty() ? "%x0" : "%x1", normed = isNarrow.empty() ? "%n0" : "%n1";
  build("%x: " + x + ", %g: " + g + ", %v: " + w + ", %w: " + w,
        "nn.kernel \"gated\" (%x, %g, %v, %w : " + x + ", " + g + ", " + w + ", " + w + ") -> (" +
            y + ") attributes {anchor = \"contraction\"} {\n^bb0(%x0: " + x + ", %g0: " + g +
            ", %v0: " + w + ", %w0: " + w + "):\n" + widen + "%s0 = nn.mul " + from + ", " + from +
            " : " + wide + "\n%s1 = nn.reduce sum %s0 {axes = array<i64: 1>} : " + wide + " -> " +
            sums + "\n%s2 = nn.rsqrt %s1 : " + sums +
            "\n%s3 = nn.broadcast %s2 {dims = array<i64: 0>} : " + sums + " -> " + wide +
            "\n%n0 = nn.mul " + from + ", %s3 : " + wide + "\n" + round +
            "%g1 = nn.broadcast %g0 {dims = array<i64: 1>} : " + g + " -> " + x + "\n%a = nn.mul " +
            normed + ", %g1 : " + x + "\n%p = nn.matmul %a, %v0 {transpose_b} : " + x + ", " + w +
            " -> " + y + "\n%q = nn.matmul %a, %w0 {transpose_b} : " + x + ", " + w + " -> " + y +
            "\n%t = nn.tanh %p : " + y + "\n%m = nn.mul %t, %q : " + y + "\nnn.yield %m : " + y +
            "\n}");
  EXPECT_NE(source().find(", 2, 0>;"), std::string::npos) << source(); // two matrices, rows made
  auto xs = valuesIn(type, rows * depth, 1), gs = valuesIn(type, depth, 2),
       vs = valuesIn(type, columns * depth, 3), ws = valuesIn(type, columns * depth, 4);
  auto rounded = [&](double value) {
    return type == "f32" ? value : ::wide(type, narrow(type, float(value)));
  };
  std::vector<float> expected;
  for (int64_t i = 0; i < rows; ++i) {
    double squares = 0;
    for (int64_t k = 0; k < depth; ++k)
      squares += double(xs[i * depth + k]) * xs[i * depth + k];
    for (int64_t j = 0; j < columns; ++j) {
      double first = 0, second = 0;
      for (int64_t k = 0; k < depth; ++k) {
        double a = rounded(rounded(xs[i * depth + k] / std::sqrt(squares)) * gs[k]);
        first += a * vs[j * depth + k];
        second += a * ws[j * depth + k];
      }
      expected.push_back(float(std::tanh(first) * second));
    }
  }
  auto out =
      run({1, 1}, {bytesIn(type, xs), bytesIn(type, gs), bytesIn(type, vs), bytesIn(type, ws)});
  expectNear(floatsIn(type, out.at(0)), expected, 3 * toleranceOf(type));
}

INSTANTIATE_TEST_SUITE_P(Shapes, GatedVectors,
                         testing::Values(VectorCase{1, 37, 64, "bf16"},
                                         VectorCase{1, 9, 2056, "bf16"},
                                         VectorCase{3, 33, 520, "f16"},
                                         VectorCase{2, 20, 264, "f32"}),
                         [](const testing::TestParamInfo<VectorCase> &test) {
                           const VectorCase &c = test.param;
                           return c.type + "_" + std::to_string(c.rows) + "x" +
                                  std::to_string(c.columns) + "x" + std::to_string(c.depth);
                         });

class VectorKernel : public KernelTest {};

/// The matrix on the left: its rows become the columns.
TEST_F(VectorKernel, MatrixTimesVector) {
  build("%w: tensor<70x256xf32>, %x: tensor<1x256xf32>", R"(
    nn.kernel "mv" (%w, %x : tensor<70x256xf32>, tensor<1x256xf32>) -> (tensor<70x1xf32>)
        attributes {anchor = "contraction"} {
    ^bb0(%a: tensor<70x256xf32>, %b: tensor<1x256xf32>):
      %0 = nn.matmul %a, %b {transpose_b} : tensor<70x256xf32>, tensor<1x256xf32> -> tensor<70x1xf32>
      nn.yield %0 : tensor<70x1xf32>
    })");
  EXPECT_NE(source().find("vectorProduct<Tile>"), std::string::npos) << source();
  auto w = randomFloats(70 * 256, 1), x = randomFloats(256, 2);
  std::vector<float> expected;
  for (int64_t i = 0; i < 70; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < 256; ++k)
      sum += double(w[i * 256 + k]) * x[k];
    expected.push_back(float(sum));
  }
  expectNear(valuesOf<float>(run({1, 1}, {bytesOf(w), bytesOf(x)}).at(0)), expected);
}

/// Batches of a dynamic number, each with its own matrix.
TEST_F(VectorKernel, Batches) {
  std::string x = "tensor<?x3x2x72xf32, affine_map<()[s0, s1] -> (s0, 3, 2, 72)>>";
  std::string w = "tensor<?x3x11x72xf32, affine_map<()[s0, s1] -> (s0, 3, 11, 72)>>";
  std::string y = "tensor<?x3x2x11xf32, affine_map<()[s0, s1] -> (s0, 3, 2, 11)>>";
  build("%x: " + x + ", %w: " + w,
        "nn.kernel \"scores\" (%x, %w : " + x + ", " + w + ") -> (" + y +
            ") attributes {anchor = \"contraction\"} {\n^bb0(%a: " + x + ", %b: " + w +
            "):\n%0 = nn.matmul %a, %b {transpose_b} : " + x + ", " + w + " -> " + y +
            "\n%1 = nn.exp %0 : " + y + "\nnn.yield %1 : " + y + "\n}");
  EXPECT_NE(source().find("vectorProduct<Tile>"), std::string::npos) << source();
  for (int64_t batch : {1, 4}) {
    auto a = randomFloats(batch * 3 * 2 * 72, 1), b = randomFloats(batch * 3 * 11 * 72, 2);
    std::vector<float> expected;
    for (int64_t o = 0; o < batch * 3; ++o)
      for (int64_t i = 0; i < 2; ++i)
        for (int64_t j = 0; j < 11; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < 72; ++k)
            sum += double(a[(o * 2 + i) * 72 + k]) * b[(o * 11 + j) * 72 + k];
          expected.push_back(float(std::exp(sum)));
        }
    expectNear(valuesOf<float>(run({batch, 1}, {bytesOf(a), bytesOf(b)}).at(0)), expected, 1e-4f);
  }
}

/// Numbers of 4 bits, two in a byte, with scales and zeros of groups: computed as they are read.
TEST_F(VectorKernel, PackedWeights) {
  build("%x: tensor<1x96xbf16>, %q: tensor<10x48xi8>, %s: tensor<10x3xf32>, %z: tensor<10x3xf32>",
        R"(
    nn.kernel "fc" (%x, %q, %s, %z : tensor<1x96xbf16>, tensor<10x48xi8>, tensor<10x3xf32>,
                    tensor<10x3xf32>) -> (tensor<1x10xbf16>)
        attributes {anchor = "contraction"} {
    ^bb0(%a: tensor<1x96xbf16>, %b: tensor<10x48xi8>, %c: tensor<10x3xf32>, %d: tensor<10x3xf32>):
      %w = nn.dequantize %b scales %c zeros %d {group = 32, packed} : (tensor<10x48xi8>, tensor<10x3xf32>, tensor<10x3xf32>) -> tensor<10x96xbf16>
      %0 = nn.matmul %a, %w {transpose_b} : tensor<1x96xbf16>, tensor<10x96xbf16> -> tensor<1x10xbf16>
      nn.yield %0 : tensor<1x10xbf16>
    })");
  EXPECT_NE(source().find("vectorProduct<Tile>"), std::string::npos) << source();
  EXPECT_NE(source().find("loadVector<16>(in0"), std::string::npos) << source();
  EXPECT_NE(source().find("loadVector<8>(in1"), std::string::npos) << source();
  auto x = valuesIn("bf16", 96, 1), s = randomFloats(30, 2);
  std::vector<int8_t> q;
  for (int i = 0; i < 480; ++i)
    q.push_back(int8_t(i * 37 % 256));
  std::vector<float> z, expected;
  for (int i = 0; i < 30; ++i)
    z.push_back(float(i % 5));
  for (int64_t j = 0; j < 10; ++j) {
    double sum = 0;
    for (int64_t k = 0; k < 96; ++k) {
      int byte = uint8_t(q[j * 48 + k / 2]), number = k % 2 ? byte >> 4 : byte & 15;
      number = number >= 8 ? number - 16 : number;
      float w = (float(number) - z[j * 3 + k / 32]) * s[j * 3 + k / 32];
      sum += double(x[k]) * wide("bf16", narrow("bf16", w));
    }
    expected.push_back(float(sum));
  }
  auto out = run({1, 1}, {bytesIn("bf16", x), bytesOf(q), bytesOf(s), bytesOf(z)});
  expectNear(floatsIn("bf16", out.at(0)), expected, 1.0f / 64);
}

} // namespace
