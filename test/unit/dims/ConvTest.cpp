// What convolutions and their transposes refuse.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(ConvErrors, Conv1dChannels) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, 32], w: float[8, 3, 5]) requires B in 1..=8 = conv1d(x, w))nn"),
      R"out(error[E0301]: `conv1d` takes 3 channels, this value has 1
 --> test.nn:2:75
  |
2 |   fn forward(x: float[B, 1, 32], w: float[8, 3, 5]) requires B in 1..=8 = conv1d(x, w)
  |                                                                           ^^^^^^ found float[B, 1, 32]
  |
  = note: the weight is float[8, 3, 5]
)out");
}

TEST(ConvErrors, Conv1dRank) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, 32, 32], w: float[8, 3, 5]) requires B in 1..=8 = conv1d(x, w))nn"),
      R"out(error[E0306]: `conv1d` needs 3 axes, [batch, channels, length], this value has 4
 --> test.nn:2:79
  |
2 |   fn forward(x: float[B, 1, 32, 32], w: float[8, 3, 5]) requires B in 1..=8 = conv1d(x, w)
  |                                                                               ^^^^^^ found float[B, 1, 32, 32]
)out");
}

TEST(ConvErrors, WeightRank) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, 32], w: float[8, 1, 5, 5]) requires B in 1..=8 = conv1d(x, w))nn"),
      R"out(error[E0306]: the weight of `conv1d` needs 3 axes, [out, in / groups, length], this value has 4
 --> test.nn:2:78
  |
2 |   fn forward(x: float[B, 1, 32], w: float[8, 1, 5, 5]) requires B in 1..=8 = conv1d(x, w)
  |                                                                              ^^^^^^ found float[8, 1, 5, 5]
)out");
}

TEST(ConvErrors, SameWithStride) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, 32], w: float[8, 1, 5]) requires B in 1..=8 = conv1d(x, w, stride=2, padding="same"))nn"),
      R"out(error[E0507]: padding "same" of `conv1d` needs a stride of 1
 --> test.nn:2:106
  |
2 |   fn forward(x: float[B, 1, 32], w: float[8, 1, 5]) requires B in 1..=8 = conv1d(x, w, stride=2, padding="same")
  |                                                                                                          ^^^^^^
  |
  = note: the stride is 2
)out");
}

TEST(ConvErrors, UnknownPadding) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, 32], w: float[8, 1, 5]) requires B in 1..=8 = conv1d(x, w, padding="full"))nn"),
      R"out(error[E0507]: the padding of `conv1d` is "full", but must be "same", "valid" or numbers
 --> test.nn:2:96
  |
2 |   fn forward(x: float[B, 1, 32], w: float[8, 1, 5]) requires B in 1..=8 = conv1d(x, w, padding="full")
  |                                                                                                ^^^^^^
)out");
}

TEST(ConvErrors, NegativePadding) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, 8, 8], w: float[8, 1, 5, 5]) requires B in 1..=8 = conv2d(x, w, padding=((1, -1), 2)))nn"),
      R"out(error[E0507]: `padding` of `conv2d` is -1, but must be at least 0
 --> test.nn:2:106
  |
2 |   fn forward(x: float[B, 1, 8, 8], w: float[8, 1, 5, 5]) requires B in 1..=8 = conv2d(x, w, padding=((1, -1), 2))
  |                                                                                                          ^^
)out");
}

TEST(ConvErrors, PaddingOfThree) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, 8, 8], w: float[8, 1, 5, 5]) requires B in 1..=8 = conv2d(x, w, padding=(1, 2, 3)))nn"),
      R"out(error[E0403]: `conv2d` needs an int or a pair of ints, found a tuple of 3
 --> test.nn:2:101
  |
2 |   fn forward(x: float[B, 1, 8, 8], w: float[8, 1, 5, 5]) requires B in 1..=8 = conv2d(x, w, padding=(1, 2, 3))
  |                                                                                                     ^^^^^^^^^
)out");
}

TEST(ConvErrors, NoGroups) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, 8, 8], w: float[8, 1, 5, 5]) requires B in 1..=8 = conv2d(x, w, groups=0))nn"),
      R"out(error[E0507]: `conv2d` has 0 groups, but needs at least 1
 --> test.nn:2:100
  |
2 |   fn forward(x: float[B, 1, 8, 8], w: float[8, 1, 5, 5]) requires B in 1..=8 = conv2d(x, w, groups=0)
  |                                                                                                    ^
)out");
}

TEST(ConvErrors, LengthMayBeTooSmall) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 1, L], w: float[8, 1, 5]) requires B in 1..=8, L in 1..=64 = conv1d(x, w, dilation=2))nn"),
      R"out(error[E0304]: cannot prove that the window of `conv1d` fits into the length
 --> test.nn:2:87
  |
2 |   fn forward(x: float[B, 1, L], w: float[8, 1, 5]) requires B in 1..=8, L in 1..=64 = conv1d(x, w, dilation=2)
  |                                                                                       ^^^^^^
  |
  = note: the length is L with its padding, the window 9
  = note: it does not fit when L = 1
help: require what the network relies on
2 |   fn forward(x: float[B, 1, L], w: float[8, 1, 5]) requires B in 1..=8, L in 1..=64, L >= 9 = conv1d(x, w, dilation=2)
  |                                                                                    ++++++++
)out");
}

TEST(ConvErrors, TransposedChannels) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 4, 8, 8], w: float[8, 4, 2, 2]) requires B in 1..=8 = conv_transpose2d(x, w, 2))nn"),
      R"out(error[E0301]: `conv_transpose2d` takes 8 channels, this value has 4
 --> test.nn:2:80
  |
2 |   fn forward(x: float[B, 4, 8, 8], w: float[8, 4, 2, 2]) requires B in 1..=8 = conv_transpose2d(x, w, 2)
  |                                                                                ^^^^^^^^^^^^^^^^ found float[B, 4, 8, 8]
  |
  = note: the weight is float[8, 4, 2, 2]
)out");
}

TEST(ConvErrors, TransposedGroups) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 8, 8, 8], w: float[8, 4, 2, 2]) requires B in 1..=8 = conv_transpose2d(x, w, 2, groups=3))nn"),
      R"out(error[E0301]: 3 groups do not divide 8 input channels
 --> test.nn:2:80
  |
2 |   fn forward(x: float[B, 8, 8, 8], w: float[8, 4, 2, 2]) requires B in 1..=8 = conv_transpose2d(x, w, 2, groups=3)
  |                                                                                ^^^^^^^^^^^^^^^^
)out");
}

TEST(ConvErrors, OutputPadding) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 8, 8, 8], w: float[8, 4, 2, 2]) requires B in 1..=8 = conv_transpose2d(x, w, 2, output_padding=2))nn"),
      R"out(error[E0507]: `output_padding` of `conv_transpose2d` is 2, but must be less than the stride or the dilation
 --> test.nn:2:121
  |
2 |   fn forward(x: float[B, 8, 8, 8], w: float[8, 4, 2, 2]) requires B in 1..=8 = conv_transpose2d(x, w, 2, output_padding=2)
  |                                                                                                                         ^
  |
  = note: the stride is 2, the dilation 1
)out");
}

TEST(ConvErrors, NothingLeft) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 8, 8, 2], w: float[8, 4, 2, 2]) requires B in 1..=8 = conv_transpose2d(x, w, 1, padding=2))nn"),
      R"out(error[E0308]: the width of the result of `conv_transpose2d` is -1, but must be at least 1
 --> test.nn:2:80
  |
2 |   fn forward(x: float[B, 8, 8, 2], w: float[8, 4, 2, 2]) requires B in 1..=8 = conv_transpose2d(x, w, 1, padding=2)
  |                                                                                ^^^^^^^^^^^^^^^^
)out");
}

TEST(ConvErrors, MayLeaveNothing) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 8, 8, W], w: float[8, 4, 2, 2]) requires B in 1..=8, W in 1..=8 = conv_transpose2d(x, w, 1, padding=1))nn"),
      R"out(error[E0304]: cannot prove that the width of the result of `conv_transpose2d` is at least 1
 --> test.nn:2:92
  |
2 |   fn forward(x: float[B, 8, 8, W], w: float[8, 4, 2, 2]) requires B in 1..=8, W in 1..=8 = conv_transpose2d(x, w, 1, padding=1)
  |                                                                                            ^^^^^^^^^^^^^^^^ it is W - 1
  |
  = note: it is 0 when W = 1
help: require what the network relies on
2 |   fn forward(x: float[B, 8, 8, W], w: float[8, 4, 2, 2]) requires B in 1..=8, W in 1..=8, W >= 2 = conv_transpose2d(x, w, 1, padding=1)
  |                                                                                         ++++++++
)out");
}

TEST(ConvErrors, KernelOfUnknownSize) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 8, 8, 8], w: float[8, 4, K, K]) requires B in 1..=8, K in 1..=8 = conv_transpose2d(x, w))nn"),
      R"out(error[E0590]: `conv_transpose2d` needs a window of known size
 --> test.nn:2:92
  |
2 |   fn forward(x: float[B, 8, 8, 8], w: float[8, 4, K, K]) requires B in 1..=8, K in 1..=8 = conv_transpose2d(x, w)
  |                                                                                            ^^^^^^^^^^^^^^^^
)out");
}

} // namespace
