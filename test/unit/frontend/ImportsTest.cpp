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

TEST_F(Imports, PackagesAreRefusedWhereTheyAreUsed) {
  EXPECT_EQ(compile("import std.vision (ResNet)\n" + model("", "    return x\n")), "");
  EXPECT_EQ(firstLine(compile("import std.vision (ResNet)\n" +
                              model("  r = ResNet(3)\n", "    return x\n"))),
            "error[E0590]: packages of the library cannot be imported yet");
}

TEST_F(Imports, FilesMayImportEachOther) {
  std::ofstream(folder / "a.nn") << "import \"b.nn\" (y)\nx = y\n";
  std::ofstream(folder / "b.nn") << "import \"a.nn\" (x)\ny = x\n";
  EXPECT_EQ(firstLine(compile("import \"a.nn\" (x)\n" + model("  k = x\n", "    return x\n"))),
            "error[E0505]: `x` is defined by itself");
}

} // namespace nnc::frontend::testing
