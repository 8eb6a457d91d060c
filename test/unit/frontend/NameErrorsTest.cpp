// The whole text of errors about names, arguments and members.
#include "test/unit/frontend/Compiling.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

/// A constant is evaluated once, for whatever uses it first.
TEST(NameErrors, OfAConstantThatTwoModelsUse) {
  EXPECT_EQ(checked("size = undefined_ + 1\n"
                    "model One {\n  fn f(x: float[B, 4]) requires B in 1..=2 = x * size\n}\n"
                    "model Two {\n  fn f(x: float[B, 4]) requires B in 1..=2 = x * size\n}\n"),
            "error[E0201]: unknown name `undefined_`\n"
            " --> model.nn:1:8\n"
            "  |\n"
            "1 | size = undefined_ + 1\n"
            "  |        ^^^^^^^^^^ not defined here\n");
}

TEST(NameErrors, ATypoInAShape) {
  std::string text = Compilation::read("test/unit/frontend/models/bert.nn");
  size_t at = text.find("x: float[B, T, dim], mask: bool[B, 1, 1, T]");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 19, "x: float[B, T, dmi]");
  EXPECT_EQ(checked(text, "bert.nn"),
            R"(error[E0201]: unknown name `dmi` in a shape
  --> bert.nn:12:29
   |
12 |   fn forward(x: float[B, T, dmi], mask: bool[B, 1, 1, T]) -> float[B, T, dim] {
   |                             ^^^ not a hyperparameter or constant of `BertLayer`
   |
   = note: only capitalised names introduce a dimension
help: `dim` has a similar name
12 |   fn forward(x: float[B, T, dim], mask: bool[B, 1, 1, T]) -> float[B, T, dim] {
   |                             ~~~
)");
}

TEST(NameErrors, ThreeMistakesShowThree) {
  EXPECT_EQ(compiled(R"nn(model M(classes: int = 10) {
  a = Linear(4, clases)
  b = Linear(8, 16)
  fn forward(x: float[B, 4]) -> float[B, 16] requires B in 1..=4 {
    y = a(x)
    z = tnah(x)
    return b(x)
  }
}
)nn"),
            R"(error[E0201]: unknown name `clases`
 --> model.nn:2:17
  |
2 |   a = Linear(4, clases)
  |                 ^^^^^^ not defined here
  |
help: `classes` has a similar name
2 |   a = Linear(4, classes)
  |                 ~~~~~~~

error[E0201]: unknown name `tnah`
 --> model.nn:6:9
  |
6 |     z = tnah(x)
  |         ^^^^ not defined here
  |
help: `tanh` has a similar name
6 |     z = tanh(x)
  |         ~~~~

error[E0301]: `b` takes 8 features, this value has 4
 --> model.nn:7:14
  |
3 |   b = Linear(8, 16)
  |              - `d_in` = 8 comes from here
7 |     return b(x)
  |              ^ expected float[..., 8], found float[B, 4]
  |
help: make `d_in` 4
3 |   b = Linear(4, 16)
  |              ~
)");
}

TEST(NameErrors, OneErrorOfSeveralInstances) {
  EXPECT_EQ(compiled(R"nn(module L(n: int) {
  fn forward(x: float[B, 4]) -> float[B, 4] = foo(x)
}
model M() {
  layers = [L(i) for i in 0..3]
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=4 = x |> layers
}
)nn"),
            R"(error[E0201]: unknown name `foo`
 --> model.nn:2:47
  |
2 |   fn forward(x: float[B, 4]) -> float[B, 4] = foo(x)
  |                                               ^^^ not defined here
  |
  = note: in layers.0, layers.1, layers.2
)");
}

TEST(NameErrors, WrongArguments) {
  EXPECT_EQ(compiled(model("  a = Linear(4)\n  b = Linear(4, 4, true, 5)\n"
                           "  c = Conv2d(1, 2, 3, pading=1)\n  d = Linear(4, \"x\")\n",
                           "    return x\n")),
            R"(error[E0205]: `Linear` also needs `d_out`
 --> model.nn:2:7
  |
2 |   a = Linear(4)
  |       ^^^^^^ 1 argument missing
  |
  = note: `Linear` is declared at prelude/linear.nn:3:8

error[E0205]: `Linear` takes 3 arguments, this is one more
 --> model.nn:3:26
  |
3 |   b = Linear(4, 4, true, 5)
  |                          ^
  |
  = note: `Linear` is declared at prelude/linear.nn:3:8

error[E0205]: `Conv2d` has no parameter `pading`
 --> model.nn:4:23
  |
4 |   c = Conv2d(1, 2, 3, pading=1)
  |                       ^^^^^^
  |
  = note: `Conv2d` is declared at prelude/conv.nn:3:8
help: `padding` has a similar name
4 |   c = Conv2d(1, 2, 3, padding=1)
  |                       ~~~~~~~

error[E0403]: `d_out` of `Linear` takes an int, this is a str
 --> model.nn:5:17
  |
5 |   d = Linear(4, "x")
  |                 ^^^
  |
 ::: prelude/linear.nn:3:33
  |
3 | module Linear(d_in: int, d_out: int, bias: bool = true) {
  |                                 --- declared here
)");
}

TEST(NameErrors, LocalsDoNotHideMembers) {
  EXPECT_EQ(compiled(model("  a = Linear(4, 4)\n", "    a = 3\n    return x\n")),
            R"(error[E0203]: `a` is a member of `M` already
 --> model.nn:4:5
  |
2 |   a = Linear(4, 4)
  |   - the member
4 |     a = 3
  |     ^ a local may not hide it
)");
}

TEST(NameErrors, MembersAreEvaluatedInOrder) {
  EXPECT_EQ(compiled(model("  a = b + 1\n  b = 2\n", "    return x\n")),
            R"(error[E0201]: unknown name `b`
 --> model.nn:2:7
  |
2 |   a = b + 1
  |       ^ not defined here
  |
  = note: members are evaluated in order; this one comes later at model.nn:3:3
)");
}

TEST(NameErrors, UnknownMembers) {
  EXPECT_EQ(compiled(model("  a = Linear(4, 4)\n", "    return a.forwad(x)\n")),
            R"(error[E0204]: an instance of `Linear` has no member `forwad`
 --> model.nn:4:14
  |
4 |     return a.forwad(x)
  |              ^^^^^^
  |
help: `forward` has a similar name
4 |     return a.forward(x)
  |              ~~~~~~~
)");
}

TEST(NameErrors, DefinedTwice) {
  EXPECT_EQ(compiled("fn q() = 3\nfn q() = 4\n" + model("", "    return x\n")),
            R"(error[E0202]: `q` is defined twice
 --> model.nn:2:4
  |
1 | fn q() = 3
  |    - first defined here
2 | fn q() = 4
  |    ^ defined again here
)");
}

TEST(NameErrors, AnUnknownAttribute) {
  EXPECT_EQ(compiled("@precison(bf16)\n" + model("", "    return x\n")),
            R"(error[E0211]: unknown attribute `@precison`
 --> model.nn:1:2
  |
1 | @precison(bf16)
  |  ^^^^^^^^
  |
help: `@precision` has a similar name
1 | @precision(bf16)
  |  ~~~~~~~~~
)");
}

} // namespace nnc::frontend::testing
