#include "runtime/format/Plan.h"

#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::format;

using Nodes = std::vector<ExprNode>;

static ExprNode sym(int64_t index) { return ExprNode(ExprOp::Sym, index); }
static ExprNode num(int64_t value) { return ExprNode(ExprOp::Const, value); }
static ExprNode op(ExprOp op) { return ExprNode(op, 0); }

static ExprT expr(Nodes nodes) {
  ExprT made;
  made.nodes = std::move(nodes);
  return made;
}

static int64_t valueOf(Nodes nodes, std::vector<int64_t> dims) {
  Result<int64_t> value = evaluate(expr(std::move(nodes)), dims);
  EXPECT_TRUE(value) << value.error().message;
  return value ? *value : 0;
}

static std::string errorOf(Nodes nodes, std::vector<int64_t> dims) {
  Result<int64_t> value = evaluate(expr(std::move(nodes)), dims);
  return value ? "" : value.error().message;
}

TEST(Expr, values) {
  EXPECT_EQ(valueOf({sym(0), num(28), op(ExprOp::Mul), num(1), op(ExprOp::Add)}, {3}), 85);
  EXPECT_EQ(valueOf({sym(1), sym(0), op(ExprOp::FloorDiv)}, {4, 11}), 2);
  EXPECT_EQ(valueOf({sym(1), sym(0), op(ExprOp::CeilDiv)}, {4, 11}), 3);
  EXPECT_EQ(valueOf({num(-7), num(4), op(ExprOp::FloorDiv)}, {}), -2);
  EXPECT_EQ(valueOf({num(-7), num(4), op(ExprOp::CeilDiv)}, {}), -1);
  EXPECT_EQ(valueOf({num(-7), num(4), op(ExprOp::Mod)}, {}), 1);
}

TEST(Expr, errors) {
  EXPECT_EQ(errorOf({num(INT64_MAX), num(1), op(ExprOp::Add)}, {}), "a size is too large");
  EXPECT_EQ(errorOf({num(INT64_MAX), num(2), op(ExprOp::Mul)}, {}), "a size is too large");
  EXPECT_EQ(errorOf({num(1), num(0), op(ExprOp::Mod)}, {}),
            "a size is divided by zero or by a negative number");
  EXPECT_EQ(errorOf({num(INT64_MIN), num(-1), op(ExprOp::FloorDiv)}, {}),
            "a size is divided by zero or by a negative number");
  EXPECT_EQ(errorOf({num(1), op(ExprOp::Add)}, {}), "a size expression lacks an operand");
  EXPECT_EQ(errorOf({}, {}), "a size expression has no single value");
  EXPECT_EQ(errorOf({num(1), num(2)}, {}), "a size expression has no single value");
  EXPECT_EQ(errorOf({sym(2)}, {1, 2}), "a size expression names a dimension that does not exist");
  EXPECT_EQ(errorOf({sym(-1)}, {1}), "a size expression names a dimension that does not exist");
  EXPECT_EQ(errorOf({num(1), num(2), op(static_cast<ExprOp>(99))}, {}),
            "unknown operation in a size expression");
  EXPECT_EQ(errorOf(Nodes(100'000, num(1)), {}), "a size expression is nested too deeply");
}

TEST(Expr, text) {
  EntryT entry;
  for (const char *name : {"B", "T"}) {
    entry.dims.push_back(std::make_unique<DimT>());
    entry.dims.back()->name = name;
  }
  auto text = [&](Nodes nodes) { return exprText(expr(std::move(nodes)), entry); };
  EXPECT_EQ(text({sym(0), num(28), op(ExprOp::Mul), num(1), op(ExprOp::Add)}), "B*28 + 1");
  EXPECT_EQ(text({sym(0), num(-1), op(ExprOp::Add), sym(1), op(ExprOp::Mul)}), "(B - 1)*T");
  EXPECT_EQ(text({sym(0), sym(1), op(ExprOp::Mul), num(4), op(ExprOp::CeilDiv)}), "ceil(B*T / 4)");
  EXPECT_EQ(text({sym(0), num(2), sym(1), op(ExprOp::Mul), op(ExprOp::FloorDiv)}), "B // (2*T)");
  EXPECT_EQ(text({sym(0), op(ExprOp::Add)}), "?");
}

TEST(Expr, poolGivesEqualExpressionsOneIndex) {
  EntryT entry;
  ExprPool pool(entry);
  EXPECT_EQ(pool.constant(3), 0u);
  EXPECT_EQ(pool.symbol(3), 1u);
  EXPECT_EQ(pool.constant(3), 0u);
  EXPECT_EQ(entry.exprs.size(), 2u);
}
