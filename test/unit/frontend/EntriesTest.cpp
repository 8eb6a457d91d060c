// Entry points: names, dimensions, ranges, guards, locations, and functions emitted once.
#include "test/unit/frontend/Compiling.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

static size_t count(const std::string &text, const std::string &part) {
  size_t number = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++number;
  return number;
}

TEST(Entries, LeNet) {
  Compilation run(Compilation::read("examples/lenet.nn"), {}, "lenet.nn");
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(run.info.name, "LeNet");
  EXPECT_EQ(run.info.parameterCount(), 61'706);
  std::string text = run.ir();
  EXPECT_NE(
      text.find("func.func @forward(%arg0: tensor<?x1x28x28xf32, #map> {nn.name = \"image\"})"),
      std::string::npos)
      << text;
  EXPECT_NE(
      text.find("attributes {nn.dims = [\"B\"], nn.entry, nn.ranges = [array<i64: 1, 1024>]}"),
      std::string::npos)
      << text;
}

TEST(Entries, NamesDimensionsAndGuards) {
  Compilation run(R"nn(model M() {
  fn encode(x: float[B, 4]) -> (h: float[B, 4], s: float[B]) requires B in 1..=4 {
    return x * 2, sum(x, axis=1)
  }
  fn forward(x: float[B, T, 4], y: i32[T]) requires B <= 3, T in 2..9, T % 2 == 0: "pairs" {
    h, s = encode(x[:, 0])
    return h + x[:, 1], s
  }
}
)nn");
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  EXPECT_NE(text.find("{nn.name = \"h\"}, tensor<?xf32, #map1> {nn.name = \"s\"}"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("{nn.name = \"output\"}, tensor<?xf32, #map1> {nn.name = \"output1\"}"),
            std::string::npos)
      << text;
  EXPECT_NE(
      text.find("nn.dims = [\"B\", \"T\"], nn.entry, nn.guards = [{kind = \"ge0\", line = 5 : "
                "i64, map = #map4, message = \"\", text = \"B <= 3\"}, {kind = \"eq0\", line = "
                "5 : i64, map = #map5, message = \"pairs\", text = \"T % 2 == 0\"}], nn.ranges "
                "= [array<i64: 1, 3>, array<i64: 2, 8>]"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("#map5 = affine_map<()[s0, s1] -> (s1 mod 2)>"), std::string::npos) << text;
}

TEST(Entries, GuardsOfCalleesAreCheckedOnEntry) {
  Compilation run(
      "fn g(x: float[B, C]) -> float[B, C]\nrequires B % 2 == 0: \"pairs\", C == 4 = x\n" +
      model("", "    return x |> g |> g\n"));
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(count(run.ir(), "text = \"B % 2 == 0\""), 1u) << run.ir();
}

TEST(Entries, ADimensionWithoutARange) {
  EXPECT_EQ(compiled("model M() {\n  fn forward(x: float[B, 4]) -> float[B, 4] = x\n}\n"),
            R"(warning[W0901]: `B` of entry point `forward` has no range
 --> model.nn:2:23
  |
2 |   fn forward(x: float[B, 4]) -> float[B, 4] = x
  |                       ^ 1..=1024 is assumed
  |
help: state one: `requires B in 1..=64`
)");
}

TEST(Entries, FixedDimensions) {
  FrontendOptions options;
  options.dims["B"] = 2;
  Compilation run(model("", "    return x\n"), options);
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_NE(run.ir().find("tensor<2x4xf32> {nn.name = \"x\"}"), std::string::npos) << run.ir();
  EXPECT_NE(run.ir().find("nn.dims = []"), std::string::npos);

  options.dims["B"] = 9;
  EXPECT_EQ(compiled(model("", "    return x\n"), options),
            R"(error[E0501]: `forward` requires `B in 1..=4`, but B is 9
 --> model.nn:2:54
  |
2 |   fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=4 {
  |                                                      ^^^^^^^^^^ B = 9
)");
  options.dims = {{"Q", 3}};
  EXPECT_EQ(compiled(model("", "    return x\n"), options),
            "error: --dim: no entry point has a dimension `Q`\n");
}

TEST(Entries, HyperparametersFromTheCommandLine) {
  FrontendOptions options;
  options.model = "ResNet18";
  options.sets = {{"classes", "2 * 5"}};
  Compilation run(Compilation::read("examples/resnet.nn"), options);
  EXPECT_EQ(run.emit().messages(), "");
  EXPECT_EQ(run.slot("fc.weight")->shape, (std::vector<int64_t>{10, 512}));

  options.sets = {{"clases", "10"}};
  EXPECT_EQ(compiled(Compilation::read("examples/resnet.nn"), options),
            "error: --set: `ResNet18` has no hyperparameter `clases`, did you mean `classes`?\n");
  options.sets = {{"classes", "\"x\""}};
  EXPECT_EQ(compiled(Compilation::read("examples/lenet.nn"), {"", options.sets, {}}),
            R"(error[E0403]: `classes` of `LeNet` takes an int, this is a str
 --> --set classes:1:1
  |
1 | "x"
  | ^^^
  |
 ::: model.nn:2:22
  |
2 | model LeNet(classes: int = 10) {
  |                      --- declared here
)");
}

TEST(Entries, TheModelIsChosen) {
  std::string text = Compilation::read("examples/resnet.nn");
  EXPECT_EQ(compiled(text), "error: model.nn declares several models, choose one with `--model`: "
                            "`ResNet18`, `ResNet50`\n");
  EXPECT_EQ(compiled(text, {"ResNet5", {}, {}}),
            "error: model.nn declares no model `ResNet5`, did you mean `ResNet50`?\n");
  EXPECT_EQ(compiled("a = 3\n"), "error: model.nn declares no model\n");
  EXPECT_EQ(
      compiled("module Net() {\n}\nmodule Other() {\n}\n"),
      "error: model.nn declares no model\n"
      "  = note: `Net` is a module; what is compiled is declared by `model` at model.nn:1:8\n");
}

TEST(Entries, InputsAreTensorsWithAFixedNumberOfAxes) {
  EXPECT_EQ(compiled("model M() {\n  fn forward(x: float[...], k: int) = x\n}\n"),
            R"(error[E0210]: an input of an entry point has a fixed number of axes
 --> model.nn:2:23
  |
2 |   fn forward(x: float[...], k: int) = x
  |                       ^^^
  |
  = note: a function whose name begins with `_` is no entry point: `_forward`
help: write its axes out: `float[B, T, 64]`
)");
  EXPECT_EQ(
      compiled("model M() {\n  fn _scaled(x: float[...], k: int) = x * k\n"
               "  fn _both(x: float[...]) = [x, x]\n"
               "  fn forward(x: float[B, 4]) requires B in 1..=8 = _both(_scaled(x, 2))[0]\n}\n"),
      "");
  EXPECT_EQ(compiled("model M() {\n  fn _f(x: float[B, 4]) = x\n}\n"),
            R"(error[E0210]: `M` has no entry point
 --> model.nn:1:7
  |
1 | model M() {
  |       ^
  |
  = note: a function that takes tensors is one, unless its name begins with `_`
)");
  EXPECT_EQ(compiled("model M() {\n  k = 3\n}\n"), R"(error[E0210]: `M` has no entry point
 --> model.nn:1:7
  |
1 | model M() {
  |       ^
  |
  = note: a function that takes tensors is one, unless its name begins with `_`
)");
  // One that could not be parsed might have been it.
  EXPECT_EQ(compiled("model M() {\n  fn forward(x: float[1]) = )\n}\n"),
            R"(error[E0101]: expected an expression
 --> model.nn:2:29
  |
2 |   fn forward(x: float[1]) = )
  |                             ^ found `)`
)");
}

TEST(Entries, EqualLayersShareOneFunction) {
  Compilation run(R"nn(module Block(d: int) {
  norm = LayerNorm(d)
  up = Linear(d, 4 * d)
  down = Linear(4 * d, d)
  fn forward(x: float[..., d]) -> float[..., d] = x + (x |> norm |> up |> gelu |> down)
}
model Deep() {
  blocks = [Block(16) for _ in 0..200]
  fn forward(x: float[B, T, 16]) -> float[B, T, 16] requires B in 1..=4, T in 1..=8 = x |> blocks
}
)nn");
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  EXPECT_EQ(count(text, "func.func private @Block.forward"), 1u);
  EXPECT_EQ(count(text, "call @Block.forward"), 200u);
  EXPECT_EQ(count(text, "func.func private @Linear.forward"), 2u);
  EXPECT_EQ(run.info.slots.size(), 1200u);
}

TEST(Entries, LocationsCarryTheModulePath) {
  Compilation run(Compilation::read("examples/resnet.nn"), {"ResNet18", {}, {}}, "resnet.nn");
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir(/*withLocations=*/true);
  for (const char *part : {"\"layer1.0\"(", "\"conv1\"(", "\"downsample.1\"(", "\"conv2d\"(",
                           "\"relu\"(", "\"max_pool\"("})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST(Entries, OptionalInputsMakeVariants) {
  Compilation compilation(
      "model Net {\n  fn forward(x: f32[4], y: f32[S]? = none, z: f32[4]? = none)"
      " -> (out: f32[4])\n  requires S in 1..=9 {\n"
      "    if y != none { x = x + mean(y, axis=0) }\n"
      "    return if z == none then x else x * z\n  }\n}\n");
  compilation.emit();
  EXPECT_EQ(compilation.messages(), "");
  std::string ir = compilation.ir();
  for (const char *part :
       {"@forward(%arg0: tensor<4xf32> {nn.name = \"x\"}, %arg1: tensor<?xf32",
        "@\"forward without y\"(%arg0: tensor<4xf32> {nn.name = \"x\"}, %arg1: tensor<4xf32> "
        "{nn.name "
        "= \"z\"})",
        "@\"forward without y without z\"(%arg0: tensor<4xf32> {nn.name = \"x\"})",
        "nn.dims = [], nn.entry = \"forward\"", "nn.dims = [\"S\"], nn.entry,"})
    EXPECT_NE(ir.find(part), std::string::npos) << part << "\n" << ir;
}

TEST(Entries, OptionalInputsAreNoneByDefault) {
  EXPECT_EQ(compiled("model Net {\n  fn forward(x: f32[4], y: f32[4]? = 1) -> f32[4] = x\n}\n"),
            R"(error[E0210]: an optional input of an entry point is `none` by default
 --> model.nn:2:38
  |
2 |   fn forward(x: f32[4], y: f32[4]? = 1) -> f32[4] = x
  |                                      ^
)");
}

TEST(Entries, OptionalInputsAreFew) {
  EXPECT_EQ(compiled("model Net {\n  fn forward(x: f32[1], a: f32[1]? = none, b: f32[1]? = none,\n"
                     "             c: f32[1]? = none, d: f32[1]? = none) -> f32[1] = x\n}\n"),
            R"(error[E0590]: more than 3 optional inputs of an entry point are not supported yet
 --> model.nn:3:33
  |
3 |              c: f32[1]? = none, d: f32[1]? = none) -> f32[1] = x
  |                                 ^^^^^^^^^^^^^^^^^
)");
}

} // namespace nnc::frontend::testing
