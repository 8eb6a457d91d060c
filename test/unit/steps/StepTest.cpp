// What a training step does beside its optimizer: loss scaling, accumulation, frozen and unused
// params, what evaluation sees.
#include "Steps.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

using namespace nnc;

namespace {

using Floats = std::vector<float>;

Tensor floats(std::vector<int64_t> shape, const Floats &values) {
  Result<Tensor> tensor = Tensor::empty(DType::F32, shape);
  std::ranges::copy(values, tensor->values<float>().begin());
  return *tensor;
}

Tensor scalar(int32_t value) {
  Result<Tensor> tensor = Tensor::empty(DType::I32, {});
  tensor->values<int32_t>()[0] = value;
  return *tensor;
}

/// y = w * x with w = 2 at first, in a precision, with the members of a block; the loss is the sum.
std::string line(const std::string &precision, const std::string &members) {
  return R"(model Line {
  param w: float[2] = 2
  fn forward(x: float[2]) -> float[2] = w * x
}
)" + precision +
         "train net = Line() {\n" + members +
         "  fn loss(x: float[2]) -> (loss: f32[]) = sum(f32(net(x)))\n}\n";
}

TensorMap input(float a, float b) {
  TensorMap map;
  map.add("x", floats({2}, {a, b}));
  return map;
}

TEST_P(Steps, ChangeWhatTheNextOnesFind) {
  openText(line("", "  optimizer = SGD(lr=0.5)\n"));
  EXPECT_EQ(loss(input(1, 2)), 6);
  EXPECT_EQ(slot("w"), (Floats{1.5, 1}));
  EXPECT_EQ(loss(input(1, 2), "eval_step"), 3.5);
  EXPECT_EQ(slot("w"), (Floats{1.5, 1}));
  Result<TensorMap> outputs = session->run("forward", input(2, 2));
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(outputs->begin()->tensor.values<float>()[0], 3);
  EXPECT_EQ(count("optimizer.step"), 1);
}

TEST_P(Steps, AccumulateGradientsUntilTheLast) {
  openText(line("", "  optimizer = SGD(lr=1, momentum=0.5)\n  accumulate = 2\n"));
  loss(input(1, 2));
  EXPECT_EQ(slot("w"), (Floats{2, 2}));
  EXPECT_EQ(slot("optimizer.w.m"), (Floats{0, 0}));
  EXPECT_EQ(slot("optimizer.w.accumulated"), (Floats{0.5, 1}));
  EXPECT_EQ(count("optimizer.micro_step"), 1);
  EXPECT_EQ(count("optimizer.step"), 0);
  loss(input(3, 2));
  EXPECT_EQ(slot("w"), (Floats{0, 0}));
  EXPECT_EQ(slot("optimizer.w.m"), (Floats{2, 2}));
  EXPECT_EQ(slot("optimizer.w.accumulated"), (Floats{0, 0}));
  EXPECT_EQ(count("optimizer.micro_step"), 0);
  EXPECT_EQ(count("optimizer.step"), 1);
}

TEST_P(Steps, OfF16ScaleTheLossAndSkipWhatOverflows) {
  openText(line("@precision(f16, params=f32)\n",
                "  optimizer = SGD(lr=0.5, momentum=0.5)\n  ema = 0.5\n"));
  EXPECT_EQ(slot("optimizer.loss_scale"), Floats{65536});
  // Gradients are 65536 * x: too large for f16, whose largest number is 65504.
  EXPECT_EQ(loss(input(1, 0.5)), 3);
  EXPECT_EQ(slot("w"), (Floats{2, 2}));
  EXPECT_EQ(slot("optimizer.w.m"), (Floats{0, 0}));
  EXPECT_EQ(slot("ema.w"), (Floats{0, 0}));
  EXPECT_EQ(slot("optimizer.loss_scale"), Floats{32768});
  EXPECT_EQ(count("optimizer.skipped_steps"), 1);
  EXPECT_EQ(count("optimizer.step"), 0);
  EXPECT_EQ(loss(input(1, 0.5)), 3);
  EXPECT_EQ(slot("w"), (Floats{1.5, 1.75}));
  EXPECT_EQ(slot("optimizer.w.m"), (Floats{1, 0.5}));
  EXPECT_EQ(slot("ema.w"), (Floats{1.5, 1.75}));
  EXPECT_EQ(slot("optimizer.loss_scale"), Floats{32768});
  EXPECT_EQ(count("optimizer.good_steps"), 1);
  EXPECT_EQ(count("optimizer.skipped_steps"), 1);
  EXPECT_EQ(count("optimizer.step"), 1);
  // The scale grows after 2000 good steps.
  ASSERT_TRUE(session->setState("optimizer.good_steps", scalar(1999)));
  EXPECT_EQ(loss(input(0.25, 0.25)), 0.8125);
  EXPECT_EQ(slot("optimizer.loss_scale"), Floats{65536});
  EXPECT_EQ(count("optimizer.good_steps"), 0);
  // A gradient that is no number skips a step as well.
  float nan = std::numeric_limits<float>::quiet_NaN();
  Floats before = slot("w");
  EXPECT_TRUE(std::isnan(loss(input(nan, 0))));
  EXPECT_EQ(slot("w"), before);
  EXPECT_EQ(count("optimizer.skipped_steps"), 2);
}

TEST_P(Steps, OfBf16KeepF32) {
  openText(line("@precision(bf16, params=f32)\n", "  optimizer = SGD(lr=0.001)\n"));
  loss(input(1, 1));
  // 1.999 is 2 in bf16.
  EXPECT_EQ(slot("w"), (Floats{1.999F, 1.999F}));
  EXPECT_EQ(loss(input(1, 1)), 4);
}

/// The gradient of each param is an input: long and short ones, in fours and in odd numbers, and
/// single ones. On a GPU their squares are summed in one launch.
struct Clipped {
  static constexpr size_t Rows = 300;
  std::string text;
  Floats x, y, z;

  explicit Clipped(const std::string &precision, const std::string &members)
      : text(R"(model Net {
  param a: float[300, 100] = 0
  param b: float[300, 7] = 0
  param c: float[300] = 0
  param d: float[7] = 0
  param e: float[] = 0
  param f: float[100, 12] = 0
  fn forward(x: float[300, 100], y: float[300, 7], z: float[100, 12]) -> (o: f32[]) {
    return sum(f32(a * x)) + sum(f32(b * y)) + sum(f32(c * x[:, 0])) + sum(f32(d * y[0]))
      + f32(e * z[3, 4]) + sum(f32(f * z))
  }
}
)" + precision +
             "train net = Net() {\n  optimizer = SGD(lr=1)\n" + members + R"(
  fn loss(x: float[300, 100], y: float[300, 7], z: float[100, 12]) -> (loss: f32[]) = net(x, y, z)
}
)"),
        x(Rows * 100), y(Rows * 7), z(1200) {
    for (Floats *list : {&x, &y, &z})
      for (size_t i = 0; i < list->size(); ++i)
        (*list)[i] = float(int(i * 2654435761U >> 20 & 255) - 100) / 128;
  }

  TensorMap inputs() const {
    TensorMap map;
    map.add("x", floats({300, 100}, x));
    map.add("y", floats({300, 7}, y));
    map.add("z", floats({100, 12}, z));
    return map;
  }

  std::vector<std::pair<std::string, Floats>> gradients() const {
    Floats c, d(y.begin(), y.begin() + 7);
    for (size_t i = 0; i < Rows; ++i)
      c.push_back(x[i * 100]);
    return {{"a", x}, {"b", y}, {"c", c}, {"d", d}, {"e", {z[40]}}, {"f", z}};
  }

  /// Of all of them.
  double norm() const {
    double squares = 0;
    for (const auto &[name, gradient] : gradients())
      for (float value : gradient)
        squares += double(value) * value;
    return std::sqrt(squares);
  }
};

/// The largest difference, relative to what it should be, of what params that were 0 became from
/// gradients times `-factor`; 0 where both are 0.
double errorOfStep(const Clipped &net, double factor,
                   const std::function<Floats(const std::string &)> &slot) {
  double worst = 0;
  for (const auto &[name, gradient] : net.gradients()) {
    Floats after = slot(name);
    for (size_t i = 0; i < gradient.size(); ++i)
      if (double wanted = -factor * gradient[i]; after[i] != wanted)
        worst = std::max(worst, std::abs(after[i] / wanted - 1));
  }
  return worst;
}

TEST_P(Steps, ClipByTheNormOfAllGradients) {
  Clipped net("", "  clip_norm = 0.5\n");
  auto read = [&](const std::string &name) { return slot(name); };
  std::vector<Floats> before;
  for (int run = 0; run < 2; ++run) {
    openText(net.text);
    loss(net.inputs());
    EXPECT_LE(errorOfStep(net, 0.5 / (net.norm() + 1e-6), read), 5e-7);
    std::vector<Floats> after;
    for (const char *name : {"a", "b", "c", "d", "e", "f"})
      after.push_back(slot(name));
    if (run == 1)
      EXPECT_EQ(after, before);
    before = after;
  }
  Clipped large("", "  clip_norm = 1e4\n");
  openText(large.text);
  loss(large.inputs());
  EXPECT_EQ(errorOfStep(large, 1, read), 0);
}

TEST_P(Steps, OfF16ClipWhatIsFinite) {
  Clipped net("@precision(f16, params=f32)\n", "  clip_norm = 0.5\n");
  auto read = [&](const std::string &name) { return slot(name); };
  openText(net.text);
  loss(net.inputs()); // the largest gradient, 1.2, times 65536 is no number of f16
  EXPECT_EQ(slot("a"), Floats(net.x.size()));
  EXPECT_EQ(count("optimizer.skipped_steps"), 1);
  loss(net.inputs());
  EXPECT_LE(errorOfStep(net, 0.5 / (net.norm() + 1e-6), read), 5e-7);
  EXPECT_EQ(count("optimizer.skipped_steps"), 1);
  std::vector<Floats> before{slot("a"), slot("e")};
  net.y.back() = std::numeric_limits<float>::quiet_NaN();
  loss(net.inputs());
  EXPECT_EQ(count("optimizer.skipped_steps"), 2);
  EXPECT_EQ((std::vector<Floats>{slot("a"), slot("e")}), before);
}

/// Other numbers at the end of a step share the launch; one block computes those of which several
/// cannot: the first index of the largest element, distances from a mean.
TEST_P(Steps, GiveNumbersOfWholeTensors) {
  openText(R"(model Net {
  param w: float[40] = 1
  fn forward(x: float[40]) -> float[40] = w * x
}
train net = Net() {
  optimizer = SGD(lr=1)
  fn loss(x: float[40]) -> (loss: f32[], top: i32[], spread: f32[], most: f32[]) {
    return f32(sum(net(x))), argmax(x, axis=0), f32(mean((x - mean(x)) ** 2)), f32(max(x * x))
  }
}
)");
  Floats x(40);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = float((i * 7) % 40);
  TensorMap map;
  map.add("x", floats({40}, x));
  Result<TensorMap> outputs = session->run("train_step", map);
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(outputs->find("loss")->values<float>()[0], 780);
  EXPECT_EQ(outputs->find("top")->values<int32_t>()[0], 17);
  EXPECT_EQ(outputs->find("spread")->values<float>()[0], 133.25);
  EXPECT_EQ(outputs->find("most")->values<float>()[0], 39 * 39);
}

TEST_P(Steps, LeaveFrozenAndUnusedParamsAlone) {
  openText(R"(model Net {
  @frozen
  param a: float[2] = 2
  param b: float[2] = 3
  param c: float[2] = 4
  param d: float[2] = 5
  fn forward(x: float[2]) -> float[2] = a * b * x + stop_gradient(c * x)
}
train net = Net() {
  optimizer = AdamW(lr=0.5, weight_decay=0.5)
  fn loss(x: float[2]) -> (loss: f32[]) = sum(f32(net(x)))
}
)");
  EXPECT_EQ(loss(input(1, 1)), 20);
  Floats b = slot("b");
  EXPECT_NEAR(b[0], 3 - 0.5 * 0.5 * 3 - 0.5, 1e-5);
  std::vector<std::string> names;
  for (const Slot &slot : session->slots())
    names.push_back(slot.name);
  std::ranges::sort(names);
  EXPECT_EQ(names,
            (std::vector<std::string>{"b", "optimizer.b.m", "optimizer.b.v", "optimizer.step"}));
}

TEST_P(Steps, MoveRunningStatisticsAsPyTorchDoes) {
  openText(R"(model Net {
  bn = BatchNorm1d(1, momentum=0.5)
  all = BatchNorm1d(1, cumulative=true)
  fn forward(x: float[B, 1]) -> float[B, 1] requires B in 2..=4 = bn(x) + all(x)
}
train net = Net() {
  optimizer = SGD(lr=0.5)
  fn loss(x: float[B, 1]) -> (loss: f32[]) = mean(f32(net(x)))
}
)");
  TensorMap batch;
  batch.add("x", floats({2, 1}, {1, 3}));
  loss(batch);
  EXPECT_EQ(slot("bn.running_mean"), Floats{1});
  EXPECT_EQ(slot("bn.running_var"), Floats{1.5}); // half of 1, half of the sample variance 2
  EXPECT_EQ(slot("all.running_mean"), Floats{2});
  EXPECT_EQ(slot("all.running_var"), Floats{2});
  batch = TensorMap{{"x", floats({2, 1}, {4, 4})}};
  loss(batch);
  EXPECT_EQ(slot("all.running_mean"), Floats{3});
  EXPECT_EQ(slot("all.running_var"), Floats{1});
  loss(batch, "eval_step");
  EXPECT_EQ(slot("all.running_mean"), Floats{3});
}

INSTANTIATE_TEST_SUITE_P(Targets, Steps, testing::Values("cpu", "cuda"),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
