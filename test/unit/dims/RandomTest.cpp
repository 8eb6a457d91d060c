// What draws random numbers emits, and what it refuses.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(Random, NormalIsScaled) {
  EXPECT_EQ(run(R"nn((x: float[B, 4]) requires B in 1..=8 = x + normal([B, 4], 1, std=2))nn"),
            R"out(nn.draw kind=#nn<random_kind normal> -> f32[s0, 4]
nn.full value=2.000000e+00 : f32 -> f32[s0, 4]
nn.mul -> f32[s0, 4]
nn.full value=1.000000e+00 : f32 -> f32[s0, 4]
nn.add -> f32[s0, 4]
nn.add -> f32[s0, 4]
)out");
}

TEST(Random, UniformIsMadeOfBits) {
  EXPECT_EQ(run(R"nn((x: float[4]) = x + uniform([4], 1, 3))nn"),
            R"out(nn.draw kind=#nn<random_kind bits> -> i32[4]
nn.cast -> f32[4]
nn.full value=5.96046448E-8 : f32 -> f32[4]
nn.mul -> f32[4]
nn.full value=2.000000e+00 : f32 -> f32[4]
nn.mul -> f32[4]
nn.full value=1.000000e+00 : f32 -> f32[4]
nn.add -> f32[4]
nn.add -> f32[4]
)out");
}

TEST(Random, NarrowUniformHasAsManyDigits) {
  EXPECT_EQ(run(R"nn((x: f16[4]) = x + uniform([4], element=f16))nn"),
            R"out(nn.draw kind=#nn<random_kind bits> -> i32[4]
nn.full value=8192 : i32 -> i32[4]
nn.floordiv -> i32[4]
nn.cast -> f32[4]
nn.full value=4.8828125E-4 : f32 -> f32[4]
nn.mul -> f32[4]
nn.cast -> f16[4]
nn.add -> f16[4]
)out");
}

TEST(Random, DropoutOfTraining) {
  EXPECT_EQ(run(R"nn((x: float[4]) = dropout(x, 0.5, training=true))nn"),
            R"out(nn.draw kind=#nn<random_kind bits> -> i32[4]
nn.full value=8388608 : i32 -> i32[4]
nn.cmp predicate=#nn<cmp ge> -> i1[4]
nn.full value=2.000000e+00 : f32 -> f32[4]
nn.mul -> f32[4]
nn.full value=0.000000e+00 : f32 -> f32[4]
nn.select -> f32[4]
)out");
  EXPECT_EQ(run(R"nn((x: float[4]) = x |> dropout(0, training=true) |> dropout(0.5))nn"), "");
}

TEST(RandomErrors, DropoutProbability) {
  EXPECT_EQ(run(R"nn((x: float[4]) = dropout(x, 1.5))nn"),
            R"out(error[E0507]: the probability of `dropout` is 1.5, but must be in 0..=1
 --> test.nn:2:40
  |
2 |   fn forward(x: float[4]) = dropout(x, 1.5)
  |                                        ^^^
)out");
}

TEST(RandomErrors, TrainingIsABool) {
  EXPECT_EQ(run(R"nn((x: float[4]) = dropout(x, 0.5, training=1))nn"),
            R"out(error[E0403]: `dropout` needs a bool, found an int
 --> test.nn:2:54
  |
2 |   fn forward(x: float[4]) = dropout(x, 0.5, training=1)
  |                                                      ^
)out");
}

TEST(RandomErrors, NegativeDeviation) {
  EXPECT_EQ(run(R"nn((x: float[4]) = x + normal([4], std=-1))nn"),
            R"out(error[E0507]: the deviation of `normal` is -1, but must not be negative
 --> test.nn:2:49
  |
2 |   fn forward(x: float[4]) = x + normal([4], std=-1)
  |                                                 ^^
)out");
}

TEST(RandomErrors, NoNumbersBetween) {
  EXPECT_EQ(run(R"nn((x: float[4]) = x + uniform([4], 3, 2))nn"),
            R"out(error[E0507]: there are no numbers between the bounds of `uniform`
 --> test.nn:2:49
  |
2 |   fn forward(x: float[4]) = x + uniform([4], 3, 2)
  |                                                 ^ from 3 to 2
)out");
}

TEST(RandomErrors, InfiniteBound) {
  EXPECT_EQ(run(R"nn((x: float[4]) = x + uniform([4], high=inf))nn"),
            R"out(error[E0507]: `high` of `uniform` is inf, but must be finite
 --> test.nn:2:51
  |
2 |   fn forward(x: float[4]) = x + uniform([4], high=inf)
  |                                                   ^^^
)out");
}

TEST(RandomErrors, Integers) {
  EXPECT_EQ(run(R"nn((x: i32[4]) = x + normal([4], element=i32))nn"),
            R"out(error[E0403]: `normal` makes floats, not i32
 --> test.nn:2:51
  |
2 |   fn forward(x: i32[4]) = x + normal([4], element=i32)
  |                                                   ^^^
)out");
}

TEST(RandomErrors, InitializerAtRunTime) {
  EXPECT_EQ(run(R"nn((x: float[4]) = x + normal(0, 1))nn"),
            R"out(error[E0403]: `normal` needs a list of sizes, found an int
 --> test.nn:2:40
  |
2 |   fn forward(x: float[4]) = x + normal(0, 1)
  |                                        ^
  |
help: the sizes stand in a list: `normal([B, 10])`
)out");
}

TEST(RandomErrors, NegativeSize) {
  EXPECT_EQ(run(R"nn((x: float[B, 4]) requires B in 1..=8 = normal([B - 2, 4]))nn"),
            R"out(error[E0304]: cannot prove that the size of axis 0 is not negative
 --> test.nn:2:59
  |
2 |   fn forward(x: float[B, 4]) requires B in 1..=8 = normal([B - 2, 4])
  |                                                           ^^^^^^^^^^ it is B - 2
  |
  = note: it is -1 when B = 1
help: require what the network relies on
2 |   fn forward(x: float[B, 4]) requires B in 1..=8, B >= 2 = normal([B - 2, 4])
  |                                                 ++++++++
)out");
}

} // namespace
