// Elementwise functions, casts and what they refuse.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(Elementwise, Functions) {
  EXPECT_EQ(
      run(R"nn((x: float[4]) = erf(tanh(atan(cos(sin(rsqrt(sqrt(log(exp(abs(floor(round(x)))))))))))))nn"),
      R"out(nn.round -> f32[4]
nn.floor -> f32[4]
nn.abs -> f32[4]
nn.exp -> f32[4]
nn.log -> f32[4]
nn.sqrt -> f32[4]
nn.rsqrt -> f32[4]
nn.sin -> f32[4]
nn.cos -> f32[4]
nn.atan -> f32[4]
nn.tanh -> f32[4]
nn.erf -> f32[4]
)out");
}

TEST(Elementwise, NumbersAreFolded) {
  EXPECT_EQ(run(R"nn((x: float[4]) = x * sqrt(16) + abs(-3) + max(2, 5) + min(0.5, 1))nn"),
            R"out(nn.full value=4.000000e+00 : f32 -> f32[4]
nn.mul -> f32[4]
nn.full value=3.000000e+00 : f32 -> f32[4]
nn.add -> f32[4]
nn.full value=5.000000e+00 : f32 -> f32[4]
nn.add -> f32[4]
nn.full value=5.000000e-01 : f32 -> f32[4]
nn.add -> f32[4]
)out");
}

TEST(Elementwise, MaxAndMinOfTwo) {
  EXPECT_EQ(run(R"nn((x: float[B, 4], y: float[4]) requires B in 1..=8 = min(max(x, 0), y))nn"),
            R"out(nn.full value=0.000000e+00 : f32 -> f32[s0, 4]
nn.max -> f32[s0, 4]
nn.broadcast dims=array<i64: 1> -> f32[s0, 4]
nn.min -> f32[s0, 4]
)out");
}

TEST(Elementwise, Where) {
  EXPECT_EQ(
      run(R"nn((m: bool[B, 1, 1, T], s: float[B, 2, T, T]) requires B in 1..=8, T in 1..=16 = where(m, s, -inf))nn"),
      R"out(nn.full value=0xFF800000 : f32 -> f32[s0, 2, s1, s1]
nn.broadcast dims=array<i64: 0, 1, 2, 3> -> i1[s0, 2, s1, s1]
nn.select -> f32[s0, 2, s1, s1]
)out");
}

TEST(Elementwise, WhereOfNumbers) {
  EXPECT_EQ(run(R"nn((m: bool[B]) requires B in 1..=8 = where(m, 1, 0))nn"),
            R"out(nn.full value=1 : i32 -> i32[s0]
nn.full value=0 : i32 -> i32[s0]
nn.select -> i32[s0]
)out");
}

TEST(Elementwise, Casts) {
  EXPECT_EQ(run(R"nn((x: float[4], i: i32[4]) = float(f32(x)) + float(i) + float(bf16(x)))nn"),
            R"out(nn.cast -> f32[4]
nn.add -> f32[4]
nn.cast -> bf16[4]
nn.cast -> f32[4]
nn.add -> f32[4]
)out");
}

TEST(Elementwise, CastInAPipe) {
  EXPECT_EQ(run(R"nn((x: float[4]) = x |> i32)nn"),
            R"out(nn.cast -> i32[4]
)out");
}

TEST(Elementwise, DropoutAndStopGradientDoNothing) {
  EXPECT_EQ(run(R"nn((x: float[4]) = x |> dropout(0.1) |> stop_gradient)nn"), R"out()out");
}

TEST(ElementwiseErrors, ExpOfIntegers) {
  EXPECT_EQ(run(R"nn((ids: i32[B]) requires B in 1..=8 = exp(ids))nn"),
            R"out(error[E0403]: `exp` needs floats, found i32
 --> test.nn:2:53
  |
2 |   fn forward(ids: i32[B]) requires B in 1..=8 = exp(ids)
  |                                                     ^^^ i32[B]
  |
help: cast it to f32
2 |   fn forward(ids: i32[B]) requires B in 1..=8 = exp(f32(ids))
  |                                                     ++++   +
)out");
}

TEST(ElementwiseErrors, AbsOfBools) {
  EXPECT_EQ(run(R"nn((m: bool[B]) requires B in 1..=8 = abs(m))nn"),
            R"out(error[E0403]: `abs` needs numbers, found bool
 --> test.nn:2:52
  |
2 |   fn forward(m: bool[B]) requires B in 1..=8 = abs(m)
  |                                                    ^ bool[B]
  |
help: cast it to f32
2 |   fn forward(m: bool[B]) requires B in 1..=8 = abs(f32(m))
  |                                                    ++++ +
)out");
}

TEST(ElementwiseErrors, ConditionIsNoBool) {
  EXPECT_EQ(run(R"nn((x: float[B]) requires B in 1..=8 = where(x, x, 0))nn"),
            R"out(error[E0403]: `where` needs bools, found float
 --> test.nn:2:55
  |
2 |   fn forward(x: float[B]) requires B in 1..=8 = where(x, x, 0)
  |                                                       ^ float[B]
)out");
}

TEST(ElementwiseErrors, ChoicesDiffer) {
  EXPECT_EQ(run(R"nn((m: bool[B], x: float[B], y: f32[B]) requires B in 1..=8 = where(m, x, y))nn"),
            R"out(error[E0401]: `where` mixes float and f32
 --> test.nn:2:72
  |
2 |   fn forward(m: bool[B], x: float[B], y: f32[B]) requires B in 1..=8 = where(m, x, y)
  |                                                                        ^^^^^    -  - f32[B]
  |                                                                                 |
  |                                                                                 float[B]
  |
  = note: `float` is the working precision; it differs from f32 under `@precision(bf16)`
help: cast back to the working precision
2 |   fn forward(m: bool[B], x: float[B], y: f32[B]) requires B in 1..=8 = where(m, x, float(y))
  |                                                                                    ++++++ +
)out");
}

TEST(ElementwiseErrors, TooManyArguments) {
  EXPECT_EQ(run(R"nn((x: float[4]) = exp(x, 2))nn"),
            R"out(error[E0205]: `exp` takes 1 argument, this is one more
 --> test.nn:2:36
  |
2 |   fn forward(x: float[4]) = exp(x, 2)
  |                                    ^
)out");
}

TEST(ElementwiseErrors, MissingArgument) {
  EXPECT_EQ(run(R"nn((x: float[4], m: bool[4]) = where(m, x))nn"),
            R"out(error[E0205]: `where` also needs `b`
 --> test.nn:2:41
  |
2 |   fn forward(x: float[4], m: bool[4]) = where(m, x)
  |                                         ^^^^^ 1 argument missing
)out");
}

TEST(ElementwiseErrors, UnknownArgument) {
  EXPECT_EQ(run(R"nn((x: float[4]) = softmax(x, axes=0))nn"),
            R"out(error[E0205]: `softmax` has no parameter `axes`
 --> test.nn:2:40
  |
2 |   fn forward(x: float[4]) = softmax(x, axes=0)
  |                                        ^^^^
  |
  = note: its parameters are `x`, `axis`
help: `axis` has a similar name
2 |   fn forward(x: float[4]) = softmax(x, axis=0)
  |                                        ~~~~
)out");
}

TEST(ElementwiseErrors, NoRealNumber) {
  EXPECT_EQ(run(R"nn((x: float[4]) = x * sqrt(-1))nn"),
            R"out(error[E0507]: `sqrt` of -1 is no real number
 --> test.nn:2:33
  |
2 |   fn forward(x: float[4]) = x * sqrt(-1)
  |                                 ^^^^^^^^
)out");
}

TEST(Elementwise, Dequantize) {
  EXPECT_EQ(run("(x: i8[4, 6], s: f32[4, 1]) = dequantize(x, s)"),
            "nn.dequantize operandSegmentSizes=array<i32: 1, 1, 0> -> f32[4, 6]\n");
  EXPECT_EQ(run("(x: f8e4m3[4, 6], s: float[1, 6]) = dequantize(x, s, s)"),
            "nn.dequantize operandSegmentSizes=array<i32: 1, 1, 1> -> f32[4, 6]\n");
  EXPECT_EQ(run("(x: i8[7, 6], s: f32[3, 6], z: i32[3, 6]) = dequantize(x, s, z, 3)"),
            "nn.cast -> f32[3, 6]\n"
            "nn.dequantize group=3 : i64 operandSegmentSizes=array<i32: 1, 1, 1> -> f32[7, 6]\n");
}

TEST(ElementwiseErrors, Dequantize) {
  auto firstLine = [](const std::string &text) { return text.substr(0, text.find('\n')); };
  EXPECT_EQ(run("(x: i8[7, 6], s: f32[2, 6]) = dequantize(x, s, group=3)"),
            R"out(error[E0301]: `scales` of `dequantize` has 2 places along axis 0
 --> test.nn:2:57
  |
2 |   fn forward(x: i8[7, 6], s: f32[2, 6]) = dequantize(x, s, group=3)
  |                                                         ^ expected 1 or 7, or 3 for groups of 3
)out");
  EXPECT_EQ(firstLine(run("(x: i8[7, 6], s: f32[6]) = dequantize(x, s)")),
            "error[E0306]: `scales` of `dequantize` needs 2 axes, like `values`");
  EXPECT_EQ(firstLine(run("(x: i8[B, 6], s: f32[1, 6]) requires B in 1..=4 = dequantize(x, s)")),
            "error[E0502]: `dequantize` needs sizes that are known when compiling");
  EXPECT_EQ(firstLine(run("(x: i32[7, 6], s: f32[1, 6]) = dequantize(x, s)")),
            "error[E0403]: `dequantize` needs i4, i8 or f8, found i32[7, 6]");
  EXPECT_EQ(firstLine(run("(x: i8[7, 6], s: i32[1, 6]) = dequantize(x, s)")),
            "error[E0403]: `dequantize` needs floats, found i32");
  EXPECT_EQ(firstLine(run("(x: i8[7, 6], s: f32[1, 6], z: f32[7, 6]) = dequantize(x, s, z)")),
            "error[E0301]: sizes differ in `dequantize`");
  EXPECT_EQ(firstLine(run("(x: i8[7, 6], s: f32[1, 6], z: f32[6]) = dequantize(x, s, z)")),
            "error[E0403]: `dequantize` needs f32[1, 6], found f32[6]");
  EXPECT_EQ(firstLine(run("(x: i8[7, 6], s: f32[1, 6]) = dequantize(x, s, group=0)")),
            "error[E0507]: `group` of `dequantize` is 0, but must be at least 1");
}

} // namespace
