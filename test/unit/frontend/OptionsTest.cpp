// Hyperparameters from outside: `--set` and `--config`.
#include "test/unit/frontend/Compiling.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace nnc::frontend::testing {

static const std::string kModel =
    "module Part(d: int, out: int) {\n"
    "  l = Linear(d, out)\n"
    "  fn forward(x: float[B, d]) = l(x)\n"
    "}\n"
    "model Net(dim: int as \"hidden_size\" | \"d_model\" = 4, depth: int = 1, eps: float = 1e-5,\n"
    "          bias: bool = true, sizes: [int] = [4], pair: (int, int) = 2, name: str = \"a\",\n"
    "          act: fn as \"hidden_act\" = relu, block: module = Linear, t: dtype = f32) {\n"
    "  a = Linear(4, dim, bias)\n"
    "  b = [Linear(dim, dim) as \"{name}{i}\" for i in 0..depth]\n"
    "  c = [block(dim, s) for s in sizes]\n"
    "  d = Part(dim, pair[0] * pair[1])\n"
    "  param scale: float[dim] = eps\n"
    "  fn forward(x: float[B, 4]) -> float[B, dim] requires B in 1..=8 {\n"
    "    y = x |> a |> b |> act\n"
    "    return if t == f32 then y * scale else y\n"
    "  }\n"
    "}\n"
    "model Small = Net(dim=3)\n";

using Sets = std::vector<std::pair<std::string, std::string>>;

/// The keys and shapes, or the messages.
static std::string keysWith(Sets sets, std::string config = "", std::string model = "Net") {
  FrontendOptions options;
  options.model = std::move(model);
  options.sets = std::move(sets);
  options.config = std::move(config);
  Compilation compilation(kModel, options);
  compilation.emit();
  std::string text = compilation.messages();
  if (compilation.module)
    for (const SlotInfo &slot : compilation.info.slots) {
      text += slot.key + "[";
      for (int64_t size : slot.shape)
        text += std::to_string(size) + " ";
      text += "] ";
    }
  return text;
}

static bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

TEST(Set, EveryKindOfValue) {
  EXPECT_TRUE(contains(keysWith({{"dim", "2 * 3"}}), "a.weight[6 4 ]"));
  EXPECT_TRUE(contains(keysWith({{"hidden_size", "5"}}), "a.weight[5 4 ]")) << "by its other name";
  EXPECT_TRUE(contains(keysWith({{"dim", "9"}, {"dim", "7"}}), "a.weight[7 4 ]")) << "the last";
  EXPECT_FALSE(contains(keysWith({{"bias", "false"}}), "a.bias"));
  EXPECT_TRUE(contains(keysWith({{"sizes", "[1, 2, 3]"}}), "c.2.weight[3 4 ]"));
  EXPECT_FALSE(contains(keysWith({{"sizes", "[]"}}), "c."));
  EXPECT_TRUE(contains(keysWith({{"pair", "(2, 5)"}}), "d.l.weight[10 4 ]"));
  EXPECT_TRUE(contains(keysWith({{"pair", "3"}}), "d.l.weight[9 4 ]"));
  EXPECT_TRUE(contains(keysWith({{"name", "layer_"}}), "b.layer_0.weight")) << "plain text";
  EXPECT_TRUE(contains(keysWith({{"name", "\"q\""}}), "b.q0.weight"));
  EXPECT_TRUE(contains(keysWith({{"eps", "1e-6"}, {"act", "gelu"}, {"t", "bf16"}}), "scale[4 ]"));
  EXPECT_TRUE(contains(keysWith({{"block", "Conv1D"}, {"sizes", "[7]"}}), "c.0.weight[4 7 ]"));
  EXPECT_TRUE(contains(keysWith({{"depth", "2"}}, "", "Small"), "b.a1.weight[3 3 ]"));
}

TEST(Set, ImpossibleSizesAreReportedAtTheOption) {
  EXPECT_EQ(keysWith({{"dim", "-1"}}),
            "error[E0308]: `dim` makes an impossible size\n --> --set dim:1:1\n  |\n1 | -1\n"
            "  | ^^ it is -1\n  |\n  = note: the size of a tensor at prelude/linear.nn:4:23\n");
  EXPECT_EQ(keysWith({{"pair", "(-1, 2)"}}),
            "error[E0308]: `out` makes an impossible size\n  --> model.nn:11:17\n   |\n"
            "11 |   d = Part(dim, pair[0] * pair[1])\n   |                 ^^^^^^^^^^^^^^^^^ it is "
            "-2\n   |\n   = note: the size of a tensor at prelude/linear.nn:4:23\n");
}

TEST(Entries, OnlyThoseThatAreWanted) {
  auto emitted = [](std::vector<std::string> entries) {
    FrontendOptions options;
    options.entries = std::move(entries);
    Compilation run("model M(d: int = 4) {\n"
                    "  fn encode(x: float[d]) -> float[d] = exp(x)\n"
                    "  fn decode(x: float[d]) -> float[d] = log(x)\n"
                    "}\n",
                    options);
    run.emit();
    return run.messages() + (run.module ? run.ir() : "");
  };
  std::string all = emitted({}), one = emitted({"decode"});
  EXPECT_TRUE(contains(all, "@encode") && contains(all, "@decode")) << all;
  EXPECT_TRUE(!contains(one, "@encode") && contains(one, "@decode")) << one;
  EXPECT_EQ(emitted({"decode", "encode"}), all);
  EXPECT_TRUE(
      contains(emitted({"decoder"}), "`M` has no entry point `decoder`, did you mean `decode`?"))
      << emitted({"decoder"});
  EXPECT_TRUE(contains(emitted({"x"}), "`M` has no entry point `x`; it has `encode`, `decode`"))
      << emitted({"x"});
}

TEST(Set, WhatIsNotAValue) {
  EXPECT_EQ(keysWith({{"dimm", "3"}}),
            "error: --set: `Net` has no hyperparameter `dimm`, did you mean `dim`?\n");
  EXPECT_EQ(
      keysWith({{"depth", "\"2\""}}),
      "error[E0403]: `depth` of `Net` takes an int, this is a str\n --> --set depth:1:1\n"
      "  |\n1 | \"2\"\n  | ^^^\n  |\n ::: model.nn:5:61\n  |\n"
      "5 | model Net(dim: int as \"hidden_size\" | \"d_model\" = 4, depth: int = 1, eps: float "
      "= 1e-5,\n  |                                                             --- declared "
      "here\n");
}

class ConfigFile : public ::testing::Test {
protected:
  ConfigFile() {
    std::string name = (std::filesystem::temp_directory_path() / "nnc-config-XXXXXX").string();
    folder = mkdtemp(name.data());
  }
  ~ConfigFile() override { std::filesystem::remove_all(folder); }

  /// The messages, with the folder left out of paths.
  std::string with(const std::string &json, Sets sets = {}, std::string model = "Net") {
    std::string path = folder + "/config.json";
    std::ofstream(path) << json;
    std::string text = keysWith(std::move(sets), path, std::move(model));
    for (size_t at; (at = text.find(folder + "/")) != std::string::npos;)
      text.erase(at, folder.size() + 1);
    return text;
  }
  std::string folder;
};

TEST_F(ConfigFile, NamesOtherNamesAndWhatIsUnknown) {
  std::string text = with(R"({
    "architectures": ["NetForMaskedLM"], "_name_or_path": "x\u00e9\n", "torch_dtype": "bfloat16",
    "hidden_size": 6, "depth": 2, "nested": {"depth": 9, "list": [1, {"a": null}, -2.5e3]},
    "sizes": [3, 5], "pair": [2, 4], "bias": false, "name": "n", "eps": 1, "hidden_act": "gelu_new",
    "t": "float16", "block": "Conv1D"
  })");
  EXPECT_TRUE(contains(text, "a.weight[6 4 ] b.n0.weight[6 6 ]")) << text;
  EXPECT_TRUE(contains(text, "b.n1.weight[6 6 ]")) << text;
  EXPECT_TRUE(contains(text, "c.1.weight[6 5 ]")) << text;
  EXPECT_TRUE(contains(text, "d.l.weight[8 6 ]")) << text;
  EXPECT_TRUE(contains(with(R"({"d_model": 5})"), "a.weight[5 4 ]"));
  EXPECT_TRUE(contains(with(R"({"dim": 5})"), "a.weight[5 4 ]"));
  EXPECT_TRUE(contains(with(R"({"dim": 5, "hidden_size": 6})"), "a.weight[6 4 ]"))
      << "the name in files is meant";
  EXPECT_TRUE(contains(with(R"({"dim": null})"), "a.weight[4 4 ]"));
  EXPECT_TRUE(contains(with("{}"), "a.weight[4 4 ]"));
  EXPECT_TRUE(contains(with(R"({"dim": 5})", {{"dim", "8"}}), "a.weight[8 4 ]"))
      << "--set goes before --config";
  EXPECT_TRUE(contains(with(R"({"dim": 5})", {}, "Small"), "a.weight[5 4 ]"));
}

TEST_F(ConfigFile, WrongTypes) {
  auto firstLines = [&](const std::string &json) {
    std::string text = with(json);
    return text.substr(0, text.find("\n  |"));
  };
  EXPECT_EQ(firstLines("{\n  \"depth\": \"12\"\n}"),
            "error[E0403]: `depth` of `Net` takes an int, this is a str\n --> config.json:2:12");
  EXPECT_EQ(firstLines(R"({"hidden_size": 768.0})"),
            "error[E0403]: `dim` of `Net` takes an int, this is a float\n --> config.json:1:17");
  EXPECT_EQ(firstLines(R"({"bias": 1})"),
            "error[E0403]: `bias` of `Net` takes a bool, this is an int\n --> config.json:1:10");
  EXPECT_EQ(firstLines(R"({"sizes": {"a": 1}})"),
            "error[E0403]: `sizes` of `Net` cannot be an object\n --> config.json:1:11");
  EXPECT_EQ(firstLines(R"({"hidden_act": "quick_gelu"})"),
            "error[E0403]: `act` of `Net` cannot be \"quick_gelu\"\n --> config.json:1:16");
  EXPECT_EQ(firstLines(R"({"dim": -3})"),
            "error[E0308]: `dim` makes an impossible size\n --> config.json:1:9");
}

TEST_F(ConfigFile, Malformed) {
  auto error = [&](const std::string &json) {
    std::string text = with(json);
    size_t caret = text.find('^');
    return text.substr(0, text.find('\n')) +
           (caret == std::string::npos ? "" : text.substr(text.find(' ', caret)));
  };
  std::string start = "error[E0511]: this is not JSON ", end = ", the file ends here\n";
  EXPECT_EQ(error(""), start + "an object is expected" + end);
  EXPECT_EQ(error("?"), start + "an object is expected\n");
  EXPECT_EQ(error("{1: 2}"), start + "a name in quotes is expected\n");
  EXPECT_EQ(error("{\"a\" 2}"), start + "`:` is expected\n");
  EXPECT_EQ(error("{\"a\": 2 3}"), start + "`,` or `}` is expected\n");
  EXPECT_EQ(error("{\"a\": [2 3]}"), start + "`,` or `]` is expected\n");
  EXPECT_EQ(error("{\"a\": nul}"), start + "a value is expected\n");
  EXPECT_EQ(error("{\"a\": }"), start + "a value is expected\n");
  for (const char *number :
       {"1.2.3", "05", ".5", "1.", "+1", "1e", "1e+", "-", "- 1", "--1", "1-2"})
    EXPECT_EQ(error("{\"a\": " + std::string(number) + "}"), start + "a value is expected\n")
        << number;
  EXPECT_EQ(error("{\"a\": \"x"), start + "this string is never closed" + end);
  EXPECT_EQ(error("{\"a\": \"x\ny\"}"), start + "this string is never closed\n");
  EXPECT_EQ(error("{\"a\": \"x\ty\"}"), start + "a control character must be escaped\n");
  EXPECT_EQ(error("{\"a\": \"\\q\"}"), start + "there is no such escape\n");
  EXPECT_EQ(error("{\"a\": \"\\u12\"}"), start + "there is no such escape\n");
  EXPECT_EQ(error("{} {}"), start + "nothing may follow the object\n");
  EXPECT_EQ(error("{\"a\": {\"b\": [1, "), start + "a value is expected" + end);
  EXPECT_EQ(error("{\"a\": {\"b\": 1"), start + "`,` or `}` is expected" + end);
  EXPECT_EQ(error("{\"a\":" + std::string(100'000, '[')), start + "nested too deeply\n");
  std::string open;
  for (int i = 0; i < 100'000; ++i)
    open += "{\"a\":";
  EXPECT_EQ(error(open), start + "nested too deeply\n");
  EXPECT_EQ(keysWith({}, folder + "/none.json"),
            "error: cannot read '" + folder + "/none.json': No such file or directory\n");
}

TEST_F(ConfigFile, NamesAndNumbersThatCannotBe) {
  EXPECT_EQ(with("{\u201Cdim\u201D: 1}"),
            "error[E0511]: this is not JSON\n --> config.json:1:2\n  |\n1 | {\u201Cdim\u201D: 1}\n"
            "  |  ^ a name in quotes is expected\n");
  EXPECT_EQ(with("{\n  \"dim\": 1,\n  \"x\": {\"y\": 1, \"y\": 2}\n}"),
            "error[E0511]: `y` is there twice\n --> config.json:3:17\n  |\n3 |   \"x\": {\"y\": 1, "
            "\"y\": 2}\n"
            "  |         ---     ^^^ here again\n  |         |\n  |         first here\n");
  EXPECT_EQ(with(R"({"unread": 1e999})"),
            "error[E0511]: this number is out of range\n --> config.json:1:12\n  |\n"
            "1 | {\"unread\": 1e999}\n  |            ^^^^^ a float has 64 bits\n");
  std::string huge = with(R"({"dim": 9223372036854775808})");
  EXPECT_EQ(
      huge.substr(0, huge.find("\n :::")),
      "error[E0403]: `dim` of `Net` cannot be 9223372036854775808\n --> config.json:1:9\n  |\n"
      "1 | {\"dim\": 9223372036854775808}\n  |         ^^^^^^^^^^^^^^^^^^^ an int has 64 bits\n  "
      "|");
  EXPECT_TRUE(contains(
      with(R"({"eps": 9223372036854775808, "unread": [NaN, Infinity, -Infinity]})"), "scale[4 ]"))
      << "as Python writes them";
}

/// What a model with rotary positions makes of a configuration: its keys, or the messages.
static std::string ropeWith(const std::string &path, const std::string &formals) {
  FrontendOptions options;
  options.config = path;
  Compilation compilation("model Net(" + formals +
                              ") {\n  param x: f32[theta]\n"
                              "  fn forward(y: f32[B]) -> f32[B] requires B in 1..=8 = y\n}\n",
                          options);
  compilation.emit();
  std::string text = compilation.messages();
  if (compilation.module)
    text += std::to_string(compilation.info.slots.front().shape.front());
  return text;
}

TEST_F(ConfigFile, MembersOfMembers) {
  auto rope = [&](const std::string &json, const std::string &formals) {
    std::string path = folder + "/config.json";
    std::ofstream(path) << json;
    std::string text = ropeWith(path, formals);
    for (size_t at; (at = text.find(folder + "/")) != std::string::npos;)
      text.erase(at, folder.size() + 1);
    return text;
  };
  std::string dotted = R"(theta: int as "text.rope.theta" | "theta" = 1)";
  EXPECT_EQ(rope(R"({"text": {"rope": {"theta": 7}}})", dotted), "7");
  EXPECT_EQ(rope(R"({"text": {"rope.theta": 6}, "theta": 5})", dotted), "6");
  EXPECT_EQ(rope(R"({"text.rope.theta": 4, "text": {"rope": {"theta": 7}}})", dotted), "4");
  EXPECT_EQ(rope(R"({"text": {"rope": null}, "theta": 5})", dotted), "5");
  EXPECT_EQ(rope(R"({"text": {"rope": {"theta": null}}, "theta": 5})", dotted), "5");
  EXPECT_EQ(rope(R"({"text": {"theta": 3}})", dotted), "1");
  EXPECT_EQ(rope(R"({"text": 3, "theta": 5})", dotted), "5") << "another name has it";
  EXPECT_EQ(rope("{\"text\": {\"rope\": 3}}", dotted),
            R"(error[E0403]: `rope` cannot be an int
 --> config.json:1:19
  |
1 | {"text": {"rope": 3}}
  |                   ^ an object is expected
  |
 ::: model.nn:1:11
  |
1 | model Net(theta: int as "text.rope.theta" | "theta" = 1) {
  |           ----- which holds this one
)");
  // Where transformers keeps what concerns rotary positions.
  std::string plain = R"(theta: int as "rope_theta" = 1)",
              kind = plain + R"(, kind: str as "rope_type" | "type" = "no")";
  EXPECT_EQ(rope(R"({"rope_parameters": {"rope_theta": 9, "rope_type": "default"}})", plain), "9");
  EXPECT_EQ(rope(R"({"rope_theta": 8, "rope_parameters": {"rope_theta": 9}})", plain), "8");
  EXPECT_EQ(rope(R"({"rope_theta": 8, "rope_scaling": null})", plain), "8");
  EXPECT_EQ(
      rope(R"({"rope_theta": 8, "rope_scaling": {"type": "linear", "rope_type": "linear"}})", kind),
      "8");
  EXPECT_EQ(rope(R"({"rope_theta": 8, "rope_scaling": {"type": "linear"}})", kind), "8");
  EXPECT_EQ(rope(R"({"rope_scaling": {"type": "linear"}})", plain),
            R"(error[E0512]: `Net` does not read how its positions are scaled
 --> config.json:1:27
  |
1 | {"rope_scaling": {"type": "linear"}}
  |                           ^^^^^^^^ no hyperparameter takes this
  |
 ::: model.nn:1:7
  |
1 | model Net(theta: int as "rope_theta" = 1) {
  |       --- of this model
  |
help: read it: `scaling: str as "rope_type" | "type" = "default"`
)");
  EXPECT_EQ(rope(R"({"rope_parameters": [9]})", plain),
            "error[E0403]: `rope_parameters` cannot be a list\n --> config.json:1:21\n  |\n"
            "1 | {\"rope_parameters\": [9]}\n  |                     ^^^ an object is expected\n");
}

} // namespace nnc::frontend::testing
