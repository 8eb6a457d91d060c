// Convolution and pooling.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(Window, Conv2d) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 3, 32, 32], w: float[8, 3, 5, 5]) requires B in 1..=8 = conv2d(x, w))nn"),
      R"out(nn.conv2d dilation=array<i64: 1, 1> groups=1 : i64 padding=array<i64: 0, 0, 0, 0> strides=array<i64: 1, 1> -> f32[s0, 8, 28, 28]
)out");
}

TEST(Window, Conv2dWithAllArguments) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4, 32, 30], w: float[8, 2, 3, 3]) requires B in 1..=8 = conv2d(x, w, (2, 1), padding=(1, 0), groups=2, dilation=2))nn"),
      R"out(nn.conv2d dilation=array<i64: 2, 2> groups=2 : i64 padding=array<i64: 1, 1, 0, 0> strides=array<i64: 2, 1> -> f32[s0, 8, 15, 26]
)out");
}

TEST(Window, Conv2dOfSymbolicSizes) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 3, H, H], w: float[8, 3, 7, 7]) requires B in 1..=8, H in 32..=512 = conv2d(x, w, stride=2, padding=3) |> max_pool(3, stride=2, padding=1))nn"),
      R"out(nn.conv2d dilation=array<i64: 1, 1> groups=1 : i64 padding=array<i64: 3, 3, 3, 3> strides=array<i64: 2, 2> -> f32[s0, 8, (s1 + 1) floordiv 2, (s1 + 1) floordiv 2]
nn.pool2d dilation=array<i64: 1, 1> kernel=array<i64: 3, 3> kind=#nn<pool_kind max> padding=array<i64: 1, 1, 1, 1> strides=array<i64: 2, 2> -> f32[s0, 8, (s1 + 3) floordiv 4, (s1 + 3) floordiv 4]
)out");
}

TEST(Window, Pools) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 3, 32, 32]) requires B in 1..=8 = x |> max_pool(2) |> avg_pool((4, 2), stride=2, padding=(1, 0)))nn"),
      R"out(nn.pool2d dilation=array<i64: 1, 1> kernel=array<i64: 2, 2> kind=#nn<pool_kind max> padding=array<i64: 0, 0, 0, 0> strides=array<i64: 2, 2> -> f32[s0, 3, 16, 16]
nn.pool2d dilation=array<i64: 1, 1> kernel=array<i64: 4, 2> kind=#nn<pool_kind avg> padding=array<i64: 1, 1, 0, 0> strides=array<i64: 2, 2> -> f32[s0, 3, 8, 8]
)out");
}

TEST(WindowErrors, Channels) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, 32, 32], w: float[8, 3, 5, 5]) requires B in 1..=8 = conv2d(x, w))nn"),
      R"out(error[E0301]: `conv2d` takes 3 channels, this value has 1
 --> test.nn:2:82
  |
2 |   fn forward(x: float[B, 1, 32, 32], w: float[8, 3, 5, 5]) requires B in 1..=8 = conv2d(x, w)
  |                                                                                  ^^^^^^ found float[B, 1, 32, 32]
  |
  = note: the weight is float[8, 3, 5, 5]
)out");
}

TEST(WindowErrors, ChannelsOfGroups) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4, 32, 32], w: float[8, 4, 5, 5]) requires B in 1..=8 = conv2d(x, w, groups=2))nn"),
      R"out(error[E0301]: `conv2d` takes 8 channels, this value has 4
 --> test.nn:2:82
  |
2 |   fn forward(x: float[B, 4, 32, 32], w: float[8, 4, 5, 5]) requires B in 1..=8 = conv2d(x, w, groups=2)
  |                                                                                  ^^^^^^ found float[B, 4, 32, 32]
  |
  = note: the weight is float[8, 4, 5, 5], in 2 groups
)out");
}

TEST(WindowErrors, GroupsDoNotDivide) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 6, 32, 32], w: float[8, 2, 5, 5]) requires B in 1..=8 = conv2d(x, w, groups=3))nn"),
      R"out(error[E0301]: 3 groups do not divide 8 output channels
 --> test.nn:2:82
  |
2 |   fn forward(x: float[B, 6, 32, 32], w: float[8, 2, 5, 5]) requires B in 1..=8 = conv2d(x, w, groups=3)
  |                                                                                  ^^^^^^
)out");
}

TEST(WindowErrors, WindowTooLarge) {
  EXPECT_EQ(run(R"nn((x: float[B, 1, 4, 4]) requires B in 1..=8 = max_pool(x, 5))nn"),
            R"out(error[E0308]: the window of `max_pool` is larger than the height
 --> test.nn:2:58
  |
2 |   fn forward(x: float[B, 1, 4, 4]) requires B in 1..=8 = max_pool(x, 5)
  |                                                          ^^^^^^^^
  |
  = note: the height is 4 with its padding, the window 5
)out");
}

TEST(WindowErrors, WindowMayBeTooLarge) {
  EXPECT_EQ(run(R"nn((x: float[B, 1, H, 4]) requires B in 1..=8, H in 1..=64 = max_pool(x, 4))nn"),
            R"out(error[E0304]: cannot prove that the window of `max_pool` fits into the height
 --> test.nn:2:71
  |
2 |   fn forward(x: float[B, 1, H, 4]) requires B in 1..=8, H in 1..=64 = max_pool(x, 4)
  |                                                                       ^^^^^^^^
  |
  = note: the height is H with its padding, the window 4
  = note: it does not fit when H = 1
help: require what the network relies on
2 |   fn forward(x: float[B, 1, H, 4]) requires B in 1..=8, H in 1..=64, H >= 4 = max_pool(x, 4)
  |                                                                    ++++++++
)out");
}

TEST(WindowErrors, Stride) {
  EXPECT_EQ(run(R"nn((x: float[B, 1, 4, 4]) requires B in 1..=8 = max_pool(x, 2, stride=0))nn"),
            R"out(error[E0507]: `stride` of `max_pool` is 0, but must be at least 1
 --> test.nn:2:80
  |
2 |   fn forward(x: float[B, 1, 4, 4]) requires B in 1..=8 = max_pool(x, 2, stride=0)
  |                                                                                ^
)out");
}

TEST(WindowErrors, Padding) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, 4, 4]) requires B in 1..=8 = avg_pool(x, 2, padding=2))nn"),
      R"out(error[E0507]: the padding of `avg_pool` is 2, but at most half of the window is allowed
 --> test.nn:2:81
  |
2 |   fn forward(x: float[B, 1, 4, 4]) requires B in 1..=8 = avg_pool(x, 2, padding=2)
  |                                                                                 ^
  |
  = note: the window is 2 x 2
)out");
}

TEST(WindowErrors, Kernel) {
  EXPECT_EQ(run(R"nn((x: float[B, 1, 4, 4]) requires B in 1..=8 = avg_pool(x, (2, 2, 2)))nn"),
            R"out(error[E0403]: `avg_pool` needs an int or a pair of ints, found a tuple of 3
 --> test.nn:2:70
  |
2 |   fn forward(x: float[B, 1, 4, 4]) requires B in 1..=8 = avg_pool(x, (2, 2, 2))
  |                                                                      ^^^^^^^^^
)out");
}

TEST(WindowErrors, Elements) {
  EXPECT_EQ(
      run(R"nn((x: f32[B, 1, 4, 4], w: float[8, 1, 2, 2]) requires B in 1..=8 = conv2d(x, w))nn"),
      R"out(error[E0401]: `conv2d` mixes f32 and float
 --> test.nn:2:78
  |
2 |   fn forward(x: f32[B, 1, 4, 4], w: float[8, 1, 2, 2]) requires B in 1..=8 = conv2d(x, w)
  |                                                                              ^^^^^^ -  - float[8, 1, 2, 2]
  |                                                                                     |
  |                                                                                     f32[B, 1, 4, 4]
  |
  = note: `float` is the working precision; it differs from f32 under `@precision(bf16)`
help: cast back to the working precision
2 |   fn forward(x: f32[B, 1, 4, 4], w: float[8, 1, 2, 2]) requires B in 1..=8 = conv2d(float(x), w)
  |                                                                                     ++++++ +
)out");
}

} // namespace
