#include "runtime/format/Half.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace nnc;
using namespace nnc::format;

TEST(Half, everyF16SurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    auto half = static_cast<uint16_t>(bits);
    float value = floatFromF16(half);
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(floatFromF16(f16FromFloat(value))));
    else
      EXPECT_EQ(f16FromFloat(value), half);
  }
}

TEST(Half, everyBf16SurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    auto half = static_cast<uint16_t>(bits);
    float value = floatFromBf16(half);
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(floatFromBf16(bf16FromFloat(value))));
    else
      EXPECT_EQ(bf16FromFloat(value), half);
  }
}

TEST(Half, roundsToNearestEven) {
  EXPECT_EQ(f16FromFloat(1.0f), 0x3c00);
  EXPECT_EQ(f16FromFloat(1.0f + 0x1p-11f), 0x3c00);     // a tie, down to even
  EXPECT_EQ(f16FromFloat(1.0f + 3 * 0x1p-11f), 0x3c02); // a tie, up to even
  EXPECT_EQ(f16FromFloat(1.0f + 0x1p-11f + 0x1p-20f), 0x3c01);
  EXPECT_EQ(f16FromFloat(65504.0f), 0x7bff);
  EXPECT_EQ(f16FromFloat(65519.99f), 0x7bff);
  EXPECT_EQ(f16FromFloat(65520.0f), 0x7c00);
  EXPECT_EQ(f16FromFloat(-1e10f), 0xfc00);
  EXPECT_EQ(f16FromFloat(0x1p-24f), 0x0001);
  EXPECT_EQ(f16FromFloat(0x1p-25f), 0x0000);
  EXPECT_EQ(f16FromFloat(0x1.8p-24f), 0x0002);
  EXPECT_EQ(f16FromFloat(-0.0f), 0x8000);
  EXPECT_EQ(bf16FromFloat(1.0f + 0x1p-8f), 0x3f80);
  EXPECT_EQ(bf16FromFloat(1.0f + 3 * 0x1p-8f), 0x3f82);
  EXPECT_EQ(bf16FromFloat(std::numeric_limits<float>::max()), 0x7f80);
}

TEST(Half, f64IsRoundedOnce) {
  // Rounding to f32 first would make a tie of this and lose the last bit.
  double value = 1.0 + 0x1p-11 + 0x1p-40;
  uint16_t half = 0;
  convertFloats(DType::F64, &value, DType::F16, &half, 1);
  EXPECT_EQ(half, 0x3c01);
  value = -(1.0 + 0x1p-8 - 0x1p-40);
  convertFloats(DType::F64, &value, DType::BF16, &half, 1);
  EXPECT_EQ(half, 0xbf80);
}

TEST(Half, everyF8SurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x100; ++bits) {
    auto byte = static_cast<uint8_t>(bits);
    if (float value = floatFromF8e4m3(byte); std::isnan(value))
      EXPECT_EQ(byte & 0x7f, 0x7f);
    else
      EXPECT_EQ(f8e4m3FromFloat(value), byte);
    if (float value = floatFromF8e5m2(byte); std::isnan(value))
      EXPECT_GT(byte & 0x7f, 0x7c);
    else
      EXPECT_EQ(f8e5m2FromFloat(value), byte);
  }
}

// The numbers are PyTorch's: torch.tensor(x).to(torch.float8_e4m3fn).view(torch.uint8).
TEST(Half, f8RoundsAsPyTorchDoes) {
  EXPECT_EQ(floatFromF8e4m3(0x7e), 448);
  EXPECT_EQ(f8e4m3FromFloat(448), 0x7e);
  EXPECT_EQ(f8e4m3FromFloat(464), 0x7e);
  EXPECT_EQ(f8e4m3FromFloat(465), 0x7f); // no infinity: NaN
  EXPECT_EQ(f8e4m3FromFloat(-1e9f), 0xff);
  EXPECT_EQ(f8e4m3FromFloat(0x1p-9f), 0x01);
  EXPECT_EQ(f8e4m3FromFloat(0x1p-10f), 0x00);
  EXPECT_EQ(f8e4m3FromFloat(0x1.8p-9f), 0x02);
  EXPECT_EQ(f8e4m3FromFloat(1.0625f), 0x38); // a tie, down to even
  EXPECT_EQ(f8e4m3FromFloat(1.1875f), 0x3a); // a tie, up to even
  EXPECT_EQ(floatFromF8e5m2(0x7b), 57344);
  EXPECT_EQ(f8e5m2FromFloat(61439), 0x7b);
  EXPECT_EQ(f8e5m2FromFloat(61440), 0x7c);
  EXPECT_EQ(f8e5m2FromFloat(-INFINITY), 0xfc);
  EXPECT_EQ(f8e5m2FromFloat(0x1p-16f), 0x01);
  EXPECT_EQ(f8e5m2FromFloat(0x1p-17f), 0x00);
}
