// `scan`: what it emits, and every way to write it wrong.
#include "test/unit/frontend/Compiling.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

/// A model whose `forward(x: float[B, T, 4])` has this body, which begins in line 3.
static std::string scanning(const std::string &body) {
  return "model M() {\n  fn forward(x: float[B, T, 4]) requires B in 1..=4, T in 1..=9 {\n" + body +
         "  }\n}\n";
}

TEST(Scan, CarriesAndStacks) {
  Compilation run(scanning(R"nn(    h = zeros([B, 4])
    ys = scan xt in x axis 1 reverse {
      h = h + xt
      yield h * 2
    }
    return ys, h
)nn"));
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  EXPECT_NE(text.find("nn.dims = [\"B\", \"T\", \"scan.2\"]"), std::string::npos) << text;
  EXPECT_NE(text.find("nn.kinds = [\"dim\", \"dim\", \"loop\"]"), std::string::npos) << text;
  EXPECT_NE(text.find("array<i64: 0, 8>]"), std::string::npos) << text;
  EXPECT_NE(text.find("reverse -> (tensor<?x4xf32"), std::string::npos) << text;
  EXPECT_NE(text.find("nn.transpose"), std::string::npos) << text;
}

/// What a body does not rebind is captured, not carried; so is a local that it shadows.
TEST(Scan, CarriesOnlyWhatChanges) {
  Compilation run(scanning(R"nn(    a = zeros([B, 4])
    b = zeros([B, 4]) + 1
    scan xt in x axis 1 {
      if false { a = a + 1 }
      for a in [1, 2] { b = b + xt * a }
    }
    return a, b
)nn"));
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  size_t scan = text.find("nn.scan");
  ASSERT_NE(scan, std::string::npos) << text;
  EXPECT_EQ(text.substr(scan, text.find(" -> (", scan) - scan).find(", tensor"), std::string::npos)
      << text;
}

TEST(Scan, SequencesUnpackAndLists) {
  EXPECT_EQ(compiled(scanning(R"nn(    s = [zeros([B]), zeros([B, 4])]
    p, q = scan (a, b) in x, x * 2 axis 1 {
      s = [s[0] + sum(a, axis=1), s[1] + b]
      yield a + b, s[0]
    }
    r = scan pair in x, x axis 0 { yield pair[0] + pair[1] }
    return p, q, r, s[1]
)nn")),
            "");
}

/// A state that the body writes is carried, whatever is known of it before.
TEST(Scan, CarriesStates) {
  Compilation run(R"nn(model M() {
  state pos: i32[]
  state sum: float[4]
  fn step(x: float[4]) -> float[4] {
    sum <- sum + x
    pos <- pos + 1
    return sum
  }
  fn forward(x: float[T, 4]) requires T in 1..=9 {
    before = pos
    y = scan xt in x axis 0 { yield step(xt) * float(before) }
    return y
  }
}
)nn");
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  EXPECT_NE(text.find("init(%1, %0 : tensor<4xf32>, tensor<i32>)"), std::string::npos) << text;
  EXPECT_NE(text.find("nn.set @sum, %2#0"), std::string::npos) << text;
  EXPECT_NE(text.find("nn.set @pos, %2#1"), std::string::npos) << text;
}

TEST(Scan, E0601KeepsItsType) {
  EXPECT_EQ(checked(R"nn(## Sentence classifier.
module LSTMLayer(d_in: int, d: int, layer: int) {
  param w_ih: float[4 * d, d_in] as "weight_ih_l{layer}"
  param w_hh: float[4 * d, d] as "weight_hh_l{layer}"
  param b_ih: float[4 * d] as "bias_ih_l{layer}"
  param b_hh: float[4 * d] as "bias_hh_l{layer}"

  fn forward(x: float[B, T, d_in]) -> float[B, T, d] {
    h = zeros([B, d])
    c = zeros([B, d])
    ys = scan xt in x axis 1 {
      i, f, g, o = split(xt @ w_ih.T + b_ih + h @ w_hh.T + b_hh, 4, axis=-1)
      c = sigmoid(f) * c + sigmoid(i) * tanh(g)
      h = concat([h, sigmoid(o) * tanh(c)], axis=-1)
      yield h
    }
    return ys
  }
}

model Sentiment(vocab: int = 20_000, dim: int = 128, hidden: int = 256, classes: int = 2) {
  embedding = Embedding(vocab, dim)
  lstm = [LSTMLayer(if i == 0 then dim else hidden, hidden, i) as "" for i in 0..2]
  fc = Linear(hidden, classes)

  fn forward(ids: i32[B, T]) -> float[B, classes] requires B in 1..=64, T in 1..=512 {
    y = ids |> embedding |> lstm
    return fc(y[:, -1])
  }
}
)nn",
                    "lstm.nn"),
            R"(error[E0601]: `h` changes type in this scan
  --> lstm.nn:11:10
   |
 9 |     h = zeros([B, d])
   |     - enters as float[B, 256]
11 |     ys = scan xt in x axis 1 {
   |          ^^^^ carries `h`
14 |       h = concat([h, sigmoid(o) * tanh(c)], axis=-1)
   |       - leaves as float[B, 512]
   |
   = note: in lstm.0; a carried value keeps its type in every step
)");
}

TEST(Scan, E0601BuildTimeValues) {
  EXPECT_EQ(compiled(scanning(R"nn(    h = 0
    n = 1
    scan xt in x axis 1 {
      h = h + xt
      n = n + 1
    }
    return h
)nn")),
            R"(error[E0601]: `h` changes type in this scan
 --> model.nn:5:5
  |
3 |     h = 0
  |     - enters as 0
5 |     scan xt in x axis 1 {
  |     ^^^^ carries `h`
6 |       h = h + xt
  |       - leaves as float[B, 4]
  |
  = note: a carried value keeps its type in every step
help: begin with a tensor: `h = full([B, 4], 0)`
)");
}

TEST(Scan, E0602Yields) {
  EXPECT_EQ(compiled(scanning(R"nn(    y = scan xt in x axis 1 { h = xt }
    return y
)nn")),
            R"(error[E0602]: this `scan` has no value
 --> model.nn:3:9
  |
3 |     y = scan xt in x axis 1 { h = xt }
  |         ^^^^ it yields nothing
  |
help: `yield y` in its body gives the value of each step
)");
  EXPECT_EQ(compiled(scanning(R"nn(    scan xt in x axis 1 { yield xt }
    return x
)nn")),
            R"(error[E0602]: nothing is done with what this `scan` yields
 --> model.nn:3:27
  |
3 |     scan xt in x axis 1 { yield xt }
  |     ----                  ^^^^^^^^
  |     |
  |     its value is bound to no name
  |
help: bind it to a name
3 |     result = scan xt in x axis 1 { yield xt }
  |     ++++++++
)");
  EXPECT_EQ(compiled(scanning(R"nn(    y = scan xt in x axis 1 {
      for i in 0..2 { yield xt * i }
    }
    return y
)nn")),
            R"(error[E0602]: a step of a `scan` yields once
 --> model.nn:4:23
  |
4 |       for i in 0..2 { yield xt * i }
  |                       ^^^^^^^^^^^^ in iteration 1
  |
help: several values are yielded together: `yield a, b`
)");
  EXPECT_EQ(compiled(scanning(R"nn(    y = scan xt in x axis 1 {
      yield 1
    }
    return y
)nn")),
            R"(error[E0403]: `scan` stacks tensors
 --> model.nn:4:13
  |
4 |       yield 1
  |             ^ this is an int
)");
  EXPECT_EQ(compiled(scanning(R"nn(    y = scan xt in x axis 1 {
      yield sum(xt)
    }
    return y
)nn")),
            R"(error[E0306]: float[] cannot be stacked along axis 1
 --> model.nn:4:7
  |
3 |     y = scan xt in x axis 1 {
  |                           - the axis of this scan
4 |       yield sum(xt)
  |       ^^^^^^^^^^^^^
  |
help: scan along axis 0, or yield a value with more axes
)");
  EXPECT_EQ(compiled(scanning(R"nn(    scan xt in x axis 1 { return xt }
)nn")),
            R"(error[E0602]: `return` cannot leave a `scan`
 --> model.nn:3:27
  |
3 |     scan xt in x axis 1 { return xt }
  |                           ^^^^^^^^^
  |
  = note: every step runs; return after it, or give values with `yield`
)");
}

TEST(Scan, Sequences) {
  EXPECT_EQ(compiled(scanning(R"nn(    y = scan xt in x axis 3 { yield xt }
    return y
)nn")),
            R"(error[E0306]: axis 3 does not exist
 --> model.nn:3:27
  |
3 |     y = scan xt in x axis 3 { yield xt }
  |                    -      ^ the tensor has 3 axes
  |                    |
  |                    float[B, T, 4]
)");
  EXPECT_EQ(compiled(scanning(R"nn(    y = scan xt in [x, x] axis 0 { yield xt }
    return y
)nn")),
            R"(error[E0403]: `scan` walks over tensors
 --> model.nn:3:20
  |
3 |     y = scan xt in [x, x] axis 0 { yield xt }
  |                    ^^^^^^ this is a list
  |
help: `for` walks over a list or a range, at build time
)");
  EXPECT_EQ(compiled(scanning(R"nn(    y = scan a, b in x, x[:, 1:] axis 1 { yield a + b }
    return y
)nn")),
            R"(error[E0301]: sizes differ in `scan` along axis 1
 --> model.nn:3:9
  |
3 |     y = scan a, b in x, x[:, 1:] axis 1 { yield a + b }
  |         ^^^^         -  -------- float[B, T - 1, 4]
  |                      |
  |                      float[B, T, 4]
  |
  = note: axis 1 of `x` is T, of `x[:, 1:]` is T - 1
)");
  EXPECT_EQ(compiled(scanning(R"nn(    y = scan a, b, c in x, x axis 1 { yield a + b }
    return y
)nn")),
            R"(error[E0207]: 3 names are bound to 2 values
 --> model.nn:3:25
  |
3 |     y = scan a, b, c in x, x axis 1 { yield a + b }
  |              -------    ^^^^
  |              |
  |              these names
)");
}

TEST(Scan, OnlyInTensorFunctions) {
  EXPECT_EQ(checked("y = scan a in [1, 2] axis 0 { yield a }\nmodel M() {\n  z = y\n  fn "
                    "forward(x: float[4]) = x * z\n}\n"),
            R"(error[E0502]: `scan` runs in a tensor function only
 --> model.nn:1:5
  |
1 | y = scan a in [1, 2] axis 0 { yield a }
  |     ^^^^ there are no tensors here
  |
help: `for` and list comprehensions walk build-time values
)");
  EXPECT_EQ(checked("model M() {\n  y = scan a in [1, 2] axis 0 { yield a }\n  fn forward(x: "
                    "float[4]) = x\n}\n"),
            R"(error[E0502]: `scan` runs in a tensor function only
 --> model.nn:2:7
  |
2 |   y = scan a in [1, 2] axis 0 { yield a }
  |       ^^^^ there are no tensors here
  |
help: `for` and list comprehensions walk build-time values
)");
}

/// An error in the body is said once, and what the scan would have bound is silent.
TEST(Scan, ErrorsInBodies) {
  EXPECT_EQ(compiled(scanning(R"nn(    h = zeros([B, 4])
    y = scan xt in x axis 1 {
      h = h + xyz
      yield h
    }
    return y + h
)nn")),
            R"(error[E0201]: unknown name `xyz`
 --> model.nn:5:15
  |
5 |       h = h + xyz
  |               ^^^ not defined here
)");
}

} // namespace nnc::frontend::testing
