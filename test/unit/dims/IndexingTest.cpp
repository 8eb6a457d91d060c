// Indices, slices, new axes and gathers in brackets.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(Indexing, IndexFromBothEnds) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T, 8]) requires B in 1..=8, T in 1..=16 = x[0, :, -1])nn"),
      R"out(nn.slice start=affine_map<() -> (0, 0, 7)> step=array<i64: 1, 1, 1> -> f32[1, s1, 1]
nn.reshape -> f32[s1]
)out");
}

TEST(Indexing, LastPosition) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T, 8]) requires B in 1..=8, T in 1..=16 = x[:, -1])nn"),
      R"out(nn.slice start=affine_map<()[s0, s1] -> (0, s1 - 1, 0)> step=array<i64: 1, 1, 1> -> f32[s0, 1, 8]
nn.reshape -> f32[s0, 8]
)out");
}

TEST(Indexing, SlicesAndSteps) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 10, 8]) requires B in 1..=8 = x[:, 1:-1:2, ::3])nn"),
      R"out(nn.slice start=affine_map<() -> (0, 1, 0)> step=array<i64: 1, 2, 3> -> f32[s0, 4, 3]
)out");
}

TEST(Indexing, SymbolicSlices) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T, 8]) requires B in 1..=8, T in 1..=16 = x[:, T - 1:, ...])nn"),
      R"out(nn.slice start=affine_map<()[s0, s1] -> (0, s1 - 1, 0)> step=array<i64: 1, 1, 1> -> f32[s0, 1, 8]
)out");
}

TEST(Indexing, SymbolicStep) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16 = x[:, ::2])nn"),
      R"out(nn.slice start=affine_map<() -> (0, 0)> step=array<i64: 1, 2> -> f32[s0, (s1 + 1) floordiv 2]
)out");
}

TEST(Indexing, NewAxes) {
  EXPECT_EQ(run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16 = x[:, none, none, :])nn"),
            R"out(nn.reshape -> f32[s0, 1, 1, s1]
)out");
}

TEST(Indexing, Ellipsis) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 3, 4, 5]) requires B in 1..=8 = x[..., 1:, 0])nn"),
      R"out(nn.slice start=affine_map<() -> (0, 0, 1, 0)> step=array<i64: 1, 1, 1, 1> -> f32[s0, 3, 3, 1]
nn.reshape -> f32[s0, 3, 3]
)out");
}

TEST(Indexing, GatherRows) {
  EXPECT_EQ(
      run(R"nn((w: float[100, 8], ids: i32[B, T]) requires B in 1..=8, T in 1..=16 = w[ids])nn"),
      R"out(nn.gather axis=0 : i64 -> f32[s0, s1, 8]
)out");
}

TEST(Indexing, GatherInTheMiddle) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 9, 8], ids: i32[T]) requires B in 1..=8, T in 1..=16 = x[:, ids, 2:])nn"),
      R"out(nn.slice start=affine_map<() -> (0, 0, 2)> step=array<i64: 1, 1, 1> -> f32[s0, 9, 6]
nn.gather axis=1 : i64 -> f32[s0, s1, 6]
)out");
}

TEST(Indexing, GatherByAScalar) {
  EXPECT_EQ(run(R"nn((x: float[B, 9, 8], i: i32[]) requires B in 1..=8 = x[:, i])nn"),
            R"out(nn.gather axis=1 : i64 -> f32[s0, 8]
)out");
}

TEST(Indexing, GuardMakesItProvable) {
  EXPECT_EQ(run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16, T >= 4 = x[:, 3])nn"),
            R"out(nn.slice start=affine_map<() -> (0, 3)> step=array<i64: 1, 1> -> f32[s0, 1]
nn.reshape -> f32[s0]
)out");
}

TEST(IndexingErrors, IndexOutside) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = x[:, 10])nn"),
            R"out(error[E0307]: index 10 is outside axis 1
 --> test.nn:2:58
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = x[:, 10]
  |                                                          ^^ axis 1 has 10
)out");
}

TEST(IndexingErrors, NegativeIndexOutside) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = x[:, -11])nn"),
            R"out(error[E0307]: index -11 is outside axis 1
 --> test.nn:2:58
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = x[:, -11]
  |                                                          ^^^ axis 1 has 10
)out");
}

TEST(IndexingErrors, IndexMayBeOutside) {
  EXPECT_EQ(run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16 = x[:, 3])nn"),
            R"out(error[E0304]: cannot prove that index 3 is inside axis 1
 --> test.nn:2:70
  |
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16 = x[:, 3]
  |                                                                      ^ axis 1 has T
  |
  = note: it is outside when T = 1
help: require what the network relies on
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16, T >= 4 = x[:, 3]
  |                                                              ++++++++
)out");
}

TEST(IndexingErrors, SliceOutside) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = x[:, 0:12])nn"),
            R"out(error[E0307]: slice 0:12 is outside axis 1
 --> test.nn:2:58
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = x[:, 0:12]
  |                                                          ^^^^ axis 1 has 10
)out");
}

TEST(IndexingErrors, SliceMayBeOutside) {
  EXPECT_EQ(run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16 = x[:, :T + 1 - B])nn"),
            R"out(error[E0304]: cannot tell whether T - B + 1 counts from the start or from the end
 --> test.nn:2:71
  |
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16 = x[:, :T + 1 - B]
  |                                                                       ^^^^^^^^^ negative when B = 3, T = 1
  |
help: require what the network relies on
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16, T + 1 >= B = x[:, :T + 1 - B]
  |                                                              ++++++++++++
)out");
}

TEST(IndexingErrors, SliceBackwards) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = x[:, 5:2])nn"),
            R"out(error[E0307]: slice 5:2 ends before it starts
 --> test.nn:2:58
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = x[:, 5:2]
  |                                                          ^^^
)out");
}

TEST(IndexingErrors, NegativeStep) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = x[:, ::-1])nn"),
            R"out(error[E0307]: the step of a slice is -1, but must be at least 1
 --> test.nn:2:60
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = x[:, ::-1]
  |                                                            ^^
  |
help: to reverse an axis, use `flip`
)out");
}

TEST(IndexingErrors, TooManyIndices) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = x[0, 0, 0])nn"),
            R"out(error[E0306]: 3 indices for 2 axes
 --> test.nn:2:53
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = x[0, 0, 0]
  |                                                     ^^^^^^^^^^ the tensor is float[B, 10]
)out");
}

TEST(IndexingErrors, TwoEllipses) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = x[..., 0, ...])nn"),
            R"out(error[E0307]: `...` stands twice in this index
 --> test.nn:2:53
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = x[..., 0, ...]
  |                                                     ^^^^^^^^^^^^^^
)out");
}

TEST(IndexingErrors, IndexIsAFraction) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = x[:, 0.5])nn"),
            R"out(error[E0403]: an index is an int or a tensor of ints, found a float
 --> test.nn:2:58
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = x[:, 0.5]
  |                                                          ^^^
)out");
}

TEST(IndexingErrors, IndexByFloats) {
  EXPECT_EQ(run(R"nn((x: float[B, 10], i: float[4]) requires B in 1..=8 = x[:, i])nn"),
            R"out(error[E0403]: an index needs i32 or i64, found float
 --> test.nn:2:71
  |
2 |   fn forward(x: float[B, 10], i: float[4]) requires B in 1..=8 = x[:, i]
  |                                                                       ^ float[4]
  |
help: cast it to i32
2 |   fn forward(x: float[B, 10], i: float[4]) requires B in 1..=8 = x[:, i32(i)]
  |                                                                       ++++ +
)out");
}

TEST(IndexingErrors, TwoTensors) {
  EXPECT_EQ(run(R"nn((x: float[B, 10], i: i32[4]) requires B in 1..=8 = x[i, i])nn"),
            R"out(error[E0307]: at most one tensor can be an index
 --> test.nn:2:69
  |
2 |   fn forward(x: float[B, 10], i: i32[4]) requires B in 1..=8 = x[i, i]
  |                                                                  -  ^
  |                                                                  |
  |                                                                  the first one
  |
help: join the axes, and gather once: `rearrange(x, "a b -> (a b)")[i * n + j]`
)out");
}

TEST(IndexingErrors, LengthOnlyKnownAtRunTime) {
  EXPECT_EQ(run(R"nn((x: float[B, 10], pos: i32[]) requires B in 1..=8 = x[:, :pos])nn"),
            R"out(error[E0305]: the length of this slice is known only at run time
 --> test.nn:2:70
  |
2 |   fn forward(x: float[B, 10], pos: i32[]) requires B in 1..=8 = x[:, :pos]
  |                                                                      ^^^^ `pos` is a tensor
  |
help: a length is made of build-time ints and dimensions
)out");
}

TEST(IndexingErrors, RunTimePosition) {
  EXPECT_EQ(run(R"nn((x: float[B, 10], pos: i32[]) requires B in 1..=8 = x[:, pos:pos + 2])nn"),
            R"out(error[E0304]: cannot prove that slice pos:pos + 2 is inside axis 1
 --> test.nn:2:70
  |
2 |   fn forward(x: float[B, 10], pos: i32[]) requires B in 1..=8 = x[:, pos:pos + 2]
  |                                                                      ^^^^^^^^^^^ axis 1 has 10
  |
  = note: it is outside when pos = 9
help: require what the network relies on
2 |   fn forward(x: float[B, 10], pos: i32[]) requires B in 1..=8, pos <= 8 = x[:, pos:pos + 2]
  |                                                              ++++++++++
)out");
}

TEST(IndexingErrors, SignUnknown) {
  EXPECT_EQ(run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16 = x[:, T - 4])nn"),
            R"out(error[E0304]: cannot tell whether T - 4 counts from the start or from the end
 --> test.nn:2:70
  |
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16 = x[:, T - 4]
  |                                                                      ^^^^^ negative when T = 1
  |
help: require what the network relies on
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16, T >= 4 = x[:, T - 4]
  |                                                              ++++++++
)out");
}

} // namespace
