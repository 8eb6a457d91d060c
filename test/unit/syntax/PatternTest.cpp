//===- PatternTest.cpp - Patterns inside of strings -----------------------------------------===//

#include "TestSource.h"

#include <gtest/gtest.h>

using namespace nnc::syntax;

namespace {

/// The pattern printed, or the error.
std::string pattern(const std::string &text) {
  TestSource source("x |> rearrange(\"" + text + "\")\n");
  ExprPtr expr = parseExpression(source.sources, source.file, source.diags);
  const auto &call = expr->get<PipeExpr>().stages.front().expr->get<CallExpr>();
  std::optional<Pattern> result =
      parsePattern(call.args.front().value->get<StringExpr>(), source.diags);
  return result ? printPattern(*result) : source.rendered();
}

TEST(Pattern, SingleSpaced) {
  EXPECT_EQ(pattern("b  c h w->b (c  h w )"), "b c h w -> b (c h w)");
  EXPECT_EQ(pattern("B K G T D,B K S D -> B K G T S"), "B K G T D, B K S D -> B K G T S");
  EXPECT_EQ(pattern("... c -> 1 ... (c 2)"), "... c -> 1 ... (c 2)");
  EXPECT_EQ(pattern("a ->"), "a ->");
  EXPECT_EQ(pattern("-> a ()"), "-> a ()");
}

TEST(Pattern, Errors) {
  EXPECT_EQ(pattern("b (c h"), "error[E0118]: this `(` is never closed\n"
                               " --> test.nn:1:19\n"
                               "  |\n"
                               "1 | x |> rearrange(\"b (c h\")\n"
                               "  |                   ^\n");
  EXPECT_EQ(pattern("b c"), "error[E0118]: expected `->` in this pattern\n"
                            " --> test.nn:1:20\n"
                            "  |\n"
                            "1 | x |> rearrange(\"b c\")\n"
                            "  |                    ^\n");
  EXPECT_EQ(pattern("b é -> b"),
            "error[E0118]: expected an axis: a name, a number, `...` or a group in parentheses\n"
            " --> test.nn:1:19\n"
            "  |\n"
            "1 | x |> rearrange(\"b é -> b\")\n"
            "  |                   ^\n");
  EXPECT_EQ(pattern("... ... -> a"), "error[E0118]: a side has at most one `...`\n"
                                     " --> test.nn:1:21\n"
                                     "  |\n"
                                     "1 | x |> rearrange(\"... ... -> a\")\n"
                                     "  |                     ^^^\n");
  EXPECT_EQ(pattern("a 2b -> a"), "error[E0118]: `2b` is neither a name nor a size\n"
                                  " --> test.nn:1:19\n"
                                  "  |\n"
                                  "1 | x |> rearrange(\"a 2b -> a\")\n"
                                  "  |                   ^^\n");
}

} // namespace
