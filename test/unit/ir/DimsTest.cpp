//===- DimsTest.cpp - Symbolic dimensions of tensor types -------------------------------------===//

#include "ir/Dims.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"

#include <limits>

using namespace mlir;
using namespace nnc::nn;

namespace {

class Dims : public testing::Test {
protected:
  AffineExpr number(int64_t value) { return getAffineConstantExpr(value, &context); }

  MLIRContext context;
  AffineExpr b = getAffineSymbolExpr(0, &context), t = getAffineSymbolExpr(1, &context);
  Type f32 = Float32Type::get(&context);
};

TEST_F(Dims, EqualWhateverTheForm) {
  EXPECT_TRUE(areEqual(b * t, t * b));
  EXPECT_TRUE(areEqual((b + 1) * (t + 2), b * t + b * 2 + t + 2));
  EXPECT_TRUE(areEqual((b * 4 + 6).floorDiv(2), b * 2 + 3));
  EXPECT_TRUE(areEqual((b * 4 + t).floorDiv(4), b + t.floorDiv(4)));
  EXPECT_TRUE(areEqual(b.floorDiv(2).floorDiv(3), b.floorDiv(6)));
  EXPECT_TRUE(areEqual((b.floorDiv(2) + 1).floorDiv(3), (b + 2).floorDiv(6)));
  EXPECT_TRUE(areEqual(b.ceilDiv(4), (b + 3).floorDiv(4)));
  EXPECT_TRUE(areEqual(b % 4, b - b.floorDiv(4) * 4));
  EXPECT_TRUE(areEqual((b * 16) % 8, number(0)));
  EXPECT_TRUE(areEqual((b - 1).floorDiv(1) + 1, b));
}

TEST_F(Dims, NotProvablyEqual) {
  EXPECT_FALSE(areEqual(b, t));
  EXPECT_FALSE(areEqual(b.floorDiv(2) * 2, b));
  EXPECT_FALSE(areEqual(b * t, b + t));
}

TEST_F(Dims, MayBeEqualUnlessProvablyDifferent) {
  EXPECT_TRUE(mayBeEqual(b, t));
  EXPECT_TRUE(mayBeEqual(b, number(7)));
  EXPECT_TRUE(mayBeEqual(b.floorDiv(2) * 2, b));
  EXPECT_TRUE(mayBeEqual(b * t, number(0)));
  // By a constant, by its sign, by divisibility.
  EXPECT_FALSE(mayBeEqual(b + 1, b));
  EXPECT_FALSE(mayBeEqual(b + t + 1, b));
  EXPECT_FALSE(mayBeEqual(b + t.floorDiv(3) + 1, b));
  EXPECT_FALSE(mayBeEqual(b * 2, t * 4 + 1));
  EXPECT_FALSE(mayBeEqual({b, t}, {b}));
  EXPECT_FALSE(mayBeEqual({b, t}, {t, t + 2}));
}

TEST_F(Dims, OverflowDecidesNothing) {
  AffineExpr huge = number(std::numeric_limits<int64_t>::max());
  AffineExpr product = b * huge * huge;
  EXPECT_TRUE(mayBeEqual(product + 1, product * 2));
  EXPECT_FALSE(areEqual(product + b, product + t));
  EXPECT_FALSE(getConstant(product).has_value());
}

TEST_F(Dims, ManyTermsDecideNothing) {
  AffineExpr power = number(1);
  for (unsigned position = 0; position < 12; ++position)
    power = power * (getAffineSymbolExpr(position, &context) + 1);
  EXPECT_TRUE(mayBeEqual(power, b));
}

TEST_F(Dims, ConstantSizesAreStatic) {
  RankedTensorType type = getTensorType({b - b + 4, (b * 0) + 8}, f32);
  EXPECT_EQ(type, RankedTensorType::get({4, 8}, f32));
  EXPECT_EQ(getNumSymbols(type), 0u);
  EXPECT_EQ(toString(getDims(type)), "[4, 8]");
}

TEST_F(Dims, DynamicSizesHaveAnEncoding) {
  RankedTensorType type = getTensorType({b, number(8), b * t}, f32);
  EXPECT_TRUE(type.isDynamicDim(0) && !type.isDynamicDim(1) && type.isDynamicDim(2));
  EXPECT_EQ(toString(getDims(type)), "[s0, 8, s0 * s1]");
  EXPECT_EQ(getNumSymbols(type), 2u);
  EXPECT_TRUE(hasValidDims(type));
  EXPECT_EQ(withElementType(type, f32), type);
  EXPECT_FALSE(stripDims(type).getEncoding());
}

TEST_F(Dims, OnlyMatchingEncodingsAreValid) {
  auto encoding = [&](ArrayRef<AffineExpr> dims) {
    return AffineMapAttr::get(AffineMap::get(0, 2, dims, &context));
  };
  int64_t dynamic = ShapedType::kDynamic;
  EXPECT_TRUE(hasValidDims(RankedTensorType::get({4}, f32)));
  EXPECT_TRUE(hasValidDims(RankedTensorType::get({dynamic}, f32, encoding({b}))));
  EXPECT_FALSE(hasValidDims(f32));
  EXPECT_FALSE(hasValidDims(RankedTensorType::get({dynamic}, f32)));
  EXPECT_FALSE(hasValidDims(RankedTensorType::get({4}, f32, encoding({number(4)}))));
  EXPECT_FALSE(hasValidDims(RankedTensorType::get({dynamic}, f32, encoding({number(4)}))));
  EXPECT_FALSE(hasValidDims(RankedTensorType::get({dynamic, 4}, f32, encoding({b, number(5)}))));
  EXPECT_FALSE(hasValidDims(RankedTensorType::get({dynamic, 4}, f32, encoding({b}))));
}

} // namespace
