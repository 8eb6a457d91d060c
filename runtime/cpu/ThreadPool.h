// The threads that run the blocks of kernels. One pool per process; several sessions may use it at
// the same time.
#ifndef NNC_RUNTIME_CPU_THREADPOOL_H
#define NNC_RUNTIME_CPU_THREADPOOL_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace nnc::rt {

class ThreadPool {
public:
  /// `threads` counts the caller of forEach: one thread starts none.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();

  /// As many threads as the process may use, or NNC_NUM_THREADS of the environment.
  static ThreadPool &shared();

  /// Calls body(i) for every i in 0..count, in any order, on all threads and this one; returns when
  /// all are done. Allocates nothing.
  template <typename Body> void forEach(int64_t count, const Body &body) {
    forEach(
        count, [](const void *context, int64_t i) { (*static_cast<const Body *>(context))(i); },
        &body);
  }

  unsigned size() const { return static_cast<unsigned>(workers.size()) + 1; }

private:
  using Function = void (*)(const void *context, int64_t index);

  /// A running forEach, on its caller's stack while it is in the list.
  struct Job {
    Function function;
    const void *context;
    int64_t count;
    std::atomic<int64_t> next{0};
    std::atomic<unsigned> helpers{0}; // workers inside; changed under `mutex`
    Job *following = nullptr;
  };

  void forEach(int64_t count, Function function, const void *context);
  static void drain(Job &job);
  Job *unfinished();
  void remove(Job &job);
  void work();

  std::mutex mutex;
  std::condition_variable arrived, left;
  Job *jobs = nullptr;
  bool stopping = false;
  std::atomic<uint64_t> announced{0}; // changes with every new job; what idle workers watch
  std::vector<std::thread> workers;
};

} // namespace nnc::rt

#endif
