// `train` blocks: what is emitted of one.
#include "test/unit/frontend/Training.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

namespace {

bool has(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

size_t count(const std::string &text, const std::string &part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size()))
    ++found;
  return found;
}

} // namespace

//===- What is emitted ------------------------------------------------------------------------===//

TEST(Train, BlocksBecomeTwoEntryPointsBesideThoseOfTheModel) {
  Compilation run(withLoss("  optimizer = SGD(lr=0.1, momentum=0.9)\n"));
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  for (const char *entry : {"@train_step(", "@eval_step(", "@forward("})
    EXPECT_TRUE(has(text, "func.func " + std::string(entry))) << entry << text;
  EXPECT_EQ(count(text, "nn.gradient"), 1u);
  EXPECT_EQ(count(text, "nn.set @fc1.weight"), 1u);
  ASSERT_TRUE(run.slot("optimizer.fc1.weight.m"));
  EXPECT_EQ(run.slot("optimizer.fc1.weight.m")->type, "f32[8, 4]");
  EXPECT_EQ(run.slot("optimizer.fc1.weight.m")->kind, "state");
  EXPECT_EQ(run.slot("optimizer.step")->type, "i32[]");
  EXPECT_EQ(run.slot("fc1.weight")->kind, "param");
  EXPECT_FALSE(run.slot("ema.fc1.weight"));
  EXPECT_FALSE(run.slot("optimizer.micro_step"));
  EXPECT_FALSE(run.slot("optimizer.loss_scale"));
  EXPECT_EQ(run.info.name, "net");
}

TEST(Train, TheDesignedBlockCompiles) {
  Compilation run(Compilation::read("test/unit/syntax/data/cifar.nn"));
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(run.slot("features.0.0.weight")->type, "float[64, 3, 3, 3]");
  EXPECT_TRUE(run.slot("optimizer.features.0.0.weight.v"));
}

TEST(Train, TheRangesOfSizesAreThoseThatTheModelRequires) {
  std::string text = Compilation(withLoss("  optimizer = SGD(lr=0.1)\n")).emit().ir();
  EXPECT_EQ(count(text, "nn.ranges = [array<i64: 1, 64>]"), 3u) << text;
}

TEST(Train, WhatTheModelRequiresHoldsInIt) {
  Compilation run(R"(
model Net() {
  conv = Conv2d(1, 2, 3, stride=2, padding=1)
  fn forward(x: float[B, 1, H, H]) -> float[B, 2] requires B in 1..=8, H in 4..=64 =
    x |> conv |> avg_pool(2) |> global_avg_pool
}
train net = Net() {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 1, H, H]) -> (loss: f32[]) = f32(mean(net(x)))
}
)");
  EXPECT_EQ(run.emit().messages(), "");
}

TEST(Train, AnEntryPointAloneIsEmittedIfWanted) {
  FrontendOptions options;
  options.entries = {"eval_step"};
  Compilation run(withLoss("  optimizer = SGD(lr=0.1)\n"), options);
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  EXPECT_TRUE(has(text, "@eval_step(")) << text;
  EXPECT_FALSE(has(text, "@train_step(")) << text;
  EXPECT_FALSE(has(text, "@forward(")) << text;
  EXPECT_FALSE(run.slot("optimizer.step"));
}

TEST(Train, TheModelIsChosenByItsName) {
  FrontendOptions options;
  options.model = "Net";
  std::string text = Compilation(withLoss("  optimizer = SGD(lr=0.1)\n"), options).emit().ir();
  EXPECT_TRUE(has(text, "@forward(")) << text;
  EXPECT_FALSE(has(text, "@train_step(")) << text;
}

TEST(Train, HyperparametersOfTheModelAreSet) {
  FrontendOptions options;
  options.sets = {{"hidden", "16"}};
  Compilation run(R"(model Net(hidden: int = 8) {
  fc = Linear(4, hidden)
  fn forward(x: float[B, 4]) -> float[B, hidden] requires B in 1..=64 = fc(x)
}
train net = Net() {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4], label: i32[B]) -> (loss: f32[]) = cross_entropy(net(x), label)
}
)",
                  options);
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(run.slot("fc.weight")->type, "float[16, 4]");
}

TEST(Train, TrainingIsKnownToTheFunctionsOfTrainStepOnly) {
  Compilation run(R"(model Net {
  bn = BatchNorm2d(3)
  fn forward(x: float[B, 3, 4, 4]) -> float[B, 3, 4, 4] requires B in 1..=64 = x |> bn |> dropout(0.5)
}
train net = Net() {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 3, 4, 4]) -> (loss: f32[]) = mean(f32(net(x)))
}
)");
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  EXPECT_EQ(count(text, "nn.draw"), 1u) << text;
  EXPECT_EQ(count(text, "nn.set @bn.running_mean"), 1u) << text;
  EXPECT_EQ(count(text, "nn.set @bn.num_batches_tracked"), 1u) << text;
}

TEST(Train, GradientsDoNotPassWhatIsKeptNorStopGradient) {
  std::string text = Compilation(R"(model Net {
  fc = Linear(4, 4)
  buffer last: f32[4] = 0
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=64 {
    y = fc(x)
    last <- mean(f32(y), axis=0)
    return y + float(last) + stop_gradient(y)
  }
}
train net = Net() {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) -> (loss: f32[]) = mean(f32(net(x)))
}
)")
                         .emit()
                         .ir();
  // In the model, and where the optimizer keeps nothing in none of its updates.
  EXPECT_EQ(count(text, "nn.stop_gradient"), 2u) << text;
}

TEST(Train, TiedParamsAreOneAndFrozenOnesNone) {
  Compilation run(R"(model Net {
  embed = Embedding(5, 4)
  @frozen
  fc1 = Linear(4, 4)
  fc2 = Linear(4, 4)
  @frozen
  param scale: float[4] = 1
  head = Linear(4, 5, bias=false)
  tie head.weight = embed.weight
  fn forward(ids: i32[B]) -> float[B, 5] requires B in 1..=64 =
    head(fc2(fc1(embed(ids))) * scale)
}
train net = Net() {
  optimizer = [("head.weight", Adam(lr=0.1)), ("**", SGD(lr=0.1, momentum=0.9))]
  fn loss(ids: i32[B], label: i32[B]) -> (loss: f32[]) = cross_entropy(net(ids), label)
}
)");
  EXPECT_EQ(run.emit().messages(), "");
  // A rule may name either key; the state is under that of the tensor itself.
  EXPECT_TRUE(run.slot("optimizer.embed.weight.v"));
  EXPECT_FALSE(run.slot("optimizer.head.weight.v"));
  EXPECT_TRUE(run.slot("optimizer.fc2.weight.m"));
  EXPECT_FALSE(run.slot("optimizer.fc1.weight.m"));
  EXPECT_FALSE(run.slot("optimizer.scale.m"));
  EXPECT_EQ(count(run.ir(), "nn.set @fc1.weight"), 0u);
}

TEST(Train, WhatAStepKeepsBesidesIsThereIfAskedFor) {
  Compilation run(R"(model Net {
  fc = Linear(4, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = fc(x)
}
@precision(f16, params=f32)
train net = Net() {
  optimizer = AdamW(lr=cosine(peak=0.1, warmup=5, total=100))
  clip_norm = 1.0
  accumulate = 4
  ema = 0.999
  fn loss(x: float[B, 4], label: i32[B]) -> (loss: f32[]) = cross_entropy(net(x), label)
}
)");
  EXPECT_EQ(run.emit().messages(), "");
  for (const char *key : {"optimizer.micro_step", "optimizer.loss_scale", "optimizer.good_steps",
                          "optimizer.skipped_steps", "optimizer.fc.weight.accumulated",
                          "ema.fc.weight", "optimizer.fc.bias.v"})
    EXPECT_TRUE(run.slot(key)) << key;
  EXPECT_EQ(run.slot("ema.fc.weight")->type, "f32[3, 4]");
  std::string text = run.ir();
  EXPECT_TRUE(has(text, "nn.global @fc.weight : tensor<3x4xf32>")) << text;
  EXPECT_TRUE(has(text, "seed")) << text;
}

TEST(Train, ParamsAreF32UnlessTheBlockSaysOtherwise) {
  std::string text = withLoss("  optimizer = SGD(lr=0.1)\n");
  FrontendOptions options;
  options.precision.working = syntax::Elem::BF16;
  EXPECT_TRUE(has(Compilation(text, options).emit().ir(), "@fc1.weight : tensor<8x4xf32>"));
  auto with = [&](const std::string &precision) {
    std::string marked = text;
    marked.insert(marked.find("train net"), precision + "\n");
    return Compilation(marked).emit().ir();
  };
  EXPECT_TRUE(has(with("@precision(bf16)"), "@fc1.weight : tensor<8x4xf32>"));
  EXPECT_TRUE(has(with("@precision(bf16, params=bf16)"), "@fc1.weight : tensor<8x4xbf16>"));
}

TEST(Train, AnOptimizerMayBeWrittenByTheUserAndMadeOfOthers) {
  Compilation run(kNet + std::string(R"(module Lion(lr: fn, beta: float = 0.9) {
  state m: f32[...S]
  state count: i32[]
  fn update(w: f32[...S], grad: f32[...S], step: i32[]) -> f32[...S] {
    count <- count + 1
    d = beta * m + (1 - beta) * grad
    m <- d
    return w - lr(step) * sign(d)
  }
  fn sign(x: f32[...S]) -> f32[...S] = f32(x > 0) - f32(x < 0)
}
module Half(inner: module) {
  it = inner(lr=0.1)
  fn update(w: f32[...S], grad: f32[...S], step: i32[]) -> f32[...S] = it.update(w, grad / 2, step)
}
fn mine(step: i32[], from: float) -> f32[] = from / (f32(step) + 1)
train net = Net() {
  optimizer = [("**.bias", Half(Lion)), ("**", Lion(lr=mine(from=0.1)))]
)") + kLoss + "}\n");
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_TRUE(run.slot("optimizer.fc1.weight.count"));
  EXPECT_TRUE(run.slot("optimizer.fc1.bias.it.m"));
}

} // namespace nnc::frontend::testing
