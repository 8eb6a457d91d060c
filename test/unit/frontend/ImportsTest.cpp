// Imports of files beside the model.
#include "test/unit/frontend/Compiling.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace nnc::frontend::testing {

class Imports : public ::testing::Test {
protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() /
             ("nnc-imports-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) +
              ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "lib.nn") << "import \"lib2.nn\" (width)\n"
                                        "module Foo() {\n"
                                        "  l = Linear(width, width)\n"
                                        "  fn forward(x: float[B, width]) = l(x)\n"
                                        "}\n"
                                        "_private = 3\n";
    std::ofstream(folder / "lib2.nn") << "width = 4\n";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string compile(const std::string &text) {
    return Compilation(text, {}, (folder / "model.nn").string()).emit().messages();
  }
  std::filesystem::path folder;
};

static std::string firstLine(const std::string &text) { return text.substr(0, text.find('\n')); }

TEST_F(Imports, NamesAndNamespaces) {
  EXPECT_EQ(compile("import \"./lib.nn\" (Foo)\nimport \"lib.nn\" as lib\n" +
                    model("  a = Foo()\n  b = lib.Foo()\n", "    return x |> a |> b\n")),
            "");
}

TEST_F(Imports, WhatIsNotThere) {
  EXPECT_EQ(
      firstLine(compile("import \"lib.nn\" (Fob)\n" + model("  a = Fob()\n", "    return x\n"))),
      "error[E0206]: `" + (folder / "lib.nn").string() + "` has no `Fob`");
  EXPECT_EQ(firstLine(compile("import \"lib.nn\" (_private)\n" +
                              model("  a = _private\n", "    return x\n"))),
            "error[E0206]: `_private` is private to its file");
  EXPECT_EQ(
      firstLine(compile("import \"none.nn\" (Foo)\n" + model("  a = Foo()\n", "    return x\n"))),
      "error[E0206]: cannot read '" + (folder / "none.nn").string() +
          "': No such file or directory");
}

/// What is not there is told whether it is used or not, and once.
TEST_F(Imports, EveryImportIsChecked) {
  EXPECT_EQ(firstLine(compile("import \"none.nn\" as n\n" + model("", "    return x\n"))),
            "error[E0206]: cannot read '" + (folder / "none.nn").string() +
                "': No such file or directory");
  std::string text = compile("import \"lib.nn\" (Fob)\n" +
                             model("  a = Fob()\n  b = Fob()\n", "    return x |> a |> b\n"));
  std::string place = (folder / "model.nn").string();
  EXPECT_EQ(text, "error[E0206]: `" + (folder / "lib.nn").string() + "` has no `Fob`\n --> " +
                      place +
                      ":1:18\n  |\n1 | import \"lib.nn\" (Fob)\n  |                  ^^^\n  |\n"
                      "help: `Foo` has a similar name\n1 | import \"lib.nn\" (Foo)\n"
                      "  |                  ~~~\n");
  std::ofstream(folder / "broken.nn") << "x = = 3\n";
  EXPECT_EQ(
      firstLine(compile("import \"broken.nn\" (y)\n" + model("", "    return x\n"))).substr(0, 12),
      "error[E0101]");
}

TEST_F(Imports, Packages) {
  EXPECT_EQ(compile("import std.vision (ConvBlock)\nimport std.text as text\n"
                    "import std.vision as v\n" +
                    model("  a = text.SwiGLU(4, 8)\n  k = v.Bottleneck.expansion\n",
                          "    return a(x) * k\n")),
            "");
  EXPECT_EQ(compile("import std (Linear)\nimport std as s\n" +
                    model("  a = Linear(4, 4)\n", "    return x |> a |> s.relu\n")),
            "");
  EXPECT_EQ(firstLine(compile("import std (Linaer)\n" + model("", "    return x\n"))),
            "error[E0206]: `std` has no `Linaer`");
  EXPECT_EQ(compile("import std.visoin (ResNet)\n" + model("", "    return x\n")),
            "error[E0206]: there is no package `std.visoin`\n --> " +
                (folder / "model.nn").string() +
                ":1:8\n  |\n1 | import std.visoin (ResNet)\n  |        ^^^^^^^^^^\n  |\n"
                "help: `vision` has a similar name\n1 | import std.vision (ResNet)\n"
                "  |            ~~~~~~\n");
  EXPECT_EQ(firstLine(compile("import numpy as np\n" + model("", "    return x\n"))),
            "error[E0206]: only packages of `std` have names");
  EXPECT_EQ(firstLine(compile("import std.vision (_stage)\n" + model("", "    return x\n"))),
            "error[E0206]: `_stage` is private to its file");
  EXPECT_EQ(
      firstLine(compile("import std.vision as v\n" + model("  a = v.ResNot\n", "    return x\n"))),
      "error[E0206]: `std/vision.nn` has no `ResNot`");
}

TEST_F(Imports, Cycles) {
  std::ofstream(folder / "a.nn") << "import \"b.nn\" (y)\nx = 1\n";
  std::ofstream(folder / "b.nn") << "import \"c.nn\" as c\ny = 2\n";
  std::ofstream(folder / "c.nn") << "import \"a.nn\" (x)\nz = x\n";
  std::string at = folder.string() + "/";
  EXPECT_EQ(compile("import \"a.nn\" (x)\n" + model("  k = x\n", "    return x\n")),
            "error[E0206]: `" + at + "a.nn` imports itself\n --> " + at +
                "c.nn:1:8\n  |\n1 | import \"a.nn\" (x)\n  |        ^^^^^^\n  |\n"
                "  = note: `" +
                at + "b.nn` is imported by `" + at + "a.nn` at " + at + "a.nn:1:8\n  = note: `" +
                at + "c.nn` is imported by `" + at + "b.nn` at " + at + "b.nn:1:8\n");
  std::ofstream(folder / "self.nn") << "import \"self.nn\" (x)\n";
  EXPECT_EQ(firstLine(compile("import \"self.nn\" as s\n" + model("", "    return x\n"))),
            "error[E0206]: `" + at + "self.nn` imports itself");
}

/// Two ways to one file are no cycle, and give one class.
TEST_F(Imports, DiamondsAreFine) {
  std::ofstream(folder / "base.nn") << "width = 4\n";
  std::ofstream(folder / "l.nn") << "import \"base.nn\" (width)\nl = width\n";
  std::ofstream(folder / "r.nn") << "import \"./base.nn\" (width)\nr = width\n";
  EXPECT_EQ(compile("import \"l.nn\" (l)\nimport \"r.nn\" (r)\n" +
                    model("  a = Linear(l, r)\n", "    return a(x)\n")),
            "");
}

} // namespace nnc::frontend::testing
