// The host twin itself: what a GPU does, and what it notices.
#include "codegen/device/host/Twin.h"
#include "codegen/cuda/Cubin.h"
#include "runtime/cuda/Driver.h"

#include <gtest/gtest.h>

using namespace nnc;

namespace {

std::shared_ptr<twin::Module> load(const std::string &body) {
  std::string source = "#include \"prelude.cuh\"\n#include \"reduce.cuh\"\n"
                       "#include \"tensorcore.cuh\"\n#include \"arrivals.cuh\"\n"
                       "extern \"C\" __global__ void k(int *out, long long n) {\n" +
                       body + "\n}\n";
  auto image = twin::compile(codegen::translationUnit(source));
  EXPECT_TRUE(bool(image)) << image.error().message;
  auto module = twin::Module::load(*image);
  EXPECT_TRUE(bool(module)) << module.error().message;
  return *module;
}

Result<void> launch(twin::Module &module, std::vector<int> &out, unsigned blocks, unsigned threads,
                    unsigned shared = 0) {
  int *pointer = out.data();
  long long count = static_cast<long long>(out.size());
  void *params[] = {&pointer, &count};
  return module.launch("k", {blocks, 1, 1}, {threads, 1, 1}, shared, params);
}

TEST(Twin, BarriersOrderSharedMemory) {
  auto module = load(R"(
    __shared__ int row[64];
    row[threadIdx.x] = threadIdx.x * 2 + blockIdx.x;
    barrier();
    out[blockIdx.x * 64 + threadIdx.x] = row[63 - threadIdx.x];)");
  std::vector<int> out(128);
  ASSERT_TRUE(bool(launch(*module, out, 2, 64)));
  EXPECT_EQ(out[0], 126);
  EXPECT_EQ(out[63], 0);
  EXPECT_EQ(out[64], 127);
}

TEST(Twin, MissingBarriersShowInOneOrder) {
  auto module = load(R"(
    __shared__ int row[64];
    row[threadIdx.x] = threadIdx.x;
    out[threadIdx.x] = row[63 - threadIdx.x];)");
  std::vector<int> forward(64), reverse(64);
  ASSERT_TRUE(bool(launch(*module, forward, 1, 64)));
  twin::setThreadOrder(twin::ThreadOrder::Reverse);
  ASSERT_TRUE(bool(launch(*module, reverse, 1, 64)));
  twin::setThreadOrder(twin::ThreadOrder::Forward);
  EXPECT_NE(forward, reverse);
}

TEST(Twin, ShufflesWithinWarps) {
  auto module = load(R"(
    int lane = threadIdx.x % 32, value = threadIdx.x;
    out[threadIdx.x] = shuffleXor(value, 1) * 1000000 + shuffleDown(value, 30) * 1000 +
                       shuffleFrom(value, 5) + 0 * lane;)");
  std::vector<int> out(64);
  ASSERT_TRUE(bool(launch(*module, out, 1, 64)));
  EXPECT_EQ(out[0], 1 * 1000000 + 30 * 1000 + 5);
  EXPECT_EQ(out[35], 34 * 1000000 + 35 * 1000 + 37);
}

TEST(Twin, DynamicSharedMemoryAndAtomics) {
  auto module = load(R"(
    int *count = dynamicShared<int>();
    if (threadIdx.x == 0) *count = 0;
    barrier();
    addAtomically(count, 2);
    barrier();
    if (threadIdx.x == 0) addAtomically(out, *count);)");
  std::vector<int> out(1);
  ASSERT_TRUE(bool(launch(*module, out, 3, 50, 16)));
  EXPECT_EQ(out[0], 300);
}

TEST(Twin, SharedMemoryIsPoisonedForEachBlock) {
  auto module = load(R"(
    __shared__ int word;
    out[blockIdx.x] = word;
    word = 1;)");
  std::vector<int> out(2);
  ASSERT_TRUE(bool(launch(*module, out, 2, 1)));
  EXPECT_EQ(out, (std::vector<int>{-1, -1}));
}

TEST(Twin, NoticesLanesThatNeverMeet) {
  auto module = load(R"(
    if (threadIdx.x % 2) barrier(); else out[0] = shuffleXor(1, 2);)");
  std::vector<int> out(1);
  auto done = launch(*module, out, 1, 32);
  ASSERT_FALSE(bool(done));
  EXPECT_EQ(done.error().message,
            "k, block 0: some lanes of a warp wait for each other, others for the whole block");
  // The twin still works.
  auto next = load("out[threadIdx.x] = 7;");
  ASSERT_TRUE(bool(launch(*next, out, 1, 1)));
  EXPECT_EQ(out[0], 7);
}

TEST(Twin, PartsOfABlockHandOver) {
  // The first warp fills two buffers in turn, the others empty them.
  auto module = load(R"(
    __shared__ int buffers[2][32];
    __shared__ Arrivals full[2], empty[2];
    if (threadIdx.x < 2) {
      prepareArrivals(full + threadIdx.x, 32);
      prepareArrivals(empty + threadIdx.x, 64);
    }
    barrier();
    for (unsigned step = 0; step < 5; ++step) {
      const unsigned slot = step % 2, phase = step / 2 % 2;
      if (threadIdx.x < 32) {
        waitForArrivals(empty + slot, phase ^ 1);
        buffers[slot][threadIdx.x] = step * 100 + threadIdx.x;
        arrive(full + slot);
      } else {
        waitForArrivals(full + slot, phase);
        out[step * 64 + threadIdx.x - 32] = buffers[slot][31 - threadIdx.x % 32];
        arrive(empty + slot);
      }
    })");
  for (twin::ThreadOrder order : {twin::ThreadOrder::Reverse, twin::ThreadOrder::Forward}) {
    twin::setThreadOrder(order);
    std::vector<int> out(5 * 64, -1);
    Result<void> done = launch(*module, out, 1, 96);
    ASSERT_TRUE(bool(done)) << done.error().message;
    for (int i = 0; i < 5 * 64; ++i)
      EXPECT_EQ(out[i], i / 64 * 100 + 31 - i % 32) << i;
  }
}

TEST(Twin, SomeWarpsMeet) {
  auto module = load(R"(
    __shared__ int words[2];
    if (threadIdx.x < 64) {
      if (threadIdx.x % 32 == 0) words[threadIdx.x / 32] = threadIdx.x + 1;
      meet<64>(1);
      out[threadIdx.x] = words[1 - threadIdx.x / 32];
    })");
  for (twin::ThreadOrder order : {twin::ThreadOrder::Reverse, twin::ThreadOrder::Forward}) {
    twin::setThreadOrder(order);
    std::vector<int> out(64);
    ASSERT_TRUE(bool(launch(*module, out, 2, 96)));
    EXPECT_EQ(out[0], 33);
    EXPECT_EQ(out[63], 1);
  }
}

TEST(Twin, NoticesThreadsThatNeverArrive) {
  auto module = load("if (threadIdx.x < 32) meet<64>(1);");
  std::vector<int> out(1);
  auto done = launch(*module, out, 1, 64);
  ASSERT_FALSE(bool(done));
  EXPECT_EQ(done.error().message,
            "k, block 0: some threads wait for others to arrive, which never do");
}

TEST(Twin, RefusesWhatCannotBeLaunched) {
  auto module = load("out[0] = 1;");
  std::vector<int> out(1);
  EXPECT_EQ(launch(*module, out, 1, 2048).error().message,
            "k is launched with 1 blocks of 2048 threads");
  EXPECT_EQ(module->launch("other", {1, 1, 1}, {1, 1, 1}, 0, nullptr).error().message,
            "the module has no kernel other");
}

TEST(Twin, SaysWhatTheCompilerSays) {
  auto image = twin::compile("extern \"C\" int f() { return undeclared; }");
  ASSERT_FALSE(bool(image));
  EXPECT_NE(image.error().message.find("undeclared"), std::string::npos);
}

TEST(Nvrtc, ErrorsHoldTheLog) {
  if (!rt::nvrtcApi())
    GTEST_SKIP() << "needs nvrtc";
  std::string sources[] = {
      "extern \"C\" __global__ void __launch_bounds__(1) bad(int *p) { *q = 1; }\n"};
  std::string archs[] = {"sm_80"};
  auto cubins = codegen::compileCubins(sources, archs);
  ASSERT_FALSE(bool(cubins));
  EXPECT_NE(cubins.error().message.find("bad.cu"), std::string::npos) << cubins.error().message;
  EXPECT_NE(cubins.error().message.find("identifier \"q\" is undefined"), std::string::npos);
}

TEST(Nvrtc, MakesPtxForReading) {
  if (!rt::nvrtcApi())
    GTEST_SKIP() << "needs nvrtc";
  auto ptx = codegen::compilePtx("extern \"C\" __global__ void k(int *p) { *p = 1; }\n", "sm_90a");
  ASSERT_TRUE(bool(ptx)) << ptx.error().message;
  EXPECT_NE(ptx->find(".target sm_90a"), std::string::npos);
}

} // namespace
