#include "codegen/CheckpointKeys.h"
#include "codegen/Initialize.h"
#include "runtime/format/Glob.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace nnc::codegen;

namespace {

TEST(Glob, StepsAndAnyNumberOfSteps) {
  EXPECT_TRUE(nnc::format::matchesGlob("a.b", "a.b"));
  EXPECT_FALSE(nnc::format::matchesGlob("a.b", "a.b.c"));
  EXPECT_FALSE(nnc::format::matchesGlob("a.b.c", "a.b"));
  EXPECT_TRUE(nnc::format::matchesGlob("a.*.c", "a.b.c"));
  EXPECT_FALSE(nnc::format::matchesGlob("a.*", "a.b.c"));
  EXPECT_TRUE(nnc::format::matchesGlob("cls.**", "cls.predictions.bias"));
  EXPECT_TRUE(nnc::format::matchesGlob("cls.**", "cls"));
  EXPECT_TRUE(nnc::format::matchesGlob("**.bias", "layers.0.bias"));
  EXPECT_TRUE(nnc::format::matchesGlob("**.bias", "bias"));
  EXPECT_FALSE(nnc::format::matchesGlob("**.bias", "layers.bias.0"));
  EXPECT_TRUE(nnc::format::matchesGlob("a.**.b.*", "a.x.b.b.y"));
  EXPECT_TRUE(nnc::format::matchesGlob("**", "anything.at.all"));
}

TEST(Glob, ManyStarsAreNotExponential) {
  std::string glob = "**", key = "a";
  for (int i = 0; i < 200; ++i) {
    glob += ".a.**";
    key += ".a";
  }
  EXPECT_FALSE(nnc::format::matchesGlob(glob + ".b", key + key));
}

/// The test vectors of Random123 for philox4x32-10.
TEST(Philox, KnownAnswer) {
  uint32_t out[4];
  philox(0, 0, out);
  EXPECT_EQ(out[0], 0x6627e8d5u);
  EXPECT_EQ(out[1], 0xe169c58du);
  EXPECT_EQ(out[2], 0xbc57ac4cu);
  EXPECT_EQ(out[3], 0x9b00dbd8u);
}

TEST(Initialize, DependsOnSeedAndKeyOnly) {
  Initializer normal{Initializer::Kind::Normal, 0, 1};
  std::vector<int64_t> shape = {7, 3};
  EXPECT_EQ(initialValues(normal, "w", shape, 0), initialValues(normal, "w", shape, 0));
  EXPECT_NE(initialValues(normal, "w", shape, 0), initialValues(normal, "w", shape, 1));
  EXPECT_NE(initialValues(normal, "w", shape, 0), initialValues(normal, "v", shape, 0));
}

TEST(Initialize, Moments) {
  std::vector<int64_t> shape = {1000, 100};
  double sum = 0, squares = 0;
  for (float value : initialValues({Initializer::Kind::Normal, 1, 2}, "w", shape, 3)) {
    sum += value;
    squares += double(value) * value;
  }
  EXPECT_NEAR(sum / 1e5, 1, 0.03);
  EXPECT_NEAR(squares / 1e5, 5, 0.1);

  float largest = 0;
  for (float value : initialValues({Initializer::Kind::KaimingUniform, 0, 0}, "w", shape, 3))
    largest = std::max(largest, std::abs(value));
  EXPECT_LE(largest, 0.1f);
  EXPECT_GT(largest, 0.0999f);
}

} // namespace
