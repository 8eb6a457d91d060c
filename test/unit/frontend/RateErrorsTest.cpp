// What is wrong with the numbers and schedules of a `train` block: every message, whole.
#include "test/unit/frontend/Training.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

TEST(RateErrors, WarmupTooLong) {
  EXPECT_EQ(
      messages(withLoss(R"nn(  optimizer = SGD(lr=cosine(peak=0.1, warmup=100, total=100))
)nn")),
      R"nn(error[E0501]: `cosine` requires `total > warmup`: the rate falls between `warmup` and `total`, but total is 100 and warmup is 100
 --> model.nn:7:22
  |
7 |   optimizer = SGD(lr=cosine(peak=0.1, warmup=100, total=100))
  |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ total = 100, warmup = 100
  |
  = note: required at prelude/schedule.nn:L:C
)nn");
}

TEST(RateErrors, NegativeRate) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = SGD(lr=-0.1)
)nn")),
            R"nn(error[E0501]: `constant` requires `lr >= 0`: a rate is not negative, but lr is -0.1
 --> model.nn:7:22
  |
7 |   optimizer = SGD(lr=-0.1)
  |                      ^^^^ lr = -0.1
  |
  = note: required at prelude/schedule.nn:L:C
)nn");
}

TEST(RateErrors, NotASchedule) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = SGD(lr=relu)
)nn")),
            R"nn(error[E0401]: `relu` takes float, this value is i32
 --> model.nn:7:22
  |
7 |   optimizer = SGD(lr=relu)
  |                      ^^^^ expected float[...S], found i32[]
  |
help: cast it with `float(...)`
)nn");
}

TEST(RateErrors, ScheduleOfFloat) {
  EXPECT_EQ(messages(std::string(R"nn(fn mine(step: i32[]) -> float[] = float(step)
)nn") + kNet + R"nn(train net = Net() {
  optimizer = SGD(lr=mine)
)nn" + kLoss + "}\n"),
            R"nn(error[E0622]: `lr` of `SGD` is a schedule, which makes an f32[] of `step: i32[]`
 --> model.nn:8:22
  |
8 |   optimizer = SGD(lr=mine)
  |                      ^^^^ this makes float[]
)nn");
}

TEST(RateErrors, UnknownScheduleArgument) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = SGD(lr=cosine(peek=0.1, total=10))
)nn")),
            R"nn(error[E0205]: `cosine` has no parameter `peek`
 --> model.nn:7:29
  |
7 |   optimizer = SGD(lr=cosine(peek=0.1, total=10))
  |                             ^^^^
  |
  = note: `cosine` is declared at prelude/schedule.nn:L:C
help: `peak` has a similar name
7 |   optimizer = SGD(lr=cosine(peak=0.1, total=10))
  |                             ~~~~
)nn");
}

TEST(RateErrors, MissingScheduleArgument) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = SGD(lr=cosine(peak=0.1))
)nn")),
            R"nn(error[E0205]: `cosine` also needs `total`
 --> model.nn:7:22
  |
7 |   optimizer = SGD(lr=cosine(peak=0.1))
  |                      ^^^^^^^^^^^^^^^^ 1 argument missing
  |
  = note: `cosine` is declared at prelude/schedule.nn:L:C
)nn");
}

TEST(RateErrors, Nesterov) {
  EXPECT_EQ(
      messages(withLoss(R"nn(  optimizer = SGD(lr=0.1, nesterov=true)
)nn")),
      R"nn(error[E0501]: `SGD` requires `momentum > 0 or not nesterov`: `nesterov` goes with a momentum, but `0 > 0 or not nesterov` is false
 --> model.nn:7:15
  |
7 |   optimizer = SGD(lr=0.1, nesterov=true)
  |               ^^^ momentum = 0, nesterov = true
  |
  = note: `momentum` = 0 is the default at prelude/optimizer.nn:L:C
  = note: required at prelude/optimizer.nn:L:C
)nn");
}

TEST(RateErrors, MissingRate) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = AdamW()
)nn")),
            R"nn(error[E0205]: `AdamW` also needs `lr`
 --> model.nn:7:15
  |
7 |   optimizer = AdamW()
  |               ^^^^^ 1 argument missing
  |
  = note: `AdamW` is declared at prelude/optimizer.nn:L:C
)nn");
}

TEST(RateErrors, Numbers) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = SGD(lr=0.1)
  clip_norm = 0
  accumulate = 2.5
  ema = 1
)nn")),
            R"nn(error[E0623]: `clip_norm` is a norm, greater than 0
 --> model.nn:8:15
  |
8 |   clip_norm = 0
  |               ^ this is 0

error[E0623]: `accumulate` is a whole number of micro steps, at least 1
 --> model.nn:9:16
  |
9 |   accumulate = 2.5
  |                ^^^ this is 2.5

error[E0623]: `ema` is what the average keeps in each step, at least 0 and less than 1
  --> model.nn:10:9
   |
10 |   ema = 1
   |         ^ this is 1
)nn");
}

TEST(RateErrors, NumberKinds) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = SGD(lr=0.1)
  clip_norm = "1"
)nn")),
            R"nn(error[E0403]: `clip_norm` is a number
 --> model.nn:8:15
  |
8 |   clip_norm = "1"
  |               ^^^ this is a str
)nn");
}

} // namespace nnc::frontend::testing
