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

  using EnterBlock = std::function<void(unsigned block, bool isFirst)>;

  /// Calls `body` once for each thread of each of `blocks` blocks, the first of which has the
  /// number `first`, with `state.thread` and `state.block` set. Blocks take turns at barriers of
  /// the grid or cluster only, and `enterBlock` is called before each turn, with the block and
  /// whether it is its first. Errors: some threads wait for what never happens.
  Result<void> run(NncTwinState &state, const std::function<void()> &body, bool reverse,
                   uint64_t first, unsigned blocks, const EnterBlock &enterBlock);

private:
  enum class Status : unsigned char { New, Ready, AtBarrier, AtWarp, AtGrid, AtArrival, Done };
  struct Fiber {
    char *stack = nullptr;
    void *pointer = nullptr; ///< of the stack while it does not run
  };
  static void enter();
  static void waitAtBarrier();
  static void waitAtWarp();
  static void waitAtGrid();
  static void waitForArrival();
  void yieldAs(Status next);
  void resume(unsigned thread);
  bool runWarp(unsigned begin, unsigned end);
  Result<void> runBlock(unsigned block);
  void release(Status waiting, unsigned begin, unsigned end);
  unsigned countOf(Status which, unsigned begin, unsigned end) const;
  Fiber &fiberOf(unsigned thread);

  NncTwinState *state = nullptr;
  const std::function<void()> *body = nullptr;
  bool reverse = false;
  unsigned threads = 0, current = 0; ///< threads of a block
  uint64_t firstBlock = 0;
  std::vector<Status> status;
  std::vector<unsigned> fibers; ///< by thread: index into pool
  std::vector<Fiber> pool;
  std::vector<unsigned> idle; ///< fibers that have finished a thread
  void *scheduler = nullptr;  ///< the stack pointer of run()
  std::vector<unsigned long long> exchange;
  std::vector<unsigned char> parity;
  std::vector<NncTwinMeeting> meetings; ///< sixteen per block
};

} // namespace nnc::twin

#endif
