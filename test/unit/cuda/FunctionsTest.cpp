// Functions of the device's prelude, by themselves, on the host twin.
#include "codegen/cuda/Cubin.h"
#include "codegen/device/host/Twin.h"
#include "test/unit/cuda/KernelTest.h"

#include <cmath>

using namespace nnc;

namespace {

/// `function`, text in terms of `x`, of many numbers between -5 and 5 and of special ones.
class Functions : public ::testing::Test {
protected:
  void run(const std::string &function) {
    auto image = twin::compile(
        codegen::translationUnit("#include \"prelude.cuh\"\n"
                                 "extern \"C\" __global__ void k(const float *from, float *to) {\n"
                                 "  const float x = from[blockIdx.x];\n  to[blockIdx.x] = " +
                                 function + ";\n}\n"));
    ASSERT_TRUE(bool(image)) << image.error().message;
    auto module = twin::Module::load(*image);
    ASSERT_TRUE(bool(module)) << module.error().message;
    for (int i = -2000; i <= 2000; ++i)
      x.push_back(static_cast<float>(i) / 400);
    y.assign(x.size(), NAN);
    const float *from = x.data();
    float *to = y.data();
    void *params[] = {&from, &to};
    auto done =
        (*module)->launch("k", {static_cast<unsigned>(x.size()), 1, 1}, {1, 1, 1}, 0, params);
    ASSERT_TRUE(bool(done)) << done.error().message;
  }

  /// Both bounds together: `relative` of the value and `absolute`.
  void expectNear(double (*function)(double), double relative, double absolute) {
    for (size_t i = 0; i < x.size(); ++i) {
      double exact = function(x[i]);
      if (std::isnan(exact))
        EXPECT_TRUE(std::isnan(y[i])) << x[i];
      else
        EXPECT_NEAR(y[i], exact, relative * std::abs(exact) + absolute) << x[i];
    }
  }

  std::vector<float> x{0, -0.0f, INFINITY, -INFINITY, NAN,   1e-30f, 0.99999994f,
                       1, 3.9f,  4,        5,         1e30f, -7,     -1e30f};
  std::vector<float> y;
};

/// Within 2 in the last place.
TEST_F(Functions, Erf) {
  run("errorFunction(x)");
  expectNear([](double v) { return std::erf(v); }, 2.4e-7, 0);
}

TEST_F(Functions, ErfAndOne) {
  run("errorFunctionAndOne(x)");
  expectNear([](double v) { return std::erfc(-v); }, 0, 3e-7);
  for (size_t i = 0; i < x.size(); ++i)
    if (x[i] < 0 && x[i] > -3) // where the sum with 1 has lost all digits but a few
      EXPECT_NEAR(y[i], std::erfc(-double(x[i])), 2e-5 * std::erfc(-double(x[i]))) << x[i];
}

TEST_F(Functions, TanhAndOne) {
  run("tanhAndOne(x)");
  expectNear([](double v) { return 2 / (1 + std::exp(-2 * v)); }, 2e-6, 1e-37);
}

TEST_F(Functions, RoundedToSixteenBits) {
  run("rounded<bf16>(x) - (float)bf16(x)");
  expectNear([](double v) { return std::isfinite(v) ? 0.0 : NAN; }, 0, 0);
}

} // namespace
