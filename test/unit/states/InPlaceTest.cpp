// States that are written over what they were, and kernels that share a launch: numbers are those
// of plans that copy.
#include "States.h"

#include <cmath>

using namespace nnc;

namespace {

class InPlace : public States {
protected:
  bool infoHas(const std::string &text) { return engine->info().find(text) != std::string::npos; }

  Floats valueOf(const char *name) {
    Result<Tensor> value = session->state(name);
    EXPECT_TRUE(value) << value.error().message;
    return value ? Floats(value->values<float>().begin(), value->values<float>().end()) : Floats();
  }
};

/// Of a length that is no multiple of four, so that no vectors are loaded, and of one that is.
TEST_P(InPlace, IsEveryUpdateOfElements) {
  for (int64_t size : {7, 96}) {
    std::string n = std::to_string(size);
    open("state w: f32[" + n + "] = 1\n  state m: f32[" + n + "] = 0\n  state v: f32[" + n +
         R"(] = 0
  state n: i32[] = 0
  fn forward(g: f32[)" +
         n + R"(]) -> f32[] {
    m <- 0.5 * m + g
    v <- 0.25 * v + g * g
    w <- w - m / (sqrt(v) + 1) / f32(n + 1)
    n <- n + 1
    return sum(g)
  })");
    EXPECT_TRUE(infoHas(" 0 copies")) << engine->info();
    Floats w(size, 1), m(size, 0), v(size, 0);
    for (int step = 0; step < 3; ++step) {
      Tensor gradient = counting({size}, 0.5f - float(step));
      call({{"g", gradient}});
      for (int64_t i = 0; i < size; ++i) {
        float g = gradient.values<float>()[i];
        m[i] = 0.5f * m[i] + g;
        v[i] = 0.25f * v[i] + g * g;
        w[i] -= m[i] / (std::sqrt(v[i]) + 1) / float(step + 1);
      }
    }
    for (int64_t i = 0; i < size; ++i) {
      EXPECT_FLOAT_EQ(valueOf("m")[i], m[i]);
      EXPECT_FLOAT_EQ(valueOf("v")[i], v[i]);
      EXPECT_NEAR(valueOf("w")[i], w[i], 1e-5f);
    }
    EXPECT_EQ(session->state("n")->values<int32_t>()[0], 3);
  }
}

TEST_P(InPlace, IsNotWhatReadsElsewhere) {
  open(R"(
  state grid: f32[3, 3] = 0
  fn forward(x: f32[3, 3]) -> f32[] {
    grid <- grid.T + x
    return sum(x)
  })");
  EXPECT_FALSE(infoHas(" 0 copies")) << engine->info();
  call({{"x", counting({3, 3})}});
  call({{"x", counting({3, 3})}});
  EXPECT_EQ(valueOf("grid"), (Floats{2, 6, 10, 6, 10, 14, 10, 14, 18}));
}

TEST_P(InPlace, WaitsForWhoReadsTheOldValue) {
  open(R"(
  state kept: f32[4] = 1
  fn forward(x: f32[4]) -> f32[] {
    old = kept
    kept <- kept + x
    return sum(old * old)
  })");
  EXPECT_TRUE(infoHas(" 0 copies")) << engine->info();
  EXPECT_EQ(call({{"x", counting({4})}}), (Floats{4}));
  EXPECT_EQ(call({{"x", counting({4})}}), (Floats{4 + 9 + 16 + 25}));
}

TEST_P(InPlace, IsCopiedWhereTheReaderNeedsBoth) {
  open(R"(
  state kept: f32[4] = 1
  fn forward(x: f32[4]) -> f32[4] {
    old = kept
    kept <- kept + x
    return softmax(kept, axis=0) * old + max(old)
  })");
  call({{"x", floats({4}, {1, 1, 1, 1})}});
  EXPECT_EQ(call({{"x", floats({4}, {3, 3, 3, 3})}}), (Floats{2.5, 2.5, 2.5, 2.5}));
}

TEST_P(InPlace, TwoStatesChangePlaces) {
  open(R"(
  state a: f32[4] = 1
  state b: f32[4] = 2
  fn forward(x: f32[4]) -> f32[4] {
    was = a
    a <- b + x
    b <- was - x
    return a
  })");
  EXPECT_EQ(call({{"x", counting({4})}}), (Floats{3, 4, 5, 6}));
  EXPECT_EQ(valueOf("b"), (Floats{0, -1, -2, -3}));
  EXPECT_EQ(call({{"x", counting({4})}}), (Floats{1, 1, 1, 1}));
  EXPECT_EQ(valueOf("b"), (Floats{2, 2, 2, 2}));
}

/// Of different lengths, elements and numbers of buffers, one of them with a scalar.
TEST_P(InPlace, PartsOfOneLaunch) {
  open(R"(
  state a: f32[1000] = 1
  state b: f32[3, 5] = 2
  state c: f32[64] = 3
  state d: bf16[32] = 4
  state n: i32[] = 0
  fn forward(x: f32[1000], y: f32[3, 5], rate: f32[]) -> f32[] {
    a <- a - rate * x
    b <- b - rate * y
    c <- c - rate * x[10:74]
    d <- bf16(f32(d) * 0.5)
    n <- n + 1
    return sum(y)
  })");
  EXPECT_TRUE(infoHas(" 0 copies")) << engine->info();
  if (isCuda())
    EXPECT_TRUE(infoHas("and 5 more")) << engine->info();
  TensorMap inputs{{"x", counting({1000})}, {"y", counting({3, 5})}, {"rate", floats({}, {0.5f})}};
  call(inputs);
  call(inputs);
  EXPECT_EQ(valueOf("a")[999], 1 - 1000);
  EXPECT_EQ(valueOf("b")[14], 2 - 15);
  EXPECT_EQ(valueOf("c")[0], 3 - 11);
  EXPECT_EQ(valueOf("c")[63], 3 - 74);
  EXPECT_EQ(session->state("n")->values<int32_t>()[0], 2);
}

INSTANTIATE_TEST_SUITE_P(Targets, InPlace, testing::Values("cpu", "cuda"),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
