#include <gtest/gtest.h>

extern "C" int runFromC(const char *path);

TEST(Capi, fromC) { EXPECT_EQ(runFromC(NNC_TEST_MODEL), 0); }
