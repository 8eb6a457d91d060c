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

/// An image of -1 rows or columns has a dimension for them.
struct Case {
  int64_t channels, filters, height, width;
  std::vector<int64_t> padding; ///< top, bottom, left, right
  bool isEpilogued = true;      ///< a bias and relu follow

  int64_t side(unsigned number, int64_t size) const {
    return size + padding[2 * number] + padding[2 * number + 1] - 2;
  }

  std::string text() const {
    int64_t sizes[] = {height, width};
    const char *symbols[] = {"s1", height < 0 ? "s2" : "s1"};
    auto type = [&](int64_t channels, bool isResult) {
      std::string shape = fmt::format("?x{}", channels);
      for (unsigned i : {0, 1})
        shape += sizes[i] < 0 ? "x?" : fmt::format("x{}", isResult ? side(i, sizes[i]) : sizes[i]);
      return fmt::format("tensor<{}xf32, {}>", shape, isResult ? "#y" : "#x");
    };
    auto map = [&](int64_t channels, bool isResult) {
      std::string dims = fmt::format("s0, {}", channels);
      for (unsigned i : {0, 1})
        dims += sizes[i] < 0 ? fmt::format(", {} + {}", symbols[i], isResult ? side(i, 0) : 0)
                             : fmt::format(", {}", isResult ? side(i, sizes[i]) : sizes[i]);
      const char *all = height < 0 && width < 0   ? "s0, s1, s2"
                        : height < 0 || width < 0 ? "s0, s1"
                                                  : "s0";
      return fmt::format("affine_map<()[{}] -> ({})>", all, dims);
    };
    std::string x = type(channels, false), y = type(filters, true);
    std::string epilogue = fmt::format(
        "%b = nn.get @b : tensor<{0}xf32>\n"
        "%1 = nn.broadcast %b {{dims = array<i64: 1>}} : tensor<{0}xf32> -> {1}\n"
        "%2 = nn.add %0, %1 : {1}\n%3 = nn.full 0.0 : f32 -> {1}\n%4 = nn.max %2, %3 : {1}\n",
        filters, y);
    return fmt::format(
        "#x = {}\n#y = {}\nnn.global @w : tensor<{}x{}x3x3xf32> {{kind = \"param\"}}\n"
        "nn.global @b : tensor<{}xf32> {{kind = \"param\"}}\n"
        "func.func @f(%x: {}) -> {} attributes {{nn.entry, nn.dims = [\"B\"{}{}]}} {{\n"
        "%w = nn.get @w : tensor<{}x{}x3x3xf32>\n"
        "%0 = nn.conv2d %x, %w {{strides = array<i64: 1, 1>, padding = array<i64: {}>, "
        "dilation = array<i64: 1, 1>}} : {}, tensor<{}x{}x3x3xf32> -> {}\n{}return {} : {}\n}}",
        map(channels, false), map(filters, true), filters, channels, filters, x, y,
        height < 0 ? ", \"H\"" : "", width < 0 ? ", \"W\"" : "", filters, channels,
        fmt::join(padding, ", "), x, filters, channels, y, isEpilogued ? epilogue : "",
        isEpilogued ? "%4" : "%0", y);
  }

  /// The convolution in double precision.
  Array reference(const Array &x, const Array &w, const Array &b) const {
    int64_t images = x.shape[0], height = x.shape[2], width = x.shape[3];
    int64_t rows = side(0, height), columns = side(1, width);
    Array y{{images, filters, rows, columns}, {}};
    for (int64_t n = 0; n < images; ++n)
      for (int64_t f = 0; f < filters; ++f)
        for (int64_t row = 0; row < rows; ++row)
          for (int64_t column = 0; column < columns; ++column) {
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

/// Runs all kernels of a function in order, and returns its first result.
class Runner {
public:
  Runner(Model &model, const codegen::CpuObject &object, const rt::LoadedObject &loaded)
      : model(model), object(object), loaded(loaded) {}

  Array x, w, b;

  Array run(const std::vector<int64_t> &dims) {
    llvm::DenseMap<Value, Array> values;
    for (auto [number, kernel] : llvm::enumerate(model.kernels)) {
      std::vector<Array> operands;
      for (Value operand : kernel.getOperands()) {
        auto get = operand.getDefiningOp<nn::GetOp>();
        operands.push_back(get                           ? get.getName() == "w" ? w : b
                           : isa<BlockArgument>(operand) ? x
                                                         : values.at(operand));
      }
      std::vector<Array> results = runKernel(kernel, object, number, loaded, operands, dims);
      for (auto [value, array] : llvm::zip(kernel->getResults(), results))
        values[value] = array;
    }
    return values.at(model.kernels.back()->getBlock()->getTerminator()->getOperand(0));
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

/// Errors of the first result, relative to its largest number.
void check(const Case &c, const std::vector<std::vector<int64_t>> &sizes,
           const std::string &cpu = "native", const std::string &changed = "") {
  std::string text = changed.empty() ? c.text() : changed;
  SCOPED_TRACE(text);
  Model model = makeModel(text, createUseWinograd());
  ASSERT_GE(model.kernels.size(), 2u) << "no weights were combined";
  Result<codegen::CpuObject> object = codegen::compileForCpu(model.kernels, {cpu});
  ASSERT_TRUE(object) << object.error().message;
  Result<rt::LoadedObject> loaded = rt::LoadedObject::load(std::as_bytes(std::span(object->elf)));
  ASSERT_TRUE(loaded) << loaded.error().message;
  Runner runner(model, *object, *loaded);
  runner.w = random({c.filters, c.channels, 3, 3}, 2);
  runner.b = random({c.filters}, 3);
  for (const std::vector<int64_t> &dims : sizes) {
    int64_t height = c.height < 0 ? dims[1] : c.height, width = c.width < 0 ? dims.back() : c.width;
    runner.x = random({dims[0], c.channels, height, width}, 1);
    Array got = runner.run(dims), want = c.reference(runner.x, runner.w, runner.b);
    ASSERT_EQ(got.shape, want.shape);
    double largest = 0, error = 0;
    for (size_t i = 0; i < want.data.size(); ++i) {
      ASSERT_TRUE(std::isfinite(got.data[i]));
      largest = std::max(largest, std::abs(want.data[i]));
      error = std::max(error, std::abs(got.data[i] - want.data[i]));
    }
    EXPECT_LT(error, 3e-6 * largest) << "at " << dims[0] << " x " << height << " x " << width;
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

/// Each result of a kernel computes the convolution, in buffers that they share.
TEST(CpuWinograd, SeveralResults) {
  Case c{16, 64, 20, 56, {1, 1, 1, 1}};
  std::string text = c.text(), type = "tensor<?x64x20x56xf32, #y>";
  auto replace = [&](const std::string &old, const std::string &by) {
    size_t at = text.find(old);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, old.size(), by);
  };
  std::string types = fmt::format("{0}, {0}, {0}, {0}", type);
  replace("-> " + type + " attributes", "-> (" + types + ") attributes");
  replace("return %4 : " + type, "%5 = nn.tanh %4 : " + type + "\n%6 = nn.add %5, %4 : " + type +
                                     "\nreturn %4, %0, %5, %6 : " + types);
  check(c, {{1}, {2}}, "native", text);
  Model model = makeModel(text, createUseWinograd());
  EXPECT_EQ(model.kernels.back()->getNumResults(), 4u);
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

TEST(CpuWinograd, HeightsOfRunTime) {
  check({16, 24, -1, 20, {1, 1, 1, 1}}, {{1, 1}, {2, 3}, {1, 4}, {1, 18}, {1, 129}});
  check({20, 16, -1, 9, {0, 0, 0, 0}, false}, {{2, 3}, {1, 7}, {1, 66}});
  check({24, 80, -1, -1, {1, 1, 1, 1}}, {{1, 1, 1}, {2, 5, 8}, {1, 14, 14}, {1, 37, 70}});
  check({16, 16, -1, -1, {0, 2, 1, 0}, false}, {{1, 2, 3}, {1, 33, 18}});
}

TEST(CpuWinograd, OtherMachines) {
  for (const char *cpu : {"x86-64", "x86-64-v3"})
    check({20, 70, 7, 19, {1, 1, 1, 1}}, {{2}}, cpu);
}
