// `rearrange`, `reduce`, `repeat` and `einsum`.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(Pattern, Flatten) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 16, 5, 5]) requires B in 1..=8 = x |> rearrange("b c h w -> b (c h w)"))nn"),
      R"out(nn.reshape -> f32[s0, 400]
)out");
}

TEST(Pattern, SplitHeads) {
  EXPECT_EQ(run(R"nn((x: float[B, T, 64]) requires B in 1..=8, T in 1..=16 {
  heads = 4
  return x |> rearrange("b t (heads d) -> b heads t d")
})nn"),
            R"out(nn.reshape -> f32[s0, s1, 4, 16]
nn.transpose permutation=array<i64: 0, 2, 1, 3> -> f32[s0, 4, s1, 16]
)out");
}

TEST(Pattern, SizesAsArguments) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T, 64]) requires B in 1..=8, T in 1..=16 = x |> rearrange("b t (heads d) -> b heads t d", heads=4))nn"),
      R"out(nn.reshape -> f32[s0, s1, 4, 16]
nn.transpose permutation=array<i64: 0, 2, 1, 3> -> f32[s0, 4, s1, 16]
)out");
}

TEST(Pattern, WrongSizesAsArguments) {
  EXPECT_EQ(run(R"nn((x: float[8, 64]) = rearrange(x, "t (h d) -> t h d", heads=4))nn"),
            R"out(error[E0303]: the pattern of `rearrange` has no axis `heads`
 --> test.nn:2:72
  |
2 |   fn forward(x: float[8, 64]) = rearrange(x, "t (h d) -> t h d", heads=4)
  |                                                                        ^
)out");
  EXPECT_EQ(run(R"nn((x: float[8, 64]) = rearrange(x, "t (h d) -> t h d", h=0.5))nn"),
            R"out(error[E0403]: the size of axis `h` needs an int, found a float
 --> test.nn:2:68
  |
2 |   fn forward(x: float[8, 64]) = rearrange(x, "t (h d) -> t h d", h=0.5)
  |                                                                    ^^^
)out");
  EXPECT_EQ(run(R"nn((x: float[8, 64]) = rearrange(x, "t (h d) -> t h d", h=4, h=8))nn"),
            R"out(error[E0205]: `h` of `rearrange` is given twice
 --> test.nn:2:73
  |
2 |   fn forward(x: float[8, 64]) = rearrange(x, "t (h d) -> t h d", h=4, h=8)
  |                                                                    -    ^
  |                                                                    |
  |                                                                    given first here
)out");
  EXPECT_EQ(run(R"nn((x: float[8, 64]) {
  h = 8
  return rearrange(x, "t (h d) -> t h d", h=4)
})nn"),
            R"out(error[E0303]: axis `h` is 4 here and 8 in scope
 --> test.nn:4:45
  |
4 |   return rearrange(x, "t (h d) -> t h d", h=4)
  |                                             ^
  |
  = note: a name in a pattern that is an int in scope is that int: choose another name
)out");
}

TEST(Pattern, NamesOfDimensions) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T, 8]) requires B in 1..=8, T in 1..=16 = rearrange(x, "B T c -> T B c"))nn"),
      R"out(nn.transpose permutation=array<i64: 1, 0, 2> -> f32[s1, s0, 8]
)out");
}

TEST(Pattern, OnesComeAndGo) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, 8]) requires B in 1..=8 = rearrange(x, "b 1 c -> 1 c b 1"))nn"),
      R"out(nn.reshape -> f32[s0, 8]
nn.transpose permutation=array<i64: 1, 0> -> f32[8, s0]
nn.reshape -> f32[1, 8, s0, 1]
)out");
}

TEST(Pattern, Ellipsis) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T, 2, 3]) requires B in 1..=8, T in 1..=16 = rearrange(x, "... h w -> ... w h"))nn"),
      R"out(nn.transpose permutation=array<i64: 0, 1, 3, 2> -> f32[s0, s1, 3, 2]
)out");
}

TEST(Pattern, ReduceMean) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 8, H, W]) requires B in 1..=8, H in 1..=9, W in 1..=9 = x |> reduce("b c h w -> b c", mean))nn"),
      R"out(nn.reduce axes=array<i64: 2, 3> kind=#nn<reduce_kind mean> -> f32[s0, 8]
)out");
}

TEST(Pattern, ReduceWindows) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 8, 6, 6]) requires B in 1..=8 = reduce(x, "b c (h 2) (w 2) -> b c h w", max))nn"),
      R"out(nn.reshape -> f32[s0, 8, 3, 2, 3, 2]
nn.reduce axes=array<i64: 3, 5> kind=#nn<reduce_kind max> -> f32[s0, 8, 3, 3]
)out");
}

TEST(Pattern, ReduceAndPermute) {
  EXPECT_EQ(run(R"nn((x: float[B, 8, 6]) requires B in 1..=8 = reduce(x, "b c h -> c b", sum))nn"),
            R"out(nn.reduce axes=array<i64: 2> kind=#nn<reduce_kind sum> -> f32[s0, 8]
nn.transpose permutation=array<i64: 1, 0> -> f32[8, s0]
)out");
}

TEST(Pattern, Repeat) {
  EXPECT_EQ(run(R"nn((x: float[B, 8, 6]) requires B in 1..=8 {
  n = 3
  return repeat(x, "b c h -> b n c (h 2)")
})nn"),
            R"out(nn.broadcast dims=array<i64: 0, 2, 3> -> f32[s0, 3, 8, 6, 2]
nn.reshape -> f32[s0, 3, 8, 12]
)out");
}

TEST(Pattern, EinsumOfAttention) {
  EXPECT_EQ(
      run(R"nn((q: float[B, 2, 4, T, 16], k: float[B, 2, T, 16]) requires B in 1..=8, T in 1..=16 = einsum("b k g t d, b k s d -> b k g t s", q, k))nn"),
      R"out(nn.reshape -> f32[s0, 2, s1 * 4, 16]
nn.transpose permutation=array<i64: 0, 1, 3, 2> -> f32[s0, 2, 16, s1]
nn.matmul -> f32[s0, 2, s1 * 4, s1]
nn.reshape -> f32[s0, 2, 4, s1, s1]
)out");
}

TEST(Pattern, EinsumOfAMatrix) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T, 16], w: float[16, 5]) requires B in 1..=8, T in 1..=16 = einsum("... i, i o -> ... o", x, w))nn"),
      R"out(nn.reshape -> f32[s0 * s1, 16]
nn.matmul -> f32[s0 * s1, 5]
nn.reshape -> f32[s0, s1, 5]
)out");
}

TEST(Pattern, EinsumOfOne) {
  EXPECT_EQ(run(R"nn((x: float[3, 4, 5]) = einsum("i j k -> k i", x))nn"),
            R"out(nn.reduce axes=array<i64: 1> kind=#nn<reduce_kind sum> -> f32[3, 5]
nn.transpose permutation=array<i64: 1, 0> -> f32[5, 3]
)out");
}

TEST(Pattern, EinsumOuterProduct) {
  EXPECT_EQ(run(R"nn((x: float[3], y: float[4]) = einsum("i, j -> j i", x, y))nn"),
            R"out(nn.reshape -> f32[3, 1]
nn.reshape -> f32[1, 4]
nn.matmul -> f32[3, 4]
nn.transpose permutation=array<i64: 1, 0> -> f32[4, 3]
)out");
}

TEST(PatternErrors, UnknownAxis) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4, 6, 6]) requires B in 1..=8 = x |> rearrange("b c h w -> b (c h wd)"))nn"),
      R"out(error[E0303]: unknown axis `wd` in this pattern
 --> test.nn:2:92
  |
2 |   fn forward(x: float[B, 4, 6, 6]) requires B in 1..=8 = x |> rearrange("b c h w -> b (c h wd)")
  |                                                                                            ^^ not on the left side
  |
help: did you mean `w`?
)out");
}

TEST(PatternErrors, LostAxis) {
  EXPECT_EQ(run(R"nn((x: float[B, 4, 6]) requires B in 1..=8 = rearrange(x, "b c h -> b h"))nn"),
            R"out(error[E0303]: `rearrange` would lose this axis
 --> test.nn:2:71
  |
2 |   fn forward(x: float[B, 4, 6]) requires B in 1..=8 = rearrange(x, "b c h -> b h")
  |                                                                       ^ not on the right side
  |
help: to combine its elements, use `reduce`
)out");
}

TEST(PatternErrors, TwiceOnOneSide) {
  EXPECT_EQ(run(R"nn((x: float[B, 4, 6]) requires B in 1..=8 = rearrange(x, "b c c -> b c"))nn"),
            R"out(error[E0303]: axis `c` stands twice on one side
 --> test.nn:2:73
  |
2 |   fn forward(x: float[B, 4, 6]) requires B in 1..=8 = rearrange(x, "b c c -> b c")
  |                                                                         ^
)out");
}

TEST(PatternErrors, WrongRank) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4, 6]) requires B in 1..=8 = rearrange(x, "b c h w -> b c (h w)"))nn"),
      R"out(error[E0306]: this side of the pattern has 4 axes, the value has 3
 --> test.nn:2:69
  |
2 |   fn forward(x: float[B, 4, 6]) requires B in 1..=8 = rearrange(x, "b c h w -> b c (h w)")
  |                                                                     ^^^^^^^ found float[B, 4, 6]
)out");
}

TEST(PatternErrors, ClashWithANameInScope) {
  EXPECT_EQ(run(R"nn((x: float[B, 4, 6]) requires B in 1..=8 {
  c = 3
  return rearrange(x, "b c h -> b (c h)")
})nn"),
            R"out(error[E0301]: axis `c` is 3, this value has 4
 --> test.nn:4:26
  |
4 |   return rearrange(x, "b c h -> b (c h)")
  |                          ^
  |
  = note: `c` is the int 3 in scope; an axis of another size needs another name
)out");
}

TEST(PatternErrors, DoesNotDivide) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 {
  heads = 3
  return rearrange(x, "b (heads d) -> b heads d")
})nn"),
            R"out(error[E0301]: 3 does not divide the axis of 10
 --> test.nn:4:26
  |
4 |   return rearrange(x, "b (heads d) -> b heads d")
  |                          ^^^^^^^^^
)out");
}

TEST(PatternErrors, MayNotDivide) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16 = reduce(x, "b (t 4) -> b t", mean))nn"),
      R"out(error[E0304]: cannot prove that 4 divides T
 --> test.nn:2:78
  |
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16 = reduce(x, "b (t 4) -> b t", mean)
  |                                                                              ^^^^^
  |
help: require what the network relies on
2 |   fn forward(x: float[B, T]) requires B in 1..=8, T in 1..=16, T % 4 == 0 = reduce(x, "b (t 4) -> b t", mean)
  |                                                              ++++++++++++
)out");
}

TEST(PatternErrors, TwoUnknowns) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b (h d) -> b h d"))nn"),
            R"out(error[E0303]: the sizes of `h` and `d` cannot be told apart
 --> test.nn:2:69
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b (h d) -> b h d")
  |                                                                     ^^^^^
  |
help: one of them must be an int in scope
)out");
}

TEST(PatternErrors, NumberThatDiffers) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b 1 -> b"))nn"),
            R"out(error[E0301]: this axis has 10, not 1
 --> test.nn:2:69
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b 1 -> b")
  |                                                                     ^
)out");
}

TEST(PatternErrors, NewAxisInRearrange) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b c -> b c 2"))nn"),
            R"out(error[E0303]: `rearrange` cannot make an axis of 2
 --> test.nn:2:78
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b c -> b c 2")
  |                                                                              ^
  |
help: to split an axis, name its parts: `(k c) -> k c` with `k=2`
help: to repeat elements, use `repeat`
)out");
}

TEST(PatternErrors, SizeOfNewAxisUnknown) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = repeat(x, "b c -> b c n"))nn"),
            R"out(error[E0303]: unknown axis `n` in this pattern
 --> test.nn:2:75
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = repeat(x, "b c -> b c n")
  |                                                                           ^ not on the left side
)out");
}

TEST(PatternErrors, EllipsisOnlyRight) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b c -> ... c"))nn"),
            R"out(error[E0303]: unknown axes `...`
 --> test.nn:2:74
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b c -> ... c")
  |                                                                          ^^^ not on the left side
)out");
}

TEST(PatternErrors, ReductionUnknown) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 10]) requires B in 1..=8 = reduce(x, "b c -> b", softmax))nn"),
      R"out(error[E0403]: `reduce` needs one of `mean`, `sum`, `max`, `min`, found the function `softmax`
 --> test.nn:2:75
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = reduce(x, "b c -> b", softmax)
  |                                                                           ^^^^^^^
)out");
}

TEST(PatternErrors, NotAString) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 10]) requires B in 1..=8 = rearrange(x, 5))nn"),
      R"out(error[E0403]: `rearrange` needs a pattern such as "b c h w -> b (c h w)", found an int
 --> test.nn:2:66
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = rearrange(x, 5)
  |                                                                  ^
)out");
}

TEST(PatternErrors, InAHyperparameter) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 10], p: str = "b c -> c b") requires B in 1..=8 = rearrange(x, p))nn"),
      R"out(nn.transpose permutation=array<i64: 1, 0> -> f32[10, s0]
)out");
}

TEST(PatternErrors, Syntax) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b (c -> b c"))nn"),
            R"out(error[E0118]: this `(` is never closed
 --> test.nn:2:69
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b (c -> b c")
  |                                                                     ^
)out");
}

TEST(PatternErrors, SeveralTensors) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b c, c -> b"))nn"),
            R"out(error[E0303]: `rearrange` takes one tensor, its pattern has several
 --> test.nn:2:72
  |
2 |   fn forward(x: float[B, 10]) requires B in 1..=8 = rearrange(x, "b c, c -> b")
  |                                                                        ^
)out");
}

TEST(PatternErrors, EinsumSizesDiffer) {
  EXPECT_EQ(run(R"nn((x: float[3, 4], y: float[5, 6]) = einsum("i j, j k -> i k", x, y))nn"),
            R"out(error[E0301]: axis `j` is 4, this value has 5
 --> test.nn:2:61
  |
2 |   fn forward(x: float[3, 4], y: float[5, 6]) = einsum("i j, j k -> i k", x, y)
  |                                                          -  ^
  |                                                          |
  |                                                          4 here
)out");
}

TEST(PatternErrors, EinsumNumberOfTensors) {
  EXPECT_EQ(run(R"nn((x: float[3, 4]) = einsum("i j, j k -> i k", x))nn"),
            R"out(error[E0303]: this pattern is for 2 tensors, `einsum` has 1
 --> test.nn:2:39
  |
2 |   fn forward(x: float[3, 4]) = einsum("i j, j k -> i k", x)
  |                                       ^^^^^^^^^^^^^^^^^
)out");
}

TEST(PatternErrors, EinsumGroup) {
  EXPECT_EQ(run(R"nn((x: float[3, 4]) = einsum("i j -> (i j)", x))nn"),
            R"out(error[E0303]: `einsum` has no groups
 --> test.nn:2:47
  |
2 |   fn forward(x: float[3, 4]) = einsum("i j -> (i j)", x)
  |                                               ^^^^^
  |
help: use `rearrange` for them
)out");
}

} // namespace
