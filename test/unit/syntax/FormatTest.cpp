//===- FormatTest.cpp - The one style -------------------------------------------------------===//

#include "TestSource.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

using namespace nnc::syntax;

namespace {

/// Formats twice: the second time must change nothing.
std::string formatted(const std::string &text) {
  TestSource source(text);
  std::optional<std::string> once = formatSource(source.sources, source.file, source.diags);
  if (!once)
    return source.rendered();
  TestSource again(*once);
  EXPECT_EQ(formatSource(again.sources, again.file, again.diags), once);
  return *once;
}

std::string read(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

TEST(Format, FormattedExamplesStayAsTheyAre) {
  for (std::string name : {"bert", "cifar", "lenet", "lstm", "resnet", "llama"}) {
    std::string text = read(NNC_UNIT_DATA "/" + name + ".nn");
    EXPECT_EQ(formatted(text), text) << name;
  }
}

TEST(Format, AllExamplesAreStable) {
  for (const std::string &path : exampleFiles())
    EXPECT_FALSE(formatted(read(path)).starts_with("error")) << path;
}

TEST(Format, Spaces) {
  EXPECT_EQ(formatted("x=a+b*-c**2;y=f( a,b = 1 )\nz  =  not a and b==c"),
            "x = a + b * -c ** 2\ny = f(a, b=1)\nz = not a and b == c\n");
  EXPECT_EQ(formatted("a = x[ :,1:, ::2, pos:pos+T, -1, ... ,none]"),
            "a = x[:, 1:, ::2, pos : pos + T, -1, ..., none]\n");
  EXPECT_EQ(formatted("a = 0 .. n\nb = x in 1 ..= n+1"), "a = 0..n\nb = x in 1 ..= n + 1\n");
  EXPECT_EQ(formatted("fn f( x:float[ B , ...S ]?=none )->f32[ ]=x"),
            "fn f(x: float[B, ...S]? = none) -> f32[] = x\n");
}

TEST(Format, RedundantParenthesesAndCommas) {
  EXPECT_EQ(formatted("a = (((b)))\nc = (d,)\ne = (f, g,)\nh = [i, j,]"),
            "a = (b)\nc = (d,)\ne = (f, g)\nh = [i, j]\n");
}

TEST(Format, Patterns) {
  EXPECT_EQ(formatted("y = x |> rearrange(\"b  c   h w->b (c  h w )\")\n"
                      "s = \"a  ->b\"\n"
                      "z = rearrange(x, \"not a  pattern\")\n"),
            "y = x |> rearrange(\"b c h w -> b (c h w)\")\n"
            "s = \"a  ->b\"\n"
            "z = rearrange(x, \"not a  pattern\")\n");
}

TEST(Format, LongLines) {
  EXPECT_EQ(
      formatted("fn f(x: float[B]) {\n"
                "  y = x |> convolution(64, 128) |> batch_norm_2d |> relu |> convolution(128, "
                "256) |> batch_norm_2d |> relu\n"
                "  layers = [Conv2d(64, 128, 3, padding=1), BatchNorm2d(128), relu, "
                "Conv2d(128, 256, 3), BatchNorm2d(256)]\n"
                "  z = aaaaaaaaaaaaaaaaaaaaaaaaa + bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb - "
                "cccccccccccccccccccccccccc * dddddddddd\n"
                "  w = function_with_a_long_name(first_argument, second_argument, "
                "third_argument, named=the_fourth_one)\n"
                "}\n"),
      "fn f(x: float[B]) {\n"
      "  y = x\n"
      "    |> convolution(64, 128)\n"
      "    |> batch_norm_2d\n"
      "    |> relu\n"
      "    |> convolution(128, 256)\n"
      "    |> batch_norm_2d\n"
      "    |> relu\n"
      "  layers = [\n"
      "    Conv2d(64, 128, 3, padding=1),\n"
      "    BatchNorm2d(128),\n"
      "    relu,\n"
      "    Conv2d(128, 256, 3),\n"
      "    BatchNorm2d(256),\n"
      "  ]\n"
      "  z = aaaaaaaaaaaaaaaaaaaaaaaaa\n"
      "    + bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
      "    - cccccccccccccccccccccccccc * dddddddddd\n"
      "  w = function_with_a_long_name(first_argument, second_argument, third_argument,\n"
      "                                named=the_fourth_one)\n"
      "}\n");
}

TEST(Format, Heads) {
  EXPECT_EQ(formatted("fn forward(ids: i32[B, T], kind: i32[B, T], mask: bool[B, T]) -> (hidden: "
                      "float[B, T, dim], pooled: float[B, dim]) requires B in 1..=64, T in "
                      "1..=max_len { return x }\n"
                      "@a @b(1) fn g() = x\n"),
            "fn forward(ids: i32[B, T], kind: i32[B, T], mask: bool[B, T])\n"
            "  -> (hidden: float[B, T, dim], pooled: float[B, dim])\n"
            "requires B in 1..=64, T in 1..=max_len { return x }\n"
            "@a\n"
            "@b(1)\n"
            "fn g() = x\n");
}

TEST(Format, Comments) {
  EXPECT_EQ(formatted("#!nn 1\n"
                      "\n"
                      "\n"
                      "## doc   \n"
                      "model A { # open\n"
                      "\n"
                      "   a = 1 # trailing\n"
                      "   # own\n"
                      "\n"
                      "   # another\n"
                      "   l = [1, # one\n"
                      "   # before two\n"
                      "   2 # two\n"
                      "   # last\n"
                      "   ]\n"
                      "   b = f(1, # first\n"
                      "     2)\n"
                      "   x = c + # sum\n"
                      "     d\n"
                      "   # end\n"
                      "}\n"
                      "# eof"),
            "#!nn 1\n"
            "\n"
            "## doc\n"
            "model A {  # open\n"
            "  a = 1  # trailing\n"
            "  # own\n"
            "\n"
            "  # another\n"
            "  l = [\n"
            "    1,  # one\n"
            "    # before two\n"
            "    2,  # two\n"
            "    # last\n"
            "  ]\n"
            "  b = f(1,  # first\n"
            "        2)\n"
            "  x = c + d  # sum\n"
            "  # end\n"
            "}\n"
            "# eof\n");
}

TEST(Format, Blocks) {
  EXPECT_EQ(formatted("fn f() {\n"
                      "if a { x = 1 } else {\n x = 2 }\n"
                      "for i in l { x = 1; y = 2 }\n"
                      "ys=scan x in xs axis 0 reverse{yield x}\n"
                      "}\n"
                      "module E { }\n"),
            "fn f() {\n"
            "  if a { x = 1 } else {\n"
            "    x = 2\n"
            "  }\n"
            "  for i in l {\n"
            "    x = 1\n"
            "    y = 2\n"
            "  }\n"
            "  ys = scan x in xs axis 0 reverse { yield x }\n"
            "}\n"
            "module E {}\n");
}

TEST(Format, WindowsLineEndsAndEmptyFiles) {
  EXPECT_EQ(formatted("x = 1\r\n# c\r\ny = 2\r\n"), "x = 1\n# c\ny = 2\n");
  EXPECT_EQ(formatted(""), "");
  EXPECT_EQ(formatted("\n\n"), "");
  EXPECT_EQ(formatted("\n# only\n\n\n# these\n"), "# only\n\n# these\n");
}

TEST(Format, ErrorsAreReported) {
  EXPECT_EQ(formatted("x = \n"), "error[E0101]: expected an expression\n"
                                 " --> test.nn:1:4\n"
                                 "  |\n"
                                 "1 | x = \n"
                                 "  |    ^ found the end of the file\n");
}

} // namespace
