// No input hangs the front end, exhausts memory or the stack.
#include "test/unit/frontend/Compiling.h"

#include <chrono>
#include <gtest/gtest.h>

namespace nnc::frontend::testing {

static std::string firstLine(const std::string &text) { return text.substr(0, text.find('\n')); }

TEST(Limits, HugeRanges) {
  EXPECT_EQ(
      firstLine(compiled(model("", "    for i in 0..1000000000000 { x = x + 1 }\n    return x\n"))),
      "error[E0506]: this holds more than 200000 values");
}

TEST(Limits, NestedLoops) {
  EXPECT_EQ(firstLine(compiled(model("", "    for i in 0..9999 { for j in 0..9999 { x = x + 1 } }\n"
                                         "    return x\n"))),
            "error[E0506]: this model unrolls to more than 200000 operations");
  EXPECT_EQ(firstLine(compiled(model("", "    for i in 0..9999 { for j in 0..9999 { k = i + j } }\n"
                                         "    return x\n"))),
            "error[E0506]: this model takes too long to build");
}

TEST(Limits, ListsThatDouble) {
  std::string members = "  a0 = [1, 2]\n";
  for (int i = 1; i < 60; ++i)
    members += "  a" + std::to_string(i) + " = [a" + std::to_string(i - 1) + ", a" +
               std::to_string(i - 1) + "]\n";
  EXPECT_EQ(firstLine(compiled(model(members, "    return x\n"))),
            "error[E0506]: this holds more than 200000 values");
}

TEST(Limits, ModulesThatDouble) {
  std::string members = "  m0 = Linear(4, 4)\n";
  for (int i = 1; i < 60; ++i)
    members += "  m" + std::to_string(i) + " = Pair(m" + std::to_string(i - 1) + ")\n";
  EXPECT_EQ(firstLine(compiled("module Pair(f: fn) {\n  b = [f, f]\n"
                               "  fn forward(x: float[B, 4]) = b(x)\n}\n" +
                               model(members, "    return m59(x)\n"))),
            "error[E0506]: this holds more than 200000 values");
}

TEST(Limits, FunctionsOfModulesThatDouble) {
  std::string members = "  m0 = Linear(4, 4)\n";
  for (int i = 1; i < 60; ++i)
    members += "  m" + std::to_string(i) + " = Pair(m" + std::to_string(i - 1) + ".forward)\n";
  EXPECT_EQ(firstLine(compiled("module Pair(f: fn) {\n  b = [f, f]\n"
                               "  fn forward(x: float[B, 4]) = b(x)\n}\n" +
                               model(members, "    return m59(x)\n"))),
            "error[E0506]: this holds more than 200000 values");
}

/// A member may hold a function of its own module.
TEST(Limits, ModulesThatReachThemselves) {
  Compilation run(
      "model M {\n  fc = Linear(4, 4)\n  stages = [fc, twice, relu]\n"
      "  fn twice(x: float[B, 4]) -> float[B, 4] = fc(x) * 2\n"
      "  fn forward(x: float[B, 4]) -> float[B, 4] requires B in 1..=4 = stages(x)\n}\n");
  run.emit();
  EXPECT_EQ(run.messages(), "warning[W0901]: `B` of entry point `twice` has no range\n"
                            " --> model.nn:4:21\n"
                            "  |\n"
                            "4 |   fn twice(x: float[B, 4]) -> float[B, 4] = fc(x) * 2\n"
                            "  |                     ^ 1..=1024 is assumed\n"
                            "  |\n"
                            "help: state one: `requires B in 1..=64`\n");
  EXPECT_EQ(run.info.slots.size(), 2u);
}

TEST(Limits, LongChainsOfCalls) {
  std::string text = "fn g0(x: float[B, 4]) -> float[B, 4] = x\n";
  for (int i = 1; i < 500; ++i)
    text += "fn g" + std::to_string(i) + "(x: float[B, 4]) -> float[B, 4] = g" +
            std::to_string(i - 1) + "(x)\n";
  EXPECT_EQ(firstLine(compiled(text + model("", "    return g499(x)\n"))),
            "error[E0505]: more than 64 calls are within each other");
}

TEST(Limits, DeepExpressions) {
  std::string sum = "x";
  for (int i = 0; i < 900; ++i)
    sum += " + 1";
  EXPECT_EQ(compiled(model("", "    return " + sum + "\n")), "");
  std::string text = "fn g0(n: int) = n";
  for (int i = 0; i < 50; ++i)
    text += "\nfn g" + std::to_string(i + 1) + "(n: int) = g" + std::to_string(i) + "(n)" + [] {
      std::string ones;
      for (int j = 0; j < 900; ++j)
        ones += " + 1";
      return ones;
    }();
  EXPECT_EQ(firstLine(compiled(text + "\n" + model("  k = g50(1)\n", "    return x\n"))),
            "error[E0506]: expressions and calls nest too deeply here");
}

TEST(Limits, HugeTensors) {
  EXPECT_EQ(firstLine(compiled(model("  l = Linear(9999999999, 9999999999)\n", "    return x\n"))),
            "error[E0506]: this tensor is too large");
}

} // namespace nnc::frontend::testing
