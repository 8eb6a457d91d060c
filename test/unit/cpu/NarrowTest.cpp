//===- NarrowTest.cpp - floats of 16 and 8 bits, and quantized weights ----===//
//
// Conversions are compared bit by bit with the ones of runtime/format, on machines with and without
// instructions for them.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"
#include "runtime/format/Half.h"

#include <array>
#include <bit>
#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

using namespace nnc;
using namespace nnc::test;

static const char *const cpus[] = {"native", "x86-64", "x86-64-v3"};

/// Compiles the one kernel of `text` for `cpu` and runs it on raw memory.
static void runRaw(const std::string &text, const std::string &cpu, std::vector<void *> buffers) {
  Model model = makeModel(text);
  ASSERT_EQ(model.kernels.size(), 1u);
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {cpu});
  ASSERT_TRUE(object) << object.error().message;
  Result<rt::LoadedObject> loaded = rt::LoadedObject::load(std::as_bytes(std::span(object->elf)));
  ASSERT_TRUE(loaded) << loaded.error().message;
  const codegen::CpuKernel &kernel = object->kernels.front();
  auto grid = mlir::cast<mlir::AffineConstantExpr>(kernel.grid.getResult(0)).getValue();
  int64_t dims[1] = {0};
  for (int64_t block = 0; block < grid; ++block)
    loaded->find(kernel.symbol)(buffers.data(), dims, block);
}

static std::string castText(size_t count, const std::string &from, const std::string &to) {
  std::string a = "tensor<" + std::to_string(count) + "x" + from + ">",
              b = "tensor<" + std::to_string(count) + "x" + to + ">";
  return "func.func @f(%x: " + a + ") -> " + b +
         " attributes {nn.entry, nn.dims = []} {\n%0 = " + "nn.cast %x : " + a + " -> " + b +
         "\nreturn %0 : " + b + "\n}";
}

/// Numbers around every boundary: of rounding, of the subnormal range, of overflow.
static std::vector<float> interestingFloats() {
  std::vector<float> values = {0.0f,  -0.0f, INFINITY, -INFINITY, NAN,    448,
                               464,   465,   480,      -1e30f,    57344,  61439,
                               61440, 65504, 65519,    65520,     1e-45f, -3e-39f};
  std::mt19937 random(1);
  for (int exponent = -30; exponent <= 18; ++exponent)
    for (int i = 0; i < 64; ++i) {
      float value = std::ldexp(1 + float(random() % 4096) / 4096, exponent);
      values.push_back(random() % 2 ? value : -value);
      // A tie at 10, 7, 3 or 2 bits of fraction.
      int bits = std::array{10, 7, 3, 2}[random() % 4];
      values.push_back(
          std::ldexp(1 + (float(random() % (1u << bits)) + 0.5f) / float(1 << bits), exponent));
    }
  return values;
}

template <typename Bits, typename Convert>
static void checkRounding(const std::string &name, Convert convert) {
  std::vector<float> values = interestingFloats();
  for (std::string cpu : cpus) {
    std::vector<Bits> rounded(values.size());
    runRaw(castText(values.size(), "f32", name), cpu, {values.data(), rounded.data()});
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i]))
        continue;
      ASSERT_EQ(rounded[i], convert(values[i])) << name << " of " << values[i] << " on " << cpu;
    }
  }
}

TEST(Narrow, RoundsAsTheFormatSays) {
  checkRounding<uint16_t>("bf16", format::bf16FromFloat);
  checkRounding<uint16_t>("f16", format::f16FromFloat);
  checkRounding<uint8_t>("f8E4M3FN", format::f8e4m3FromFloat);
  checkRounding<uint8_t>("f8E5M2", format::f8e5m2FromFloat);
}

template <typename Bits, typename Convert>
static void checkExpansion(const std::string &name, Convert convert) {
  constexpr size_t count = size_t(1) << (8 * sizeof(Bits));
  std::vector<Bits> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = Bits(i);
  for (std::string cpu : cpus) {
    std::vector<float> expanded(count);
    runRaw(castText(count, name, "f32"), cpu, {values.data(), expanded.data()});
    for (size_t i = 0; i < count; ++i) {
      float wanted = convert(values[i]);
      if (std::isnan(wanted))
        ASSERT_TRUE(std::isnan(expanded[i])) << name << " " << i << " on " << cpu;
      else
        ASSERT_EQ(std::bit_cast<uint32_t>(expanded[i]), std::bit_cast<uint32_t>(wanted))
            << name << " " << i << " on " << cpu;
    }
  }
}

TEST(Narrow, ExpandsEveryNumber) {
  checkExpansion<uint16_t>("bf16", format::floatFromBf16);
  checkExpansion<uint16_t>("f16", format::floatFromF16);
  checkExpansion<uint8_t>("f8E4M3FN", format::floatFromF8e4m3);
  checkExpansion<uint8_t>("f8E5M2", format::floatFromF8e5m2);
}

/// Every op on 16-bit floats computes in f32 and rounds once; sums are in f32 all the way.
TEST(Narrow, EveryFunctionRoundsOnce) {
  for (std::string type : {"bf16", "f16"}) {
    std::string t = "tensor<3x37x" + type + ">", row = "tensor<3x" + type + ">", body;
    std::vector<std::string> results, types;
    auto add = [&](const std::string &op, const std::string &to) {
      results.push_back("%r" + std::to_string(results.size()));
      types.push_back(to);
      body += results.back() + " = " + op + "\n";
    };
    for (std::string name :
         {"neg", "abs", "exp", "atan", "tanh", "erf", "sin", "cos", "floor", "round"})
      add("nn." + name + " %x : " + t, t);
    body += "%a = nn.abs %x : " + t + "\n";
    for (std::string name : {"log", "sqrt", "rsqrt"})
      add("nn." + name + " %a : " + t, t);
    for (std::string name : {"add", "sub", "mul", "div", "max", "min", "pow", "mod"})
      add("nn." + name + " %a, %y : " + t, t);
    add("nn.softmax %x {axis = 1 : i64} : " + t, t);
    add("nn.log_softmax %x {axis = 1 : i64} : " + t, t);
    for (std::string name : {"sum", "mean", "max", "min"})
      add("nn.reduce " + name + " %x {axes = array<i64: 1>} : " + t + " -> " + row, row);
    add("nn.matmul %x, %y {transpose_b} : " + t + ", " + t + " -> tensor<3x3x" + type + ">",
        "tensor<3x3x" + type + ">");
    std::string names, typeList;
    for (size_t i = 0; i < results.size(); ++i) {
      names += (i ? ", " : "") + results[i];
      typeList += (i ? ", " : "") + types[i];
    }
    std::string text = "func.func @f(%x: " + t + ", %y: " + t + ") -> (" + typeList +
                       ") attributes {nn.entry, nn.dims = []} {\n" + body + "return " + names +
                       " : " + typeList + "\n}";
    for (std::string cpu : cpus)
      checkModel(text, {{}}, cpu);
  }
}

/// The sum of many small numbers, which a 16-bit accumulator would lose.
TEST(Narrow, SumsAreInF32) {
  constexpr size_t count = 4096;
  std::string text = "func.func @f(%x: tensor<4096xbf16>) -> tensor<bf16> attributes {nn.entry, "
                     "nn.dims = []} {\n%0 = nn.reduce sum %x {axes = array<i64: 0>} : "
                     "tensor<4096xbf16> -> tensor<bf16>\nreturn %0 : tensor<bf16>\n}";
  std::vector<uint16_t> values(count, format::bf16FromFloat(1));
  uint16_t sum = 0;
  runRaw(text, "native", {values.data(), &sum});
  EXPECT_EQ(format::floatFromBf16(sum), 4096);
}

/// 16-bit operands with a sum in f32: rounded after a bias was added, where a product rounded by
/// itself would be 256.
TEST(Narrow, ASumIsRoundedOnce) {
  std::string text = R"(
    func.func @f(%x: tensor<3x4xbf16>, %w: tensor<5x4xbf16>, %b: tensor<3x5xf32>)
        -> (tensor<3x5xf32>, tensor<3x5xbf16>) attributes {nn.entry, nn.dims = []} {
      %0 = nn.matmul %x, %w {transpose_b} : tensor<3x4xbf16>, tensor<5x4xbf16> -> tensor<3x5xf32>
      %1 = nn.add %0, %b : tensor<3x5xf32>
      %2 = nn.cast %1 : tensor<3x5xf32> -> tensor<3x5xbf16>
      return %0, %2 : tensor<3x5xf32>, tensor<3x5xbf16>
    })";
  std::vector<uint16_t> x(12), w(20, format::bf16FromFloat(1)), rounded(15);
  std::vector<float> bias(15, 1), sum(15);
  for (size_t row = 0; row < 3; ++row) {
    x[row * 4] = format::bf16FromFloat(256);
    x[row * 4 + 1 + row] = format::bf16FromFloat(1);
  }
  for (std::string cpu : cpus) {
    runRaw(text, cpu, {x.data(), w.data(), bias.data(), sum.data(), rounded.data()});
    EXPECT_EQ(sum, std::vector<float>(15, 257)) << cpu;
    EXPECT_EQ(rounded, std::vector<uint16_t>(15, format::bf16FromFloat(258))) << cpu;
  }
}

/// A product with the columns from `start` on of a weight [5, width] in packed i4, with scales and
/// zeros for every `group` of a row, in one kernel.
static void checkDequantized(size_t width, size_t group, size_t start) {
  size_t bytes = (width + 1) / 2, runs = (width + group - 1) / group, depth = width - start;
  std::string values = fmt::format("tensor<5x{}xi8>", bytes);
  std::string part = fmt::format("tensor<5x{}xf32>", runs),
              whole = fmt::format("tensor<5x{}xf32>", width);
  std::string read = fmt::format("tensor<5x{}xf32>", depth),
              left = fmt::format("tensor<3x{}xf32>", depth);
  std::string text = fmt::format(
      R"(
    nn.global @q : {0} {{kind = "const"}}
    nn.global @s : {1} {{kind = "const"}}
    nn.global @z : {1} {{kind = "const"}}
    func.func @f(%x: {4}) -> tensor<3x5xf32> attributes {{nn.entry, nn.dims = []}} {{
      %q = nn.get @q : {0}
      %s = nn.get @s : {1}
      %z = nn.get @z : {1}
      %w = nn.dequantize %q scales %s zeros %z {{group = {5}, packed}} : ({0}, {1}, {1}) -> {2}
      %p = nn.slice %w start affine_map<() -> (0, {6})> step [1, 1] : {2} -> {3}
      %0 = nn.matmul %x, %p {{transpose_b}} : {4}, {3} -> tensor<3x5xf32>
      return %0 : tensor<3x5xf32>
    }})",
      values, part, whole, read, left, group, start);
  std::mt19937 random(3);
  std::vector<float> x(3 * depth), scales(5 * runs), zeros(5 * runs), got(15);
  std::vector<int8_t> q(5 * bytes);
  for (float &value : x)
    value = float(random() % 100) / 50 - 1;
  for (size_t i = 0; i < scales.size(); ++i) {
    scales[i] = float(1 + random() % 8) / 16;
    zeros[i] = float(random() % 16) - 8;
  }
  for (int8_t &value : q)
    value = int8_t(random());
  for (std::string cpu : cpus) {
    runRaw(text, cpu, {x.data(), q.data(), scales.data(), zeros.data(), got.data()});
    for (size_t m = 0; m < 3; ++m)
      for (size_t n = 0; n < 5; ++n) {
        double sum = 0;
        for (size_t k = start; k < width; ++k) {
          int byte = q[n * bytes + k / 2], value = k % 2 ? byte >> 4 : int8_t(byte << 4) >> 4;
          size_t run = n * runs + k / group;
          sum += x[m * depth + k - start] * (value - zeros[run]) * scales[run];
        }
        EXPECT_NEAR(got[m * 5 + n], sum, 1e-3)
            << cpu << " " << width << " " << group << " " << start;
      }
  }
}

TEST(Narrow, DequantizesOnRead) {
  checkDequantized(37, 16, 0);
  checkDequantized(37, 16, 1);
  // Runs that end within a vector, or are shorter than one; the first or the second half of a byte.
  for (size_t group : {3, 20, 64, 200})
    for (size_t start : {0, 1, 6})
      checkDequantized(150, group, start);
}
