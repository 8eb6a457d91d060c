#include "runtime/cpu/ThreadPool.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#ifdef __x86_64__
#include <immintrin.h>
#endif

using namespace nnc::rt;

/// How often a thread looks again before it sleeps; waking costs more than a small kernel runs.
constexpr int SpinsBeforeSleep = 2000;

static void relax() {
#ifdef __x86_64__
  _mm_pause();
#endif
}

static unsigned wantedThreads() {
  unsigned wanted = 0;
  if (const char *text = std::getenv("NNC_NUM_THREADS"))
    std::from_chars(text, text + std::strlen(text), wanted);
  if (wanted == 0)
    wanted = std::thread::hardware_concurrency();
  return std::clamp(wanted, 1u, 1024u);
}

ThreadPool &ThreadPool::shared() {
  static ThreadPool pool(wantedThreads());
  return pool;
}

ThreadPool::ThreadPool(unsigned threads) {
  for (unsigned i = 1; i < threads; ++i)
    workers.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
    ++announced;
  }
  arrived.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::drain(Job &job) {
  for (int64_t i = job.next++; i < job.count; i = job.next++)
    job.function(job.context, i);
}

ThreadPool::Job *ThreadPool::unfinished() {
  for (Job *job = jobs; job; job = job->following)
    if (job->next.load(std::memory_order_relaxed) < job->count)
      return job;
  return nullptr;
}

void ThreadPool::remove(Job &job) {
  Job **place = &jobs;
  while (*place != &job)
    place = &(*place)->following;
  *place = job.following;
}

void ThreadPool::forEach(int64_t count, Function function, const void *context) {
  if (count <= 1 || workers.empty()) {
    for (int64_t i = 0; i < count; ++i)
      function(context, i);
    return;
  }
  Job job{function, context, count};
  {
    std::lock_guard lock(mutex);
    job.following = jobs;
    jobs = &job;
    ++announced;
  }
  arrived.notify_all();
  drain(job);
  {
    std::lock_guard lock(mutex);
    remove(job); // from here on no worker enters
  }
  for (int spin = 0; spin < SpinsBeforeSleep && job.helpers > 0; ++spin)
    relax();
  std::unique_lock lock(mutex);
  left.wait(lock, [&] { return job.helpers == 0; });
}

void ThreadPool::work() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    if (Job *job = unfinished()) {
      ++job->helpers;
      lock.unlock();
      drain(*job);
      lock.lock();
      if (--job->helpers == 0)
        left.notify_all();
      continue;
    }
    uint64_t seen = announced;
    lock.unlock();
    for (int spin = 0; spin < SpinsBeforeSleep && announced == seen; ++spin)
      relax();
    lock.lock();
    arrived.wait(lock, [&] { return announced != seen; });
  }
}
