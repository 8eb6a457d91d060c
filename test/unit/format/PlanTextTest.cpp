#include "runtime/format/PlanText.h"
#include "PlanFixture.h"

#include <gtest/gtest.h>

using namespace nnc;
using namespace nnc::format;

TEST(PlanText, summary) {
  EXPECT_EQ(planText(makePlan(), PlanDetail::Summary),
            R"(model Tiny, target cpu (x86_64-linux-gnu, x86-64-v3), made by nnc 0.1.0
  1 distinct kernel, 1 weight (16 B)

entry forward(x: f32[B, 4]) -> (y: f32[B, 4])
  B in 1..=8
  requires B >= 0
  peak memory: 464 B (arena 192 B, inputs 128 B, outputs 128 B, weights 16 B)
  steps: 2 (1 kernel, 0 gemms, 1 copy)
    launch scale grid (B)  # fc.scale tiny.nn:7:3
    copy B*16 bytes  # tiny.nn:7:3
)");
}

TEST(PlanText, full) {
  EXPECT_EQ(planText(makePlan(), PlanDetail::Full),
            R"(model Tiny, target cpu (x86_64-linux-gnu, x86-64-v3), made by nnc 0.1.0
  1 distinct kernel, 1 weight (16 B)
  weight fc.weight: f32[4] at 0

entry forward(x: f32[B, 4]) -> (y: f32[B, 4])
  B in 1..=8
  requires B >= 0
  peak memory: 464 B (arena 192 B, inputs 128 B, outputs 128 B, weights 16 B)
  buffers: 4
    %0 = input x: f32[B, 4], B*16 bytes  # x
    %1 = weight fc.weight: f32[4], 16 bytes  # fc.weight
    %2 = arena + 64: f32[B, 4], B*16 bytes  # scaled
    %3 = output y: f32[B, 4], B*16 bytes  # y
  steps: 2 (1 kernel, 0 gemms, 1 copy)
    launch scale grid (B) buffers (%0, %1, %2)  # fc.scale tiny.nn:7:3
    copy B*16 bytes %2 -> %3  # tiny.nn:7:3
)");
}

TEST(PlanText, loops) {
  std::string text = planText(makeLoopPlan(), PlanDetail::Full);
  std::string steps = text.substr(text.find("  steps:"));
  EXPECT_EQ(steps, R"(  steps: 4 (1 kernel, 0 gemms, 2 copies, 1 loop)
    loop scan.1 B times carry %4 = %0 then %2/%5 -> %6 stack %7 in %8  # scan tiny.nn:7:3
      launch scale grid (B) buffers (%4, %1, %2)  # fc.scale tiny.nn:7:3
      copy B*16 bytes %2 -> %7  # stack tiny.nn:7:3
    copy B*16 bytes %6 -> %3  # tiny.nn:7:3
)");
  EXPECT_NE(text.find("%4 = moved by its loop: f32[B, 4]"), std::string::npos) << text;
}

TEST(PlanText, gemmsAndCuda) {
  ModelT model = makePlan();
  model.target = Target::Cuda;
  model.cuda = std::make_unique<CudaT>();
  model.cuda->modules.push_back(std::make_unique<CudaModuleT>());
  for (const char *arch : {"sm_80", "sm_90a"}) {
    model.cuda->modules[0]->images.push_back(std::make_unique<ImageT>());
    model.cuda->modules[0]->images.back()->arch = arch;
  }
  EntryT &entry = *model.entries[0];
  LaunchT &launch = *entry.steps[0]->what.AsLaunch();
  launch.block = {32, 4, 1};
  launch.shared_bytes = 512;
  GemmT gemm;
  gemm.b = 1;
  gemm.d = 2;
  gemm.bias = 1;
  gemm.n = gemm.k = 1;
  gemm.batch = 1;
  gemm.transpose_b = true;
  gemm.epilogue = Epilogue::Relu;
  entry.steps[1] = makeStep(std::move(gemm), "fc");
  std::string text = planText(model, PlanDetail::Full);
  EXPECT_NE(text.find("target cuda (sm_80, sm_90a)"), std::string::npos) << text;
  EXPECT_NE(text.find("launch scale grid (B) block (32, 4, 1) shared 512 buffers"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("gemm m B n 4 k 4 batch 4 transpose_b bias relu %0 @ %1 -> %2  # fc"),
            std::string::npos)
      << text;
}

TEST(PlanText, bytes) {
  EXPECT_EQ(bytesText(0), "0 B");
  EXPECT_EQ(bytesText(1023), "1023 B");
  EXPECT_EQ(bytesText(1536), "1.5 KiB");
  EXPECT_EQ(bytesText(uint64_t{24} << 20), "24.0 MiB");
  EXPECT_EQ(bytesText(uint64_t{139} << 30), "139.0 GiB");
}
