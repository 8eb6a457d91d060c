// `@precision`: what `float` is in which part of a model, and what is cast at the borders.
#include "test/unit/frontend/Compiling.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {
namespace {

/// The lines of the IR that hold `part`, without indentation.
std::vector<std::string> linesWith(Compilation &run, const std::string &part) {
  std::vector<std::string> found;
  std::string text = run.ir();
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    std::string line = text.substr(begin, end - begin);
    if (line.find(part) != std::string::npos)
      found.push_back(line.substr(line.find_first_not_of(' ')));
    begin = end + 1;
  }
  return found;
}

using Lines = std::vector<std::string>;

} // namespace

TEST(Precision, OfAModel) {
  Compilation run("@precision(bf16)\n" + model("  param w: float[4] = 1\n  param e: f32[4] = 0\n",
                                               "    return float(f32(x * w) + e)\n"));
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(linesWith(run, "nn.global"),
            (Lines{"nn.global @w : tensor<4xbf16> {init = {kind = \"full\", value = "
                   "1.000000e+00 : f64}, keys = [\"w\"], kind = \"param\"}",
                   "nn.global @e : tensor<4xf32> {init = {kind = \"full\", value = "
                   "0.000000e+00 : f64}, keys = [\"e\"], kind = \"param\"}"}));
  EXPECT_EQ(linesWith(run, "nn.mul"), Lines{"%3 = nn.mul %arg0, %2 : tensor<?x4xbf16, #map>"});
  EXPECT_EQ(linesWith(run, "nn.add"), Lines{"%6 = nn.add %4, %5 : tensor<?x4xf32, #map>"});
  EXPECT_EQ(run.slot("w")->dtype, "float");
}

TEST(Precision, ParamsAreStoredOtherwise) {
  Compilation run(
      "@precision(f16, params=f32)\n" +
      model("  param w: float[4] = 1\n  buffer b: float[4] = 1\n", "    return x * w + b * w\n"));
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(linesWith(run, "nn.get").front(), "%0 = nn.get @w : tensor<4xf32>");
  EXPECT_EQ(linesWith(run, "nn.cast").front(), "%2 = nn.cast %0 : tensor<4xf32> -> tensor<4xf16>");
  EXPECT_EQ(linesWith(run, "nn.global").size(), 2u);
  for (const std::string &line : linesWith(run, "nn.global"))
    EXPECT_NE(line.find("tensor<4xf32>"), std::string::npos) << line;
}

static const char *const nested = R"nn(
module Scale(half: dtype = f16) {
  param w: float[4] = 1
  fn forward(x: float[B, 4]) -> float[B, 4] = x * w
}
@precision(f32)
module Exact() {
  inner = Scale()
  fn forward(x: float[B, 4]) -> float[B, 4] = inner(x)
}
@precision(f32)
fn head(x: float[B, 4]) -> float[B, 4] = exp(x)
@precision(bf16)
model M() {
  plain = Scale()
  exact = Exact()
  @precision(f16)
  both = [Scale(), Exact()]
  fn forward(x: float[B, 4]) -> (y: float[B, 4]) requires B in 1..=4 {
    return x |> plain |> exact |> both |> head
  }
}
)nn";

TEST(Precision, TheNearestOneCounts) {
  Compilation run(nested);
  EXPECT_EQ(run.emit().messages(), "");
  Lines types;
  for (const std::string &line : linesWith(run, "nn.global")) {
    size_t at = line.find("tensor");
    types.push_back(line.substr(10, line.find(" :") - 10) + " " +
                    line.substr(at, line.find(' ', at) - at));
  }
  // The binding decides for what is bound, a declaration for what is made in it.
  EXPECT_EQ(types, (Lines{"@plain.w tensor<4xbf16>", "@exact.inner.w tensor<4xf32>",
                          "@both.0.w tensor<4xf16>", "@both.1.inner.w tensor<4xf16>"}));
  EXPECT_EQ(linesWith(run, "nn.exp"), Lines{"%0 = nn.exp %arg0 : tensor<?x4xf32, #map>"});
}

TEST(Precision, BordersCast) {
  Compilation run(nested);
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(linesWith(run, "nn.cast"),
            (Lines{"%5 = nn.cast %4 : tensor<?x4xbf16, #map> -> tensor<?x4xf32, #map>",
                   "%7 = nn.cast %6 : tensor<?x4xf32, #map> -> tensor<?x4xbf16, #map>",
                   // The elements of a list are called one by one from the model.
                   "%8 = nn.cast %7 : tensor<?x4xbf16, #map> -> tensor<?x4xf16, #map>",
                   "%10 = nn.cast %9 : tensor<?x4xf16, #map> -> tensor<?x4xbf16, #map>",
                   "%11 = nn.cast %10 : tensor<?x4xbf16, #map> -> tensor<?x4xf16, #map>",
                   "%13 = nn.cast %12 : tensor<?x4xf16, #map> -> tensor<?x4xbf16, #map>",
                   "%14 = nn.cast %13 : tensor<?x4xbf16, #map> -> tensor<?x4xf32, #map>",
                   "%16 = nn.cast %15 : tensor<?x4xf32, #map> -> tensor<?x4xbf16, #map>"}))
      << run.ir();
}

TEST(Precision, TiedWeightsHaveOneStorage) {
  Compilation run(R"nn(
@precision(bf16)
model M() {
  embed = Embedding(8, 4)
  @precision(f32)
  head = Linear(4, 8, bias=false)
  tie head.weight = embed.weight
  fn forward(ids: i32[B]) -> float[B, 8] requires B in 1..=4 = ids |> embed |> head
}
)nn");
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(linesWith(run, "nn.global").size(), 1u);
  EXPECT_EQ(linesWith(run, "nn.get"), Lines{"%0 = nn.get @embed.weight : tensor<8x4xbf16>"});
  EXPECT_EQ(linesWith(run, "nn.matmul"),
            Lines{"%2 = nn.matmul %arg0, %1 : tensor<?x4xf32, #map2>, tensor<4x8xf32> -> "
                  "tensor<?x8xf32, #map1>"})
      << run.ir();
}

TEST(Precision, StatesAreStoredAsTheWorkingFloat) {
  Compilation run(R"nn(
@precision(bf16, params=f32)
model M() {
  state s: float[2, 4] = 0
  buffer b: float[4] = 0
  @precision(f32)
  fn store(x: float[4]) -> float[4] {
    s[1:] <- x[none, :]
    return s[1] + b
  }
  fn forward(x: float[4]) -> float[4] {
    b <- b + x
    return store(x)
  }
}
)nn");
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_NE(run.ir().find("nn.global @s : tensor<2x4xbf16>"), std::string::npos) << run.ir();
  for (const std::string &line : linesWith(run, "nn.update"))
    EXPECT_NE(line.find("tensor<2x4xbf16>, tensor<1x4xbf16>"), std::string::npos) << run.ir();
  EXPECT_EQ(linesWith(run, "nn.update").size(), 2u) << run.ir();
  for (const std::string &line : linesWith(run, "nn.set @b"))
    EXPECT_NE(line.find("tensor<4xf32>"), std::string::npos) << run.ir();
}

TEST(Precision, Tf32IsAPermission) {
  std::string text = model("  param w: float[4, 4] = 1\n", "    return x @ w\n");
  auto products = [](const std::string &source, bool allow) {
    FrontendOptions options;
    options.precision.tf32 = allow;
    Compilation run(source, options);
    EXPECT_EQ(run.emit().messages(), "");
    Lines lines = linesWith(run, "nn.matmul");
    return lines.size() == 1 && lines[0].find("{nn.tf32}") != std::string::npos;
  };
  EXPECT_FALSE(products(text, false));
  EXPECT_TRUE(products(text, true));
  EXPECT_TRUE(products("@precision(tf32)\n" + text, false));
  EXPECT_FALSE(products("@precision(f32)\n" + text, true));
  EXPECT_FALSE(products("@precision(bf16)\n" + text, true));
}

TEST(Precision, OfTheCommandLineWhereNothingElseSays) {
  auto globals = [](const std::string &attribute) {
    FrontendOptions options;
    options.precision.working = syntax::Elem::BF16;
    Compilation run(attribute + model("  param w: float[4, 4] = 1\n", "    return x @ w\n"),
                    options);
    EXPECT_EQ(run.emit().messages(), "");
    return linesWith(run, "nn.global");
  };
  auto holds = [](const Lines &lines, const char *type) {
    return lines.size() == 1 &&
           lines[0].starts_with("nn.global @w : tensor<4x4x" + std::string(type) + "> ");
  };
  EXPECT_TRUE(holds(globals(""), "bf16"));
  EXPECT_TRUE(holds(globals("@precision(f16)\n"), "f16"));
}

TEST(Precision, OfADtypeHyperparameter) {
  Compilation run(R"nn(
@precision(half)
model M(half: dtype = f16) {
  fn forward(x: float[4]) -> float[4] = exp(x)
}
)nn");
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(linesWith(run, "nn.exp"), Lines{"%0 = nn.exp %arg0 : tensor<4xf16>"});
}

TEST(Precision, OfAnAlias) {
  Compilation run(R"nn(
@precision(f16)
module Net(n: int) {
  param w: float[n] = 1
  fn forward(x: float[n]) -> float[n] = x * w
}
@precision(bf16)
model Small = Net(4)
)nn");
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(linesWith(run, "nn.mul"), Lines{"%1 = nn.mul %arg0, %0 : tensor<4xbf16>"});
}

TEST(Precision, VarianceAndNormsAreComputedInF32) {
  Compilation run("@precision(f16)\n" + model("  norm = LayerNorm(4)\n",
                                              "    return norm(x) + var(x, axis=1)[:, none]\n"));
  EXPECT_EQ(run.emit().messages(), "");
  for (const std::string &line : linesWith(run, "nn.reduce"))
    EXPECT_NE(line.find("f32"), std::string::npos) << line;
  EXPECT_EQ(linesWith(run, "nn.reduce").size(), 4u);
}

TEST(Precision, LinearLayersRoundOnce) {
  Compilation run("@precision(f16)\n" + model("  fc = Linear(4, 4)\n", "    return fc(x)\n"));
  EXPECT_EQ(run.emit().messages(), "");
  ASSERT_EQ(linesWith(run, "nn.add").size(), 1u);
  EXPECT_NE(linesWith(run, "nn.add").front().find("f32"), std::string::npos);
  EXPECT_NE(linesWith(run, "nn.matmul").front().find("f32"), std::string::npos);
  EXPECT_EQ(linesWith(run, "nn.cast").size(), 4u) << "three operands and one rounding";
}

TEST(Precision, MixingWithF32IsAnErrorInEveryPrecision) {
  EXPECT_EQ(
      compiled(model("  param weight: float[4] = 1\n", "    h = f32(x)\n    return h * weight\n")),
      R"(error[E0401]: `*` mixes f32 and float
 --> model.nn:5:14
  |
5 |     return h * weight
  |            - ^ ------ float[4]
  |            |
  |            f32[B, 4]
  |
  = note: `float` is the working precision; it differs from f32 under `@precision(bf16)`
help: cast back to the working precision
5 |     return float(h) * weight
  |            ++++++ +
)");
}

} // namespace nnc::frontend::testing
