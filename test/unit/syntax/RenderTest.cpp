//===- RenderTest.cpp - How diagnostics look ------------------------------------------------===//
//
// The examples of the language's design, built by hand and printed, and the corner cases of
// printing.
//
//===----------------------------------------------------------------------------------------===//

#include "TestSource.h"

#include <gtest/gtest.h>

using namespace nnc::syntax;

namespace {

TEST(Render, E0101) {
  TestSource s(TestSource::lines({{3, "  conv1 = Conv2d(1, 6, 5 padding=2)"}}), "lenet.nn");
  s.diags.error("E0101", s.find(3, "padding"), "expected `,` or `)` in this call")
      .primaryLabel("this starts another argument")
      .fixIt("add a comma", {{s.find(3, "5").after(), ","}});
  EXPECT_EQ(s.rendered(), "error[E0101]: expected `,` or `)` in this call\n"
                          " --> lenet.nn:3:26\n"
                          "  |\n"
                          "3 |   conv1 = Conv2d(1, 6, 5 padding=2)\n"
                          "  |                          ^^^^^^^ this starts another argument\n"
                          "  |\n"
                          "help: add a comma\n"
                          "3 |   conv1 = Conv2d(1, 6, 5, padding=2)\n"
                          "  |                         +\n");
}

TEST(Render, E0102) {
  TestSource s(TestSource::lines({{1, "// LeNet-5 for 28x28 digits."}}), "lenet.nn");
  s.diags.error("E0102", s.find(1, "//"), "`//` does not start a comment")
      .primaryLabel("this is floor division")
      .fixIt("comments start with `#`", {{s.find(1, "//"), "#"}});
  EXPECT_EQ(s.rendered(), "error[E0102]: `//` does not start a comment\n"
                          " --> lenet.nn:1:1\n"
                          "  |\n"
                          "1 | // LeNet-5 for 28x28 digits.\n"
                          "  | ^^ this is floor division\n"
                          "  |\n"
                          "help: comments start with `#`\n"
                          "1 | # LeNet-5 for 28x28 digits.\n"
                          "  | ~\n");
}

TEST(Render, E0201) {
  TestSource s(
      TestSource::lines(
          {{12,
            "  fn forward(x: float[B, T, dmi], mask: bool[B, 1, 1, T]) -> float[B, T, dim] {"}}),
      "bert.nn");
  s.diags.error("E0201", s.find(12, "dmi"), "unknown name `dmi` in a shape")
      .primaryLabel("not a hyperparameter or constant of `BertLayer`")
      .note("only capitalised names introduce a dimension")
      .fixIt("`dim` has a similar name", {{s.find(12, "dmi"), "dim"}});
  EXPECT_EQ(s.rendered(),
            "error[E0201]: unknown name `dmi` in a shape\n"
            "  --> bert.nn:12:29\n"
            "   |\n"
            "12 |   fn forward(x: float[B, T, dmi], mask: bool[B, 1, 1, T]) -> float[B, T, dim] {\n"
            "   |                             ^^^ not a hyperparameter or constant of `BertLayer`\n"
            "   |\n"
            "   = note: only capitalised names introduce a dimension\n"
            "help: `dim` has a similar name\n"
            "12 |   fn forward(x: float[B, T, dim], mask: bool[B, 1, 1, T]) -> float[B, T, dim] {\n"
            "   |                             ~~~\n");
}

TEST(Render, E0301) {
  TestSource s(TestSource::lines({{5, "  fc1 = Linear(16 * 4 * 4, 120)"},
                                  {11, "    x = x |> rearrange"},
                                  {12, "    return x |> fc1 |> tanh |> fc2 |> tanh |> fc3"}}),
               "lenet.nn");
  s.diags.error("E0301", s.find(12, "fc1"), "`fc1` takes 256 features, this value has 400")
      .primaryLabel("expected float[..., 256], found float[B, 400]")
      .label(s.find(5, "16 * 4 * 4"), "`d_in` = 256 comes from here")
      .note("400 = (c h w) of float[B, 16, 5, 5],", s.find(11, "rearrange"))
      .fixIt("make `d_in` 400", {{s.find(5, "16 * 4 * 4"), "400"}});
  EXPECT_EQ(s.rendered(), "error[E0301]: `fc1` takes 256 features, this value has 400\n"
                          "  --> lenet.nn:12:17\n"
                          "   |\n"
                          " 5 |   fc1 = Linear(16 * 4 * 4, 120)\n"
                          "   |                ---------- `d_in` = 256 comes from here\n"
                          "12 |     return x |> fc1 |> tanh |> fc2 |> tanh |> fc3\n"
                          "   |                 ^^^ expected float[..., 256], found float[B, 400]\n"
                          "   |\n"
                          "   = note: 400 = (c h w) of float[B, 16, 5, 5], at lenet.nn:11:14\n"
                          "help: make `d_in` 400\n"
                          " 5 |   fc1 = Linear(400, 120)\n"
                          "   |                ~~~\n");
}

TEST(Render, E0302) {
  TestSource s(TestSource::lines({{10, "    return f32(mean((net(x) - y) ** 2))"}}), "price.nn");
  s.diags.error("E0302", s.find(10, "-"), "`-` would stretch both operands")
      .label(s.find(10, "net(x)"), "float[B, 1]")
      .label(s.find(10, "y"), "float[B]")
      .note("NumPy rules would give float[B, B]")
      .fixIt("drop the extra axis", {{s.find(10, "net(x)").after(), "[:, 0]"}});
  EXPECT_EQ(s.rendered(), "error[E0302]: `-` would stretch both operands\n"
                          "  --> price.nn:10:29\n"
                          "   |\n"
                          "10 |     return f32(mean((net(x) - y) ** 2))\n"
                          "   |                      ------ ^ - float[B]\n"
                          "   |                      |\n"
                          "   |                      float[B, 1]\n"
                          "   |\n"
                          "   = note: NumPy rules would give float[B, B]\n"
                          "help: drop the extra axis\n"
                          "10 |     return f32(mean((net(x)[:, 0] - y) ** 2))\n"
                          "   |                            ++++++\n");
}

TEST(Render, E0303) {
  TestSource s(TestSource::lines({{11, "    x = x |> rearrange(\"b c h w -> b (c h wd)\")"}}),
               "lenet.nn");
  s.diags.error("E0303", s.find(11, "wd"), "unknown axis `wd` in this pattern")
      .primaryLabel("not on the left side")
      .help("did you mean `w`?");
  EXPECT_EQ(s.rendered(), "error[E0303]: unknown axis `wd` in this pattern\n"
                          "  --> lenet.nn:11:43\n"
                          "   |\n"
                          "11 |     x = x |> rearrange(\"b c h w -> b (c h wd)\")\n"
                          "   |                                           ^^ not on the left side\n"
                          "   |\n"
                          "help: did you mean `w`?\n");
}

TEST(Render, E0304) {
  TestSource s(TestSource::lines({{12, "  requires B in 1..=16, H in 16..=1024, W in 16..=1024 {"},
                                  {20, "    for u, f, s in zip(up, fuse, reverse(skips)) { x = "
                                       "f(concat([s, u(x)], axis=1)) }"}}),
               "unet.nn");
  s.diags
      .error("E0304", s.find(20, "concat"),
             "cannot prove that these sizes are equal in `concat` along axis 1")
      .primaryLabel("in iteration 0")
      .note("axis 2 of `s` is H // 8, of `u(x)` is 2 * (H // 16); they differ when H = 24")
      .fixIt("require what the network relies on",
             {{s.find(12, "W in 16..=1024").after(), ", H % 16 == 0, W % 16 == 0"}});
  EXPECT_EQ(
      s.rendered(),
      "error[E0304]: cannot prove that these sizes are equal in `concat` along axis 1\n"
      "  --> unet.nn:20:58\n"
      "   |\n"
      "20 |     for u, f, s in zip(up, fuse, reverse(skips)) { x = f(concat([s, u(x)], axis=1)) }\n"
      "   |                                                          ^^^^^^ in iteration 0\n"
      "   |\n"
      "   = note: axis 2 of `s` is H // 8, of `u(x)` is 2 * (H // 16); they differ when H = 24\n"
      "help: require what the network relies on\n"
      "12 |   requires B in 1..=16, H in 16..=1024, W in 16..=1024, H % 16 == 0, W % 16 == 0 {\n"
      "   |                                                       ++++++++++++++++++++++++++\n");
}

TEST(Render, E0401) {
  TestSource s(TestSource::lines({{7, "    return h * weight"}}), "norm.nn");
  s.diags.error("E0401", s.find(7, "*"), "`*` mixes f32 and float")
      .label(s.find(7, "h"), "f32[..., dim]")
      .label(s.find(7, "weight"), "float[dim]")
      .note("`float` is the working precision; it differs from f32 under `@precision(bf16)`")
      .fixIt("cast back to the working precision",
             {{s.find(7, "h").before(), "float("}, {s.find(7, "h").after(), ")"}});
  EXPECT_EQ(
      s.rendered(),
      "error[E0401]: `*` mixes f32 and float\n"
      " --> norm.nn:7:14\n"
      "  |\n"
      "7 |     return h * weight\n"
      "  |            - ^ ------ float[dim]\n"
      "  |            |\n"
      "  |            f32[..., dim]\n"
      "  |\n"
      "  = note: `float` is the working precision; it differs from f32 under `@precision(bf16)`\n"
      "help: cast back to the working precision\n"
      "7 |     return float(h) * weight\n"
      "  |            ++++++ +\n");
}

TEST(Render, E0501) {
  TestSource s(
      TestSource::lines(
          {{2, "                                                          dim"},
           {21, "                                                   heads"},
           {27,
            "  layers = [BertLayer(dim, heads, 4 * dim) for _ in 0..depth] as \"encoder.layer\""}}),
      "bert.nn");
  s.diags
      .error("E0501", s.find(27, "BertLayer"),
             "`BertLayer` requires `dim % heads == 0`, but 768 % 10 is 8")
      .primaryLabel("dim = 768, heads = 10")
      .note("`heads` = 10 is the default", s.find(21, "heads"))
      .note("required", s.find(2, "dim"));
  EXPECT_EQ(
      s.rendered(),
      "error[E0501]: `BertLayer` requires `dim % heads == 0`, but 768 % 10 is 8\n"
      "  --> bert.nn:27:13\n"
      "   |\n"
      "27 |   layers = [BertLayer(dim, heads, 4 * dim) for _ in 0..depth] as \"encoder.layer\"\n"
      "   |             ^^^^^^^^^ dim = 768, heads = 10\n"
      "   |\n"
      "   = note: `heads` = 10 is the default at bert.nn:21:52\n"
      "   = note: required at bert.nn:2:59\n");
}

TEST(Render, E0502) {
  TestSource s(TestSource::lines({{60, "    if pos > 0 { x = x[:, -1:] }"}}), "llama.nn");
  s.diags.error("E0502", s.find(60, "pos > 0"), "`if` needs a build-time condition")
      .primaryLabel("`pos` is a state, known only at run time")
      .help("to choose between two values at run time, use `where(cond, a, b)`");
  EXPECT_EQ(s.rendered(),
            "error[E0502]: `if` needs a build-time condition\n"
            "  --> llama.nn:60:8\n"
            "   |\n"
            "60 |     if pos > 0 { x = x[:, -1:] }\n"
            "   |        ^^^^^^^ `pos` is a state, known only at run time\n"
            "   |\n"
            "help: to choose between two values at run time, use `where(cond, a, b)`\n");
}

TEST(Render, E0601) {
  TestSource s(TestSource::lines({{9, "    h = zeros([B, d])"},
                                  {11, "    ys = scan xt in x axis 1 {"},
                                  {14, "      h = concat([h, sigmoid(o) * tanh(c)], axis=-1)"}}),
               "lstm.nn");
  s.diags.error("E0601", s.find(11, "scan"), "`h` changes type in this scan")
      .primaryLabel("carries `h`")
      .label(s.find(9, "h"), "enters as float[B, 256]")
      .label(s.find(14, "h"), "leaves as float[B, 512]")
      .note("a carried value keeps its type in every step")
      .inModule("lstm.0");
  EXPECT_EQ(s.rendered(), "error[E0601]: `h` changes type in this scan\n"
                          "  --> lstm.nn:11:10\n"
                          "   |\n"
                          " 9 |     h = zeros([B, d])\n"
                          "   |     - enters as float[B, 256]\n"
                          "11 |     ys = scan xt in x axis 1 {\n"
                          "   |          ^^^^ carries `h`\n"
                          "14 |       h = concat([h, sigmoid(o) * tanh(c)], axis=-1)\n"
                          "   |       - leaves as float[B, 512]\n"
                          "   |\n"
                          "   = note: in lstm.0; a carried value keeps its type in every step\n");
}

TEST(Render, E0701) {
  TestSource s(TestSource::lines({{20, "@weights(\"model.safetensors\", ignore=[\"cls.**\"])"}}),
               "bert.nn");
  s.diags
      .error("E0701", s.find(20, "@weights"),
             "199 of 199 parameters of `BertBase` are missing from `model.safetensors`")
      .primaryLabel("first missing key: `embeddings.word_embeddings.weight`")
      .note("all 199 are present under `bert.`")
      .fixIt("add the prefix", {{s.find(20, "ignore").before(), "prefix=\"bert.\", "}});
  EXPECT_EQ(
      s.rendered(),
      "error[E0701]: 199 of 199 parameters of `BertBase` are missing from `model.safetensors`\n"
      "  --> bert.nn:20:1\n"
      "   |\n"
      "20 | @weights(\"model.safetensors\", ignore=[\"cls.**\"])\n"
      "   | ^^^^^^^^ first missing key: `embeddings.word_embeddings.weight`\n"
      "   |\n"
      "   = note: all 199 are present under `bert.`\n"
      "help: add the prefix\n"
      "20 | @weights(\"model.safetensors\", prefix=\"bert.\", ignore=[\"cls.**\"])\n"
      "   |                               +++++++++++++++\n");
}

TEST(Render, WithoutPlace) {
  TestSource s("");
  s.diags.error("no model in 'x.nn'").note("a model is declared with `model`");
  EXPECT_EQ(s.rendered(), "error: no model in 'x.nn'\n"
                          "  = note: a model is declared with `model`\n");
}

TEST(Render, Warning) {
  TestSource s("x = 1\n");
  s.diags.warning("E0901", s.find(1, "x"), "`x` is never used");
  EXPECT_EQ(s.rendered(), "warning[E0901]: `x` is never used\n"
                          " --> test.nn:1:1\n"
                          "  |\n"
                          "1 | x = 1\n"
                          "  | ^\n");
  EXPECT_FALSE(s.diags.hasErrors());
}

TEST(Render, LabelInAnotherFile) {
  TestSource s("x = f(1)\n");
  FileId other = *s.sources.addText("lib.nn", "# c\nfn f(a: int)\n", s.diags);
  s.diags.error("E0301", s.find(1, "1"), "bad")
      .label({other, 9, 10}, "declared here")
      .fixIt("change it there", {{{other, 12, 15}, "str"}});
  EXPECT_EQ(s.rendered(), "error[E0301]: bad\n"
                          " --> test.nn:1:7\n"
                          "  |\n"
                          "1 | x = f(1)\n"
                          "  |       ^\n"
                          "  |\n"
                          " ::: lib.nn:2:6\n"
                          "  |\n"
                          "2 | fn f(a: int)\n"
                          "  |      - declared here\n"
                          "  |\n"
                          "help: change it there\n"
                          " --> lib.nn:2\n"
                          "2 | fn f(a: str)\n"
                          "  |         ~~~\n");
}

TEST(Render, ThreeLabelsOnOneLine) {
  TestSource s("aa bb cc\n");
  s.diags.error("E0301", s.find(1, "bb"), "bad")
      .primaryLabel("two")
      .label(s.find(1, "aa"), "one")
      .label(s.find(1, "cc"), "three");
  EXPECT_EQ(s.rendered(), "error[E0301]: bad\n"
                          " --> test.nn:1:4\n"
                          "  |\n"
                          "1 | aa bb cc\n"
                          "  | -- ^^ -- three\n"
                          "  | |  |\n"
                          "  | |  two\n"
                          "  | one\n");
}

TEST(Render, OverlappingLabels) {
  TestSource s("abcdef\n");
  s.diags.error("E0301", s.find(1, "cd"), "bad")
      .primaryLabel("inner")
      .label(s.find(1, "abcdef"), "outer");
  EXPECT_EQ(s.rendered(), "error[E0301]: bad\n"
                          " --> test.nn:1:3\n"
                          "  |\n"
                          "1 | abcdef\n"
                          "  | --^^--\n"
                          "  | | |\n"
                          "  | | inner\n"
                          "  | outer\n");
}

TEST(Render, WideCharactersAndTabs) {
  TestSource s("\t日本 = e\u0301x\n");
  s.diags.error("E0301", s.find(1, "x"), "bad").label(s.find(1, "本"), "wide");
  EXPECT_EQ(s.rendered(), "error[E0301]: bad\n"
                          " --> test.nn:1:9\n"
                          "  |\n"
                          "1 |     日本 = e\u0301x\n"
                          "  |       --    ^\n"
                          "  |       |\n"
                          "  |       wide\n");
}

TEST(Render, ControlsAreNotPrinted) {
  TestSource s("a \x1b[31m b\n");
  s.diags.error("E0301", s.find(1, "b"), "bad \x1b[0m");
  EXPECT_EQ(s.rendered(), "error[E0301]: bad  [0m\n"
                          " --> test.nn:1:9\n"
                          "  |\n"
                          "1 | a \uFFFD[31m b\n"
                          "  |         ^\n");
}

TEST(Render, SpanOverSeveralLines) {
  TestSource s("f(\n  1\n)\n");
  s.diags.error("E0301", Span{s.file, 0, 8}, "bad");
  EXPECT_EQ(s.rendered(), "error[E0301]: bad\n"
                          " --> test.nn:1:1\n"
                          "  |\n"
                          "1 | f(\n"
                          "  | ^^\n");
}

TEST(Render, FixOverSeveralLines) {
  TestSource s("a\nb\nc\nd\n");
  s.diags.error("E0301", s.find(1, "a"), "bad")
      .fixIt("rewrite", {{s.find(2, "b").to(s.find(3, "c")), "x\ny\nz"}, {s.find(1, "a"), "w"}});
  EXPECT_EQ(s.rendered(), "error[E0301]: bad\n"
                          " --> test.nn:1:1\n"
                          "  |\n"
                          "1 | a\n"
                          "  | ^\n"
                          "  |\n"
                          "help: rewrite\n"
                          "1 | w\n"
                          "  | ~\n"
                          "2 | x\n"
                          "  | ~\n"
                          "3 | y\n"
                          "  | ~\n"
                          "4 | z\n"
                          "  | ~\n");
}

TEST(Render, SortedAndOnce) {
  TestSource s("a\nb\n");
  s.diags.error("E0302", s.find(2, "b"), "second").inModule("m.0").note("why");
  s.diags.error("E0301", s.find(1, "a"), "first");
  for (std::string path : {"m.1", "m.2", "m.1", "m.3"})
    s.diags.error("E0302", s.find(2, "b"), "second").inModule(path).note("why");
  s.diags.error("cannot read 'w.safetensors'");
  s.diags.error("E0303", s.find(2, "b"), "third").label(s.find(1, "a"), "4").inModule("m.0");
  s.diags.error("E0303", s.find(2, "b"), "third").label(s.find(1, "a"), "5").inModule("m.1");
  EXPECT_EQ(s.rendered(), "error: cannot read 'w.safetensors'\n"
                          "\n"
                          "error[E0301]: first\n"
                          " --> test.nn:1:1\n"
                          "  |\n"
                          "1 | a\n"
                          "  | ^\n"
                          "\n"
                          "error[E0302]: second\n"
                          " --> test.nn:2:1\n"
                          "  |\n"
                          "2 | b\n"
                          "  | ^\n"
                          "  |\n"
                          "  = note: in m.0, m.1, m.2 and 1 more; why\n"
                          "\n"
                          "error[E0303]: third\n"
                          " --> test.nn:2:1\n"
                          "  |\n"
                          "1 | a\n"
                          "  | - 4\n"
                          "2 | b\n"
                          "  | ^\n"
                          "  |\n"
                          "  = note: in m.0\n");
}

TEST(Render, Color) {
  TestSource s("x\n");
  s.diags.error("E0301", s.find(1, "x"), "bad").primaryLabel("here");
  EXPECT_EQ(render(s.sources, s.diags, {.color = true}),
            "\033[1;31merror[E0301]\033[0m\033[1m: bad\n\033[0m"
            " \033[1;34m-->\033[0m test.nn:1:1\n"
            "  \033[1;34m|\n\033[0m"
            "\033[1;34m1 |\033[0m x\n"
            "\033[1;34m  |\033[0m \033[1;31m^\033[0m\033[1;31m here\033[0m\n");
}

TEST(Render, Json) {
  TestSource s("é = \"q\"\n", "a \"b\".nn");
  s.diags.error("E0301", s.find(1, "\"q\""), "bad\n")
      .label(s.find(1, "é"), "")
      .note("n", s.find(1, "="))
      .fixIt("t", {{s.find(1, "="), "=="}})
      .inModule("m");
  EXPECT_EQ(
      render(s.sources, s.diags, {.json = true}),
      "{\"severity\": \"error\", \"code\": \"E0301\", \"message\": \"bad\\n\", "
      "\"file\": \"a \\\"b\\\".nn\", \"spans\": ["
      "{\"file\": \"a \\\"b\\\".nn\", \"line\": 1, \"column\": 5, \"end_line\": 1, "
      "\"end_column\": 8, \"begin\": 5, \"end\": 8, \"primary\": true, \"label\": \"\"}, "
      "{\"file\": \"a \\\"b\\\".nn\", \"line\": 1, \"column\": 1, \"end_line\": 1, "
      "\"end_column\": 2, \"begin\": 0, \"end\": 2, \"primary\": false, \"label\": \"\"}], "
      "\"notes\": [{\"message\": \"n\", \"file\": \"a \\\"b\\\".nn\", \"line\": 1, \"column\": 3, "
      "\"end_line\": 1, \"end_column\": 4, \"begin\": 3, \"end\": 4}], "
      "\"fixes\": [{\"title\": \"t\", \"edits\": [{\"file\": \"a \\\"b\\\".nn\", \"line\": 1, "
      "\"column\": 3, \"end_line\": 1, \"end_column\": 4, \"begin\": 3, \"end\": 4, "
      "\"text\": \"==\"}]}], \"modules\": [\"m\"]}\n");
}

} // namespace
