#include "runtime/cpu/ThreadPool.h"

#include <gtest/gtest.h>

using namespace nnc::rt;

TEST(ThreadPool, runsEveryIndexOnce) {
  for (unsigned threads : {1u, 2u, 7u}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (int64_t count : {0, 1, 2, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
      pool.forEach(count, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
      for (std::atomic<int> &times : seen)
        EXPECT_EQ(times, 1);
    }
  }
}

TEST(ThreadPool, manyCallersAtOnce) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 5; ++caller)
    callers.emplace_back([&] {
      for (int round = 0; round < 300; ++round)
        pool.forEach(10, [&](int64_t i) { sum += i; });
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(sum, 5 * 300 * 45);
}
