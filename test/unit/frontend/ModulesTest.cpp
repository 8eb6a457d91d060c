// Checkpoint keys, shared and tied slots, initial values, and the published models.
#include "test/unit/frontend/Compiling.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

static std::vector<std::string> keysOf(const Compilation &run) {
  std::vector<std::string> keys;
  for (const SlotInfo &slot : run.info.slots)
    keys.push_back(slot.key);
  return keys;
}

/// The keys of torchvision's ResNet: depths, and whether blocks are bottlenecks.
static std::vector<std::string> torchvisionKeys(std::vector<int> depths, bool bottleneck) {
  std::vector<std::string> keys;
  auto conv = [&](const std::string &name) { keys.push_back(name + ".weight"); };
  auto norm = [&](const std::string &name) {
    for (const char *part :
         {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"})
      keys.push_back(name + "." + part);
  };
  conv("conv1");
  norm("bn1");
  for (size_t layer = 0; layer < depths.size(); ++layer)
    for (int i = 0; i < depths[layer]; ++i) {
      std::string block = "layer" + std::to_string(layer + 1) + "." + std::to_string(i) + ".";
      for (int j = 1; j <= (bottleneck ? 3 : 2); ++j) {
        conv(block + "conv" + std::to_string(j));
        norm(block + "bn" + std::to_string(j));
      }
      if (i == 0 && (bottleneck || layer > 0)) {
        conv(block + "downsample.0");
        norm(block + "downsample.1");
      }
    }
  keys.push_back("fc.weight");
  keys.push_back("fc.bias");
  return keys;
}

static Compilation &emitResNet(Compilation &run) {
  run.emit();
  EXPECT_EQ(run.messages(), "");
  EXPECT_TRUE(run.module);
  return run;
}

TEST(Modules, ResNet50HasTorchvisionsKeys) {
  FrontendOptions options;
  options.model = "ResNet50";
  Compilation run(Compilation::read("examples/resnet.nn"), options);
  emitResNet(run);
  EXPECT_EQ(keysOf(run), torchvisionKeys({3, 4, 6, 3}, true));
  EXPECT_EQ(run.info.parameterCount(), 25'557'032);
}

TEST(Modules, ResNet18HasTorchvisionsKeys) {
  FrontendOptions options;
  options.model = "ResNet18";
  Compilation run(Compilation::read("examples/resnet.nn"), options);
  emitResNet(run);
  EXPECT_EQ(keysOf(run), torchvisionKeys({2, 2, 2, 2}, false));
  EXPECT_EQ(run.info.parameterCount(), 11'689'512);
}

TEST(Modules, BertHasHuggingFacesKeys) {
  Compilation run(Compilation::read("test/unit/frontend/models/bert.nn"));
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(run.info.parameterCount(), 109'482'240);
  EXPECT_EQ(run.info.slots.size(), 199u);
  const SlotInfo *norm = run.slot("encoder.layer.11.output.LayerNorm.weight");
  ASSERT_TRUE(norm);
  EXPECT_EQ(norm->alternatives,
            std::vector<std::string>{"encoder.layer.11.output.LayerNorm.gamma"});
  ASSERT_TRUE(run.info.weights);
  EXPECT_EQ(run.info.weights->file, "model.safetensors");
  EXPECT_EQ(run.info.weights->prefix, "bert.");
  EXPECT_EQ(run.info.weights->ignore, std::vector<std::string>{"cls.**"});
}

TEST(Modules, KeysMayBeEmptyDottedAndInterpolated) {
  Compilation run(
      model("  a = [Linear(4, 4, bias=false) as \"layer_{i}\" for i in 0..2] as \"enc.layers\"\n"
            "  b = [L(i) as \"\" for i in 0..2] as \"rnn\"\n",
            "    return x |> a |> b\n") +
      "module L(i: int) {\n  param w: float[4] as \"w_l{i}\" | \"v_l{i}\" = 1\n"
      "  fn forward(x: float[...S]) -> float[...S] = x\n}\n");
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(keysOf(run),
            (std::vector<std::string>{"enc.layers.layer_0.weight", "enc.layers.layer_1.weight",
                                      "rnn.w_l0", "rnn.w_l1"}));
  EXPECT_EQ(run.slot("rnn.w_l1")->alternatives, std::vector<std::string>{"rnn.v_l1"});
}

TEST(Modules, KeysStayWithTheElementsOfLists) {
  Compilation run(model("  a = [L() as \"x\"] + [L()] + blocks()\n"
                        "  b = reverse([L() as \"y\", L()])\n"
                        "  c = [L() as \"p\", L() as \"q\", L()][1:]\n",
                        "    return x |> a |> b |> c\n") +
                  "fn blocks() {\n  out = []\n"
                  "  for i in 0..2 { out = out + [L() as \"m{i}\"] }\n  return out\n}\n"
                  "module L() {\n  param w: float[4] = 1\n"
                  "  fn forward(x: float[...S]) -> float[...S] = x\n}\n");
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(keysOf(run), (std::vector<std::string>{"a.x.w", "a.1.w", "a.m0.w", "a.m1.w", "b.0.w",
                                                   "b.y.w", "c.q.w", "c.1.w"}));
}

TEST(Modules, TwoSlotsWithOneKey) {
  EXPECT_EQ(
      compiled(model("  a = Linear(4, 4, false) as \"p\"\n  b = Linear(4, 4, false) as \"p\"\n",
                     "    return x\n")),
      R"(error[E0704]: two slots have the key `p.weight`
 --> model.nn:3:7
  |
2 |   a = Linear(4, 4, false) as "p"
  |       ------------------- of `a.weight`
3 |   b = Linear(4, 4, false) as "p"
  |       ^^^^^^^^^^^^^^^^^^^ of `b.weight`
)");
}

TEST(Modules, TiedAndSharedSlotsAreOneTensor) {
  Compilation run(model("  a = Linear(4, 4, false)\n  b = Linear(4, 4, false)\n  c = a\n"
                        "  tie a.weight = b.weight if n == 3\n",
                        "    return x |> a |> b |> c\n"));
  EXPECT_EQ(run.emit().messages(), "");
  ASSERT_EQ(keysOf(run), std::vector<std::string>{"b.weight"});
  EXPECT_EQ(run.info.slots[0].alternatives, (std::vector<std::string>{"a.weight", "c.weight"}));
}

TEST(Modules, ATieOfDifferentShapes) {
  EXPECT_EQ(compiled(model("  a = Linear(4, 4)\n  c = Linear(4, 8)\n  tie a.weight = c.weight\n",
                           "    return x\n")),
            R"(error[E0301]: tied slots have one type
 --> model.nn:4:3
  |
4 |   tie a.weight = c.weight
  |   ^^^^^^^^^^^^^^^^^^^^^^^ float[8, 4]
  |       |
  |       float[4, 4]
)");
}

TEST(Modules, InstancesGivenAsArgumentsBelongToTheHyperparameter) {
  Compilation run(
      "module Res(f: fn) {\n  fn forward(x: float[...S]) -> float[...S] = x + f(x)\n}\n" +
      model("  a = Res([Linear(4, 4, false), relu])\n  b = Linear(4, 4, false)\n"
            "  c = Res(Res(b))\n",
            "    return x |> a |> c\n"));
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(keysOf(run), (std::vector<std::string>{"a.f.0.weight", "b.weight"}));
}

TEST(Modules, InitialValues) {
  Compilation run(
      "module P() {\n  param a: float[2] = normal(std=0.5)\n  param b: f32[2] = uniform(-1, 1)\n"
      "  buffer c: i64[] = 7\n  param d: float[2]\n"
      "  fn forward(x: float[...S]) -> float[...S] = x\n}\n" +
      model("  p = P()\n", "    return p(x)\n"));
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  EXPECT_NE(text.find(R"(nn.global @p.a : tensor<2xf32> {init = {kind = "normal", mean = )"
                      R"(0.000000e+00 : f64, std = 5.000000e-01 : f64}, keys = ["p.a"], kind = )"
                      R"("param"})"),
            std::string::npos)
      << text;
  EXPECT_NE(
      text.find(R"({high = 1.000000e+00 : f64, kind = "uniform", low = -1.000000e+00 : f64})"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find(R"(nn.global @p.c : tensor<i64> {init = {kind = "full", value = )"
                      R"(7.000000e+00 : f64}, keys = ["p.c"], kind = "buffer"})"),
            std::string::npos)
      << text;
}

/// Everything in the prelude that needs nothing refused.
TEST(Modules, ThePreludeChecks) {
  Compilation run(R"nn(model All() {
  conv = Conv2d(3, 8, 3, padding=1, groups=1)
  bn = BatchNorm2d(8)
  gn = GroupNorm(4, 8)
  mha = MultiheadAttention(8, 2)
  ln = LayerNorm(8)
  rms = RMSNorm(8)
  c1 = Conv1D(8, 8)
  emb = Embedding(10, 8)
  fn forward(x: float[B, 3, H, W], ids: i32[B, T]) -> (y: float[B, T, 8], z: float[B, 8], e: f32[])
  requires B in 1..=4, H in 4..=16, W in 4..=16, T in 1..=8 {
    h = x |> conv |> bn |> gn |> relu |> silu |> gelu |> gelu_tanh |> sigmoid
    t = ids |> emb |> mha |> ln |> rms |> c1
    t = t |> split_heads(2) |> rope(0) |> merge_heads
    z = reduce(h, "b c h w -> b c", mean)
    return t, z, mse(z, z) + accuracy(z, ids[:, 0])
  }
}
)nn");
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_TRUE(run.slot("mha.in_proj_weight"));
}

/// Two calls of one function, with one instance twice and with two: they may not share code.
TEST(Modules, SharedInstancesDoNotShareFunctionsWithSeparateOnes) {
  Compilation run("module Both(f: fn, g: fn) {\n"
                  "  fn forward(x: float[...S]) -> float[...S] = f(x) + g(x)\n}\n" +
                  model("  a = Linear(4, 4, false)\n  b = Linear(4, 4, false)\n"
                        "  one = Both(a, a)\n  two = Both(a, b)\n",
                        "    return one(x) + two(x)\n"));
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  EXPECT_NE(text.find("call @Both.forward(%arg0, %0)"), std::string::npos) << text;
  EXPECT_NE(text.find("call @Both.forward_1(%arg0, %0, %"), std::string::npos) << text;
}

} // namespace nnc::frontend::testing
