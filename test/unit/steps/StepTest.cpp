// What a training step does beside its optimizer: loss scaling, accumulation, frozen and unused
// params, what evaluation sees.
#include "Steps.h"

#include <algorithm>
#include <cmath>
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
