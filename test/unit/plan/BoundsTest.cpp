#include "codegen/plan/Bounds.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace nnc::codegen;

namespace {

struct BoundsTest : testing::Test {
  MLIRContext context;
  AffineExpr b = getAffineSymbolExpr(0, &context);
  AffineExpr h = getAffineSymbolExpr(1, &context);
  std::vector<SizeRange> ranges = {{1, 64}, {32, 100}};

  void expectBounds(AffineExpr expr, int64_t low, int64_t high) {
    std::optional<SizeRange> bounds = boundsOf(expr, ranges);
    ASSERT_TRUE(bounds.has_value());
    EXPECT_EQ(bounds->low, low);
    EXPECT_EQ(bounds->high, high);
  }
};

TEST_F(BoundsTest, SumsAndProducts) {
  expectBounds(b * 4 + 3, 7, 259);
  expectBounds(b * h, 32, 6400);
  expectBounds(h - b, -32, 99);
}

TEST_F(BoundsTest, Divisions) {
  expectBounds((h - 7).floorDiv(2) + 1, 13, 47);
  expectBounds((b - 3).ceilDiv(2), -1, 31);
  expectBounds(h % 16, 0, 15);
  expectBounds(b % 100, 1, 64);
}

TEST_F(BoundsTest, WhatDoesNotFitIsNotBounded) {
  ranges[0].high = INT64_MAX / 2;
  EXPECT_FALSE(boundsOf(b * 4, ranges).has_value());
  EXPECT_FALSE(boundsOf(h.floorDiv(h - 50), ranges).has_value());
  EXPECT_FALSE(boundsOf(getAffineSymbolExpr(7, &context), ranges).has_value());
}

} // namespace
