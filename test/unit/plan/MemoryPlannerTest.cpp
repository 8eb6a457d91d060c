#include "codegen/plan/MemoryPlanner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

using namespace nnc::codegen;

namespace {

bool overlap(int64_t a, int64_t aSize, int64_t b, int64_t bSize) {
  return a < b + bSize && b < a + aSize;
}

/// Two buffers that live at the same time share no byte, and all lie inside the arena.
void expectSound(const std::vector<Lifetime> &buffers, const MemoryPlan &plan) {
  for (size_t i = 0; i < buffers.size(); ++i) {
    ASSERT_GE(plan.offsets[i], 0);
    ASSERT_LE(plan.offsets[i] + buffers[i].bytes, plan.arenaBytes);
    for (size_t j = 0; j < i; ++j)
      if (buffers[i].first <= buffers[j].last && buffers[j].first <= buffers[i].last)
        ASSERT_FALSE(overlap(plan.offsets[i], buffers[i].bytes, plan.offsets[j], buffers[j].bytes))
            << i << " and " << j;
  }
}

TEST(MemoryPlanner, AChainNeedsTwoBuffers) {
  std::vector<Lifetime> chain = {{1000, 0, 1}, {1000, 1, 2}, {1000, 2, 3}, {1000, 3, 4}};
  MemoryPlan plan = planMemory(chain, 256);
  EXPECT_EQ(plan.offsets, (std::vector<int64_t>{0, 1024, 0, 1024}));
  EXPECT_EQ(plan.arenaBytes, 2048);
}

TEST(MemoryPlanner, NeighbouringHolesJoin) {
  std::vector<Lifetime> buffers = {{256, 0, 1}, {256, 0, 1}, {512, 2, 3}};
  EXPECT_EQ(planMemory(buffers, 256).arenaBytes, 512);
}

TEST(MemoryPlanner, TheLastHoleGrows) {
  std::vector<Lifetime> buffers = {{256, 0, 0}, {1024, 1, 1}};
  EXPECT_EQ(planMemory(buffers, 256).arenaBytes, 1024);
}

TEST(MemoryPlanner, EmptyBuffersStillHaveAnAddress) {
  std::vector<Lifetime> buffers = {{0, 0, 1}, {0, 0, 1}};
  MemoryPlan plan = planMemory(buffers, 64);
  EXPECT_NE(plan.offsets[0], plan.offsets[1]);
}

TEST(MemoryPlanner, RandomLifetimesNeverOverlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<Lifetime> buffers;
    for (int i = 0; i < 120; ++i) {
      int64_t first = random() % 60;
      buffers.push_back({int64_t(random() % 5000), first, first + int64_t(random() % 12)});
    }
    expectSound(buffers, planMemory(buffers, 64));
  }
}

TEST(MemoryPlanner, IsFarFromQuadratic) {
  std::vector<Lifetime> chain;
  for (int64_t i = 0; i < 200'000; ++i)
    chain.push_back({1000 + i % 7 * 100, i, i + 3});
  MemoryPlan plan = planMemory(chain, 256);
  EXPECT_LT(plan.arenaBytes, 16 * 2048);
}

} // namespace
