// Products whose operands the machine copies by itself: the template on the twin in all its forms,
// and kernels from the text of the nn dialect that use it.
#include "codegen/cuda/Cubin.h"
#include "codegen/device/host/Twin.h"
#include "codegen/device/host/state.h"
#include "test/unit/cuda/KernelTest.h"

#include <bit>
#include <cmath>

using namespace nnc;
using namespace nnc::test;

namespace {

uint16_t toBf16(float value) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16); }
float fromBf16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

/// Multiples of 1/8 up to 2, which bf16 holds.
std::vector<uint16_t> coarse(size_t count, unsigned seed) {
  std::vector<uint16_t> values;
  for (float value : randomFloats(count, seed))
    values.push_back(toBf16(std::round(value * 16) / 8));
  return values;
}

std::vector<float> widened(const std::vector<uint16_t> &values) {
  std::vector<float> result;
  for (uint16_t bits : values)
    result.push_back(fromBf16(bits));
  return result;
}

/// Rounded to nearest even.
float roundedToBf16(float value) {
  auto bits = std::bit_cast<uint32_t>(value);
  return fromBf16(static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
}

/// c[m, n] = a[m, k] * b[n, k] + r[m, n]; `call` is what is done with the functors.
std::string sourceOf(const std::string &call) {
  return R"(
#include "prelude.cuh"
#include "tensorcore.cuh"
#include "tiles.cuh"
#include "mma.cuh"
#include "arrivals.cuh"
#include "bulk.cuh"
#include "fragments.cuh"
#include "pipeline.cuh"
extern "C" __global__ void k(const bf16 *in_a, const bf16 *in_b, const float *r, float *c, int M,
                             int N, int K, NNC_MAP_PARAMETER map0, NNC_MAP_PARAMETER map1) {
  auto know = [](int row) { return row; };
  auto a = [&](int row, int k) { return in_a + row * K + k; };
  auto b = [&](int row, int k) { return in_b + row * K + k; };
  auto mapA = [&](int row, char *to, int k, Arrivals *ready) { copyBox(to, &map0, k, row, ready); };
  auto mapInOrder = [&](int row, char *to, int k, Arrivals *ready) {
    copyBox(to, &map1, k, row, ready);
  };
  auto mapDealt = [&](int row, char *to, int k, Arrivals *ready) {
    copyColumns(to, &map1, k, row, ready);
  };
  struct Ahead {
    Vector<float, 4> r;
  };
  auto ahead = [&](int m, int n) { return Ahead{loadVector<4>(r + m * N + n)}; };
  struct Columns {};
  auto columnsAt = [](int) { return Columns{}; };
  auto store = [&](int m, int n, const float (&sums)[8], const Ahead &early, const Columns &) {
    for (int i = 0; i < 8; ++i)
      c[m * N + n + i] = sums[i] + (i < 4 ? early.r[i] : r[m * N + n + i]);
  };
  struct Corner {
    int m0, n0;
  };
)" + call +
         "}\n";
}

std::string inTiles(const std::string &tile, const std::string &columns = "InOrder") {
  return "  using Tile = PipelineTile<" + tile + R"(>;
  const int tilesN = (N + Tile::BN - 1) / Tile::BN, tiles = (M + Tile::BM - 1) / Tile::BM * tilesN;
  auto corner = [&](int tile) {
    return Corner{tile / tilesN * Tile::BM, tile % tilesN * Tile::BN};
  };
  pipelineGemm<Tile, bf16, )" +
         columns + (columns == "Dealt" ? ", BeforeWait" : ", AfterWait") +
         R"(>(dynamicShared<char>(), (int)blockIdx.x, (int)gridDim.x, tiles, corner, M,
                           N, K, know, mapA, know, map)" +
         columns + R"(, ahead, columnsAt, store);
)";
}

struct Shape {
  int m, n, k;
};

NncTwinMap matrix(const std::vector<uint16_t> &values, int rows, int depth, unsigned boxRows) {
  NncTwinMap map{};
  map.base = reinterpret_cast<const char *>(values.data());
  map.rank = 2;
  map.rows = boxRows;
  map.sizes[0] = depth, map.sizes[1] = rows;
  map.strides[0] = depth * 2l;
  return map;
}

/// The same, of each 32 rows of which those that four lanes store follow each other.
NncTwinMap dealt(NncTwinMap matrix) {
  const long row = matrix.strides[0], rows = matrix.sizes[1];
  matrix.rank = 5;
  for (auto [i, size] : {std::pair(1, 2L), {2, 4L}, {3, 4L}, {4, rows / 32}})
    matrix.sizes[i] = size;
  for (auto [i, step] : {std::pair(0, 1), {1, 8}, {2, 2}, {3, 32}})
    matrix.strides[i] = step * row;
  return matrix;
}

/// Runs the source with `blocks` blocks and compares each element.
void check(const std::string &source, Shape shape, unsigned bm, unsigned bn, unsigned threads,
           unsigned blocks, bool areDealt = false) {
  auto image = twin::compile(codegen::translationUnit(source));
  ASSERT_TRUE(bool(image)) << image.error().message;
  auto module = twin::Module::load(*image);
  ASSERT_TRUE(bool(module)) << module.error().message;
  auto [m, n, k] = shape;
  auto a = coarse(size_t(m) * k, 1), b = coarse(size_t(n) * k, 2);
  auto af = widened(a), bf = widened(b), r = widened(coarse(size_t(m) * n, 3));
  struct Map {
    NncTwinMap map;
    char rest[128 - sizeof(NncTwinMap)];
  } mapA{matrix(a, m, k, bm), {}}, mapB{matrix(b, n, k, bn), {}};
  if (areDealt)
    mapB.map = dealt(mapB.map);
  for (auto order : {twin::ThreadOrder::Forward, twin::ThreadOrder::Reverse}) {
    std::vector<float> c(size_t(m) * n, NAN);
    const uint16_t *pa = a.data(), *pb = b.data();
    const float *pr = r.data();
    float *pc = c.data();
    void *params[] = {&pa, &pb, &pr, &pc, &m, &n, &k, &mapA, &mapB};
    twin::setThreadOrder(order);
    auto done = (*module)->launch("k", {blocks, 1, 1}, {threads, 1, 1}, 226 << 10, params);
    twin::setThreadOrder(twin::ThreadOrder::Forward);
    ASSERT_TRUE(bool(done)) << done.error().message;
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j) {
        float expected = r[i * n + j];
        for (int d = 0; d < k; ++d)
          expected += af[i * k + d] * bf[j * k + d];
        ASSERT_EQ(c[i * n + j], expected) << i << ", " << j;
      }
  }
}

TEST(Pipeline, GroupsShareTiles) {
  check(sourceOf(inTiles("128, 64, 2, false, 3")), {300, 72, 200}, 128, 64, 384, 2);
}

TEST(Pipeline, GroupsTakeTilesInTurns) {
  check(sourceOf(inTiles("64, 64, 2, true, 4")), {400, 72, 136}, 64, 64, 384, 2);
  check(sourceOf(inTiles("64, 32, 3, true, 2")), {520, 40, 264}, 64, 32, 512, 1);
}

/// More steps are in flight than a tile has, and less tiles are there than groups.
TEST(Pipeline, FewSteps) {
  check(sourceOf(inTiles("64, 64, 3, true, 8")), {600, 64, 64}, 64, 64, 512, 2);
  check(sourceOf(inTiles("64, 64, 3, true, 8")), {40, 16, 8}, 64, 64, 512, 2);
}

/// Of weights, whose first steps are brought before the wait: some, and all of a tile.
TEST(Pipeline, DealtColumns) {
  check(sourceOf(inTiles("128, 64, 2, false, 3", "Dealt")), {300, 96, 200}, 128, 64, 384, 2, true);
  check(sourceOf(inTiles("64, 128, 2, true, 2", "Dealt")), {70, 160, 136}, 64, 128, 384, 1, true);
  check(sourceOf(inTiles("64, 64, 3, true, 8", "Dealt")), {600, 64, 64}, 64, 64, 512, 2, true);
}

TEST(Pipeline, Elsewhere) {
  check(sourceOf("  pipelineElsewhere<MmaTile<128, 64, 2, 4, 3, 1, true, true>, bf16>("
                 "dynamicShared<char>(), (int)blockIdx.x, (int)gridDim.x, 1, [](int) {}, M, N, K, "
                 "know, a, know, b, "
                 "ahead, columnsAt, store);\n"),
        {300, 72, 104}, 128, 64, 384, 2);
}

//===------------------------------------------------------------------------------------------===//
// Kernels
//===------------------------------------------------------------------------------------------===//

class PipelineKernel : public KernelTest {};

TEST_F(PipelineKernel, MatmulWithBiasAndResidual) {
  std::string x = "tensor<?x?x328xbf16, affine_map<()[s0, s1] -> (s0, s1, 328)>>";
  std::string y = "tensor<?x?x520xbf16, affine_map<()[s0, s1] -> (s0, s1, 520)>>";
  build("%x: " + x + ", %w: tensor<520x328xbf16>, %b: tensor<520xbf16>, %r: " + y,
        R"(
    nn.kernel "fc" (%x, %w, %b, %r : )" +
            x + ", tensor<520x328xbf16>, tensor<520xbf16>, " + y + ") -> (" + y +
            R"() attributes {anchor = "contraction"} {
    ^bb0(%a: )" +
            x + ", %c: tensor<520x328xbf16>, %d: tensor<520xbf16>, %e: " + y + R"():
      %0 = nn.matmul %a, %c {transpose_b} : )" +
            x + ", tensor<520x328xbf16> -> " + y + R"(
      %1 = nn.broadcast %d {dims = array<i64: 2>} : tensor<520xbf16> -> )" +
            y + R"(
      %2 = nn.add %0, %1 : )" +
            y + R"(
      %3 = nn.add %2, %e : )" +
            y + R"(
      nn.yield %3 : )" +
            y + R"(
    })");
  EXPECT_NE(source().find("pipelineGemm<Tile, bf16, InOrder, AfterWait, bf16>"), std::string::npos)
      << source();
  EXPECT_NE(source().find("Vector<bf16, 8> v"), std::string::npos) << "the residual is not early";
  for (auto [b, t] : {std::pair<int64_t, int64_t>(1, 1), {3, 67}}) {
    auto a = coarse(b * t * 328, 1), w = coarse(520 * 328, 2), bias = coarse(520, 3),
         r = coarse(b * t * 520, 4);
    auto out =
        valuesOf<uint16_t>(run({b, t}, {bytesOf(a), bytesOf(w), bytesOf(bias), bytesOf(r)}).at(0));
    for (int64_t i = 0; i < b * t; ++i)
      for (int64_t j = 0; j < 520; ++j) {
        float sum = 0;
        for (int64_t k = 0; k < 328; ++k)
          sum += fromBf16(a[i * 328 + k]) * fromBf16(w[j * 328 + k]);
        sum = roundedToBf16(roundedToBf16(sum) + fromBf16(bias[j]));
        ASSERT_EQ(fromBf16(out[i * 520 + j]), roundedToBf16(sum + fromBf16(r[i * 520 + j])));
      }
  }
}

struct Window {
  int64_t height, width, filters, kernel, stride, padding, dilation;
  int64_t out(int64_t size) const {
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  }
};

class PipelineConvolution : public KernelTest, public testing::WithParamInterface<Window> {};

TEST_P(PipelineConvolution, ChannelsLast) {
  constexpr int64_t Channels = 64;
  Window c = GetParam();
  int64_t oh = c.out(c.height), ow = c.out(c.width);
  auto number = [](int64_t value) { return std::to_string(value); };
  auto tensor = [&](int64_t height, int64_t width, int64_t channels) {
    std::string rest = number(height) + ", " + number(width) + ", " + number(channels);
    return "tensor<?x" + number(height) + "x" + number(width) + "x" + number(channels) +
           "xbf16, affine_map<()[s0, s1] -> (s0, " + rest + ")>>";
  };
  std::string x = tensor(c.height, c.width, Channels), y = tensor(oh, ow, c.filters);
  std::string k = number(c.kernel), p = number(c.padding), s = number(c.stride),
              d = number(c.dilation);
  std::string w = "tensor<" + number(c.filters) + "x" + k + "x" + k + "x64xbf16>";
  std::string attributes = "strides = array<i64: " + s + ", " + s + ">, padding = array<i64: " + p +
                           ", " + p + ", " + p + ", " + p + ">, dilation = array<i64: " + d + ", " +
                           d + ">, groups = 1, channels_last";
  build("%x: " + x + ", %w: " + w, R"(
    nn.kernel "conv" (%x, %w : )" + x + ", " +
                                       w + ") -> (" + y + R"()
        attributes {anchor = "convolution"} {
    ^bb0(%a: )" + x + ", %c: " + w + R"():
      %0 = nn.conv2d %a, %c {)" + attributes +
                                       "} : " + x + ", " + w + " -> " + y + R"(
      %zero = nn.full 0.0 : bf16 -> )" +
                                       y + R"(
      %1 = nn.max %0, %zero : )" + y + R"(
      nn.yield %1 : )" + y + R"(
    })");
  std::string columns = c.filters % 32 == 0 ? "Dealt" : "InOrder";
  EXPECT_NE(source().find("pipelineGemm<Tile, bf16, " + columns + ", AfterWait, bf16>"),
            std::string::npos)
      << source();
  for (int64_t batch : {2, 1}) {
    auto input = coarse(batch * c.height * c.width * Channels, 1);
    auto weight = coarse(c.filters * c.kernel * c.kernel * Channels, 2);
    auto out = valuesOf<uint16_t>(run({batch, 1}, {bytesOf(input), bytesOf(weight)}).at(0));
    for (int64_t i = 0; i < batch * oh * ow; ++i)
      for (int64_t f = 0; f < c.filters; ++f) {
        float sum = 0;
        for (int64_t r = 0; r < c.kernel; ++r)
          for (int64_t q = 0; q < c.kernel; ++q) {
            int64_t yy = i / ow % oh * c.stride + r * c.dilation - c.padding;
            int64_t xx = i % ow * c.stride + q * c.dilation - c.padding;
            if (yy < 0 || yy >= c.height || xx < 0 || xx >= c.width)
              continue;
            int64_t from = ((i / ow / oh * c.height + yy) * c.width + xx) * Channels;
            for (int64_t ch = 0; ch < Channels; ++ch)
              sum += fromBf16(input[from + ch]) *
                     fromBf16(weight[((f * c.kernel + r) * c.kernel + q) * Channels + ch]);
          }
        ASSERT_EQ(fromBf16(out[i * c.filters + f]), roundedToBf16(std::max(sum, 0.0f)))
            << i << ", " << f;
      }
  }
}

/// Three channels, which lie first in memory.
class DirectConvolution : public KernelTest, public testing::WithParamInterface<Window> {};

TEST_P(DirectConvolution, ChannelsFirst) {
  constexpr int64_t Channels = 3;
  Window c = GetParam();
  int64_t oh = c.out(c.height), ow = c.out(c.width);
  auto number = [](int64_t value) { return std::to_string(value); };
  auto tensor = [&](int64_t a, int64_t b, int64_t d) {
    std::string rest = number(a) + ", " + number(b) + ", " + number(d);
    return "tensor<?x" + number(a) + "x" + number(b) + "x" + number(d) +
           "xbf16, affine_map<()[s0, s1] -> (s0, " + rest + ")>>";
  };
  std::string x = tensor(Channels, c.height, c.width), v = tensor(c.height, c.width, Channels),
              y = tensor(oh, ow, c.filters);
  std::string k = number(c.kernel), p = number(c.padding), s = number(c.stride),
              d = number(c.dilation), f = number(c.filters);
  std::string w = "tensor<" + f + "x" + k + "x" + k + "x3xbf16>", b = "tensor<" + f + "xbf16>";
  std::string attributes = "strides = array<i64: " + s + ", " + s + ">, padding = array<i64: " + p +
                           ", " + p + ", " + p + ", " + p + ">, dilation = array<i64: " + d + ", " +
                           d + ">, groups = 1, channels_last";
  build("%x: " + x + ", %w: " + w + ", %b: " + b, R"(
    nn.kernel "conv" (%x, %w, %b : )" + x + ", " + w + ", " +
                                                      b + ") -> (" + y + R"()
        attributes {anchor = "convolution"} {
    ^bb0(%a: )" + x + ", %c: " + w + ", %e: " + b + R"():
      %v = nn.transpose %a {permutation = array<i64: 0, 2, 3, 1>} : )" +
                                                      x + " -> " + v + R"(
      %0 = nn.conv2d %v, %c {)" + attributes +
                                                      "} : " + v + ", " + w + " -> " + y + R"(
      %1 = nn.broadcast %e {dims = array<i64: 3>} : )" +
                                                      b + " -> " + y + R"(
      %2 = nn.add %0, %1 : )" + y + R"(
      nn.yield %2 : )" + y + R"(
    })");
  EXPECT_NE(source().find("directGemm<Tile, bf16, bf16>"), std::string::npos) << source();
  for (int64_t batch : {3, 1}) {
    auto input = coarse(batch * Channels * c.height * c.width, 1);
    auto weight = coarse(c.filters * c.kernel * c.kernel * Channels, 2);
    auto bias = coarse(c.filters, 3);
    auto out =
        valuesOf<uint16_t>(run({batch, 1}, {bytesOf(input), bytesOf(weight), bytesOf(bias)}).at(0));
    for (int64_t i = 0; i < batch * oh * ow; ++i)
      for (int64_t f = 0; f < c.filters; ++f) {
        float sum = 0;
        for (int64_t e = 0; e < c.kernel * c.kernel * Channels; ++e) {
          int64_t r = e / Channels / c.kernel, q = e / Channels % c.kernel, ch = e % Channels;
          int64_t yy = i / ow % oh * c.stride + r * c.dilation - c.padding;
          int64_t xx = i % ow * c.stride + q * c.dilation - c.padding;
          if (yy >= 0 && yy < c.height && xx >= 0 && xx < c.width)
            sum += fromBf16(input[((i / ow / oh * Channels + ch) * c.height + yy) * c.width + xx]) *
                   fromBf16(weight[f * c.kernel * c.kernel * Channels + e]);
        }
        ASSERT_EQ(fromBf16(out[i * c.filters + f]),
                  roundedToBf16(roundedToBf16(sum) + fromBf16(bias[f])))
            << i << ", " << f;
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, DirectConvolution,
                         testing::Values(Window{11, 13, 32, 3, 1, 0, 1},
                                         Window{9, 12, 40, 3, 2, 1, 1},
                                         Window{8, 9, 64, 5, 1, 2, 1}));

INSTANTIATE_TEST_SUITE_P(Shapes, PipelineConvolution,
                         testing::Values(Window{29, 30, 64, 3, 1, 1, 1},  // as in ResNets
                                         Window{29, 27, 72, 3, 2, 1, 1},  // strides
                                         Window{28, 31, 64, 3, 1, 2, 2},  // dilated
                                         Window{27, 29, 136, 1, 2, 0, 1}, // without a window
                                         Window{40, 40, 136, 1, 1, 0, 1}));

} // namespace
