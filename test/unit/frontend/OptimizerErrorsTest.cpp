// What is wrong with the optimizers of a `train` block, and with what is given to them: every
// message, whole.
#include "test/unit/frontend/Training.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

TEST(OptimizerErrors, OptimizerIsModule) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = SGD
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

TEST(OptimizerErrors, OptimizerIsNumber) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = 0.1
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

TEST(OptimizerErrors, OptimizerIsLayer) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = Linear(3, 3)
)nn")),
            R"nn(error[E0622]: this is no optimizer
 --> model.nn:7:15
  |
7 |   optimizer = Linear(3, 3)
  |               ^^^^^^^^^^^^ this is an instance of `Linear`
  |
  = note: `Linear`, which has no function `update`, is declared at prelude/linear.nn:L:C
)nn");
}

TEST(OptimizerErrors, OptimizerIsList) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = [SGD(lr=0.1)]
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

TEST(OptimizerErrors, NoParamMatches) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = [("**.biases", SGD(lr=0.1)), ("**", SGD(lr=0.1))]
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

TEST(OptimizerErrors, Shadowed) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = [("**", SGD(lr=0.1)), ("**.bias", SGD(lr=0.1))]
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

TEST(OptimizerErrors, Unmatched) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = [("**.bias", SGD(lr=0.1))]
)nn")),
            R"nn(error[E0622]: no optimizer is for `fc1.weight`
 --> model.nn:7:15
  |
7 |   optimizer = [("**.bias", SGD(lr=0.1))]
  |               ^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = note: the param is declared at prelude/linear.nn:L:C
help: end the list with a rule for all others, `("**", AdamW(lr=1e-3))`, or make the param `@frozen`
)nn");
}

TEST(OptimizerErrors, FrozenMatch) {
  EXPECT_EQ(messages(std::string(R"nn(model Net {
  @frozen
  fc1 = Linear(4, 8)
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = [("fc1.**", SGD(lr=0.1)), ("**", SGD(lr=0.1))]
)nn") + kLoss + "}\n"),
            R"nn(error[E0622]: no param matches `fc1.**`
 --> model.nn:8:17
  |
8 |   optimizer = [("fc1.**", SGD(lr=0.1)), ("**", SGD(lr=0.1))]
  |                 ^^^^^^^^
  |
  = note: `fc1.weight` does, but is frozen
)nn");
}

TEST(OptimizerErrors, AllFrozen) {
  EXPECT_EQ(messages(std::string(R"nn(model Net {
  @frozen
  fc1 = Linear(4, 8)
  @frozen
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + "}\n"),
            R"nn(error[E0622]: `net` has nothing to learn
 --> model.nn:8:7
  |
8 | train net = Net() {
  |       ^^^
  |
  = note: all params of its model are frozen
)nn");
}

TEST(OptimizerErrors, NoParams) {
  EXPECT_EQ(messages(std::string(R"nn(model Net {
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=64 = relu(x)
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + "}\n"),
            R"nn(error[E0622]: `net` has nothing to learn
 --> model.nn:4:7
  |
4 | train net = Net() {
  |       ^^^
  |
  = note: its model has no params
)nn");
}

TEST(OptimizerErrors, UpdateSignature) {
  EXPECT_EQ(messages(std::string(kNet) + R"nn(module Odd(lr: fn) {
  state m: f32[...S]
  fn update(w: f32[...S], grad: f32[...S]) -> f32[...S] = w - grad
}
train net = Net() {
  optimizer = Odd(lr=0.1)
)nn" + kLoss + "}\n"),
            R"nn(error[E0622]: `Odd` does not update as an optimizer does
 --> model.nn:8:12
  |
8 |   fn update(w: f32[...S], grad: f32[...S]) -> f32[...S] = w - grad
  |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = note: an optimizer has `fn update(w: f32[...S], grad: f32[...S], step: i32[]) -> f32[...S]`: from a param, its gradient and the number of updates before comes the new param
)nn");
}

TEST(OptimizerErrors, UpdateFloat) {
  EXPECT_EQ(messages(std::string(kNet) + R"nn(module Odd(lr: fn) {
  fn update(w: float[...S], grad: float[...S], step: i32[]) -> float[...S] = w - grad
}
train net = Net() {
  optimizer = Odd(lr=0.1)
)nn" + kLoss + "}\n"),
            R"nn(error[E0622]: `Odd` does not update as an optimizer does
 --> model.nn:7:13
  |
7 |   fn update(w: float[...S], grad: float[...S], step: i32[]) -> float[...S] = w - grad
  |             ^^^^^^^^^^^^^^
  |
  = note: an optimizer has `fn update(w: f32[...S], grad: f32[...S], step: i32[]) -> f32[...S]`: from a param, its gradient and the number of updates before comes the new param
)nn");
}

TEST(OptimizerErrors, UpdateResult) {
  EXPECT_EQ(messages(std::string(kNet) + R"nn(module Odd(lr: fn) {
  fn update(w: f32[...S], grad: f32[...S], step: i32[]) = sum(w - grad)
}
train net = Net() {
  optimizer = Odd(lr=0.1)
)nn" + kLoss + "}\n"),
            R"nn(error[E0622]: `Odd` does not update as an optimizer does
 --> model.nn:7:6
  |
7 |   fn update(w: f32[...S], grad: f32[...S], step: i32[]) = sum(w - grad)
  |      ^^^^^^ it makes f32[] of f32[8, 4]
)nn");
}

TEST(OptimizerErrors, OptimizerParam) {
  EXPECT_EQ(messages(std::string(kNet) + R"nn(module Odd(lr: fn) {
  buffer m: f32[4]
  fn update(w: f32[...S], grad: f32[...S], step: i32[]) -> f32[...S] = w - grad
}
train net = Net() {
  optimizer = Odd(lr=0.1)
)nn" + kLoss + "}\n"),
            R"nn(error[E0622]: `Odd` keeps states, this is a buffer
 --> model.nn:7:10
  |
7 |   buffer m: f32[4]
  |          ^
  |
help: declare it with `state`; a train block saves the states of its optimizers
)nn");
}

TEST(OptimizerErrors, F8) {
  EXPECT_EQ(messages(std::string(kNet) + R"nn(@precision(bf16, params=f8e4m3)
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn" + kLoss + "}\n"),
            R"nn(error[E0622]: `fc1.weight` is stored as f8e4m3, which cannot be learned
 --> model.nn:7:7
  |
7 | train net = Net() {
  |       ^^^
  |
  = note: the param is declared at prelude/linear.nn:L:C
help: keep params as f32: `@precision(bf16, params=f32)`
)nn");
}

} // namespace nnc::frontend::testing
