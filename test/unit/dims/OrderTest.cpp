// What running sums, the greatest elements and scattering refuse.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(OrderErrors, CumsumOfBools) {
  EXPECT_EQ(run(R"nn((x: bool[8]) = cumsum(x, axis=0))nn"),
            R"out(error[E0403]: `cumsum` needs numbers, found bool
 --> test.nn:2:35
  |
2 |   fn forward(x: bool[8]) = cumsum(x, axis=0)
  |                                   ^ bool[8]
  |
help: cast it to f32
2 |   fn forward(x: bool[8]) = cumsum(f32(x), axis=0)
  |                                   ++++ +
)out");
}

TEST(OrderErrors, CumsumAxis) {
  EXPECT_EQ(run(R"nn((x: float[8]) = cumsum(x, axis=1))nn"),
            R"out(error[E0306]: axis 1 does not exist
 --> test.nn:2:44
  |
2 |   fn forward(x: float[8]) = cumsum(x, axis=1)
  |                                            ^ the tensor has 1 axis: -1 to 0
)out");
}

TEST(OrderErrors, TopkOfTooFew) {
  EXPECT_EQ(run(R"nn((x: float[3]) = topk(x, 5)[0])nn"),
            R"out(error[E0308]: axis 0 of `x` is 3, but must be at least 5
 --> test.nn:2:37
  |
2 |   fn forward(x: float[3]) = topk(x, 5)[0]
  |                                     ^
)out");
}

TEST(OrderErrors, TopkOfMaybeTooFew) {
  EXPECT_EQ(run(R"nn((x: float[N]) requires N in 1..=64 = topk(x, 5)[0])nn"),
            R"out(error[E0304]: cannot prove that axis 0 of `x` is at least 5
 --> test.nn:2:58
  |
2 |   fn forward(x: float[N]) requires N in 1..=64 = topk(x, 5)[0]
  |                                                          ^ it is N
  |
  = note: it is 1 when N = 1
help: require what the network relies on
2 |   fn forward(x: float[N]) requires N in 1..=64, N >= 5 = topk(x, 5)[0]
  |                                               ++++++++
)out");
}

TEST(OrderErrors, TopkOfNegative) {
  EXPECT_EQ(run(R"nn((x: float[3]) = topk(x, -1)[0])nn"),
            R"out(error[E0308]: `k` of `topk` would be -1
 --> test.nn:2:37
  |
2 |   fn forward(x: float[3]) = topk(x, -1)[0]
  |                                     ^^
)out");
}

TEST(OrderErrors, TopkOfANumber) {
  EXPECT_EQ(run(R"nn((x: float[]) = topk(x, 1)[0])nn"),
            R"out(error[E0306]: `topk` needs at least 1 axis, this value has none
 --> test.nn:2:28
  |
2 |   fn forward(x: float[]) = topk(x, 1)[0]
  |                            ^^^^
)out");
}

TEST(OrderErrors, ScatterShape) {
  EXPECT_EQ(
      run(R"nn((x: float[8, 4], ids: i32[3], v: float[3, 5]) = scatter(x, ids, v, axis=0))nn"),
      R"out(error[E0301]: sizes differ in `values` of `scatter`
 --> test.nn:2:77
  |
2 |   fn forward(x: float[8, 4], ids: i32[3], v: float[3, 5]) = scatter(x, ids, v, axis=0)
  |                                                                             ^
  |
  = note: axis 1 of `v` is 5, of `x` is 4
)out");
}

TEST(OrderErrors, ScatterRank) {
  EXPECT_EQ(run(R"nn((x: float[8, 4], ids: i32[3], v: float[3]) = scatter(x, ids, v, axis=0))nn"),
            R"out(error[E0306]: `values` of `scatter` needs 2 axes, [3, 4], this value has 1
 --> test.nn:2:74
  |
2 |   fn forward(x: float[8, 4], ids: i32[3], v: float[3]) = scatter(x, ids, v, axis=0)
  |                                                                          ^ found float[3]
)out");
}

TEST(OrderErrors, ScatterElements) {
  EXPECT_EQ(run(R"nn((x: float[8, 4], ids: i32[3], v: f32[3, 4]) = scatter(x, ids, v, axis=0))nn"),
            R"out(error[E0401]: `scatter` mixes float and f32
 --> test.nn:2:59
  |
2 |   fn forward(x: float[8, 4], ids: i32[3], v: f32[3, 4]) = scatter(x, ids, v, axis=0)
  |                                                           ^^^^^^^ -       - f32[3, 4]
  |                                                                   |
  |                                                                   float[8, 4]
  |
  = note: `float` is the working precision; it differs from f32 under `@precision(bf16)`
help: cast back to the working precision
2 |   fn forward(x: float[8, 4], ids: i32[3], v: f32[3, 4]) = scatter(x, ids, float(v), axis=0)
  |                                                                           ++++++ +
)out");
}

TEST(OrderErrors, ScatterIds) {
  EXPECT_EQ(
      run(R"nn((x: float[8, 4], ids: float[3], v: float[3, 4]) = scatter(x, ids, v, axis=0))nn"),
      R"out(error[E0403]: `scatter` needs i32 or i64, found float
 --> test.nn:2:74
  |
2 |   fn forward(x: float[8, 4], ids: float[3], v: float[3, 4]) = scatter(x, ids, v, axis=0)
  |                                                                          ^^^ float[3]
  |
help: cast it to i32
2 |   fn forward(x: float[8, 4], ids: float[3], v: float[3, 4]) = scatter(x, i32(ids), v, axis=0)
  |                                                                          ++++   +
)out");
}

TEST(OrderErrors, ScatterMaybeShape) {
  EXPECT_EQ(
      run(R"nn((x: float[8, 4], ids: i32[N], v: float[K, 4]) requires N in 1..=8, K in 1..=8 = scatter(x, ids, v, axis=0))nn"),
      R"out(error[E0304]: cannot prove that these sizes are equal in `values` of `scatter`
 --> test.nn:2:109
  |
2 |   fn forward(x: float[8, 4], ids: i32[N], v: float[K, 4]) requires N in 1..=8, K in 1..=8 = scatter(x, ids, v, axis=0)
  |                                                                                                             ^
  |
  = note: axis 0 of `v` is K, of `ids` is N; they differ when K = 2, N = 1
help: require what the network relies on
2 |   fn forward(x: float[8, 4], ids: i32[N], v: float[K, 4]) requires N in 1..=8, K in 1..=8, K == N = scatter(x, ids, v, axis=0)
  |                                                                                          ++++++++
)out");
}

} // namespace
