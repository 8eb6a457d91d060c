#include "codegen/cuda/IndexMath.h"

#include "mlir/IR/MLIRContext.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace nnc::codegen;

namespace {

class IndexMathTest : public testing::Test {
protected:
  MLIRContext context;
  IndexMath math{&context, {{1, 64}, {1, 512}}};
  AffineExpr number(int64_t value) { return math.constant(value); }
  AffineExpr B = getAffineSymbolExpr(0, &context), T = getAffineSymbolExpr(1, &context);
  std::string simplified(AffineExpr expr) { return math.text(math.simplify(expr)); }
};

TEST_F(IndexMathTest, PutsReshapesBackTogether) {
  AffineExpr i = math.addVariable("i", B * 6 * 784);
  llvm::SmallVector<AffineExpr> dims{B, number(6), number(28), number(28)};
  auto indices = math.delinearize(i, dims);
  EXPECT_EQ(math.text(indices[0]), "i / 4704");
  EXPECT_EQ(math.text(indices[1]), "i / 784 % 6");
  EXPECT_EQ(math.text(math.linearize(indices, dims)), "i");
  EXPECT_EQ(math.text(math.linearize({indices[2], indices[3]}, {number(28), number(28)})),
            "i % 784");
}

TEST_F(IndexMathTest, PutsDynamicReshapesBackTogether) {
  AffineExpr i = math.addVariable("i", B * T * 8);
  llvm::SmallVector<AffineExpr> dims{B, T, number(8)};
  EXPECT_EQ(math.text(math.linearize(math.delinearize(i, dims), dims)), "i");
}

TEST_F(IndexMathTest, DropsWhatIsTooSmall) {
  AffineExpr q = math.addVariable("q", B * 196), j = math.addVariable("j", number(4));
  EXPECT_EQ(simplified((q * 4 + j).floorDiv(784)), "q / 196");
  EXPECT_EQ(simplified((q * 4 + j) % 784), "j + (q % 196) * 4");
  AffineExpr b = math.addVariable("b", B), t = math.addVariable("t", T);
  EXPECT_EQ(simplified((b * T + t).floorDiv(T)), "b");
  EXPECT_EQ(simplified((b * T + t) % T), "t");
}

TEST_F(IndexMathTest, KeepsNegativeOperandsFloored) {
  AffineExpr i = math.addVariable("i", number(10));
  EXPECT_EQ(simplified((i - 3).floorDiv(4)), "floorDiv<Index>(i - 3, 4)");
  EXPECT_EQ(simplified((i - 3) % 4), "floorMod<Index>(i - 3, 4)");
}

TEST_F(IndexMathTest, KnowsRanges) {
  AffineExpr b = math.addVariable("b", B), any = math.addVariable("any", {});
  EXPECT_TRUE(math.isLess(b, B));
  EXPECT_TRUE(math.isLess(b + 1, B + 1));
  EXPECT_FALSE(math.isLess(b + 1, B));
  EXPECT_FALSE(math.isNonNegative(any));
  EXPECT_TRUE(math.isNonNegative(b * 2));
  EXPECT_EQ(math.rangeOf(b * 3 + 1).high, 190);
  EXPECT_EQ(math.divisorOf(b * 12 + 8), 4);
}

/// Simplified expressions have the same values as the ones they came from.
TEST_F(IndexMathTest, NeverChangesAValue) {
  AffineExpr i = math.addVariable("i", number(60)), j = math.addVariable("j", number(7));
  AffineExpr cases[] = {(i * 7 + j).floorDiv(14),
                        (i * 7 + j) % 21,
                        (i * 6 + j).floorDiv(9),
                        (i * 6 + j) % 4,
                        (i + 30) % 28,
                        (i + 30).floorDiv(28),
                        (i - 40).floorDiv(6),
                        (i - 40) % 6,
                        i.floorDiv(4).floorDiv(5),
                        (i % 12) % 4,
                        i.ceilDiv(8),
                        i.floorDiv(4) * 4 + i % 4 + j,
                        (i.floorDiv(3) % 5) * 3 + i % 3 + i.floorDiv(15) * 15};
  for (AffineExpr expr : cases) {
    AffineExpr simple = math.simplify(expr);
    for (int64_t a = 0; a < 60; ++a)
      for (int64_t b = 0; b < 7; ++b) {
        llvm::SmallVector<AffineExpr> values{number(a), number(b)};
        EXPECT_EQ(expr.replaceDims(values), simple.replaceDims(values)) << math.text(simple);
      }
  }
}

} // namespace
