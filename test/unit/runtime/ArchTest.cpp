#include "runtime/cuda/Arch.h"

#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::rt;

TEST(Arch, whatRunsWhere) {
  for (const char *arch : {"sm_90", "sm_90a"})
    EXPECT_GT(suitability(arch, 90), 0) << arch;
  EXPECT_GT(suitability("sm_80", 86), 0);
  EXPECT_GT(suitability("sm_100f", 103), 0);
  EXPECT_EQ(suitability("sm_86", 80), 0);
  EXPECT_EQ(suitability("sm_80", 90), 0);
  EXPECT_EQ(suitability("sm_90a", 100), 0);
  EXPECT_EQ(suitability("sm_100a", 103), 0);
  EXPECT_EQ(suitability("sm_120", 100), 0);
  for (const char *arch : {"", "sm_", "sm_x", "90a", "sm_90b", "compute_90"})
    EXPECT_EQ(suitability(arch, 90), 0) << arch;
}

TEST(Arch, picksTheNearest) {
  format::CudaModuleT module;
  EXPECT_EQ(bestImage(module, 90), nullptr);
  for (const char *arch : {"sm_80", "sm_86", "sm_90", "sm_90a"}) {
    module.images.push_back(std::make_unique<format::ImageT>());
    module.images.back()->arch = arch;
  }
  EXPECT_EQ(bestImage(module, 80)->arch, "sm_80");
  EXPECT_EQ(bestImage(module, 89)->arch, "sm_86");
  EXPECT_EQ(bestImage(module, 90)->arch, "sm_90a");
  EXPECT_EQ(bestImage(module, 100), nullptr);
}

TEST(Arch, native) {
  EXPECT_EQ(nativeArch(86), "sm_86");
  EXPECT_EQ(nativeArch(90), "sm_90a");
  EXPECT_EQ(nativeArch(120), "sm_120a");
}
