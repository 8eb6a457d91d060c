// Reductions, softmax and argmax.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(Reduce, AllAxes) {
  EXPECT_EQ(run(R"nn((x: float[3, 4]) = sum(x))nn"),
            R"out(nn.reduce axes=array<i64: 0, 1> kind=#nn<reduce_kind sum> -> f32[]
)out");
}

TEST(Reduce, OneAxisFromTheEnd) {
  EXPECT_EQ(run(R"nn((x: float[B, 4, 5]) requires B in 1..=8 = mean(x, axis=-1))nn"),
            R"out(nn.reduce axes=array<i64: 2> kind=#nn<reduce_kind mean> -> f32[s0, 4]
)out");
}

TEST(Reduce, SeveralAxes) {
  EXPECT_EQ(run(R"nn((x: float[B, 4, 5, 6]) requires B in 1..=8 = max(x, axis=(0, 2, 3)))nn"),
            R"out(nn.reduce axes=array<i64: 0, 2, 3> kind=#nn<reduce_kind max> -> f32[4]
)out");
}

TEST(Reduce, Keep) {
  EXPECT_EQ(run(R"nn((x: float[B, 4, 5]) requires B in 1..=8 = min(x, axis=1, keep=true))nn"),
            R"out(nn.reduce axes=array<i64: 1> kind=#nn<reduce_kind min> -> f32[s0, 5]
nn.reshape -> f32[s0, 1, 5]
)out");
}

TEST(Reduce, SumOfIntegers) {
  EXPECT_EQ(run(R"nn((x: i32[B, 4]) requires B in 1..=8 = sum(x, axis=1))nn"),
            R"out(nn.reduce axes=array<i64: 1> kind=#nn<reduce_kind sum> -> i32[s0]
)out");
}

TEST(Reduce, Variance) {
  EXPECT_EQ(run(R"nn((x: float[B, 4]) requires B in 1..=8 = var(x, axis=1))nn"),
            R"out(nn.reduce axes=array<i64: 1> kind=#nn<reduce_kind mean> -> f32[s0]
nn.reshape -> f32[s0, 1]
nn.broadcast dims=array<i64: 0, 1> -> f32[s0, 4]
nn.sub -> f32[s0, 4]
nn.mul -> f32[s0, 4]
nn.reduce axes=array<i64: 1> kind=#nn<reduce_kind mean> -> f32[s0]
)out");
}

TEST(Reduce, VarianceOfNarrowFloats) {
  EXPECT_EQ(run(R"nn((x: bf16[B, 4]) requires B in 1..=8 = var(x, axis=1, keep=true))nn"),
            R"out(nn.cast -> f32[s0, 4]
nn.reduce axes=array<i64: 1> kind=#nn<reduce_kind mean> -> f32[s0]
nn.reshape -> f32[s0, 1]
nn.broadcast dims=array<i64: 0, 1> -> f32[s0, 4]
nn.sub -> f32[s0, 4]
nn.mul -> f32[s0, 4]
nn.reduce axes=array<i64: 1> kind=#nn<reduce_kind mean> -> f32[s0]
nn.reshape -> f32[s0, 1]
nn.cast -> bf16[s0, 1]
)out");
}

TEST(Reduce, ArgMax) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = argmax(x, axis=-1))nn"),
            R"out(nn.argreduce axis=1 : i64 kind=#nn<arg_reduce_kind max> -> i32[s0]
)out");
}

TEST(Reduce, ArgMinKeeps) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = argmin(x, axis=1, keep=true))nn"),
            R"out(nn.argreduce axis=1 : i64 kind=#nn<arg_reduce_kind min> -> i32[s0]
nn.reshape -> i32[s0, 1]
)out");
}

TEST(Reduce, Softmax) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 10]) requires B in 1..=8 = x |> softmax(axis=-1) |> log_softmax(axis=0))nn"),
      R"out(nn.softmax axis=1 : i64 -> f32[s0, 10]
nn.log_softmax axis=0 : i64 -> f32[s0, 10]
)out");
}

TEST(ReduceErrors, NoSuchAxis) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = sum(x, axis=2))nn"),
            R"out(error[E0306]: axis 2 does not exist
 --> test.nn:2:65
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = sum(x, axis=2)
  |                                                                 ^ the tensor has 2 axes: -2 to 1
)out");
}

TEST(ReduceErrors, AxisTwice) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = sum(x, axis=(1, -1)))nn"),
            R"out(error[E0306]: axis 1 is named twice
 --> test.nn:2:69
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = sum(x, axis=(1, -1))
  |                                                                     ^^
)out");
}

TEST(ReduceErrors, AxisIsNoInt) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = softmax(x, axis=0.5))nn"),
            R"out(error[E0403]: `softmax` needs an int known when compiling, found a float
 --> test.nn:2:69
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = softmax(x, axis=0.5)
  |                                                                     ^^^
)out");
}

TEST(ReduceErrors, MeanOfIntegers) {
  EXPECT_EQ(run(R"nn((x: i32[B, 10]) requires B in 1..=8 = mean(x))nn"),
            R"out(error[E0403]: `mean` needs floats, found i32
 --> test.nn:2:56
  |
2 |   fn forward(x: i32[B, 10]) requires B in 1..=8 = mean(x)
  |                                                        ^ i32[B, 10]
  |
help: cast it to f32
2 |   fn forward(x: i32[B, 10]) requires B in 1..=8 = mean(f32(x))
  |                                                        ++++ +
)out");
}

TEST(ReduceErrors, SumOfBools) {
  EXPECT_EQ(run(R"nn((x: bool[B, 10]) requires B in 1..=8 = sum(x))nn"),
            R"out(error[E0403]: `sum` needs numbers, found bool
 --> test.nn:2:56
  |
2 |   fn forward(x: bool[B, 10]) requires B in 1..=8 = sum(x)
  |                                                        ^ bool[B, 10]
  |
help: cast it to f32
2 |   fn forward(x: bool[B, 10]) requires B in 1..=8 = sum(f32(x))
  |                                                        ++++ +
)out");
}

TEST(ReduceErrors, MaxOfTwoAlongAnAxis) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = max(x, x, axis=1))nn"),
            R"out(error[E0205]: `max` either compares two values or reduces one along an axis
 --> test.nn:2:53
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = max(x, x, axis=1)
  |                                                     ^^^ has two values and an axis
)out");
}

TEST(ReduceErrors, KeepIsNoBool) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = sum(x, keep=1))nn"),
            R"out(error[E0403]: `sum` needs a bool, found an int
 --> test.nn:2:65
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = sum(x, keep=1)
  |                                                                 ^
)out");
}

TEST(ReduceErrors, ArgMaxOfAScalar) {
  EXPECT_EQ(run(R"nn((x: float[]) = argmax(x, axis=0))nn"),
            R"out(error[E0306]: axis 0 does not exist
 --> test.nn:2:43
  |
2 |   fn forward(x: float[]) = argmax(x, axis=0)
  |                                           ^ the tensor has no axes
)out");
}

} // namespace
