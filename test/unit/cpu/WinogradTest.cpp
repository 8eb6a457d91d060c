//===- WinogradTest.cpp - 3x3 convolutions with fewer products ------------===//
//
// `nn-use-winograd` and what the cpu target makes of it beside the convolution in double precision.
//
//===----------------------------------------------------------------------===//

#include "Harness.h"
#include "passes/Passes.h"

#include "mlir/IR/Builders.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace mlir;
using namespace nnc;
using namespace nnc::test;

namespace {

struct Case {
  int64_t channels, filters, height, width; ///< of the image; a negative width is a dimension
  std::vector<int64_t> padding;             ///< top, bottom, left, right
  bool isEpilogued = true;                  ///< a bias and relu follow

  int64_t rows() const { return height + padding[0] + padding[1] - 2; }
  int64_t columns(int64_t width) const { return width + padding[2] + padding[3] - 2; }

  std::string text() const {
    bool isDynamic = width < 0;
    auto type = [&](int64_t channels, int64_t rows, int64_t more, const char *map) {
      std::string columns = isDynamic ? "?" : std::to_string(width + more);
      return fmt::format("tensor<?x{}x{}x{}xf32, {}>", channels, rows, columns, map);
    };
    auto map = [&](int64_t channels, int64_t rows, int64_t more) {
      std::string columns = isDynamic ? fmt::format("s1 + {}", more) : std::to_string(width + more);
      return fmt::format("affine_map<()[s0{}] -> (s0, {}, {}, {})>", isDynamic ? ", s1" : "",
                         channels, rows, columns);
    };
    int64_t more = padding[2] + padding[3] - 2;
    std::string x = type(channels, height, 0, "#x"), y = type(filters, rows(), more, "#y");
    std::string epilogue = fmt::format(
        "%b = nn.get @b : tensor<{0}xf32>\n"
        "%1 = nn.broadcast %b {{dims = array<i64: 1>}} : tensor<{0}xf32> -> {1}\n"
        "%2 = nn.add %0, %1 : {1}\n%3 = nn.full 0.0 : f32 -> {1}\n%4 = nn.max %2, %3 : {1}\n",
        filters, y);
    return fmt::format(
        "#x = {}\n#y = {}\nnn.global @w : tensor<{}x{}x3x3xf32> {{kind = \"param\"}}\n"
        "nn.global @b : tensor<{}xf32> {{kind = \"param\"}}\n"
        "func.func @f(%x: {}) -> {} attributes {{nn.entry, nn.dims = [{}]}} {{\n"
        "%w = nn.get @w : tensor<{}x{}x3x3xf32>\n"
        "%0 = nn.conv2d %x, %w {{strides = array<i64: 1, 1>, padding = array<i64: {}>, "
        "dilation = array<i64: 1, 1>}} : {}, tensor<{}x{}x3x3xf32> -> {}\n{}return {} : {}\n}}",
        map(channels, height, 0), map(filters, rows(), more), filters, channels, filters, x, y,
        isDynamic ? "\"B\", \"W\"" : "\"B\"", filters, channels, fmt::join(padding, ", "), x,
        filters, channels, y, isEpilogued ? epilogue : "", isEpilogued ? "%4" : "%0", y);
  }

  /// The convolution in double precision.
  Array reference(const Array &x, const Array &w, const Array &b) const {
    int64_t images = x.shape[0], width = x.shape[3];
    Array y{{images, filters, rows(), columns(width)}, {}};
    for (int64_t n = 0; n < images; ++n)
      for (int64_t f = 0; f < filters; ++f)
        for (int64_t row = 0; row < rows(); ++row)
          for (int64_t column = 0; column < columns(width); ++column) {
            double sum = isEpilogued ? b.data[f] : 0;
            for (int64_t c = 0; c < channels; ++c)
              for (int64_t tap = 0; tap < 9; ++tap) {
                int64_t i = row + tap / 3 - padding[0], j = column + tap % 3 - padding[2];
                if (i >= 0 && i < height && j >= 0 && j < width)
                  sum += x.data[((n * channels + c) * height + i) * width + j] *
                         w.data[(f * channels + c) * 9 + tap];
              }
            y.data.push_back(isEpilogued ? std::max(sum, 0.0) : sum);
          }
    return y;
  }
};

/// Runs all kernels of a function in order, and returns the results of the last.
class Runner {
public:
  Runner(Model &model, const codegen::CpuObject &object, const rt::LoadedObject &loaded)
      : model(model), object(object), loaded(loaded) {}

  Array x, w, b;

  Array run(const std::vector<int64_t> &dims) {
    llvm::DenseMap<Value, Array> values;
    std::vector<Array> results;
    for (auto [number, kernel] : llvm::enumerate(model.kernels)) {
      std::vector<Array> operands;
      for (Value operand : kernel.getOperands()) {
        auto get = operand.getDefiningOp<nn::GetOp>();
        operands.push_back(get                           ? get.getName() == "w" ? w : b
                           : isa<BlockArgument>(operand) ? x
                                                         : values.at(operand));
      }
      results = runKernel(kernel, object, number, loaded, operands, dims);
      for (auto [value, array] : llvm::zip(kernel->getResults(), results))
        values[value] = array;
    }
    return results.front();
  }

private:
  Model &model;
  const codegen::CpuObject &object;
  const rt::LoadedObject &loaded;
};

Array random(const std::vector<int64_t> &shape, unsigned seed) {
  return randomArray(RankedTensorType::get(shape, Builder(&testContext()).getF32Type()), shape,
                     seed);
}

/// Errors relative to the largest result.
void check(const Case &c, const std::vector<std::vector<int64_t>> &sizes,
           const std::string &cpu = "native") {
  SCOPED_TRACE(c.text());
  Model model = makeModel(c.text(), createUseWinograd());
  ASSERT_GE(model.kernels.size(), 2u) << "no weights were combined";
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {cpu});
  ASSERT_TRUE(object) << object.error().message;
  Result<rt::LoadedObject> loaded = rt::LoadedObject::load(std::as_bytes(std::span(object->elf)));
  ASSERT_TRUE(loaded) << loaded.error().message;
  Runner runner(model, *object, *loaded);
  runner.w = random({c.filters, c.channels, 3, 3}, 2);
  runner.b = random({c.filters}, 3);
  for (const std::vector<int64_t> &dims : sizes) {
    int64_t width = c.width < 0 ? dims[1] : c.width;
    runner.x = random({dims[0], c.channels, c.height, width}, 1);
    Array got = runner.run(dims), want = c.reference(runner.x, runner.w, runner.b);
    ASSERT_EQ(got.shape, want.shape);
    double largest = 0, error = 0;
    for (size_t i = 0; i < want.data.size(); ++i) {
      ASSERT_TRUE(std::isfinite(got.data[i]));
      largest = std::max(largest, std::abs(want.data[i]));
      error = std::max(error, std::abs(got.data[i] - want.data[i]));
    }
    EXPECT_LT(error, 3e-6 * largest) << "at B = " << dims[0] << ", W = " << width;
  }
}

} // namespace

/// Tiles of 2 (2, 4 rows), 3 (3, 5, 6, 9) and 4 (8, 7, 14, 16) rows, whole and not.
TEST(CpuWinograd, Heights) {
  for (int64_t height : {2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 16})
    check({16, 16, height, 33, {1, 1, 1, 1}}, {{1}, {2}});
}

TEST(CpuWinograd, Widths) {
  for (int64_t width : {8, 9, 15, 16, 17, 31, 32, 40, 70})
    check({17, 19, 8, width, {1, 1, 1, 1}}, {{1}});
}

TEST(CpuWinograd, Padding) {
  for (const std::vector<int64_t> &padding :
       {std::vector<int64_t>{0, 0, 0, 0}, {2, 2, 2, 2}, {0, 1, 2, 0}, {3, 0, 0, 1}})
    for (bool isEpilogued : {false, true})
      check({16, 16, 10, 20, padding, isEpilogued}, {{1}, {3}});
}

/// So many channels or columns that buffers hold only parts of them.
TEST(CpuWinograd, Parts) {
  check({200, 72, 8, 40, {1, 1, 1, 1}}, {{1}});
  check({520, 130, 9, 8, {1, 1, 1, 1}}, {{1}});
  check({16, 64, 4, 1500, {1, 1, 1, 1}}, {{1}});
}

TEST(CpuWinograd, WidthsOfRunTime) {
  check({16, 24, 9, -1, {1, 1, 1, 1}}, {{1, 1}, {2, 8}, {1, 37}, {1, 300}, {1, 1100}});
  check({16, 24, 8, -1, {0, 0, 0, 0}, false}, {{2, 3}, {1, 34}, {1, 131}});
}

TEST(CpuWinograd, OtherMachines) {
  for (const char *cpu : {"x86-64", "x86-64-v3"})
    check({20, 70, 7, 19, {1, 1, 1, 1}}, {{2}}, cpu);
}
