//===- ParserTest.cpp - Trees ---------------------------------------------------------------===//

#include "TestSource.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

using namespace nnc::syntax;

namespace {

/// The tree of an expression with one pair of parentheses per operation.
std::string grouped(const Expr &expr) {
  if (const auto *binary = expr.as<BinaryExpr>())
    return "(" + grouped(*binary->lhs) + " " + std::string(spelling(binary->op)) + " " +
           grouped(*binary->rhs) + ")";
  if (const auto *unary = expr.as<UnaryExpr>())
    return "(" + std::string(spelling(unary->op)) + " " + grouped(*unary->operand) + ")";
  if (const auto *range = expr.as<RangeExpr>())
    return "(" + grouped(*range->begin) + (range->inclusive ? " ..= " : " .. ") +
           grouped(*range->end) + ")";
  if (const auto *choice = expr.as<IfExpr>())
    return "(if " + grouped(*choice->condition) + " then " + grouped(*choice->thenValue) +
           " else " + grouped(*choice->elseValue) + ")";
  if (const auto *pipe = expr.as<PipeExpr>()) {
    std::string out = "(" + grouped(*pipe->head);
    for (const PipeExpr::Stage &stage : pipe->stages)
      out += " |> " + grouped(*stage.expr);
    return out + ")";
  }
  if (const auto *call = expr.as<CallExpr>()) {
    std::string out = grouped(*call->callee) + "(";
    for (const Argument &arg : call->args)
      out += (&arg == &call->args.front() ? "" : ", ") + grouped(*arg.value);
    return out + ")";
  }
  if (const auto *member = expr.as<MemberExpr>())
    return grouped(*member->base) + "." + std::string(member->name.text);
  if (const auto *name = expr.as<NameExpr>())
    return std::string(name->name);
  return std::to_string(expr.get<IntExpr>().value);
}

std::string grouped(const std::string &text) {
  TestSource source(text);
  ExprPtr expr = parseExpression(source.sources, source.file, source.diags);
  return expr ? grouped(*expr) : source.rendered();
}

std::string dumped(const std::string &text) {
  TestSource source(text);
  std::unique_ptr<File> file = parseFile(source.sources, source.file, source.diags);
  return source.rendered() + dumpAst(source.sources, *file);
}

TEST(Parser, Precedence) {
  EXPECT_EQ(grouped("a + b * c - d"), "((a + (b * c)) - d)");
  EXPECT_EQ(grouped("-a ** -b ** c"), "(- (a ** (- (b ** c))))");
  EXPECT_EQ(grouped("-a * b"), "((- a) * b)");
  EXPECT_EQ(grouped("not a == b and c or d"), "(((not (a == b)) and c) or d)");
  EXPECT_EQ(grouped("a in 1..n + 1"), "(a in (1 .. (n + 1)))");
  EXPECT_EQ(grouped("a @ b.T / c // d % e"), "((((a @ b.T) / c) // d) % e)");
  EXPECT_EQ(grouped("a + b |> f |> g(c) "), "((a + b) |> f |> g(c))");
  EXPECT_EQ(grouped("if a then b else c |> f"), "(if a then b else (c |> f))");
  EXPECT_EQ(grouped("if a then b else if c then d else e"),
            "(if a then b else (if c then d else e))");
  EXPECT_EQ(grouped("(a + b) * f(c)(d).e"), "((a + b) * f(c)(d).e)");
}

TEST(Parser, ParenthesesAreKept) {
  TestSource source("((a + b)) * c");
  ExprPtr expr = parseExpression(source.sources, source.file, source.diags);
  const Expr &left = *expr->get<BinaryExpr>().lhs;
  EXPECT_EQ(left.parens, 2u);
  EXPECT_EQ(source.sources.text(left.span), "((a + b))");
}

TEST(Parser, Strings) {
  TestSource source(R"("a\"b\\\n")");
  ExprPtr expr = parseExpression(source.sources, source.file, source.diags);
  const auto &literal = expr->get<StringExpr>();
  EXPECT_EQ(literal.value, "a\"b\\\n");
  EXPECT_EQ(literal.raw, R"(a\"b\\\n)");
  EXPECT_EQ(source.sources.text(literal.spanOf(1, 3)), "\\\"");
}

TEST(Parser, Declarations) {
  EXPECT_EQ(dumped("#!nn 1\n"
                   "# not documentation\n"
                   "\n"
                   "## A net.\n"
                   "##   Two lines.\n"
                   "@weights(\"x\", ignore=[])\n"
                   "@frozen\n"
                   "module M(a: int as \"k\" = 1, b: [(int, fn)]) requires a > 0: \"pos\" {\n"
                   "  buffer x: f32[...S, 3]? as \"a{b}c\" | \"\" = 0 if a\n"
                   "  tie x.w = y.w\n"
                   "}\n"
                   "model N = M(1)\n"),
            "Module M <8:1>\n"
            "  doc: \"A net.\" <8:1>\n"
            "  Attribute weights <6:1>\n"
            "    arg: String \"x\" <6:10>\n"
            "    arg ignore: List <6:22>\n"
            "  Attribute frozen <7:1>\n"
            "  Formal a <8:10>\n"
            "    type: ScalarType int <8:13>\n"
            "    Key <8:20>\n"
            "      text: \"k\" <8:20>\n"
            "    default: Int 1 <8:26>\n"
            "  Formal b <8:29>\n"
            "    type: ListType <8:32>\n"
            "      TupleType <8:33>\n"
            "        ScalarType int <8:34>\n"
            "        ScalarType fn <8:39>\n"
            "  Guard \"pos\" <8:54>\n"
            "    Binary > <8:54>\n"
            "      Name a <8:54>\n"
            "      Int 0 <8:58>\n"
            "  Slot buffer x <9:3>\n"
            "    type: TensorType f32? <9:13>\n"
            "      Pack ...S <9:17>\n"
            "      Int 3 <9:23>\n"
            "    Key <9:30>\n"
            "      text: \"a\" <9:30>\n"
            "      value: Name b <9:33>\n"
            "      text: \"c\" <9:30>\n"
            "    Key <9:40>\n"
            "    init: Int 0 <9:45>\n"
            "    if: Name a <9:50>\n"
            "  Tie <10:3>\n"
            "    left: Member w <10:7>\n"
            "      Name x <10:7>\n"
            "    right: Member w <10:13>\n"
            "      Name y <10:13>\n"
            "Model N <12:1>\n"
            "  =: Call <12:11>\n"
            "    callee: Name M <12:11>\n"
            "    arg: Int 1 <12:13>\n");
}

TEST(Parser, Statements) {
  EXPECT_EQ(dumped("fn f(x: float[B]) -> (a: f32[], b: bool[]) {\n"
                   "  a, (b, _): int = x\n"
                   "  y[..., :, 1:2:3] <- x\n"
                   "  ys = scan u, v in x, y axis 1 reverse { yield u, v }\n"
                   "  for i in 0..=3 { z = i }\n"
                   "  if a { z = 1 } else if b { z = 2 } else { z = 3 }\n"
                   "  return [x as \"k\" for i in l if i], (a,)\n"
                   "}\n"),
            "error[E0101]: expected `=`\n"
            " --> test.nn:2:12\n"
            "  |\n"
            "2 |   a, (b, _): int = x\n"
            "  |            ^ found `:`\n"
            "Fn f <1:1>\n"
            "  Formal x <1:6>\n"
            "    type: TensorType float <1:9>\n"
            "      Name B <1:15>\n"
            "  result a: TensorType f32 <1:26>\n"
            "  result b: TensorType bool <1:36>\n"
            "  Block <1:44>\n"
            "    Update <3:3>\n"
            "      place: Index <3:3>\n"
            "        base: Name y <3:3>\n"
            "        Ellipsis <3:5>\n"
            "        Slice <3:10>\n"
            "        Slice <3:13>\n"
            "          begin: Int 1 <3:13>\n"
            "          end: Int 2 <3:15>\n"
            "          step: Int 3 <3:17>\n"
            "      <-: Name x <3:23>\n"
            "    Bind <4:3>\n"
            "      Target ys <4:3>\n"
            "      Scan axis 1 reverse <4:8>\n"
            "        Target u <4:13>\n"
            "        Target v <4:16>\n"
            "        in: Name x <4:21>\n"
            "        in: Name y <4:24>\n"
            "        Block <4:41>\n"
            "          Yield <4:43>\n"
            "            Name u <4:49>\n"
            "            Name v <4:52>\n"
            "    For <5:3>\n"
            "      Target i <5:7>\n"
            "      in: Range ..= <5:12>\n"
            "        Int 0 <5:12>\n"
            "        Int 3 <5:16>\n"
            "      Block <5:18>\n"
            "        Bind <5:20>\n"
            "          Target z <5:20>\n"
            "          =: Name i <5:24>\n"
            "    If <6:3>\n"
            "      if: Name a <6:6>\n"
            "      then: Block <6:8>\n"
            "        Bind <6:10>\n"
            "          Target z <6:10>\n"
            "          =: Int 1 <6:14>\n"
            "      if: Name b <6:26>\n"
            "      then: Block <6:28>\n"
            "        Bind <6:30>\n"
            "          Target z <6:30>\n"
            "          =: Int 2 <6:34>\n"
            "      else: Block <6:43>\n"
            "        Bind <6:45>\n"
            "          Target z <6:45>\n"
            "          =: Int 3 <6:49>\n"
            "    Return <7:3>\n"
            "      ListComp <7:10>\n"
            "        value: Name x <7:11>\n"
            "        Key <7:16>\n"
            "          text: \"k\" <7:16>\n"
            "        Target i <7:24>\n"
            "        in: Name l <7:29>\n"
            "        if: Name i <7:34>\n"
            "      Tuple <7:38>\n"
            "        Name a <7:39>\n");
}

TEST(Parser, ImportsAndTrain) {
  EXPECT_EQ(dumped("import \"./b.nn\" (A, B)\n"
                   "import std.quant as q\n"
                   "train net = M(1) {\n"
                   "  clip = 1.5\n"
                   "}\n"),
            "Import <1:1>\n"
            "  path: \"./b.nn\" <1:8>\n"
            "  name: A <1:18>\n"
            "  name: B <1:21>\n"
            "Import <2:1>\n"
            "  package: std <2:8>\n"
            "  package: quant <2:12>\n"
            "  alias: q <2:21>\n"
            "Train net <3:1>\n"
            "  =: Call <3:13>\n"
            "    callee: Name M <3:13>\n"
            "    arg: Int 1 <3:15>\n"
            "  Bind <4:3>\n"
            "    Target clip <4:3>\n"
            "    =: Float 1.5 <4:10>\n");
}

TEST(Parser, LinesGoOn) {
  EXPECT_EQ(dumped("x = a\n  |> f\n\n  # c\n  |> g\ny = 1 +\n  2\n"), "Bind <1:1>\n"
                                                                      "  Target x <1:1>\n"
                                                                      "  =: Pipe <1:5>\n"
                                                                      "    head: Name a <1:5>\n"
                                                                      "    stage: Name f <2:6>\n"
                                                                      "    stage: Name g <5:6>\n"
                                                                      "Bind <6:1>\n"
                                                                      "  Target y <6:1>\n"
                                                                      "  =: Binary + <6:5>\n"
                                                                      "    Int 1 <6:5>\n"
                                                                      "    Int 2 <7:3>\n");
}

TEST(Parser, ExamplesHaveNoErrors) {
  for (const std::string &path : exampleFiles()) {
    SourceManager sources;
    Diagnostics diags;
    parseFile(sources, *sources.load(path, diags), diags);
    EXPECT_EQ(render(sources, diags), "") << path;
  }
}

TEST(Parser, LongPipelinesAndListsAreFlat) {
  std::string text = "x = a";
  for (int i = 0; i < 100000; ++i)
    text += " |> f";
  EXPECT_EQ(errorsOf(text), "");
}

} // namespace
