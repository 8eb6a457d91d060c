// What happens at build time: guards, conditions, stages, slots with conditions, recursion.
#include "test/unit/frontend/Compiling.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

TEST(BuildTime, AGuardThatDoesNotHold) {
  std::string text = Compilation::read("test/unit/frontend/models/bert.nn");
  size_t at = text.find("heads: int = 12");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 15, "heads: int = 10");
  EXPECT_EQ(checked(text, "bert.nn"),
            R"(error[E0501]: `BertLayer` requires `dim % heads == 0`, but 768 % 10 is 8
  --> bert.nn:27:13
   |
27 |   layers = [BertLayer(dim, heads, 4 * dim) for _ in 0..depth] as "encoder.layer"
   |             ^^^^^^^^^ dim = 768, heads = 10
   |
   = note: `heads` = 10 is the default at bert.nn:21:52
   = note: required at bert.nn:2:59
)");
}

TEST(BuildTime, ARunTimeCondition) {
  EXPECT_EQ(compiled(R"nn(model M() {
  state pos: i32[] = 0
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=4 {
    if pos > 0 { x = x[:, -1:] }
    return x
  }
}
)nn"),
            R"(error[E0502]: `if` needs a build-time condition
 --> model.nn:4:8
  |
4 |     if pos > 0 { x = x[:, -1:] }
  |        ^^^^^^^ `pos` is a state, known only at run time
  |
help: to choose between two values at run time, use `where(cond, a, b)`
)");
}

TEST(BuildTime, AComparisonOfDimensions) {
  EXPECT_EQ(compiled(model("", "    if B == 2 { x = x + 1 }\n    return x\n")),
            R"(error[E0502]: this comparison is not decided at build time
 --> model.nn:3:8
  |
3 |     if B == 2 { x = x + 1 }
  |        ^^^^^^ compares B with 2
  |
help: sizes that are known only at run time can be restricted by `requires`
)");
  EXPECT_EQ(compiled(model("", "    if B <= 4 and B != 7 { x = x + 1 }\n    return x\n")), "");
}

TEST(BuildTime, AModuleMadeInATensorFunction) {
  EXPECT_EQ(compiled(model("", "    return x |> Linear(4, 4)\n")),
            R"(error[E0503]: `Linear` is made inside a tensor function
 --> model.nn:3:17
  |
3 |     return x |> Linear(4, 4)
  |                 ^^^^^^ `forward` runs on tensors; modules are made at build time
  |
help: bind it to a member of the module, `name = Linear(...)`, and call that
)");
}

TEST(BuildTime, AModuleOfTheFileThatNothingOwns) {
  EXPECT_EQ(compiled("fc = Linear(4, 4)\n" + model("", "    return x |> fc\n")),
            R"(error[E0503]: `fc` has parameters and is no member of what uses it
 --> model.nn:4:17
  |
1 | fc = Linear(4, 4)
  |      ------------ made here
4 |     return x |> fc
  |                 ^^ so they have no keys here
  |
help: bind it to a member of the module that calls it, or pass it as an argument
)");
  // Of the model, but out of reach of a function that has it from the file.
  EXPECT_EQ(compiled("fc = Linear(4, 4)\nfn f(x: float[B, 4]) = x |> fc\n" +
                     model("  own = fc\n", "    return f(x)\n")),
            R"(error[E0503]: `fc` has parameters and is no member of what uses it
 --> model.nn:2:29
  |
1 | fc = Linear(4, 4)
  |      ------------ made here
2 | fn f(x: float[B, 4]) = x |> fc
  |                             ^^ so they have no keys here
  |
help: bind it to a member of the module that calls it, or pass it as an argument
)");
  EXPECT_EQ(compiled("fc = Linear(4, 4)\n" + model("  own = fc\n", "    return x |> own |> fc\n")),
            "");
  EXPECT_EQ(compiled("drop = [Dropout(0.5), relu]\n" + model("", "    return x |> drop\n")), "");
}

TEST(BuildTime, ASlotThatDoesNotExist) {
  EXPECT_EQ(compiled(R"nn(module L(bias: bool) {
  param b: float[4] = 0 if bias
  fn forward(x: float[B, 4]) = x + b
}
)nn" + model("  a = L(false)\n", "    return a(x)\n")),
            R"(error[E0504]: `b` does not exist here
 --> model.nn:3:36
  |
2 |   param b: float[4] = 0 if bias
  |                            ---- the condition, false in this instance
3 |   fn forward(x: float[B, 4]) = x + b
  |                                    ^ used without its condition
  |
  = note: in a
)");
}

TEST(BuildTime, NoRecursion) {
  std::string note = "\n  |\n  = note: there is no recursion; repeat with `for` and lists\n";
  EXPECT_EQ(
      compiled("fn f(x: float[B, 4]) -> float[B, 4] = f(x)\n" + model("", "    return f(x)\n")),
      R"(error[E0505]: `f` is used within itself
 --> model.nn:1:39
  |
1 | fn f(x: float[B, 4]) -> float[B, 4] = f(x)
  |                                       ^)" +
          note);
  EXPECT_EQ(compiled("module A(n: int) {\n  a = A(n - 1)\n}\n" +
                     model("  a = A(3)\n", "    return x\n")),
            R"(error[E0505]: `A` is used within itself
 --> model.nn:2:7
  |
2 |   a = A(n - 1)
  |       ^)" + note);
  EXPECT_EQ(compiled("a = b\nb = a\n" + model("", "    return x * a\n")),
            R"(error[E0505]: `a` is defined by itself
 --> model.nn:2:5
  |
1 | a = b
  | - its definition
2 | b = a
  |     ^
)");
}

TEST(BuildTime, Arithmetic) {
  EXPECT_EQ(compiled(model("  k = n / 0\n", "    return x\n")), R"(error[E0507]: division by zero
 --> model.nn:2:9
  |
2 |   k = n / 0
  |         ^ 3 / 0
)");
  EXPECT_EQ(compiled(model("  k = 9223372036854775807 + n\n", "    return x\n")),
            R"(error[E0507]: this number is out of range
 --> model.nn:2:27
  |
2 |   k = 9223372036854775807 + n
  |                           ^ 9223372036854775807 + 3
)");
}

TEST(BuildTime, NumbersAndListsOfThem) {
  EXPECT_EQ(
      compiled(model("  a = [int(2.9), int(-2.9), int(n), int(n == 3), floor(2.5), ceil(2.5), "
                     "round(2.5), round(n * 0.9), floor(-0.5)]\n"
                     "  ok = [L() for _ in 0..1 if a == [2, -2, 3, 1, 2, 3, 2, 3, -1] and "
                     "sum(a) == 13 and max(a) == 3 and min(a) == -2 and sum([]) == 0 and "
                     "sum([1, 0.5]) == 1.5 and max([1, 2.5]) == 2.5 and len([0] + a) == 10]\n",
                     "    y = x\n    for l in ok { y = l(y) }\n"
                     "    return y[:, 0:len(ok) * sum([n, 1])]\n") +
               "module L() {\n  fn forward(x: float[...S]) -> float[...S] = x + 1\n}\n"),
      "");
}

TEST(BuildTime, ListsLoopsAndComprehensions) {
  EXPECT_EQ(
      compiled(model("  a = [i * 2 for i in 0..=n if i != 1]\n"
                     "  b = a + [len(a), a[-1]]\n"
                     "  c, d = (b[1:3], [x + y for x, y in zip(a, reverse(a))])\n"
                     "  e = [i * v for i, v in enumerate(d)]\n"
                     "  ok = [L() for _ in 0..1 if b == [0, 4, 6, 3, 6] and c == [4, 6] and "
                     "e == [0, 8, 12] and 3 in b and n in 1..4 and not (7 in a)]\n",
                     "    y = x\n    for l in ok { y = l(y) }\n    return y[:, 0:len(ok) * 4]\n") +
               "module L() {\n  fn forward(x: float[...S]) -> float[...S] = x + 1\n}\n"),
      "");
}

TEST(BuildTime, StagesAreFunctionsWithoutTheirFirstArgument) {
  Compilation run(
      "fn scale(x: float[...S], by: float, plus: float = 0) -> float[...S] = x * by + plus\n" +
      model("  seq = [scale(2, plus=1), relu, softmax(axis=-1), []]\n",
            "    return x |> seq |> scale(0.5)\n"));
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  EXPECT_NE(text.find("nn.softmax"), std::string::npos) << text;
  EXPECT_NE(text.find("2.000000e+00"), std::string::npos) << text;
  EXPECT_NE(text.find("5.000000e-01"), std::string::npos) << text;
}

TEST(BuildTime, DesignedModelsCompile) {
  EXPECT_EQ(compiled(Compilation::read("test/unit/frontend/models/lstm.nn")), "");
  EXPECT_EQ(compiled(Compilation::read("test/unit/frontend/models/llama.nn")), "");
}

} // namespace nnc::frontend::testing
