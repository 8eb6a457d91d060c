// What is wrong with a `train` block, its loss and its model: every message, whole.
#include "test/unit/frontend/Training.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

TEST(TrainErrors, UnknownMembers) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = SGD(lr=0.1)
  clip_nrom = 1.0
  epochs = 3
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
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = SGD(lr=0.1)
  param t: f32[] = 1
  tie net.fc1.bias = net.fc2.bias
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

TEST(TrainErrors, MembersTwice) {
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = SGD(lr=0.1)
  optimizer = SGD(lr=0.2)
)nn")),
            R"nn(error[E0202]: `optimizer` is defined twice
 --> model.nn:8:3
  |
7 |   optimizer = SGD(lr=0.1)
  |   --------- first defined here
8 |   optimizer = SGD(lr=0.2)
  |   ^^^^^^^^^ defined again here
)nn");
  EXPECT_EQ(messages(withLoss(R"nn(  optimizer = SGD(lr=0.1)
  accumulate = 2
  accumulate = 2
)nn")),
            R"nn(error[E0202]: `accumulate` is defined twice
 --> model.nn:9:3
  |
8 |   accumulate = 2
  |   ---------- first defined here
9 |   accumulate = 2
  |   ^^^^^^^^^^ defined again here
)nn");
}

TEST(TrainErrors, NoOptimizer) {
  EXPECT_EQ(messages(withLoss("")),
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
  EXPECT_EQ(messages(block(R"nn(  optimizer = SGD(lr=0.1)
  fn los(x: float[B, 4]) -> (loss: f32[]) = mean(f32(net(x)))
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
  EXPECT_EQ(messages(block(R"nn(  optimizer = SGD(lr=0.1)
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
  EXPECT_EQ(messages(block(R"nn(  optimizer = SGD(lr=0.1)
  fn loss() -> (loss: f32[]) = full([], 1, f32)
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
  EXPECT_EQ(messages(block(R"nn(  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) -> (cost: f32[], other: f32[]) {
    y = mean(f32(net(x)))
    return y, y
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
  EXPECT_EQ(messages(block(R"nn(  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) -> (loss: float[B, 3]) = net(x)
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
  EXPECT_EQ(messages(block(R"nn(  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) = net(x)
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
  EXPECT_EQ(messages(block(R"nn(  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) {
    y = mean(f32(net(x)))
    return y, y
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
  EXPECT_EQ(messages(block(R"nn(  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) = max(argmax(net(x), axis=-1))
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
  EXPECT_EQ(messages(block(R"nn(  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4], label: i32[B]) -> (loss: f32[]) = accuracy(net(x), label)
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

TEST(TrainErrors, NotAModel) {
  EXPECT_EQ(messages(R"nn(train net = 3 {
  optimizer = SGD(lr=0.1)
  fn loss(x: float[B, 4]) -> (loss: f32[]) = mean(f32(x))
}
)nn"),
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
  EXPECT_EQ(messages(std::string(R"nn(model Net {
  fc1 = Linear(4, 8)
  extra = Linear(3, 3)
  other = Linear(3, 3, bias=false)
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + "}\n"),
            R"nn(warning[W0902]: 3 params are not learned: the loss does not depend on them
 --> model.nn:8:7
  |
8 | train net = Net() {
  |       ^^^
  |
  = note: `extra.weight` is one at prelude/linear.nn:L:C
  = note: `extra.bias` is one at prelude/linear.nn:L:C
  = note: `other.weight` is one at prelude/linear.nn:L:C
help: if this is meant, say so with `@frozen`
)nn");
}

TEST(TrainErrors, UnlearnedOne) {
  EXPECT_EQ(messages(std::string(R"nn(model Net {
  fc1 = Linear(4, 8)
  extra = Linear(3, 3, bias=false)
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + "}\n"),
            R"nn(warning[W0902]: `extra.weight` is not learned: the loss does not depend on it
 --> model.nn:7:7
  |
7 | train net = Net() {
  |       ^^^
  |
  = note: declared at prelude/linear.nn:L:C
help: if this is meant, say so with `@frozen`
)nn");
}

TEST(TrainErrors, EntryName) {
  EXPECT_EQ(messages(std::string(R"nn(model Net {
  fc1 = Linear(4, 8)
  fc2 = Linear(8, 3)
  fn train_step(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = fc2(fc1(x))
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + "}\n"),
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
      messages(std::string(R"nn(model Net {
  fc1 = Linear(4, 8)
  optimizer = Linear(3, 3)
  fc2 = Linear(8, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + "}\n"),
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
  EXPECT_EQ(messages(std::string(R"nn(model Net {
  fc1 = Linear(4, 8)
  fc2 = Linear(9, 3)
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = x |> fc1 |> relu |> fc2
}
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn") + kLoss + "}\n"),
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
  EXPECT_EQ(messages(R"nn(model Net {
  state m: f32[...S]
  fn forward(x: f32[B]) -> f32[B] requires B in 1..=64 = x
}
)nn"),
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
  EXPECT_EQ(messages(std::string(kNet) + R"nn(train net = Net() {
  optimizer = SGD(lr=0.1)
)nn" + kLoss + R"nn(}
model Other {
  it = net
  fn forward(x: float[B, 4]) -> float[B, 3] requires B in 1..=64 = it(x)
}
)nn"),
            R"nn(error[E0620]: `net` is a train block, which is no value
  --> model.nn:11:8
   |
11 |   it = net
   |        ^^^
   |
   = note: it is declared at model.nn:6:7
)nn");
}

TEST(TrainErrors, BadPrecision) {
  EXPECT_EQ(messages(std::string(kNet) + R"nn(@precision(i8)
train net = Net() {
  optimizer = SGD(lr=0.1)
)nn" + kLoss + "}\n"),
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
