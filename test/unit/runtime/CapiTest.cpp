#include <cstdio>
#include <gtest/gtest.h>

extern "C" int runFromC(const char *path, const char *checkpoint);

TEST(Capi, fromC) {
  std::string checkpoint = testing::TempDir() + "capi.safetensors";
  EXPECT_EQ(runFromC(NNC_TEST_MODEL, checkpoint.c_str()), 0);
  std::remove(checkpoint.c_str());
}
