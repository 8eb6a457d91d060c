// Arithmetic on numbers and sizes that are known when compiling.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(Numbers, IntsAndFloats) {
  EXPECT_EQ(
      run(R"nn((x: f32[]) = x + 7 // 2 + -7 // 2 + 7 % -2 + 2 ** 10 + 2 ** -1 + 7 / 2 + 8 / 2 + 7.5 // 2)nn"),
      R"out(nn.full value=3.000000e+00 : f32 -> f32[]
nn.add -> f32[]
nn.full value=-4.000000e+00 : f32 -> f32[]
nn.add -> f32[]
nn.full value=-1.000000e+00 : f32 -> f32[]
nn.add -> f32[]
nn.full value=1.024000e+03 : f32 -> f32[]
nn.add -> f32[]
nn.full value=5.000000e-01 : f32 -> f32[]
nn.add -> f32[]
nn.full value=3.500000e+00 : f32 -> f32[]
nn.add -> f32[]
nn.full value=4.000000e+00 : f32 -> f32[]
nn.add -> f32[]
nn.full value=3.000000e+00 : f32 -> f32[]
nn.add -> f32[]
)out");
}

TEST(Numbers, Sizes) {
  EXPECT_EQ(
      run(R"nn((x: i32[B, T]) requires B in 1..=8, T in 1..=16 = x + B * T // 2 - (T + 1) % 2)nn"),
      R"out(nn.size size=affine_map<()[s0, s1] -> ((s0 * s1) floordiv 2)> -> i64[]
nn.cast -> i32[]
nn.broadcast dims=array<i64> -> i32[s0, s1]
nn.add -> i32[s0, s1]
nn.size size=affine_map<()[s0, s1] -> (s1 - ((s1 + 1) floordiv 2) * 2 + 1)> -> i64[]
nn.cast -> i32[]
nn.broadcast dims=array<i64> -> i32[s0, s1]
nn.sub -> i32[s0, s1]
)out");
}

TEST(Numbers, ExactDivision) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16, T % 2 == 0 = x[:, :T / 2])nn"),
      R"out(nn.slice start=affine_map<() -> (0, 0)> step=array<i64: 1, 1> -> f32[s0, s1 floordiv 2]
)out");
}

TEST(NumberErrors, DivisionByZero) {
  EXPECT_EQ(run(R"nn((x: f32[]) = x + 1 // 0)nn"),
            R"out(error[E0507]: division by zero
 --> test.nn:2:32
  |
2 |   fn forward(x: f32[]) = x + 1 // 0
  |                                ^^ 1 // 0
)out");
}

TEST(NumberErrors, Overflow) {
  EXPECT_EQ(run(R"nn((x: f32[]) = x + 9223372036854775807 * 2)nn"),
            R"out(error[E0507]: this number is out of range
 --> test.nn:2:50
  |
2 |   fn forward(x: f32[]) = x + 9223372036854775807 * 2
  |                                                  ^ 9223372036854775807 * 2
)out");
}

TEST(NumberErrors, InexactSize) {
  EXPECT_EQ(run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16 = x[:, :T / 2])nn"),
            R"out(error[E0304]: cannot prove that 2 divides T
 --> test.nn:2:73
  |
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16 = x[:, :T / 2]
  |                                                                         ^ `/` of sizes is exact
  |
help: require what the network relies on
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16, T % 2 == 0 = x[:, :T / 2]
  |                                                              ++++++++++++
help: to round down, use `//`
)out");
}

TEST(NumberErrors, FractionOfASize) {
  EXPECT_EQ(run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16 = x * T ** -0.5)nn"),
            R"out(error[E0502]: `**` makes a fraction of a size that is known only at run time
 --> test.nn:2:71
  |
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16 = x * T ** -0.5
  |                                                                       ^^ T ** -0.5
  |
help: make a tensor of the size first: `full([], T, f32)`
)out");
}

TEST(NumberErrors, FractionalSize) {
  EXPECT_EQ(run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16 = x * (0.5 * T))nn"),
            R"out(error[E0502]: `*` makes a fraction of a size that is known only at run time
 --> test.nn:2:74
  |
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16 = x * (0.5 * T)
  |                                                                          ^ 0.5 * T
  |
help: make a tensor of the size first: `full([], T, f32)`
)out");
}

TEST(NumberErrors, NoRealNumber) {
  EXPECT_EQ(run(R"nn((x: f32[]) = x + (-1) ** 0.5)nn"),
            R"out(error[E0507]: this power is no real number
 --> test.nn:2:35
  |
2 |   fn forward(x: f32[]) = x + (-1) ** 0.5
  |                                   ^^ -1 ** 0.5
)out");
}

} // namespace
