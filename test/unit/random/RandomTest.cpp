// What models draw at run time, compiled from text for the cpu and for the twin of a GPU. Expected
// numbers are those of Philox 4x32-10 as its authors publish it, under the session's seed and with
// the counter (number of the element, number of the call, number of the draw).
#include "runtime/cuda/CudaDevice.h"
#include "runtime/format/Plan.h"
#include "tools/compiler/Compile.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>
#include <numbers>
#include <numeric>

using namespace nnc;

namespace {

using Floats = std::vector<float>;
using Words = std::array<uint32_t, 4>;

Words philox(Words counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t first = uint64_t(0xD2511F53) * counter[0], third = uint64_t(0xCD9E8D57) * counter[2];
    counter = {uint32_t(third >> 32) ^ counter[1] ^ key[0], uint32_t(third),
               uint32_t(first >> 32) ^ counter[3] ^ key[1], uint32_t(first)};
    key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
  }
  return counter;
}

Words wordsOf(uint64_t element, uint32_t draw, Generator at) {
  return philox({uint32_t(element), uint32_t(element >> 32), uint32_t(at.calls), draw},
                {uint32_t(at.seed), uint32_t(at.seed >> 32)});
}

/// What `uniform([count])` gives, from element `first` on.
Floats uniforms(size_t count, uint32_t draw, Generator at, uint64_t first = 0) {
  Floats values;
  for (size_t i = 0; i < count; ++i)
    values.push_back(float(wordsOf(first + i, draw, at)[0] >> 8) * 0x1p-24f);
  return values;
}

Floats operator+(Floats a, const Floats &b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Tensor zeros(std::vector<int64_t> shape) {
  Result<Tensor> tensor = Tensor::empty(DType::F32, shape);
  std::ranges::fill(tensor->values<float>(), 0);
  return *tensor;
}

Tensor ones(std::vector<int64_t> shape) {
  Tensor tensor = zeros(std::move(shape));
  std::ranges::fill(tensor.values<float>(), 1);
  return tensor;
}

double meanOf(const Floats &values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}

/// The mean of the n-th powers of what is left without the mean.
double momentOf(const Floats &values, int n) {
  double mean = meanOf(values), sum = 0;
  for (float value : values)
    sum += std::pow(value - mean, n);
  return sum / double(values.size());
}

/// A model compiled for one target.
class Program {
public:
  Program(const std::string &target, const std::string &source, CompileOptions options = {}) {
    setenv("NNC_CUDA_TWIN", NNC_TEST_TWIN, 1);
    options.target = target;
    if (target == "cuda")
      options.archs = {"sm_80"};
    Result<CompiledModel> compiled = compileText("model.nn", source, options);
    EXPECT_TRUE(compiled) << compiled.error().message;
    Result<Engine> loaded = compiled->engine();
    EXPECT_TRUE(loaded) << loaded.error().message;
    engine = std::make_unique<Engine>(*loaded);
    open({});
  }

  void open(const SessionOptions &options) {
    Result<Session> opened = engine->session(options);
    EXPECT_TRUE(opened) << opened.error().message;
    session = std::make_unique<Session>(std::move(*opened));
  }

  /// The first output of a call.
  Floats call(const TensorMap &inputs, const char *entry = "forward") {
    Result<TensorMap> outputs = session->run(entry, inputs);
    if (!outputs) {
      ADD_FAILURE() << outputs.error().message;
      return {};
    }
    auto values = outputs->begin()->tensor.values<float>();
    return {values.begin(), values.end()};
  }

  std::unique_ptr<Engine> engine;
  std::unique_ptr<Session> session;
};

class Random : public testing::TestWithParam<const char *> {
protected:
  Program compile(const std::string &body, CompileOptions options = {}) {
    return Program(GetParam(), "model M() {\n" + body + "\n}\n", std::move(options));
  }
};

TEST_P(Random, FirstNumberIsTheAuthorsKnownAnswer) {
  Program program = compile("fn forward(x: float[1]) -> float[1] = x + uniform([1])");
  EXPECT_EQ(program.call({{"x", zeros({1})}}), (Floats{float(0x6627e8d5 >> 8) * 0x1p-24f}));
}

TEST(Philox, OfThisTestGivesTheAuthorsKnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  uint32_t all = 0xffffffff;
  EXPECT_EQ(philox({all, all, all, all}, {all, all}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST_P(Random, EveryDrawOfEveryCallHasNumbersOfItsOwn) {
  Program program = compile(R"(
  fn forward(x: float[3, 5]) -> float[2, 3, 5] {
    a = x + uniform([3, 5])
    return stack([a, uniform([3, 5])], axis=0)
  })");
  TensorMap inputs = {{"x", zeros({3, 5})}};
  for (uint64_t seed : {uint64_t(0), uint64_t(0x123456789ABCDEF0)}) {
    program.open({.seed = seed});
    for (uint64_t call : {0, 1, 2})
      EXPECT_EQ(program.call(inputs),
                uniforms(15, 0, {seed, call}) + uniforms(15, 1, {seed, call}));
  }
}

TEST_P(Random, GeneratorGoesOnFromWhereItIsPut) {
  Program program = compile("fn forward(x: float[4]) -> float[4] = x + uniform([4])");
  TensorMap inputs = {{"x", zeros({4})}};
  EXPECT_EQ(program.session->generator(), Generator{});
  program.session->setGenerator({7, 0x300000005});
  EXPECT_EQ(program.call(inputs), uniforms(4, 0, {7, 5}));
  EXPECT_EQ(program.session->generator(), (Generator{7, 0x300000006}));
  EXPECT_EQ(program.call(inputs), uniforms(4, 0, {7, 6}));
  ASSERT_TRUE(program.session->reset());
  EXPECT_EQ(program.session->generator(), (Generator{7, 0}));
  EXPECT_EQ(program.call(inputs), uniforms(4, 0, {7, 0}));
}

TEST_P(Random, OnlyCallsThatDrawAreCounted) {
  Program program = compile(R"(
  fn forward(x: float[4]) -> float[4] = x + uniform([4])
  fn other(x: float[4]) -> float[4] = uniform([4]) - x
  fn plain(x: float[4]) -> float[4] = x + 1)");
  TensorMap inputs = {{"x", zeros({4})}};
  EXPECT_EQ(program.call(inputs), uniforms(4, 0, {0, 0}));
  EXPECT_EQ(program.call(inputs, "plain"), (Floats{1, 1, 1, 1}));
  EXPECT_EQ(program.call(inputs, "other"), uniforms(4, 0, {0, 1}));
  EXPECT_EQ(program.session->generator().calls, 2u);
}

TEST_P(Random, LayersThatAreCalledTwiceDrawTwice) {
  Program program = Program(GetParam(), R"(
fn shaken(x: float[B, 4]) -> float[B, 4] = x + uniform([B, 4])
module Noise() {
  fn forward(x: float[B, 4]) -> float[B, 4] = shaken(x) + 0
}
model M() {
  layers = [Noise() for _ in 0..3]
  fn forward(x: float[B, 4]) -> float[3, B, 4] requires B in 1..=8 =
    stack([layer(x) for layer in layers], axis=0)
}
)");
  TensorMap inputs = {{"x", zeros({2, 4})}};
  EXPECT_EQ(program.call(inputs), uniforms(8, 0, {}) + uniforms(8, 1, {}) + uniforms(8, 2, {}));
}

TEST_P(Random, EqualLayersAreEqualKernels) {
  Program program = Program(GetParam(), R"(
module Layer() {
  param w: float[4, 4] = normal(std=0.5)
  fn forward(x: float[B, 4, 4]) -> float[B, 4, 4] = softmax(tanh(x @ w) |> dropout(0.1, training=true), axis=-1)
}
model M() {
  layers = [Layer() for _ in 0..6]
  fn forward(x: float[B, 4, 4]) -> float[B, 4, 4] requires B in 1..=8 = layers(x)
}
)");
  // A product with what follows it, and a softmax; nothing of a draw lies in memory.
  EXPECT_EQ(program.engine->plan().entries[0]->steps.size(), 12u) << program.engine->info();
  EXPECT_EQ(program.engine->plan().kernels.size(), 2u) << program.engine->info();
}

TEST_P(Random, StepsOfAScanDrawAsOneLargeTensor) {
  Program program = compile(R"(
  fn forward(x: float[B, T]) -> (out: float[B, T], sum: float[B]) requires B in 1..=8, T in 1..=8 {
    s = x[:, 0]
    ys = scan xt in x axis 1 {
      u = xt + uniform([B])
      s = s + u
      yield u
    }
    return ys, s
  }
  fn backward(x: float[B, T]) -> float[B, T] requires B in 1..=8, T in 1..=8 {
    ys = scan xt in x axis 1 reverse { yield xt + uniform([B]) }
    return ys
  })");
  auto expected = [](Generator at) { // [B, T] of [T, B]
    Floats drawn = uniforms(6, 0, at), result;
    for (size_t b = 0; b < 2; ++b)
      for (size_t t = 0; t < 3; ++t)
        result.push_back(drawn[t * 2 + b]);
    return result;
  };
  TensorMap inputs = {{"x", zeros({2, 3})}};
  EXPECT_EQ(program.call(inputs), expected({0, 0}));
  EXPECT_EQ(program.call(inputs, "backward"), expected({0, 1}));
}

TEST_P(Random, LoopsInLoopsDrawInEveryStep) {
  Program program = compile(R"(
  fn forward(x: float[T, S, 2]) -> float[T, S, 2] requires T in 1..=4, S in 1..=4 {
    ys = scan row in x axis 0 {
      zs = scan place in row axis 0 { yield place + uniform([2]) }
      yield zs
    }
    return ys
  })");
  EXPECT_EQ(program.call({{"x", zeros({3, 4, 2})}}), uniforms(24, 0, {}));
}

TEST_P(Random, SizesMayBeKnownAtRunTimeOnly) {
  CompileOptions options;
  options.variants = {{"B", {2}}};
  Program program = compile(R"(
  fn forward(x: float[B, T, 3]) -> float[B, T, 3] requires B in 1..=8, T in 1..=8 =
    x + uniform([B, T, 3]))",
                            options);
  EXPECT_EQ(program.call({{"x", zeros({3, 5, 3})}}), uniforms(45, 0, {0, 0}));
  EXPECT_EQ(program.call({{"x", zeros({2, 5, 3})}}), uniforms(30, 0, {0, 1}));
}

TEST_P(Random, ScalarsAndBounds) {
  Program program = compile(R"(
  fn forward(x: float[2]) -> float[2] = x + uniform([]) + uniform([2], -3, 5))");
  Floats first = uniforms(1, 0, {}), second = uniforms(2, 1, {});
  EXPECT_EQ(program.call({{"x", zeros({2})}}),
            (Floats{first[0] + (second[0] * 8 - 3), first[0] + (second[1] * 8 - 3)}));
}

TEST_P(Random, UniformNumbersAreUniform) {
  Program program =
      compile("fn forward(x: float[200000]) -> float[200000] = x + uniform([200000])");
  Floats values = program.call({{"x", zeros({200000})}});
  EXPECT_GE(std::ranges::min(values), 0);
  EXPECT_LT(std::ranges::max(values), 1);
  EXPECT_NEAR(meanOf(values), 0.5, 4 * std::sqrt(1 / 12.0 / 200000));
  EXPECT_NEAR(momentOf(values, 2), 1 / 12.0, 1e-3);
  double along = 0; // neighbours have nothing to do with each other
  for (size_t i = 1; i < values.size(); ++i)
    along += (values[i] - 0.5) * (values[i - 1] - 0.5);
  EXPECT_NEAR(along / 200000, 0, 1e-3);
}

TEST_P(Random, NormalNumbersAreNormal) {
  Program program = compile(
      "fn forward(x: float[200000]) -> float[200000] = x + normal([200000], mean=3, std=2)");
  Floats values = program.call({{"x", zeros({200000})}});
  EXPECT_NEAR(meanOf(values), 3, 4 * 2 / std::sqrt(200000.0));
  EXPECT_NEAR(momentOf(values, 2), 4, 0.06);
  EXPECT_NEAR(momentOf(values, 3), 0, 0.2);
  EXPECT_NEAR(momentOf(values, 4), 3 * 16, 1.5);
  double inside = double(std::ranges::count_if(values, [](float v) { return v > 1 && v < 5; }));
  EXPECT_NEAR(inside / 200000, 0.6827, 0.005);
}

TEST_P(Random, NormalNumbersFollowBoxAndMuller) {
  Program program = compile("fn forward(x: float[5000]) -> float[5000] = x + normal([5000])");
  Floats values = program.call({{"x", zeros({5000})}});
  for (size_t i = 0; i < values.size(); ++i) {
    Words words = wordsOf(i, 0, {});
    double radius = std::sqrt(-2 * std::log((2.0 * words[0] + 1) * 0x1p-33));
    EXPECT_NEAR(values[i], radius * std::cos(2 * std::numbers::pi * words[1] * 0x1p-32), 1e-6);
  }
}

TEST_P(Random, KaimingUniformHasTheBoundOfItsInputs) {
  Program program = compile(R"(
  fn forward(x: float[400, C]) -> float[400, C] requires C in 1..=64 =
    x + kaiming_uniform([400, C]))");
  Floats values = program.call({{"x", zeros({400, 25})}}), drawn = uniforms(10000, 0, {});
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_NEAR(values[i], (2 * drawn[i] - 1) * 0.2, 1e-7);
}

TEST_P(Random, NarrowNumbersStayBelowOne) {
  Program program = compile(R"(
  fn forward(x: float[100000]) -> float[2, 100000] =
    stack([x + float(uniform([100000], element=f16)), float(uniform([100000], element=bf16))], axis=0))");
  Floats values = program.call({{"x", zeros({100000})}});
  EXPECT_GE(std::ranges::min(values), 0);
  EXPECT_LT(std::ranges::max(values), 1);
  for (size_t i = 0; i < 100000; ++i) {
    EXPECT_EQ(values[i], float(wordsOf(i, 0, {})[0] >> 21) / 2048);
    EXPECT_EQ(values[100000 + i], float(wordsOf(i, 1, {})[0] >> 24) / 256);
  }
}

TEST_P(Random, DropoutDropsAndScales) {
  Program program = compile(R"(
  fn forward(x: float[B, 1000]) -> float[B, 1000] requires B in 1..=100 =
    dropout(x, 0.3, training=true))");
  TensorMap inputs = {{"x", ones({100, 1000})}};
  Floats values = program.call(inputs), drawn = uniforms(100000, 0, {});
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(values[i], double(drawn[i]) < 0.3 ? 0 : float(1 / 0.7));
  EXPECT_NEAR(meanOf(values), 1, 0.01);
  EXPECT_NEAR(double(std::ranges::count(values, 0.0f)) / 100000, 0.3, 0.01);
  EXPECT_NE(program.call(inputs), values);
  program.open({});
  EXPECT_EQ(program.call(inputs), values);
}

TEST_P(Random, ImagesWithTheirChannelsLastLoseTheSameElements) {
  Program program = Program(GetParam(), R"(
@precision(bf16)
model M() {
  a = Conv2d(8, 8, 1)
  b = Conv2d(8, 8, 1)
  fn forward(x: float[B, 8, 3, 5]) -> (y: f32[B, 8, 3, 5], z: float[B, 8, 3, 5]) requires B in 1..=4 {
    y = a(x) |> dropout(0.5, training=true)
    return f32(y), b(y)
  }
}
)");
  Floats values = program.call({{"x", ones({2, 8, 3, 5})}}), drawn = uniforms(240, 0, {});
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(values[i] == 0, drawn[i] < 0.5f) << i;
}

TEST_P(Random, DropoutIsTheIdentityUnlessTraining) {
  Program program = Program(GetParam(), R"(
module Both(training: bool) {
  fn forward(x: float[8]) -> float[8] = x |> dropout(1)
}
model M() {
  stages = [dropout(0.5), Dropout(0.5), Both(false)]
  trained = Both(true)
  fn forward(x: float[8]) -> float[2, 8] = stack([stages(x), trained(x)], axis=0)
}
)");
  EXPECT_EQ(program.call({{"x", ones({8})}}), Floats(8, 1) + Floats(8, 0));
  EXPECT_EQ(program.engine->plan().generator, -1);
}

TEST_P(Random, ProfilesDrawInEveryIteration) {
  Program program = compile("fn forward(x: float[4]) -> float[4] = x + uniform([4])");
  ASSERT_TRUE(program.session->profile("forward", {{"x", zeros({4})}}, 3));
  EXPECT_EQ(program.session->generator().calls, 4u);
}

INSTANTIATE_TEST_SUITE_P(Targets, Random, testing::Values("cpu", "cuda"),
                         [](const auto &info) { return std::string(info.param); });

TEST(RandomTargets, GiveTheSameBits) {
  std::string source = R"(
model M() {
  fn forward(x: float[30000]) -> float[4, 30000] =
    stack([x + normal([30000]), normal([30000]) * x, x + uniform([30000]),
           dropout(x, 0.4, training=true)], axis=0)
  fn scaled(x: float[30000]) -> float[2, 30000] =
    stack([normal([30000], 0.3, 1.7), x + uniform([30000], -0.3, 0.7)], axis=0)
}
)";
  Program cpu("cpu", source), cuda("cuda", source);
  TensorMap inputs = {{"x", ones({30000})}};
  for (uint64_t seed : {0, 42}) {
    cpu.open({.seed = seed});
    cuda.open({.seed = seed});
    Floats a = cpu.call(inputs), b = cuda.call(inputs);
    for (size_t i = 0; i < a.size(); ++i)
      ASSERT_EQ(a[i], b[i]) << "element " << i << " with seed " << seed;
    // A product and a sum are one operation on some machines.
    a = cpu.call(inputs, "scaled"), b = cuda.call(inputs, "scaled");
    for (size_t i = 0; i < a.size(); ++i)
      ASSERT_NEAR(a[i], b[i], 1e-6) << "element " << i << " with seed " << seed;
  }
}

TEST(RandomTargets, QueuedCallsDrawInTheirOrder) {
  Program program("cuda", R"(
model M() {
  fn forward(x: float[4]) -> float[4] = x + uniform([4])
}
)");
  Session &session = *program.session;
  Result<Tensor> x = session.toDevice(zeros({4}));
  ASSERT_TRUE(x) << x.error().message;
  TensorMap inputs = {{"x", *x}};
  std::vector<TensorMap> outputs;
  for (int call = 0; call < 3; ++call) {
    outputs.push_back(*session.makeOutputs("forward", inputs, Device::cuda(0)));
    ASSERT_TRUE(session.enqueue("forward", inputs, outputs.back(), nullptr));
  }
  for (uint64_t call = 0; call < 3; ++call) {
    Result<Tensor> host = session.toHost(outputs[call]["output"]);
    ASSERT_TRUE(host) << host.error().message;
    auto values = host->values<float>();
    EXPECT_EQ(Floats(values.begin(), values.end()), uniforms(4, 0, {0, call}));
  }
  EXPECT_EQ(program.call({{"x", zeros({4})}}), uniforms(4, 0, {0, 3}));
}

} // namespace
