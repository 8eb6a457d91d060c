// What pools and upsampling refuse.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(PoolErrors, Rank) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 28]) requires B in 1..=8 = max_pool(x, 2))nn"),
      R"out(error[E0306]: `max_pool` needs 3 or 4 axes, [batch, channels, length] or [batch, channels, height, width], this value has 2
 --> test.nn:2:53
  |
2 |   fn forward(x: float[B, 28]) requires B in 1..=8 = max_pool(x, 2)
  |                                                     ^^^^^^^^ found float[B, 28]
)out");
}

TEST(PoolErrors, KernelOfASignal) {
  EXPECT_EQ(run(R"nn((x: float[B, 3, 28]) requires B in 1..=8 = max_pool(x, (2, 2)))nn"),
            R"out(error[E0403]: `max_pool` needs an int, found a tuple of 2
 --> test.nn:2:68
  |
2 |   fn forward(x: float[B, 3, 28]) requires B in 1..=8 = max_pool(x, (2, 2))
  |                                                                    ^^^^^^
)out");
}

TEST(PoolErrors, DilationOfAMean) {
  EXPECT_EQ(run(R"nn((x: float[B, 3, 28]) requires B in 1..=8 = avg_pool(x, 2, dilation=2))nn"),
            R"out(error[E0205]: `avg_pool` has no parameter `dilation`
 --> test.nn:2:71
  |
2 |   fn forward(x: float[B, 3, 28]) requires B in 1..=8 = avg_pool(x, 2, dilation=2)
  |                                                                       ^^^^^^^^
  |
  = note: its parameters are `x`, `kernel`, `stride`, `padding`, `ceil_mode`, `count_include_pad`
)out");
}

TEST(PoolErrors, PaddingOfASignal) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 3, 28]) requires B in 1..=8 = max_pool(x, 2, padding=2))nn"),
      R"out(error[E0507]: the padding of `max_pool` is 2, but at most half of the window is allowed
 --> test.nn:2:79
  |
2 |   fn forward(x: float[B, 3, 28]) requires B in 1..=8 = max_pool(x, 2, padding=2)
  |                                                                               ^
  |
  = note: the window is 2
)out");
}

TEST(PoolErrors, CeilMode) {
  EXPECT_EQ(run(R"nn((x: float[B, 3, 28]) requires B in 1..=8 = max_pool(x, 2, ceil_mode=1))nn"),
            R"out(error[E0403]: `max_pool` needs a bool, found an int
 --> test.nn:2:81
  |
2 |   fn forward(x: float[B, 3, 28]) requires B in 1..=8 = max_pool(x, 2, ceil_mode=1)
  |                                                                                 ^
)out");
}

TEST(UpsampleErrors, ScaleOrSize) {
  EXPECT_EQ(run(R"nn((x: float[B, 3, 8, 8]) requires B in 1..=8 = upsample(x))nn"),
            R"out(error[E0205]: `upsample` needs `scale` or `size`
 --> test.nn:2:58
  |
2 |   fn forward(x: float[B, 3, 8, 8]) requires B in 1..=8 = upsample(x)
  |                                                          ^^^^^^^^ has neither
)out");
}

TEST(UpsampleErrors, ScaleAndSize) {
  EXPECT_EQ(run(R"nn((x: float[B, 3, 8, 8]) requires B in 1..=8 = upsample(x, 2, size=16))nn"),
            R"out(error[E0205]: `upsample` needs `scale` or `size`
 --> test.nn:2:58
  |
2 |   fn forward(x: float[B, 3, 8, 8]) requires B in 1..=8 = upsample(x, 2, size=16)
  |                                                          ^^^^^^^^ has both
)out");
}

TEST(UpsampleErrors, Mode) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 3, 8, 8]) requires B in 1..=8 = upsample(x, 2, "linear"))nn"),
      R"out(error[E0507]: the mode of `upsample` is "linear", but must be "nearest" or "bilinear"
 --> test.nn:2:73
  |
2 |   fn forward(x: float[B, 3, 8, 8]) requires B in 1..=8 = upsample(x, 2, "linear")
  |                                                                         ^^^^^^^^
)out");
}

TEST(UpsampleErrors, Rank) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 3]) requires B in 1..=8 = upsample(x, 2))nn"),
      R"out(error[E0306]: `upsample` needs 3 or 4 axes, [batch, channels, length] or [batch, channels, height, width], this value has 2
 --> test.nn:2:52
  |
2 |   fn forward(x: float[B, 3]) requires B in 1..=8 = upsample(x, 2)
  |                                                    ^^^^^^^^ found float[B, 3]
)out");
}

TEST(UpsampleErrors, Corners) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 3, 8]) requires B in 1..=8 = upsample(x, 2, align_corners=true))nn"),
      R"out(error[E0507]: `align_corners` of `upsample` is for interpolation only
 --> test.nn:2:84
  |
2 |   fn forward(x: float[B, 3, 8]) requires B in 1..=8 = upsample(x, 2, align_corners=true)
  |                                                                                    ^^^^ the mode is "nearest"
)out");
}

TEST(UpsampleErrors, Size) {
  EXPECT_EQ(run(R"nn((x: float[B, 3, 8, 8]) requires B in 1..=8 = upsample(x, size=(0, 4)))nn"),
            R"out(error[E0308]: the height of the result of `upsample` is 0, but must be at least 1
 --> test.nn:2:58
  |
2 |   fn forward(x: float[B, 3, 8, 8]) requires B in 1..=8 = upsample(x, size=(0, 4))
  |                                                          ^^^^^^^^
)out");
}

TEST(UpsampleErrors, SizeOfThree) {
  EXPECT_EQ(run(R"nn((x: float[B, 3, 8, 8]) requires B in 1..=8 = upsample(x, size=(1, 4, 4)))nn"),
            R"out(error[E0403]: `upsample` needs an int or a pair of ints, found a tuple of 3
 --> test.nn:2:75
  |
2 |   fn forward(x: float[B, 3, 8, 8]) requires B in 1..=8 = upsample(x, size=(1, 4, 4))
  |                                                                           ^^^^^^^^^
)out");
}

} // namespace
