// Threads of a block as fibers of one OS thread.
#ifndef NNC_DEVICE_HOST_FIBERS_H
#define NNC_DEVICE_HOST_FIBERS_H

#include "codegen/device/host/state.h"
#include "runtime/format/Result.h"

#include <cstddef>
#include <functional>
#include <vector>

namespace nnc::twin {

/// Runs blocks, one at a time. One instance serves a process: its users hold a lock.
class BlockRunner {
public:
  BlockRunner();
  BlockRunner(const BlockRunner &) = delete;

  /// Calls `body` once for each of the `state.blockSize` threads, with `state.thread` set. Errors:
  /// some threads wait at a barrier that others, which still run, never reach.
  Result<void> run(NncTwinState &state, const std::function<void()> &body, bool reverse);

private:
  enum class Status : unsigned char { New, Ready, AtBarrier, AtWarp, Done };
  struct Fiber {
    char *stack = nullptr;
    void *pointer = nullptr; ///< of the stack while it does not run
  };
  static void enter();
  static void waitAtBarrier();
  static void waitAtWarp();
  void yieldAs(Status next);
  void resume(unsigned thread);
  bool runWarp(unsigned warp);
  void release(Status waiting, unsigned begin, unsigned end);
  unsigned countOf(Status which, unsigned begin, unsigned end) const;
  Fiber &fiberOf(unsigned thread);

  NncTwinState *state = nullptr;
  const std::function<void()> *body = nullptr;
  bool reverse = false;
  unsigned threads = 0, current = 0;
  std::vector<Status> status;
  std::vector<unsigned> fibers; ///< by thread: index into pool
  std::vector<Fiber> pool;
  std::vector<unsigned> idle; ///< fibers that have finished a thread
  void *scheduler = nullptr;  ///< the stack pointer of run()
  std::vector<unsigned long long> exchange;
  std::vector<unsigned char> parity;
};

} // namespace nnc::twin

#endif
