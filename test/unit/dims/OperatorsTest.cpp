// Operators and what they refuse.
#include "Snippets.h"

#include <gtest/gtest.h>

using nnc::frontend::test::run;

namespace {

TEST(Operators, NumbersTakeTheTensorsType) {
  EXPECT_EQ(run(R"nn((x: float[B, 10]) requires B in 1..=8 = 1 - x * 2)nn"),
            R"out(nn.full value=2.000000e+00 : f32 -> f32[s0, 10]
nn.mul -> f32[s0, 10]
nn.full value=1.000000e+00 : f32 -> f32[s0, 10]
nn.sub -> f32[s0, 10]
)out");
}

TEST(Operators, IntegersStayIntegers) {
  EXPECT_EQ(run(R"nn((x: i32[B, 4]) requires B in 1..=8 = (x + 1) // 2 % 3)nn"),
            R"out(nn.full value=1 : i32 -> i32[s0, 4]
nn.add -> i32[s0, 4]
nn.full value=2 : i32 -> i32[s0, 4]
nn.floordiv -> i32[s0, 4]
nn.full value=3 : i32 -> i32[s0, 4]
nn.mod -> i32[s0, 4]
)out");
}

TEST(Operators, OneSidedBroadcast) {
  EXPECT_EQ(run(R"nn((x: float[B, T, 8], b: float[8]) requires B in 1..=8, T in 1..=16 = x + b)nn"),
            R"out(nn.broadcast dims=array<i64: 2> -> f32[s0, s1, 8]
nn.add -> f32[s0, s1, 8]
)out");
}

TEST(Operators, LiteralOnesStretchBothWays) {
  EXPECT_EQ(
      run(R"nn((x: float[T, 1], y: float[1, B]) requires B in 1..=8, T in 1..=16 = x >= y)nn"),
      R"out(nn.broadcast dims=array<i64: 0, 1> -> f32[s0, s1]
nn.broadcast dims=array<i64: 0, 1> -> f32[s0, s1]
nn.cmp predicate=#nn<cmp ge> -> i1[s0, s1]
)out");
}

TEST(Operators, LowerRankMayHaveOnes) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 3, 5, 5], b: float[3]) requires B in 1..=8 = x + b[:, none, none])nn"),
      R"out(nn.reshape -> f32[3, 1, 1]
nn.broadcast dims=array<i64: 1, 2, 3> -> f32[s0, 3, 5, 5]
nn.add -> f32[s0, 3, 5, 5]
)out");
}

TEST(Operators, SizesBecomeNumbers) {
  EXPECT_EQ(run(R"nn((x: float[B, T]) requires B in 1..=8, T in 1..=16 = x / T)nn"),
            R"out(nn.size size=affine_map<()[s0, s1] -> (s1)> -> i64[]
nn.cast -> f32[]
nn.broadcast dims=array<i64> -> f32[s0, s1]
nn.div -> f32[s0, s1]
)out");
}

TEST(Operators, PowersAsPyTorchDoesThem) {
  EXPECT_EQ(
      run(R"nn((x: float[4]) = x ** 2 + x ** 3 + x ** 0.5 + x ** -0.5 + x ** -1 + x ** 1.5)nn"),
      R"out(nn.mul -> f32[4]
nn.mul -> f32[4]
nn.mul -> f32[4]
nn.add -> f32[4]
nn.sqrt -> f32[4]
nn.add -> f32[4]
nn.rsqrt -> f32[4]
nn.add -> f32[4]
nn.full value=1.000000e+00 : f32 -> f32[4]
nn.div -> f32[4]
nn.add -> f32[4]
nn.full value=1.500000e+00 : f32 -> f32[4]
nn.pow -> f32[4]
nn.add -> f32[4]
)out");
}

TEST(Operators, PowersOfIntegers) {
  EXPECT_EQ(run(R"nn((x: i32[4]) = x ** 5)nn"),
            R"out(nn.mul -> i32[4]
nn.mul -> i32[4]
nn.mul -> i32[4]
)out");
}

TEST(Operators, NumberToThePowerOfATensor) {
  EXPECT_EQ(run(R"nn((x: f32[4]) = 10.0 ** x)nn"),
            R"out(nn.full value=1.000000e+01 : f32 -> f32[4]
nn.pow -> f32[4]
)out");
}

TEST(Operators, Bools) {
  EXPECT_EQ(run(R"nn((x: float[4], m: bool[4]) = not m and (x < 0 or m))nn"),
            R"out(nn.not -> i1[4]
nn.full value=0.000000e+00 : f32 -> f32[4]
nn.cmp predicate=#nn<cmp lt> -> i1[4]
nn.or -> i1[4]
nn.and -> i1[4]
)out");
}

TEST(Operators, ComparesBools) {
  EXPECT_EQ(run(R"nn((a: bool[4], b: bool[4]) = a == b)nn"),
            R"out(nn.cmp predicate=#nn<cmp eq> -> i1[4]
)out");
}

TEST(Operators, Matmul) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T, 16], w: float[32, 16]) requires B in 1..=8, T in 1..=16 = x @ w.T)nn"),
      R"out(nn.transpose permutation=array<i64: 1, 0> -> f32[16, 32]
nn.matmul -> f32[s0, s1, 32]
)out");
}

TEST(Operators, MatmulOfBatches) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 2, T, 16], y: float[B, 2, 16, T]) requires B in 1..=8, T in 1..=16 = x @ y)nn"),
      R"out(nn.matmul -> f32[s0, 2, s1, s1]
)out");
}

TEST(Operators, MatmulStretchesTheBatch) {
  EXPECT_EQ(
      run(R"nn((x: float[B, T, 16], y: float[1, 16, 5]) requires B in 1..=8, T in 1..=16 = x @ y)nn"),
      R"out(nn.broadcast dims=array<i64: 0, 1, 2> -> f32[s0, 16, 5]
nn.matmul -> f32[s0, s1, 5]
)out");
}

TEST(Operators, MatmulOfVectors) {
  EXPECT_EQ(run(R"nn((x: float[4], y: float[4]) = x @ y)nn"),
            R"out(nn.reshape -> f32[1, 4]
nn.reshape -> f32[4, 1]
nn.matmul -> f32[1, 1]
nn.reshape -> f32[]
)out");
}

TEST(Operators, MatrixTimesVector) {
  EXPECT_EQ(run(R"nn((x: float[B, 4], y: float[4]) requires B in 1..=8 = x @ y)nn"),
            R"out(nn.reshape -> f32[4, 1]
nn.matmul -> f32[s0, 1]
nn.reshape -> f32[s0]
)out");
}

TEST(OperatorErrors, SizesDiffer) {
  EXPECT_EQ(run(R"nn((x: float[B, 10], y: float[B, 20]) requires B in 1..=8 = x + y)nn"),
            R"out(error[E0301]: sizes differ in `+`
 --> test.nn:2:72
  |
2 |   fn forward(x: float[B, 10], y: float[B, 20]) requires B in 1..=8 = x + y
  |                                                                      - ^ - float[B, 20]
  |                                                                      |
  |                                                                      float[B, 10]
  |
  = note: axis 1 of `x` is 10, of `y` is 20
)out");
}

TEST(OperatorErrors, SizesMayDiffer) {
  EXPECT_EQ(
      run(R"nn((x: float[B, 10], y: float[T, 10]) requires B in 1..=8, T in 1..=16 = x + y)nn"),
      R"out(error[E0304]: cannot prove that these sizes are equal in `+`
 --> test.nn:2:85
  |
2 |   fn forward(x: float[B, 10], y: float[T, 10]) requires B in 1..=8, T in 1..=16 = x + y
  |                                                                                   - ^ - float[T, 10]
  |                                                                                   |
  |                                                                                   float[B, 10]
  |
  = note: axis 0 of `x` is B, of `y` is T; they differ when B = 2, T = 1
help: require what the network relies on
2 |   fn forward(x: float[B, 10], y: float[T, 10]) requires B in 1..=8, T in 1..=16, B == T = x + y
  |                                                                                ++++++++
)out");
}

TEST(OperatorErrors, BothWouldStretch) {
  EXPECT_EQ(run(R"nn((x: float[B, 1], y: float[B]) requires B in 1..=8 = x - y)nn"),
            R"out(error[E0302]: `-` would stretch both operands
 --> test.nn:2:67
  |
2 |   fn forward(x: float[B, 1], y: float[B]) requires B in 1..=8 = x - y
  |                                                                 - ^ - float[B]
  |                                                                 |
  |                                                                 float[B, 1]
  |
  = note: NumPy rules would give float[B, B]
help: drop the extra axis
2 |   fn forward(x: float[B, 1], y: float[B]) requires B in 1..=8 = x[:, 0] - y
  |                                                                  ++++++
)out");
}

TEST(OperatorErrors, BothWouldStretchAndRanksStayApart) {
  EXPECT_EQ(run(R"nn((x: float[B, T, 1], y: float[5]) requires B in 1..=8, T in 1..=16 = x * y)nn"),
            R"out(error[E0302]: `*` would stretch both operands
 --> test.nn:2:83
  |
2 |   fn forward(x: float[B, T, 1], y: float[5]) requires B in 1..=8, T in 1..=16 = x * y
  |                                                                                 - ^ - float[5]
  |                                                                                 |
  |                                                                                 float[B, T, 1]
  |
  = note: NumPy rules would give float[B, T, 5]
help: write the axis out
2 |   fn forward(x: float[B, T, 1], y: float[5]) requires B in 1..=8, T in 1..=16 = x * y[none, none, :]
  |                                                                                      +++++++++++++++
)out");
}

TEST(OperatorErrors, MixedFloats) {
  EXPECT_EQ(run(R"nn((h: f32[B, 4], weight: float[4]) requires B in 1..=8 = h * weight)nn"),
            R"out(error[E0401]: `*` mixes f32 and float
 --> test.nn:2:70
  |
2 |   fn forward(h: f32[B, 4], weight: float[4]) requires B in 1..=8 = h * weight
  |                                                                    - ^ ------ float[4]
  |                                                                    |
  |                                                                    f32[B, 4]
  |
  = note: `float` is the working precision; it differs from f32 under `@precision(bf16)`
help: cast back to the working precision
2 |   fn forward(h: f32[B, 4], weight: float[4]) requires B in 1..=8 = float(h) * weight
  |                                                                    ++++++ +
)out");
}

TEST(OperatorErrors, MixedIntAndFloat) {
  EXPECT_EQ(run(R"nn((n: i32[B], x: float[B]) requires B in 1..=8 = n * x)nn"),
            R"out(error[E0401]: `*` mixes i32 and float
 --> test.nn:2:62
  |
2 |   fn forward(n: i32[B], x: float[B]) requires B in 1..=8 = n * x
  |                                                            - ^ - float[B]
  |                                                            |
  |                                                            i32[B]
  |
help: cast to float
2 |   fn forward(n: i32[B], x: float[B]) requires B in 1..=8 = float(n) * x
  |                                                            ++++++ +
)out");
}

TEST(OperatorErrors, MixedConcreteFloats) {
  EXPECT_EQ(run(R"nn((a: f32[B], b: bf16[B]) requires B in 1..=8 = a + b)nn"),
            R"out(error[E0401]: `+` mixes f32 and bf16
 --> test.nn:2:61
  |
2 |   fn forward(a: f32[B], b: bf16[B]) requires B in 1..=8 = a + b
  |                                                           - ^ - bf16[B]
  |                                                           |
  |                                                           f32[B]
  |
help: cast to f32
2 |   fn forward(a: f32[B], b: bf16[B]) requires B in 1..=8 = a + f32(b)
  |                                                               ++++ +
)out");
}

TEST(OperatorErrors, FractionBesideIntegers) {
  EXPECT_EQ(run(R"nn((ids: i32[B]) requires B in 1..=8 = ids + 0.5)nn"),
            R"out(error[E0402]: the fraction 0.5 stands beside i32 numbers
 --> test.nn:2:55
  |
2 |   fn forward(ids: i32[B]) requires B in 1..=8 = ids + 0.5
  |                                                       ^^^
  |
help: cast the integers, as in `f32(x)`, or use a whole number
)out");
}

TEST(OperatorErrors, NumberTooLarge) {
  EXPECT_EQ(run(R"nn((ids: i32[B]) requires B in 1..=8 = ids + 3000000000)nn"),
            R"out(error[E0402]: 3000000000 does not fit into i32
 --> test.nn:2:55
  |
2 |   fn forward(ids: i32[B]) requires B in 1..=8 = ids + 3000000000
  |                                                       ^^^^^^^^^^
)out");
}

TEST(OperatorErrors, DivisionOfIntegers) {
  EXPECT_EQ(run(R"nn((ids: i32[B]) requires B in 1..=8 = ids / 2)nn"),
            R"out(error[E0403]: `/` needs floats, found i32
 --> test.nn:2:53
  |
2 |   fn forward(ids: i32[B]) requires B in 1..=8 = ids / 2
  |                                                 --- ^
  |                                                 |
  |                                                 i32[B]
  |
help: cast it to f32
2 |   fn forward(ids: i32[B]) requires B in 1..=8 = f32(ids) / 2
  |                                                 ++++   +
)out");
}

TEST(OperatorErrors, ArithmeticOnBools) {
  EXPECT_EQ(run(R"nn((m: bool[B]) requires B in 1..=8 = m + m)nn"),
            R"out(error[E0403]: `+` needs numbers, found bool
 --> test.nn:2:50
  |
2 |   fn forward(m: bool[B]) requires B in 1..=8 = m + m
  |                                                - ^
  |                                                |
  |                                                bool[B]
  |
help: cast it to f32
2 |   fn forward(m: bool[B]) requires B in 1..=8 = f32(m) + m
  |                                                ++++ +
)out");
}

TEST(OperatorErrors, LogicOnNumbers) {
  EXPECT_EQ(run(R"nn((x: float[B], m: bool[B]) requires B in 1..=8 = m and x)nn"),
            R"out(error[E0403]: `and` needs bools, found float
 --> test.nn:2:63
  |
2 |   fn forward(x: float[B], m: bool[B]) requires B in 1..=8 = m and x
  |                                                               ^^^ - float[B]
)out");
}

TEST(OperatorErrors, OrderOfBools) {
  EXPECT_EQ(run(R"nn((m: bool[B]) requires B in 1..=8 = m < m)nn"),
            R"out(error[E0403]: `<` needs numbers, found bool
 --> test.nn:2:50
  |
2 |   fn forward(m: bool[B]) requires B in 1..=8 = m < m
  |                                                - ^
  |                                                |
  |                                                bool[B]
  |
help: cast it to f32
2 |   fn forward(m: bool[B]) requires B in 1..=8 = f32(m) < m
  |                                                ++++ +
)out");
}

TEST(OperatorErrors, InnerSizesOfMatmul) {
  EXPECT_EQ(run(R"nn((x: float[B, 400], w: float[120, 256]) requires B in 1..=8 = x @ w.T)nn"),
            R"out(error[E0301]: sizes differ in `@`
 --> test.nn:2:76
  |
2 |   fn forward(x: float[B, 400], w: float[120, 256]) requires B in 1..=8 = x @ w.T
  |                                                                          - ^ --- float[256, 120]
  |                                                                          |
  |                                                                          float[B, 400]
  |
  = note: axis 1 of `x` is 400, axis 0 of `w.T` is 256
)out");
}

TEST(OperatorErrors, MatmulWithANumber) {
  EXPECT_EQ(run(R"nn((x: float[B, 4]) requires B in 1..=8 = x @ 2)nn"),
            R"out(error[E0403]: `@` needs tensors, found an int
 --> test.nn:2:54
  |
2 |   fn forward(x: float[B, 4]) requires B in 1..=8 = x @ 2
  |                                                      ^ - an int
)out");
}

TEST(OperatorErrors, MatmulOfScalars) {
  EXPECT_EQ(run(R"nn((x: float[], y: float[]) = x @ y)nn"),
            R"out(error[E0306]: `@` needs at least one axis on each side
 --> test.nn:2:42
  |
2 |   fn forward(x: float[], y: float[]) = x @ y
  |                                        - ^
  |                                        |
  |                                        float[]
  |
help: to scale by a number, use `*`
)out");
}

TEST(OperatorErrors, TransposeOfAVector) {
  EXPECT_EQ(run(R"nn((x: float[4]) = x.T)nn"),
            R"out(error[E0306]: `.T` swaps the last two axes, this value has fewer
 --> test.nn:2:29
  |
2 |   fn forward(x: float[4]) = x.T
  |                             ^^^ found float[4]
)out");
}

TEST(OperatorErrors, BatchesOfMatmul) {
  EXPECT_EQ(run(R"nn((x: float[2, 3, 4], y: float[3, 4, 5]) = x @ y)nn"),
            R"out(error[E0301]: sizes differ in `@`
 --> test.nn:2:56
  |
2 |   fn forward(x: float[2, 3, 4], y: float[3, 4, 5]) = x @ y
  |                                                      - ^ - float[3, 4, 5]
  |                                                      |
  |                                                      float[2, 3, 4]
  |
  = note: axis 0 of `x` is 2, of `y` is 3
)out");
}

} // namespace
