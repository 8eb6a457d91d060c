// Texts around kernels: what translation units look like, and which sources are shared.
#include "codegen/cuda/CodeWriter.h"
#include "codegen/cuda/Cubin.h"

#include <gtest/gtest.h>

using namespace nnc::codegen;

namespace {

TEST(CodeWriter, LinesOfOuterScopesComeFirst) {
  CodeWriter out;
  out.line("a;");
  out.open("for (;;)");
  out.line("c;");
  out.open("if (x)");
  out.line("d;");
  auto inner = out.suspend(0);
  out.line("b;");
  out.resume(std::move(inner));
  out.close();
  out.close();
  EXPECT_EQ(out.take(), "a;\nb;\nfor (;;) {\n  c;\n  if (x) {\n    d;\n  }\n}\n");
}

TEST(TranslationUnit, HoldsTheHeadersAndKeepsLineNumbers) {
  std::string source = "#include \"prelude.cuh\"\n#include \"gemm.cuh\"\n\nint x;\n";
  std::string unit = translationUnit(source);
  EXPECT_EQ(unit.find("#include \"prelude.cuh\""), std::string::npos);
  EXPECT_NE(unit.find("#line 1 \"prelude.cuh\"\n"), std::string::npos);
  EXPECT_NE(unit.find("struct GemmTile"), std::string::npos);
  EXPECT_TRUE(unit.ends_with("#line 3 \"kernel.cu\"\n\nint x;\n")) << unit.substr(unit.size() - 60);
}

TEST(TranslationUnit, KeepsOtherIncludes) {
  EXPECT_EQ(translationUnit("#include \"other.h\"\n"), "#include \"other.h\"\n");
}

} // namespace
