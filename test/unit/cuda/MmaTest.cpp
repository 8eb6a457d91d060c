// The tile templates of tensor cores and ordinary ones on the twin, and their text through NVRTC.
#include "codegen/cuda/Cubin.h"
#include "codegen/device/host/Twin.h"
#include "runtime/cuda/Driver.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

using namespace nnc;

namespace {

/// How an operand is given: its elements, or addresses of neighbours along the depth or its side.
enum Access { ByElement, ByAddress, BySide };

/// c[m, n] = a[m, k] * b[n, k] for one element type, on "MmaTile<...>" or the MmaTile of these
/// parameters.
std::string sourceOf(const std::string &type, const std::string &tile, Access aAccess,
                     Access bAccess, int width = 1, int split = 1) {
  auto operand = [&](const std::string &name, Access access) {
    std::string know = "auto know_" + name + " = [](int row) { return row; };\n";
    if (access == BySide)
      return know + "auto " + name + " = [&](int row, int k) -> const " + type +
             " * { return k == 5 ? nullptr : in_" + name + " + k * " + (name == "a" ? "M" : "N") +
             " + row; };\n";
    bool byAddress = access == ByAddress;
    return byAddress ? know + "auto " + name + " = [&](int row, int k) -> const " + type +
                           " * { return row == 5 ? nullptr : in_" + name + " + row * K + k; };\n"
                     : know + "auto " + name +
                           " = [&](int row, int k) { return row == 5 ? 0.0f : (float)in_" + name +
                           "[row * K + k]; };\n";
  };
  std::string w = std::to_string(width), blocks = std::to_string(split);
  return "#include \"prelude.cuh\"\n#include \"tensorcore.cuh\"\n#include \"tiles.cuh\"\n#include "
         "\"across.cuh\"\n#include \"mma.cuh\"\n#include \"fma.cuh\"\n"
         "extern \"C\" __global__ void __launch_bounds__(256) NNC_CLUSTER(" +
         blocks + ") k(const " + type + " *in_a, const " + type +
         " *in_b, float *c, int M, int N, int K) {\nusing Tile = " +
         (tile.ends_with(">") ? tile : "MmaTile<" + tile + ">") + ";\n" + operand("a", aAccess) +
         operand("b", bAccess) + "auto store = [&](int m, int n, const float (&sums)[" + w +
         "]) {\n" + "for (int i = 0; i < " + w + "; ++i)\n  c[m * N + n + i] = sums[i];\n};\n" +
         "if (!HasClusters && blockIdx.x % " + blocks + " != 0)\n  return;\n" +
         "const int tilesM = (M + Tile::BM - 1) / Tile::BM, tile = blockIdx.x / " + blocks + ";\n" +
         "tileGemm<Tile, " + type + ", " + w +
         ">(dynamicShared<char>(), tile % tilesM * Tile::BM, tile / tilesM * Tile::BN, M, N, K, "
         "know_a, a, know_b, b, store);\n}\n";
}

struct Shape {
  int m, n, k;
};

/// Operands on a grid of 1/8, exact in every type, so that the only difference is a wrong element.
template <class T> std::vector<T> operand(size_t count, unsigned seed, T (*convert)(float)) {
  std::mt19937 random(seed);
  std::vector<T> values;
  for (size_t i = 0; i < count; ++i)
    values.push_back(convert(static_cast<float>(static_cast<int>(random() % 33) - 16) / 8));
  return values;
}

uint16_t toBf16(float value) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16); }
uint16_t toF16(float value) { return std::bit_cast<uint16_t>(static_cast<_Float16>(value)); }
float toF32(float value) { return value; }

template <class T>
void check(const std::string &type, T (*convert)(float), const std::string &tile, unsigned threads,
           unsigned bm, unsigned bn, Access aAccess, Access bAccess, Shape shape, int width = 1,
           int split = 1) {
  std::string unit = codegen::translationUnit(sourceOf(type, tile, aAccess, bAccess, width, split));
  auto image = twin::compile(unit);
  ASSERT_TRUE(bool(image)) << image.error().message;
  auto module = twin::Module::load(*image);
  ASSERT_TRUE(bool(module)) << module.error().message;
  auto [m, n, k] = shape;
  auto a = operand<T>(size_t(m) * k, 1, convert), b = operand<T>(size_t(n) * k, 2, convert);
  auto af = operand<float>(size_t(m) * k, 1, toF32), bf = operand<float>(size_t(n) * k, 2, toF32);
  std::vector<float> c(size_t(m) * n, NAN);
  const T *pa = a.data(), *pb = b.data();
  float *pc = c.data();
  void *params[] = {&pa, &pb, &pc, &m, &n, &k};
  unsigned blocks = (m + bm - 1) / bm * ((n + bn - 1) / bn) * split;
  auto done = (*module)->launch("k", {blocks, 1, 1}, {threads, 1, 1}, 160 << 10, params);
  ASSERT_TRUE(bool(done)) << done.error().message;
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float expected = 0;
      for (int d = 0; d < k; ++d) {
        bool isNull = (aAccess == BySide ? d : i) == 5 || (bAccess == BySide ? d : j) == 5;
        if (!isNull)
          expected += af[aAccess == BySide ? d * m + i : i * k + d] *
                      bf[bAccess == BySide ? d * n + j : j * k + d];
      }
      ASSERT_EQ(c[i * n + j], expected) << type << " at " << i << ", " << j;
    }
}

TEST(Mma, Bf16ByAddress) {
  check<uint16_t>("bf16", toBf16, "128, 128, 2, 4, 3, 1, true, true", 256, 128, 128, ByAddress,
                  ByAddress, {130, 140, 104});
}

/// Memory that runs along the sides: by groups of warps, by warps, and beside other operands.
TEST(Mma, AcrossTheDepth) {
  check<uint16_t>("bf16", toBf16, "128, 128, 2, 4, 3, 1, false, false", 256, 128, 128, BySide,
                  BySide, {136, 144, 150});
  check<uint16_t>("f16", toF16, "64, 128, 2, 2, 3, 1, false, false, false", 128, 64, 128, BySide,
                  BySide, {72, 136, 70}, 8);
  check<uint16_t>("bf16", toBf16, "64, 64, 2, 2, 3, 1, true, false", 128, 64, 64, ByAddress, BySide,
                  {70, 64, 104});
  check<uint16_t>("bf16", toBf16, "64, 64, 2, 2, 3, 1, false, true", 128, 64, 64, BySide, ByElement,
                  {64, 33, 70});
  check<float>("float", toF32, "64, 64, 2, 2, 3, 1, false, false, false", 128, 64, 64, BySide,
               BySide, {68, 44, 70});
  check<float>("float", toF32, "32, 64, 1, 4, 4, 2, false, true, false", 128, 32, 64, BySide,
               ByAddress, {36, 40, 68}, 1, 2);
}

/// f32 as it is: along the depth, across, elements, ragged sides and depth, clusters, neighbours.
TEST(Fma, Operands) {
  check<float>("float", toF32, "FmaTile<128, 64, 4, 1, 2, 1, true, true>", 128, 128, 64, ByAddress,
               ByAddress, {130, 72, 104}, 8);
  check<float>("float", toF32, "FmaTile<128, 128, 4, 2, 2, 1, true, true>", 256, 128, 128,
               ByElement, ByAddress, {131, 130, 68});
  check<float>("float", toF32, "FmaTile<64, 64, 2, 2, 3, 1, false, false>", 128, 64, 64, BySide,
               BySide, {68, 72, 70}, 8);
  check<float>("float", toF32, "FmaTile<32, 128, 2, 2, 3, 1, true, false>", 128, 32, 128, ByAddress,
               BySide, {33, 132, 36});
  check<float>("float", toF32, "FmaTile<32, 64, 2, 2, 3, 1, false, true>", 128, 32, 64, BySide,
               ByElement, {64, 66, 33});
  check<float>("float", toF32, "FmaTile<32, 32, 2, 1, 4, 1, false, false>", 64, 32, 32, ByElement,
               ByElement, {19, 35, 5});
}

TEST(Fma, ClustersShareTheDepth) {
  check<float>("float", toF32, "FmaTile<16, 64, 1, 2, 4, 8, true, true>", 64, 16, 64, ByAddress,
               ByAddress, {49, 65, 520}, 1, 8);
  check<float>("float", toF32, "FmaTile<128, 32, 4, 1, 2, 4, true, false>", 128, 128, 32, ByAddress,
               BySide, {129, 40, 68}, 8, 4);
}

TEST(Mma, F16MixedOperands) {
  check<uint16_t>("f16", toF16, "64, 64, 2, 2, 3, 1, true, false", 128, 64, 64, ByAddress,
                  ByElement, {70, 65, 80});
  check<uint16_t>("f16", toF16, "64, 64, 2, 2, 2, 1, false, true", 128, 64, 64, ByElement,
                  ByAddress, {6, 17, 8});
}

TEST(Mma, StoresVectors) {
  check<uint16_t>("bf16", toBf16, "64, 128, 2, 2, 4, 1, true, true", 128, 64, 128, ByAddress,
                  ByAddress, {150, 136, 200}, 8);
}

TEST(Mma, ClustersShareTheDepth) {
  check<uint16_t>("bf16", toBf16, "64, 64, 2, 2, 3, 4, true, true", 128, 64, 64, ByAddress,
                  ByAddress, {70, 72, 840}, 8, 4);
  // Fewer steps than blocks: some have nothing to add.
  check<uint16_t>("f16", toF16, "32, 64, 1, 4, 2, 8, true, true", 128, 32, 64, ByAddress, ByAddress,
                  {33, 65, 72}, 1, 8);
}

TEST(Mma, Tf32ByElementWithRaggedDepth) {
  check<float>("float", toF32, "64, 32, 2, 1, 3, 1, true, true", 64, 64, 32, ByElement, ByElement,
               {65, 33, 37});
}

TEST(Mma, Tf32RoundsToNearestAwayFromZero) {
  std::string unit = codegen::translationUnit(
      sourceOf("float", "64, 32, 2, 1, 3, 1, true, true", ByAddress, ByAddress));
  auto image = twin::compile(unit);
  ASSERT_TRUE(bool(image)) << image.error().message;
  auto module = twin::Module::load(*image);
  ASSERT_TRUE(bool(module));
  // One product: 1 + 2^-11 is a tie, 1 + 2^-12 is below it.
  std::vector<float> a(4), b(8), c(2);
  a[0] = 1;
  b[0] = 1 + std::ldexp(1.0f, -11);
  b[4] = 1 + std::ldexp(1.0f, -12);
  int m = 1, n = 2, k = 4;
  const float *pa = a.data(), *pb = b.data();
  float *pc = c.data();
  void *params[] = {&pa, &pb, &pc, &m, &n, &k};
  ASSERT_TRUE(bool((*module)->launch("k", {1, 1, 1}, {64, 1, 1}, 160 << 10, params)));
  EXPECT_EQ(c[0], 1 + std::ldexp(1.0f, -10));
  EXPECT_EQ(c[1], 1.0f);
}

TEST(Mma, CompilesForBothArchitectures) {
  if (!rt::nvrtcApi())
    GTEST_SKIP() << "needs NVRTC";
  std::vector<std::string> sources = {
      sourceOf("bf16", "128, 128, 2, 4, 3, 1, true, true", ByAddress, ByAddress),
      sourceOf("f16", "64, 64, 2, 2, 3, 1, true, false", ByAddress, ByElement),
      sourceOf("bf16", "128, 128, 2, 4, 3, 1, false, false", BySide, BySide, 8),
      sourceOf("float", "64, 64, 2, 2, 3, 1, false, false, false", BySide, BySide),
      sourceOf("bf16", "128, 128, 2, 2, 3, 4, true, true", ByAddress, ByAddress, 8, 4),
      sourceOf("float", "64, 32, 2, 1, 3, 1, true, true", ByElement, ByAddress),
      sourceOf("float", "FmaTile<128, 64, 4, 1, 2, 2, true, false>", ByAddress, BySide, 8, 2)};
  std::vector<std::string> archs = {"sm_80", "sm_90a"};
  auto cubins = codegen::compileCubins(sources, archs);
  EXPECT_TRUE(bool(cubins)) << cubins.error().message;
}

} // namespace
