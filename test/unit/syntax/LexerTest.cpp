//===- LexerTest.cpp - Tokens and the rules of line breaks ----------------------------------===//

#include "TestSource.h"

#include <gtest/gtest.h>

using namespace nnc::syntax;

namespace {

/// The kinds of the tokens, `\n` for a line end: "Name Assign Int \n".
std::string kinds(const std::string &text) {
  TestSource source(text);
  std::string out;
  for (const Token &token : lex(source.sources, source.file).tokens)
    if (token.kind != Tok::EndOfFile)
      out += (out.empty() ? "" : " ") +
             (token.kind == Tok::Newline ? "\\n" : std::string(kindName(token.kind)));
  return out;
}

TEST(Lexer, Dump) {
  TestSource source("## doc\nx = 20_000 # c\ny |> f8e4m3(\"a\\\"b\")\n");
  EXPECT_EQ(dumpTokens(source.sources, lex(source.sources, source.file)), "2:1 Name x\n"
                                                                          "2:3 Assign =\n"
                                                                          "2:5 Int 20_000\n"
                                                                          "2:15 Newline\n"
                                                                          "3:1 Name y\n"
                                                                          "3:3 Pipe |>\n"
                                                                          "3:6 ElF8E4M3 f8e4m3\n"
                                                                          "3:12 LParen (\n"
                                                                          "3:13 String \"a\\\"b\"\n"
                                                                          "3:19 RParen )\n"
                                                                          "4:1 EndOfFile\n");
}

TEST(Lexer, Operators) {
  EXPECT_EQ(kinds("+ - * ** / // % @ == != < <= <- > >= = -> |> | . .. ..= ... ? : ,"),
            "Plus Minus Star StarStar Slash SlashSlash Percent At EqEq NotEq Less LessEq LArrow "
            "Greater GreaterEq Assign Arrow Pipe Bar Dot DotDot DotDotEq Ellipsis Question Colon "
            "Comma");
}

TEST(Lexer, Numbers) {
  EXPECT_EQ(kinds("0..n"), "Int DotDot Name");
  EXPECT_EQ(kinds("1..=64"), "Int DotDotEq Int");
  EXPECT_EQ(kinds("0.5 1e-5 1.5E+3 2e8 10_000.0"), "Float Float Float Float Float");
  EXPECT_EQ(kinds("1.T"), "Int Dot Name");
  EXPECT_EQ(kinds("5x 0x1F 1_ 1__0 1e5x"), "BadNumber BadNumber BadNumber BadNumber BadNumber");
}

TEST(Lexer, BadTokens) {
  EXPECT_EQ(kinds("'a' \"b"), "BadString BadString");
  EXPECT_EQ(kinds("\"a\\q\""), "BadString");
  EXPECT_EQ(kinds("$ && é"), "BadCharacter BadCharacter BadCharacter");
  EXPECT_EQ(kinds("\"a\\"), "BadString");
}

TEST(Lexer, LineBreaksEndStatements) {
  EXPECT_EQ(kinds("x\ny"), "Name \\n Name");
  EXPECT_EQ(kinds("\n\nx\n\n # c\n\ny\n\n"), "Name \\n Name");
  EXPECT_EQ(kinds("x; y;;z;"), "Name \\n Name \\n Name");
  EXPECT_EQ(kinds("x\r\ny"), "Name \\n Name");
}

TEST(Lexer, NoLineBreakInBrackets) {
  EXPECT_EQ(kinds("f(\na\n,\nb\n)"), "Name LParen Name Comma Name RParen");
  EXPECT_EQ(kinds("[\n1\n]\nx"), "LBracket Int RBracket \\n Name");
  EXPECT_EQ(kinds("f(a; b)"), "Name LParen Name BadCharacter Name RParen");
}

TEST(Lexer, NoLineBreakAfterWhatNeedsAnOperand) {
  EXPECT_EQ(kinds("x =\n1"), "Name Assign Int");
  EXPECT_EQ(kinds("x +\n# c\n1"), "Name Plus Int");
  EXPECT_EQ(kinds("a,\nb"), "Name Comma Name");
  EXPECT_EQ(kinds("return\nx"), "KwReturn Name");
  EXPECT_EQ(kinds("if\nx\n{\ny"), "KwIf Name \\n LBrace Name");
  EXPECT_EQ(kinds("x @\ny"), "Name At Name");
}

TEST(Lexer, NoLineBreakBeforeContinuations) {
  EXPECT_EQ(kinds("x\n|> f\n# c\n\n|> g"), "Name Pipe Name Pipe Name");
  EXPECT_EQ(kinds("a\n+ b\n- c\n== d\nand e\nin f\n.. g"),
            "Name Plus Name Minus Name EqEq Name KwAnd Name KwIn Name DotDot Name");
  EXPECT_EQ(kinds("}\nelse {"), "RBrace KwElse LBrace");
  EXPECT_EQ(kinds("x\nthen y\nrequires z\n-> w"), "Name KwThen Name KwRequires Name Arrow Name");
  EXPECT_EQ(kinds("{\nx\n}\ny"), "LBrace Name RBrace \\n Name");
}

TEST(Lexer, AtLineStartIsAnAttribute) { EXPECT_EQ(kinds("x\n@ y"), "Name \\n At Name"); }

TEST(Lexer, WordsAfterScanAreNames) {
  EXPECT_EQ(kinds("axis reverse inf pi training"), "Name Name Name Name Name");
}

TEST(Lexer, TypeAtLineEnd) {
  EXPECT_EQ(kinds("param x: fn\ny"), "KwParam Name Colon KwFn \\n Name");
}

TEST(Lexer, UnclosedBracketEndsBeforeAStatement) {
  EXPECT_EQ(kinds("{\n  a = f(1\n  b = 2\n}"),
            "LBrace Name Assign Name LParen Int \\n Name Assign Int RBrace");
  // A named argument on a line of its own is deeper than its statement.
  EXPECT_EQ(kinds("{\n  a = f(1\n    b=2)\n}"),
            "LBrace Name Assign Name LParen Int Name Assign Int RParen RBrace");
  EXPECT_EQ(kinds("f(a,\nb=1)"), "Name LParen Name Comma Name Assign Int RParen");
}

TEST(Lexer, ByteOrderMark) { EXPECT_EQ(kinds("\xEF\xBB\xBFx"), "Name"); }

} // namespace
