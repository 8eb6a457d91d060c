// Attributes: where each may stand, and what is wrong with their arguments.
#include "test/unit/frontend/Compiling.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <gtest/gtest.h>

namespace nnc::frontend::testing {

TEST(Attributes, WhereverTheLanguageAllowsThem) {
  EXPECT_EQ(compiled(R"nn(
@precision(f32)
module Block(n: int) {
  @frozen
  param w: float[n] = 1
  @frozen
  buffer b: float[n] = 0
  @remat
  @precision(f32)
  fn forward(x: float[B, n]) -> float[B, n] = x * w + b
}
@remat
fn twice(x: float[...S]) -> float[...S] = x + x
@precision(f32)
@quant("head.weight", i8, group=2, act=i8, zero=true)
@quant("**.weight", f8e4m3)
model M() {
  @frozen
  @remat
  @precision(f32)
  block = Block(4)
  head = Linear(4, 4)
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=4 = x |> block |> twice |> head
}
)nn"),
            "");
}

/// Calls of what is marked are marked, and no others.
TEST(Attributes, RematMarksCalls) {
  Compilation compilation(R"nn(module Block(n: int) {
  param w: float[n] = 1
  fn forward(x: float[B, n]) -> float[B, n] = x * w
}
@remat
fn twice(x: float[...S]) -> float[...S] = x + x
model M() {
  plain = Block(4)
  @remat
  again = [Block(4) for _ in 0..2]
  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=4 = x |> plain |> again |> twice
}
)nn");
  compilation.emit();
  ASSERT_EQ(compilation.messages(), "");
  std::vector<std::string> marked, others;
  compilation.module->walk([&](mlir::func::CallOp call) {
    auto mark = mlir::dyn_cast<mlir::FusedLoc>(call.getLoc());
    mlir::Location inner = mark ? mark.getLocations().front() : call.getLoc();
    (mark ? marked : others).push_back(mlir::cast<mlir::NameLoc>(inner).getName().str());
    if (mark)
      EXPECT_EQ(mlir::cast<mlir::StringAttr>(mark.getMetadata()).getValue(), "remat");
  });
  EXPECT_EQ(marked, (std::vector<std::string>{"again.0", "again.1", "twice"}));
  EXPECT_EQ(others, std::vector<std::string>{"plain"});
}

TEST(Attributes, InTheWrongPlace) {
  EXPECT_EQ(checked(R"nn(@quant("**", i8)
fn f(x: float[4]) -> float[4] = x
@remat
module M() {
  @precision(bf16)
  param w: float[4] = 1
  @kernel("k")
  state s: f32[] = 0
}
@frozen
n = 3
)nn"),
            R"(error[E0213]: `@quant` says nothing about a function
 --> model.nn:1:1
  |
1 | @quant("**", i8)
  | ^^^^^^^^^^^^^^^^
  |
  = note: it belongs on a model

error[E0213]: `@remat` says nothing about a module
 --> model.nn:3:1
  |
3 | @remat
  | ^^^^^^
  |
  = note: it belongs on a binding in a module or a function

error[E0213]: `@precision` says nothing about a param or a buffer
 --> model.nn:5:3
  |
5 |   @precision(bf16)
  |   ^^^^^^^^^^^^^^^^
  |
  = note: it belongs on a model, a module, a train block, a function or a binding in a module

error[E0213]: `@kernel` says nothing about a state
 --> model.nn:7:3
  |
7 |   @kernel("k")
  |   ^^^^^^^^^^^^
  |
  = note: it belongs on a function

error[E0213]: `@frozen` says nothing about a constant of the file
  --> model.nn:10:1
   |
10 | @frozen
   | ^^^^^^^
   |
   = note: it belongs on a param, a buffer or a binding in a module
)");
}

TEST(Attributes, Twice) {
  EXPECT_EQ(compiled("@precision(bf16)\n@precision(f16)\n" + model("", "    return x\n")),
            R"(error[E0213]: `@precision` stands here twice
 --> model.nn:2:1
  |
1 | @precision(bf16)
  | ---------------- first here
2 | @precision(f16)
  | ^^^^^^^^^^^^^^^
)");
}

TEST(Attributes, UnknownInAMember) {
  EXPECT_EQ(compiled(model("  @frozn\n  param w: float[4] = 1\n", "    return x\n")),
            R"(error[E0211]: unknown attribute `@frozn`
 --> model.nn:2:4
  |
2 |   @frozn
  |    ^^^^^
  |
help: `@frozen` has a similar name
2 |   @frozen
  |    ~~~~~~
)");
}

TEST(Attributes, ArgumentsOfFrozen) {
  EXPECT_EQ(compiled(model("  @frozen(true)\n  param w: float[4] = 1\n", "    return x\n")),
            R"(error[E0205]: `@frozen` takes no arguments
 --> model.nn:2:11
  |
2 |   @frozen(true)
  |           ^^^^
)");
}

TEST(Attributes, ArgumentsOfPrecision) {
  auto messages = [](const std::string &attribute) {
    return compiled(attribute + "\n" + model("", "    return x\n"));
  };
  EXPECT_EQ(messages("@precision"), R"(error[E0205]: `@precision` needs an element type
 --> model.nn:1:1
  |
1 | @precision
  | ^^^^^^^^^^
  |
help: write one: `@precision(bf16)`
)");
  EXPECT_EQ(messages("@precision(i8)"),
            R"(error[E0403]: the precision of `float` is one of f32, f16, bf16
 --> model.nn:1:12
  |
1 | @precision(i8)
  |            ^^ this is i8
  |
help: weights are stored in fewer bits by `@quant("**.weight", i8)`
)");
  EXPECT_EQ(messages("@precision(bf16, params=i8)"),
            R"(error[E0403]: the storage of params is one of f32, f16, bf16, f8e4m3, f8e5m2
 --> model.nn:1:25
  |
1 | @precision(bf16, params=i8)
  |                         ^^ this is i8
)");
  EXPECT_EQ(messages("@precision(bf16, storage=f32)"),
            R"(error[E0205]: `@precision` takes an element type and `params=`
 --> model.nn:1:18
  |
1 | @precision(bf16, storage=f32)
  |                  ^^^^^^^^^^^
)");
}

TEST(Attributes, ArgumentsOfQuant) {
  auto messages = [](const std::string &attribute) {
    return compiled(attribute + "\n" + model("  fc = Linear(4, 4)\n", "    return fc(x)\n"));
  };
  EXPECT_EQ(messages("@quant(\"**\")"),
            R"(error[E0205]: `@quant` needs a glob of keys and an element type
 --> model.nn:1:1
  |
1 | @quant("**")
  | ^^^^^^^^^^^^
  |
help: for example `@quant("**.weight", i8)`
)");
  EXPECT_EQ(messages("@quant(\"**\", f16)"),
            R"(error[E0403]: the storage of quantized values is one of i8, i4, f8e4m3
 --> model.nn:1:14
  |
1 | @quant("**", f16)
  |              ^^^ this is f16
)");
  EXPECT_EQ(messages("@quant(\"**\", i8, group=0)"),
            R"(error[E0507]: `group` is a number of weights, at least 1
 --> model.nn:1:24
  |
1 | @quant("**", i8, group=0)
  |                        ^ this is 0
)");
  EXPECT_EQ(messages("@quant(\"**\", f8e4m3, zero=true)"),
            R"(error[E0507]: f8e4m3 has no zero point
 --> model.nn:1:1
  |
1 | @quant("**", f8e4m3, zero=true)
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = note: `zero=true` shifts integers, so that a range that is not symmetric uses all of them
)");
  EXPECT_EQ(messages("@quant(\"**\", i8, bits=4)"),
            R"(error[E0205]: `@quant` takes a glob, an element type, `group=`, `act=` and `zero=`
 --> model.nn:1:18
  |
1 | @quant("**", i8, bits=4)
  |                  ^^^^^^
)");
}

TEST(Attributes, QuantMatchesNothing) {
  auto messages = [](const std::string &glob) {
    return compiled("@quant(\"" + glob + "\", i8)\n" +
                    model("  fc = Linear(4, 4)\n", "    return fc(x)\n"));
  };
  EXPECT_EQ(messages("fc.weigth"),
            R"(error[E0706]: no weight matches `fc.weigth`
 --> model.nn:1:8
  |
1 | @quant("fc.weigth", i8)
  |        ^^^^^^^^^^^
  |
  = note: `*` stands for one step of a key, `**` for any number; `nnc keys` lists them
help: `fc.weight` is similar
1 | @quant("fc.weight", i8)
  |        ~~~~~~~~~~~
)");
  EXPECT_EQ(messages("*.bias"),
            R"(error[E0706]: no weight matches `*.bias`
 --> model.nn:1:8
  |
1 | @quant("*.bias", i8)
  |        ^^^^^^^^
  |
  = note: `fc.bias` does, but only params of floats with at least 2 axes are quantized
)");
}

TEST(Attributes, StorageTypesAreNotComputedWith) {
  EXPECT_EQ(compiled(model("  param w: f8e4m3[4] = 1\n", "    return x * float(w + w)\n")),
            R"(error[E0403]: `+` needs numbers, found f8e4m3
 --> model.nn:4:24
  |
4 |     return x * float(w + w)
  |                      - ^
  |                      |
  |                      f8e4m3[4]
  |
help: cast it to float
4 |     return x * float(float(w) + w)
  |                      ++++++ +
)");
  EXPECT_EQ(compiled(model("", "    return float(i4(x)) + x @ i4(full([4, 4], 3))\n")), "");
  EXPECT_EQ(compiled(model("", "    return float(zeros([4], i4))\n")),
            R"(error[E0590]: `zeros` makes no tensors of i4 yet
 --> model.nn:3:29
  |
3 |     return float(zeros([4], i4))
  |                             ^^
  |
  = note: a cast does
)");
  EXPECT_EQ(compiled(model("  state s: i4[4] = 0\n", "    return x\n")),
            R"(error[E0590]: states of i4 are not supported yet
 --> model.nn:2:12
  |
2 |   state s: i4[4] = 0
  |            ^^
)");
}

TEST(Attributes, ProductsReadStorageTypes) {
  Compilation run(model("  param w: f8e4m3[4, 4] = 1\n  param q: i4[4, 5] = 1\n",
                        "    return x @ w + (x @ q)[:, 1:]\n"));
  EXPECT_EQ(run.emit().messages(), "");
  std::string text = run.ir();
  for (std::string line :
       {"nn.cast %0 : tensor<4x4xf8E4M3FN> -> tensor<4x4xf32>", "nn.global @q : tensor<4x3xi8>",
        "nn.dequantize %1 {packed} : (tensor<4x3xi8>) -> tensor<4x5xi8>",
        "nn.cast %4 : tensor<4x5xi8> -> tensor<4x5xf32>"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
}

} // namespace nnc::frontend::testing
