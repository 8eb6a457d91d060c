// `train` blocks: every message, whole.
#include "test/unit/frontend/Compiling.h"

#include <gtest/gtest.h>
#include <regex>

namespace nnc::frontend::testing {

namespace {

constexpr const char *kNet = R"(model Net {
  fc1 = Linear(4, 8)
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
)";
constexpr const char *kLoss =
    R"(  fn loss(x: float[B, 4], label: i32[B]) -> (loss: f32[]) = cross_entropy(net(x), label)
)";

/// Places in the library move with it.
std::string withoutLibraryPlaces(const std::string &text) {
  return std::regex_replace(text, std::regex(R"((std\.nn):\d+:\d+)"), "$1:L:C");
}

} // namespace

TEST(TrainErrors, UnknownMembers) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  clip_nrom = 1.0
  epochs = 3
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0620]: a train block has no member `clip_nrom`
 --> model.nn:8:3
  |
8 |   clip_nrom = 1.0
  |   ^^^^^^^^^
  |
  = note: its members are `optimizer`, `clip_norm`, `accumulate`, `ema` and functions, of which `loss` is minimised
help: `clip_norm` has a similar name
8 |   clip_norm = 1.0
  |   ~~~~~~~~~

error[E0620]: a train block has no member `epochs`
 --> model.nn:9:3
  |
9 |   epochs = 3
  |   ^^^^^^
  |
  = note: its members are `optimizer`, `clip_norm`, `accumulate`, `ema` and functions, of which `loss` is minimised
help: make it a constant of the file, above the block
)nn");
}

TEST(TrainErrors, NoSlotsAndNoTies) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  param t: f32[] = 1
  tie net.fc1.bias = net.fc2.bias
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0620]: a train block has no param of its own
 --> model.nn:8:9
  |
8 |   param t: f32[] = 1
  |         ^
  |
  = note: what is learned or kept belongs to the model or to the optimizer

error[E0620]: a train block has no ties
 --> model.nn:9:3
  |
9 |   tie net.fc1.bias = net.fc2.bias
  |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = note: what is learned or kept belongs to the model or to the optimizer
)nn");
}

TEST(TrainErrors, NoOptimizer) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0620]: `net` has no `optimizer`
 --> model.nn:6:7
  |
6 | train net = Net() {
  |       ^^^
  |
help: add one: `optimizer = AdamW(lr=1e-3)`
)nn");
}

TEST(TrainErrors, NoLoss) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  fn los(x: float[B, 4]) -> (loss: f32[]) = mean(f32(net(x)))
}
)nn")),
            R"nn(error[E0620]: `net` has no `loss`
 --> model.nn:6:7
  |
6 | train net = Net() {
  |       ^^^
  |
  = note: `fn loss(...) -> (loss: f32[])` takes a batch; what it returns is minimised
help: `los` has a similar name
8 |   fn loss(x: float[B, 4]) -> (loss: f32[]) = mean(f32(net(x)))
  |      ~~~~
)nn");
}

TEST(TrainErrors, NoLossAtAll) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
}
)nn")),
            R"nn(error[E0620]: `net` has no `loss`
 --> model.nn:6:7
  |
6 | train net = Net() {
  |       ^^^
  |
  = note: `fn loss(...) -> (loss: f32[])` takes a batch; what it returns is minimised
)nn");
}

TEST(TrainErrors, LossTakesNothing) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  fn loss() -> (loss: f32[]) = full([], 1, f32)
}
)nn")),
            R"nn(error[E0621]: `loss` takes no tensors
 --> model.nn:8:6
  |
8 |   fn loss() -> (loss: f32[]) = full([], 1, f32)
  |      ^^^^
  |
  = note: its parameters are the inputs of `train_step` and `eval_step`: a batch
)nn");
}

TEST(TrainErrors, LossWithoutName) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) -> (cost: f32[], other: f32[]) {
    y = mean(f32(net(x)))
    return y, y
  }
}
)nn")),
            R"nn(error[E0621]: no result of `loss` is called `loss`
 --> model.nn:8:31
  |
8 |   fn loss(x: float[B, 4]) -> (cost: f32[], other: f32[]) {
  |                               ^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = note: that one is minimised, the others are metrics
)nn");
}

TEST(TrainErrors, LossIsNoScalar) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) -> (loss: float[B, 3]) = net(x)
}
)nn")),
            R"nn(error[E0621]: the loss is a scalar of floats
 --> model.nn:8:37
  |
8 |   fn loss(x: float[B, 4]) -> (loss: float[B, 3]) = net(x)
  |                                     ^^^^^^^^^^^ this is float[B, 3]
  |
help: `mean(...)` of a tensor is one
)nn");
}

TEST(TrainErrors, LossIsNoScalarInferred) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) = net(x)
}
)nn")),
            R"nn(error[E0621]: the loss is a scalar of floats
 --> model.nn:8:29
  |
8 |   fn loss(x: float[B, 4]) = net(x)
  |                             ^^^^^^ this is float[B, 3]
  |
help: `mean(...)` of a tensor is one
)nn");
}

TEST(TrainErrors, LossesWithoutNames) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) {
    y = mean(f32(net(x)))
    return y, y
  }
}
)nn")),
            R"nn(error[E0621]: no result of `loss` is called `loss`
  --> model.nn:10:12
   |
10 |     return y, y
   |            ^
   |
   = note: several results have names: `-> (loss: f32[], accuracy: f32[])`
)nn");
}

TEST(TrainErrors, LossIsInteger) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) = max(argmax(net(x), axis=-1))
}
)nn")),
            R"nn(error[E0621]: the loss is a scalar of floats
 --> model.nn:8:29
  |
8 |   fn loss(x: float[B, 4]) = max(argmax(net(x), axis=-1))
  |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ this is i32[]
  |
help: `mean(...)` of a tensor is one
)nn");
}

TEST(TrainErrors, LossDependsOnNothing) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4], label: i32[B]) -> (loss: f32[]) = accuracy(net(x), label)
}
)nn")),
            R"nn(error[E0621]: the loss depends on no param that is learned
 --> model.nn:8:6
  |
8 |   fn loss(x: float[B, 4], label: i32[B]) -> (loss: f32[]) = accuracy(net(x), label)
  |      ^^^^
  |
  = note: no gradient passes through integers, comparisons, `argmax`, `stop_gradient` and `<-`
)nn");
}

TEST(TrainErrors, OptimizerIsModule) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: an optimizer is an instance, this is a module
 --> model.nn:7:15
  |
7 |   optimizer = SGD
  |               ^^^
  |
help: make one: `SGD(lr=...)`
)nn");
}

TEST(TrainErrors, OptimizerIsNumber) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = 0.1
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: this is no optimizer
 --> model.nn:7:15
  |
7 |   optimizer = 0.1
  |               ^^^ this is a float
  |
help: write one, such as `AdamW(lr=1e-3)`
)nn");
}

TEST(TrainErrors, OptimizerIsLayer) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = Linear(3, 3)
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: this is no optimizer
 --> model.nn:7:15
  |
7 |   optimizer = Linear(3, 3)
  |               ^^^^^^^^^^^^ this is an instance of `Linear`
  |
  = note: `Linear`, which has no function `update`, is declared at std.nn:L:C
)nn");
}

TEST(TrainErrors, OptimizerIsList) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = [SGD(lr=0.1)]
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: a list of optimizers holds pairs: a glob of keys, and an optimizer
 --> model.nn:7:15
  |
7 |   optimizer = [SGD(lr=0.1)]
  |               ^^^^^^^^^^^^^ in it is an instance of `SGD`
  |
help: for example `[("**.bias", SGD(lr=0.1)), ("**", AdamW(lr=1e-3))]`
)nn");
}

TEST(TrainErrors, NoParamMatches) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = [("**.biases", SGD(lr=0.1)), ("**", SGD(lr=0.1))]
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: no param matches `**.biases`
 --> model.nn:7:17
  |
7 |   optimizer = [("**.biases", SGD(lr=0.1)), ("**", SGD(lr=0.1))]
  |                 ^^^^^^^^^^^
  |
  = note: `*` stands for one step of a key, `**` for any number; `nnc keys` lists them
)nn");
}

TEST(TrainErrors, Shadowed) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = [("**", SGD(lr=0.1)), ("**.bias", SGD(lr=0.1))]
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: every param that `**.bias` matches has an earlier rule
 --> model.nn:7:38
  |
7 |   optimizer = [("**", SGD(lr=0.1)), ("**.bias", SGD(lr=0.1))]
  |                                      ^^^^^^^^^
  |
  = note: `fc1.bias` is one; the first rule that matches holds
)nn");
}

TEST(TrainErrors, Unmatched) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = [("**.bias", SGD(lr=0.1))]
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: no optimizer is for `fc1.weight`
 --> model.nn:7:15
  |
7 |   optimizer = [("**.bias", SGD(lr=0.1))]
  |               ^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = note: the param is declared at std.nn:L:C
help: end the list with a rule for all others, `("**", AdamW(lr=1e-3))`, or make the param `@frozen`
)nn");
}

TEST(TrainErrors, FrozenMatch) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(R"nn(model Net {
  @frozen
  fc1 = Linear(4, 8)
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = [("fc1.**", SGD(lr=0.1)), ("**", SGD(lr=0.1))]
)nn") + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: no param matches `fc1.**`
 --> model.nn:8:17
  |
8 |   optimizer = [("fc1.**", SGD(lr=0.1)), ("**", SGD(lr=0.1))]
  |                 ^^^^^^^^
  |
  = note: `fc1.weight` does, but is frozen
)nn");
}

TEST(TrainErrors, AllFrozen) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(R"nn(model Net {
  @frozen
  fc1 = Linear(4, 8)
  @frozen
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: `net` has nothing to learn
 --> model.nn:8:7
  |
8 | train net = Net() {
  |       ^^^
  |
  = note: all params of its model are frozen
)nn");
}

TEST(TrainErrors, NoParams) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(R"nn(model Net {
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=64 = relu(x)
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: `net` has nothing to learn
 --> model.nn:4:7
  |
4 | train net = Net() {
  |       ^^^
  |
  = note: its model has no params
)nn");
}

TEST(TrainErrors, UpdateSignature) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(module Odd(lr: fn) {
  state m: f32[...S]
  fn update(w: f32[...S], grad: f32[...S]) -> f32[...S] = w - grad
}
train net = Net() {
  optimizer = Odd(lr=0.1)
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: `Odd` does not update as an optimizer does
 --> model.nn:8:12
  |
8 |   fn update(w: f32[...S], grad: f32[...S]) -> f32[...S] = w - grad
  |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = note: an optimizer has `fn update(w: f32[...S], grad: f32[...S], step: i32[]) -> f32[...S]`: from a param, its gradient and the number of updates before comes the new param
)nn");
}

TEST(TrainErrors, UpdateFloat) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(module Odd(lr: fn) {
  fn update(w: float[...S], grad: float[...S], step: i32[]) -> float[...S] = w - grad
}
train net = Net() {
  optimizer = Odd(lr=0.1)
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: `Odd` does not update as an optimizer does
 --> model.nn:7:13
  |
7 |   fn update(w: float[...S], grad: float[...S], step: i32[]) -> float[...S] = w - grad
  |             ^^^^^^^^^^^^^^
  |
  = note: an optimizer has `fn update(w: f32[...S], grad: f32[...S], step: i32[]) -> f32[...S]`: from a param, its gradient and the number of updates before comes the new param
)nn");
}

TEST(TrainErrors, UpdateResult) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(module Odd(lr: fn) {
  fn update(w: f32[...S], grad: f32[...S], step: i32[]) = sum(w - grad)
}
train net = Net() {
  optimizer = Odd(lr=0.1)
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: `Odd` does not update as an optimizer does
 --> model.nn:7:6
  |
7 |   fn update(w: f32[...S], grad: f32[...S], step: i32[]) = sum(w - grad)
  |      ^^^^^^ it makes f32[] of f32[8, 4]
)nn");
}

TEST(TrainErrors, OptimizerParam) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(module Odd(lr: fn) {
  buffer m: f32[4]
  fn update(w: f32[...S], grad: f32[...S], step: i32[]) -> f32[...S] = w - grad
}
train net = Net() {
  optimizer = Odd(lr=0.1)
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: `Odd` keeps states, this is a buffer
 --> model.nn:7:10
  |
7 |   buffer m: f32[4]
  |          ^
  |
help: declare it with `state`; a train block saves the states of its optimizers
)nn");
}

TEST(TrainErrors, WarmupTooLong) {
  EXPECT_EQ(
      withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=cosine(peak=0.1, warmup=100, total=100))
)nn" + kLoss + R"nn(}
)nn")),
      R"nn(error[E0501]: `cosine` requires `total > warmup`: the rate falls between `warmup` and `total`, but total is 100 and warmup is 100
 --> model.nn:7:22
  |
7 |   optimizer = SGD(lr=cosine(peak=0.1, warmup=100, total=100))
  |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ total = 100, warmup = 100
  |
  = note: required at std.nn:L:C
)nn");
}

TEST(TrainErrors, NegativeRate) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=-0.1)
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0501]: `constant` requires `lr >= 0`: a rate is not negative, but lr is -0.1
 --> model.nn:7:22
  |
7 |   optimizer = SGD(lr=-0.1)
  |                      ^^^^ lr = -0.1
  |
  = note: required at std.nn:L:C
)nn");
}

TEST(TrainErrors, NotASchedule) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=relu)
)nn" + kLoss + R"nn(}
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

TEST(TrainErrors, ScheduleOfFloat) {
  EXPECT_EQ(
      withoutLibraryPlaces(checked(std::string(R"nn(fn mine(step: i32[]) -> float[] = float(step)
)nn") + kNet + R"nn(train net = Net() {
  optimizer = SGD(lr=mine)
)nn" + kLoss + R"nn(}
)nn")),
      R"nn(error[E0622]: `lr` of `SGD` is a schedule, which makes an f32[] of `step: i32[]`
 --> model.nn:8:22
  |
8 |   optimizer = SGD(lr=mine)
  |                      ^^^^ this makes float[]
)nn");
}

TEST(TrainErrors, UnknownScheduleArgument) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=cosine(peek=0.1, total=10))
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0205]: `cosine` has no parameter `peek`
 --> model.nn:7:29
  |
7 |   optimizer = SGD(lr=cosine(peek=0.1, total=10))
  |                             ^^^^
  |
  = note: `cosine` is declared at std.nn:L:C
help: `peak` has a similar name
7 |   optimizer = SGD(lr=cosine(peak=0.1, total=10))
  |                             ~~~~
)nn");
}

TEST(TrainErrors, MissingScheduleArgument) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=cosine(peak=0.1))
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0205]: `cosine` also needs `total`
 --> model.nn:7:22
  |
7 |   optimizer = SGD(lr=cosine(peak=0.1))
  |                      ^^^^^^^^^^^^^^^^ 1 argument missing
  |
  = note: `cosine` is declared at std.nn:L:C
)nn");
}

TEST(TrainErrors, Nesterov) {
  EXPECT_EQ(
      withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1, nesterov=true)
)nn" + kLoss + R"nn(}
)nn")),
      R"nn(error[E0501]: `SGD` requires `momentum > 0 or not nesterov`: `nesterov` goes with a momentum, but `0 > 0 or not nesterov` is false
 --> model.nn:7:15
  |
7 |   optimizer = SGD(lr=0.1, nesterov=true)
  |               ^^^ momentum = 0, nesterov = true
  |
  = note: `momentum` = 0 is the default at std.nn:L:C
  = note: required at std.nn:L:C
)nn");
}

TEST(TrainErrors, MissingRate) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = AdamW()
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0205]: `AdamW` also needs `lr`
 --> model.nn:7:15
  |
7 |   optimizer = AdamW()
  |               ^^^^^ 1 argument missing
  |
  = note: `AdamW` is declared at std.nn:L:C
)nn");
}

TEST(TrainErrors, Numbers) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  clip_norm = 0
  accumulate = 2.5
  ema = 1
)nn" + kLoss + R"nn(}
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

TEST(TrainErrors, NumberKinds) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
  clip_norm = "1"
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0403]: `clip_norm` is a number
 --> model.nn:8:15
  |
8 |   clip_norm = "1"
  |               ^^^ this is a str
)nn");
}

TEST(TrainErrors, NotAModel) {
  EXPECT_EQ(withoutLibraryPlaces(checked(R"nn(train net = 3 {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) -> (loss: f32[]) = mean(f32(x))
}
)nn")),
            R"nn(error[E0403]: a train block trains a model
 --> model.nn:1:13
  |
1 | train net = 3 {
  |             ^ this is an int
  |
help: write a call of one: `train net = Net() { ... }`
)nn");
}

TEST(TrainErrors, Unlearned) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(R"nn(model Net {
  fc1 = Linear(4, 8)
  extra = Linear(3, 3)
  other = Linear(3, 3, bias=false)
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + R"nn(}
)nn")),
            R"nn(warning[W0902]: 3 params are not learned: the loss does not depend on them
 --> model.nn:8:7
  |
8 | train net = Net() {
  |       ^^^
  |
  = note: `extra.weight` is one at std.nn:L:C
  = note: `extra.bias` is one at std.nn:L:C
  = note: `other.weight` is one at std.nn:L:C
help: if this is meant, say so with `@frozen`
)nn");
}

TEST(TrainErrors, UnlearnedOne) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(R"nn(model Net {
  fc1 = Linear(4, 8)
  extra = Linear(3, 3, bias=false)
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + R"nn(}
)nn")),
            R"nn(warning[W0902]: `extra.weight` is not learned: the loss does not depend on it
 --> model.nn:7:7
  |
7 | train net = Net() {
  |       ^^^
  |
  = note: declared at std.nn:L:C
help: if this is meant, say so with `@frozen`
)nn");
}

TEST(TrainErrors, EntryName) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(R"nn(model Net {
  fc1 = Linear(4, 8)
  fc2 = Linear(8, 3)
  fn train_step(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = fc2(fc1(x))
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + R"nn(}
)nn")),
            R"nn(error[E0620]: `train_step` is what a train block calls an entry point of its own
 --> model.nn:4:6
  |
4 |   fn train_step(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = fc2(fc1(x))
  |      ^^^^^^^^^^
7 | train net = Net() {
  |       --- this model is trained here
)nn");
}

TEST(TrainErrors, OptimizerKey) {
  EXPECT_EQ(
      withoutLibraryPlaces(checked(std::string(R"nn(model Net {
  fc1 = Linear(4, 8)
  optimizer = Linear(3, 3)
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + R"nn(}
)nn")),
      R"nn(error[E0704]: this model has the key `optimizer.weight`, where a train block keeps its own state
 --> model.nn:7:7
  |
7 | train net = Net() {
  |       ^^^
  |
  = note: keys that begin with `optimizer.` and `ema.` are not for models that are trained
help: give that member another key with `as`
)nn");
}

TEST(TrainErrors, ErrorInModel) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(R"nn(model Net {
  fc1 = Linear(4, 8)
  fc2 = Linear(9, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + R"nn(}
)nn")),
            R"nn(error[E0301]: `fc2` takes 9 features, this value has 8
 --> model.nn:4:88
  |
3 |   fc2 = Linear(9, 3)
  |                - `d_in` = 9 comes from here
4 |   fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
  |                                                                                        ^^^ expected float[..., 9], found float[B, 8]
  |
help: make `d_in` 8
3 |   fc2 = Linear(8, 3)
  |                ~
)nn");
}

TEST(TrainErrors, OpenState) {
  EXPECT_EQ(withoutLibraryPlaces(checked(R"nn(model Net {
  state m: f32[...S]
  fn forward(x: f32[B]) -> f32[B] requires B in 1..=64 = x
}
)nn")),
            R"nn(error[E0590]: states with a pack of dimensions are not supported yet
 --> model.nn:2:12
  |
2 |   state m: f32[...S]
  |            ^^^^^^^^^
  |
  = note: an optimizer may have them, of which a train block makes one for every param
)nn");
}

TEST(TrainErrors, Use) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
)nn" + kLoss + R"nn(}
model Other {
  it = net
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = it(x)
}
)nn")),
            R"nn(error[E0620]: `net` is a train block, which is no value
  --> model.nn:11:8
   |
11 |   it = net
   |        ^^^
   |
   = note: it is declared at model.nn:6:7
)nn");
}

TEST(TrainErrors, F8) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(@precision(bf16, params=f8e4m3)
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0622]: `fc1.weight` is stored as f8e4m3, which cannot be learned
 --> model.nn:7:7
  |
7 | train net = Net() {
  |       ^^^
  |
  = note: the param is declared at std.nn:L:C
help: keep params as f32: `@precision(bf16, params=f32)`
)nn");
}

TEST(TrainErrors, BadPrecision) {
  EXPECT_EQ(withoutLibraryPlaces(checked(std::string(kNet) + R"nn(@precision(i8)
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn" + kLoss + R"nn(}
)nn")),
            R"nn(error[E0403]: the precision of `float` is one of f32, f16, bf16
 --> model.nn:6:12
  |
6 | @precision(i8)
  |            ^^ this is i8
  |
help: weights are stored in fewer bits by `@quant("**.weight", i8)`
)nn");
}

} // namespace nnc::frontend::testing
