// Shapes changed, tensors joined, split and made.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(Shape, Reshape) {
  EXPECT_EQ(run(R"nn((x: float[B, 4, 6]) requires B in 1..=8 = reshape(x, [B, 24]))nn"),
            R"out(nn.reshape -> f32[s0, 24]
)out");
}

TEST(Shape, ReshapeFindsOneSize) {
  EXPECT_EQ(run(R"nn((x: float[B, 4, 6]) requires B in 1..=8 = reshape(x, [-1, 8]))nn"),
            R"out(nn.reshape -> f32[s0 * 3, 8]
)out");
}

TEST(Shape, ReshapeOfSymbolicSizes) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T, 6]) requires B in 1..=8, T in 1..=16 = reshape(x, [B * T, 6]))nn"),
      R"out(nn.reshape -> f32[s0 * s1, 6]
)out");
}

TEST(Shape, Broadcast) {
  EXPECT_EQ(
      run(R"nn((x: float[1, 6], y: float[B]) requires B in 1..=8 = broadcast(x, [B, 3, 6]))nn"),
      R"out(nn.broadcast dims=array<i64: 1, 2> -> f32[s0, 3, 6]
)out");
}

TEST(Shape, Transpose) {
  EXPECT_EQ(run(R"nn((x: float[B, T, 6]) requires B in 1..=8, T in 1..=16 = x.T)nn"),
            R"out(nn.transpose permutation=array<i64: 0, 2, 1> -> f32[s0, 6, s1]
)out");
}

TEST(Shape, Concat) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4], y: float[B, 6]) requires B in 1..=8 = concat([x, y, x], axis=1))nn"),
      R"out(nn.concat axis=1 : i64 -> f32[s0, 14]
)out");
}

TEST(Shape, ConcatOfSymbolicSizes) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4], y: float[T, 4]) requires B in 1..=8, T in 1..=16 = concat([x, y], axis=0))nn"),
      R"out(nn.concat axis=0 : i64 -> f32[s0 + s1, 4]
)out");
}

TEST(Shape, Stack) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4], y: float[B, 4]) requires B in 1..=8 = stack([x, y], axis=-1))nn"),
      R"out(nn.reshape -> f32[s0, 4, 1]
nn.reshape -> f32[s0, 4, 1]
nn.concat axis=2 : i64 -> f32[s0, 4, 2]
)out");
}

TEST(Shape, SplitEvenly) {
  EXPECT_EQ(run(R"nn((x: float[B, 12]) requires B in 1..=8 {
  a, b, c = split(x, 3, axis=-1)
  return a * b + c
})nn"),
            R"out(nn.slice start=affine_map<() -> (0, 0)> step=array<i64: 1, 1> -> f32[s0, 4]
nn.slice start=affine_map<() -> (0, 4)> step=array<i64: 1, 1> -> f32[s0, 4]
nn.slice start=affine_map<() -> (0, 8)> step=array<i64: 1, 1> -> f32[s0, 4]
nn.mul -> f32[s0, 4]
nn.add -> f32[s0, 4]
)out");
}

TEST(Shape, SplitBySizes) {
  EXPECT_EQ(run(R"nn((x: float[B, 12]) requires B in 1..=8 {
  a, b = split(x, [2, 10], axis=1)
  return a, b
})nn"),
            R"out(nn.slice start=affine_map<() -> (0, 0)> step=array<i64: 1, 1> -> f32[s0, 2]
nn.slice start=affine_map<() -> (0, 2)> step=array<i64: 1, 1> -> f32[s0, 10]
)out");
}

TEST(Shape, SplitOfASymbolicSize) {
  EXPECT_EQ(
      run(R"nn((x: float[T, 4]) requires T in 2..=16, T % 2 == 0 {
  a, b = split(x, 2, axis=0)
  return a + b
})nn"),
      R"out(nn.slice start=affine_map<() -> (0, 0)> step=array<i64: 1, 1> -> f32[s0 floordiv 2, 4]
nn.slice start=affine_map<()[s0] -> (s0 floordiv 2, 0)> step=array<i64: 1, 1> -> f32[s0 floordiv 2, 4]
nn.add -> f32[s0 floordiv 2, 4]
)out");
}

TEST(Shape, Pad) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4]) requires B in 1..=8 = pad(x, [0, (1, 2)], value=-1))nn"),
      R"out(nn.pad high=array<i64: 0, 2> low=array<i64: 0, 1> value=-1.000000e+00 : f32 -> f32[s0, 7]
)out");
}

TEST(Shape, Flip) {
  EXPECT_EQ(run(R"nn((x: float[3, 4]) = flip(x, axis=1))nn"),
            R"out(nn.full value=3 : i32 -> i32[4]
nn.iota axis=0 : i64 -> i32[4]
nn.sub -> i32[4]
nn.gather axis=1 : i64 -> f32[3, 4]
)out");
}

TEST(Shape, Gather) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 9, 4], ids: i32[T]) requires B in 1..=8, T in 1..=16 = gather(x, ids, axis=1))nn"),
      R"out(nn.gather axis=1 : i64 -> f32[s0, s1, 4]
)out");
}

TEST(Create, ZerosOnesFull) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4]) requires B in 1..=8 = x + zeros([B, 4]) + ones([4]) + full([], 0.5))nn"),
      R"out(nn.full value=0.000000e+00 : f32 -> f32[s0, 4]
nn.add -> f32[s0, 4]
nn.full value=1.000000e+00 : f32 -> f32[4]
nn.broadcast dims=array<i64: 1> -> f32[s0, 4]
nn.add -> f32[s0, 4]
nn.full value=5.000000e-01 : f32 -> f32[]
nn.broadcast dims=array<i64> -> f32[s0, 4]
nn.add -> f32[s0, 4]
)out");
}

TEST(Create, Elements) {
  EXPECT_EQ(run(R"nn((x: i32[4]) = x + ones([4], i32) + full([4], 7, i32))nn"),
            R"out(nn.full value=1 : i32 -> i32[4]
nn.add -> i32[4]
nn.full value=7 : i32 -> i32[4]
nn.add -> i32[4]
)out");
}

TEST(Create, Arange) {
  EXPECT_EQ(run(R"nn((x: i32[T]) requires T in 1..=16 = x + arange(T))nn"),
            R"out(nn.iota axis=0 : i64 -> i32[s0]
nn.add -> i32[s0]
)out");
}

TEST(Create, ArangeWithBounds) {
  EXPECT_EQ(run(R"nn((x: i32[4]) = x + arange(2, 10, 2))nn"),
            R"out(nn.iota axis=0 : i64 -> i32[4]
nn.full value=2 : i32 -> i32[4]
nn.mul -> i32[4]
nn.full value=2 : i32 -> i32[4]
nn.add -> i32[4]
nn.add -> i32[4]
)out");
}

TEST(Create, ArangeBackwards) {
  EXPECT_EQ(run(R"nn((x: f32[3]) = x + arange(9, 0, -3, element=f32))nn"),
            R"out(nn.iota axis=0 : i64 -> i64[3]
nn.full value=-3 : i64 -> i64[3]
nn.mul -> i64[3]
nn.full value=9 : i64 -> i64[3]
nn.add -> i64[3]
nn.cast -> f32[3]
nn.add -> f32[3]
)out");
}

TEST(Create, FullOfASize) {
  EXPECT_EQ(run(R"nn((x: f32[T]) requires T in 1..=16 = x / full([], T, f32))nn"),
            R"out(nn.size size=affine_map<()[s0] -> (s0)> -> i64[]
nn.cast -> f32[]
nn.broadcast dims=array<i64> -> f32[s0]
nn.div -> f32[s0]
)out");
}

TEST(Create, OneHot) {
  EXPECT_EQ(run(R"nn((x: i32[B, 5]) requires B in 1..=8 = one_hot(x, 10))nn"),
            R"out(nn.broadcast dims=array<i64: 0, 1> -> i32[s0, 5, 10]
nn.iota axis=2 : i64 -> i32[s0, 5, 10]
nn.cmp predicate=#nn<cmp eq> -> i1[s0, 5, 10]
nn.cast -> f32[s0, 5, 10]
)out");
}

TEST(ShapeErrors, ReshapeOfOtherNumber) {
  EXPECT_EQ(run(R"nn((x: float[4, 6]) = reshape(x, [5, 5]))nn"),
            R"out(error[E0301]: `reshape` keeps the number of elements
 --> test.nn:2:43
  |
2 |   fn forward(x: float[4, 6]) = reshape(x, [5, 5])
  |                                           ^^^^^^ 25 elements, float[4, 6] has 24
)out");
}

TEST(ShapeErrors, ReshapeOfUnknownNumber) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 6], y: float[T]) requires B in 1..=8, T in 1..=16 = reshape(x, [T, 6]))nn"),
      R"out(error[E0304]: cannot prove that `reshape` keeps the number of elements
 --> test.nn:2:89
  |
2 |   fn forward(x: float[B, 6], y: float[T]) requires B in 1..=8, T in 1..=16 = reshape(x, [T, 6])
  |                                                                                         ^^^^^^ 6 * T elements, float[B, 6] has 6 * B
  |
  = note: they differ when B = 2, T = 1
)out");
}

TEST(ShapeErrors, ReshapeFindsNoSize) {
  EXPECT_EQ(run(R"nn((x: float[4, 6]) = reshape(x, [-1, 7]))nn"),
            R"out(error[E0301]: the size for -1 cannot be found
 --> test.nn:2:43
  |
2 |   fn forward(x: float[4, 6]) = reshape(x, [-1, 7])
  |                                           ^^^^^^^ float[4, 6] has 24 elements
)out");
}

TEST(ShapeErrors, ReshapeToANegativeSize) {
  EXPECT_EQ(run(R"nn((x: float[4, 6]) = reshape(x, [-2, -12]))nn"),
            R"out(error[E0308]: the size of axis 0 would be -2
 --> test.nn:2:43
  |
2 |   fn forward(x: float[4, 6]) = reshape(x, [-2, -12])
  |                                           ^^^^^^^^^
)out");
}

TEST(ShapeErrors, ConcatOfOtherSizes) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4, 5], y: float[B, 4, 6]) requires B in 1..=8 = concat([x, y], axis=1))nn"),
      R"out(error[E0301]: sizes differ in `concat` along axis 1
 --> test.nn:2:74
  |
2 |   fn forward(x: float[B, 4, 5], y: float[B, 4, 6]) requires B in 1..=8 = concat([x, y], axis=1)
  |                                                                          ^^^^^^
  |
  = note: axis 2 of `x` is 5, of `y` is 6
)out");
}

TEST(ShapeErrors, ConcatThatMayRoundDifferently) {
  EXPECT_EQ(run(R"nn((x: float[B, 3, H, W]) requires B in 1..=16, H in 16..=1024, W in 16..=1024 {
    s = x |> max_pool(8)
    u = x |> max_pool(16) |> repeat("b c h w -> b c (h 2) (w 2)")
    return concat([s, u], axis=1)
  })nn"),
            R"out(error[E0304]: cannot prove that these sizes are equal in `concat` along axis 1
 --> test.nn:5:12
  |
5 |     return concat([s, u], axis=1)
  |            ^^^^^^
  |
  = note: axis 2 of `s` is H // 8, of `u` is 2 * (H // 16); they differ when H = 24
help: require what the network relies on
2 |   fn forward(x: float[B, 3, H, W]) requires B in 1..=16, H in 16..=1024, W in 16..=1024, H % 16 == 0, W % 16 == 0 {
  |                                                                                        ++++++++++++++++++++++++++
)out");
}

TEST(ShapeErrors, ConcatOfOtherRanks) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4], y: float[4]) requires B in 1..=8 = concat([x, y], axis=0))nn"),
      R"out(error[E0306]: `concat` needs tensors with equally many axes
 --> test.nn:2:65
  |
2 |   fn forward(x: float[B, 4], y: float[4]) requires B in 1..=8 = concat([x, y], axis=0)
  |                                                                 ^^^^^^  -  - float[4]
  |                                                                         |
  |                                                                         float[B, 4]
)out");
}

TEST(ShapeErrors, ConcatOfOtherElements) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4], y: i32[B, 4]) requires B in 1..=8 = concat([x, y], axis=0))nn"),
      R"out(error[E0401]: `concat` mixes float and i32
 --> test.nn:2:66
  |
2 |   fn forward(x: float[B, 4], y: i32[B, 4]) requires B in 1..=8 = concat([x, y], axis=0)
  |                                                                  ^^^^^^  -  - i32[B, 4]
  |                                                                          |
  |                                                                          float[B, 4]
  |
help: cast to float
2 |   fn forward(x: float[B, 4], y: i32[B, 4]) requires B in 1..=8 = concat([x, float(y)], axis=0)
  |                                                                             ++++++ +
)out");
}

TEST(ShapeErrors, ConcatOfNothing) {
  EXPECT_EQ(run(R"nn((x: float[B, 4]) requires B in 1..=8 = concat([], axis=0))nn"),
            R"out(error[E0403]: `concat` needs a list of tensors, found an empty list
 --> test.nn:2:59
  |
2 |   fn forward(x: float[B, 4]) requires B in 1..=8 = concat([], axis=0)
  |                                                           ^^
)out");
}

TEST(ShapeErrors, ConcatOfANumber) {
  EXPECT_EQ(run(R"nn((x: float[B, 4]) requires B in 1..=8 = concat([x, 1], axis=0))nn"),
            R"out(error[E0403]: `concat` needs a tensor, found an int
 --> test.nn:2:63
  |
2 |   fn forward(x: float[B, 4]) requires B in 1..=8 = concat([x, 1], axis=0)
  |                                                               ^
)out");
}

TEST(ShapeErrors, SplitUnevenly) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 {
  a, b, c = split(x, 3, axis=1)
  return a
})nn"),
            R"out(error[E0301]: 10 cannot be split into 3 equal parts
 --> test.nn:3:22
  |
3 |   a, b, c = split(x, 3, axis=1)
  |                      ^
)out");
}

TEST(ShapeErrors, SplitOfASymbolicSize) {
  EXPECT_EQ(run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16 {
  a, b = split(x, 2, axis=1)
  return a
})nn"),
            R"out(error[E0304]: cannot prove that T splits into 2 equal parts
 --> test.nn:3:19
  |
3 |   a, b = split(x, 2, axis=1)
  |                   ^
  |
help: require what the network relies on
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16, T % 2 == 0 {
  |                                                              ++++++++++++
)out");
}

TEST(ShapeErrors, SplitSum) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 {
  a, b = split(x, [4, 5], axis=1)
  return a
})nn"),
            R"out(error[E0301]: the parts of `split` add up to 9, the axis has 10
 --> test.nn:3:19
  |
3 |   a, b = split(x, [4, 5], axis=1)
  |                   ^^^^^^
)out");
}

TEST(ShapeErrors, PadWidths) {
  EXPECT_EQ(run(R"nn((x: float[3, 4]) = pad(x, [1]))nn"),
            R"out(error[E0403]: `pad` needs one width, or pair of widths, for each of 2 axes
 --> test.nn:2:39
  |
2 |   fn forward(x: float[3, 4]) = pad(x, [1])
  |                                       ^^^
)out");
}

TEST(ShapeErrors, ArangeStep) {
  EXPECT_EQ(run(R"nn((x: i32[3]) = x + arange(0, 3, 0))nn"),
            R"out(error[E0507]: the step of `arange` is 0
 --> test.nn:2:44
  |
2 |   fn forward(x: i32[3]) = x + arange(0, 3, 0)
  |                                            ^
)out");
}

TEST(ShapeErrors, ArangeMayBeNegative) {
  EXPECT_EQ(run(R"nn((x: i32[T]) requires T in 1..=16 = x[0] + arange(T - 4))nn"),
            R"out(error[E0304]: cannot prove that the size of axis 0 is not negative
 --> test.nn:2:55
  |
2 |   fn forward(x: i32[T]) requires T in 1..=16 = x[0] + arange(T - 4)
  |                                                       ^^^^^^^^^^^^^ it is T - 4
  |
  = note: it is -3 when T = 1
help: require what the network relies on
2 |   fn forward(x: i32[T]) requires T in 1..=16, T >= 4 = x[0] + arange(T - 4)
  |                                             ++++++++
)out");
}

TEST(ShapeErrors, ShapeIsNoList) {
  EXPECT_EQ(run(R"nn((x: float[3]) = x + zeros(3))nn"),
            R"out(error[E0403]: `zeros` needs a list of sizes, found an int
 --> test.nn:2:39
  |
2 |   fn forward(x: float[3]) = x + zeros(3)
  |                                       ^
  |
help: the sizes stand in a list: `zeros([B, 10])`
)out");
}

TEST(ShapeErrors, GatherByFloats) {
  EXPECT_EQ(run(R"nn((x: float[3], i: float[2]) = gather(x, i, axis=0))nn"),
            R"out(error[E0403]: `gather` needs i32 or i64, found float
 --> test.nn:2:52
  |
2 |   fn forward(x: float[3], i: float[2]) = gather(x, i, axis=0)
  |                                                    ^ float[2]
  |
help: cast it to i32
2 |   fn forward(x: float[3], i: float[2]) = gather(x, i32(i), axis=0)
  |                                                    ++++ +
)out");
}

TEST(ShapeErrors, FractionOfIntegers) {
  EXPECT_EQ(run(R"nn((x: i32[3]) = x + full([3], 0.5, i32))nn"),
            R"out(error[E0402]: the fraction 0.5 stands beside i32 numbers
 --> test.nn:2:41
  |
2 |   fn forward(x: i32[3]) = x + full([3], 0.5, i32)
  |                                         ^^^
  |
help: cast the integers, as in `f32(x)`, or use a whole number
)out");
}

} // namespace
