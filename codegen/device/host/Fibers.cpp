#include "codegen/device/host/Fibers.h"

#include <cstdint>
#include <cstdlib>
#include <sys/mman.h>

// Saves the callee-saved registers and the stack pointer, and continues on another stack.
asm(R"(
.text
.p2align 4
.globl nncTwinSwitch
.hidden nncTwinSwitch
.type nncTwinSwitch, @function
nncTwinSwitch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size nncTwinSwitch, .-nncTwinSwitch
)");
extern "C" void nncTwinSwitch(void **from, void *to);

using namespace nnc;
using namespace nnc::twin;

namespace {

constexpr size_t StackBytes = 256 << 10;
constexpr size_t MeetingsOfBlock = 16;

/// The runner that fibers belong to: there is one at a time.
BlockRunner *running = nullptr;

char *allocateStack() {
  void *stack = mmap(nullptr, StackBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED)
    std::abort();
  mprotect(stack, 4096, PROT_NONE); // an overflow stops here
  return static_cast<char *>(stack);
}

} // namespace

BlockRunner::BlockRunner() { running = this; }

/// Where fibers start: each runs the current thread, and when it is resumed again the next one.
__attribute__((no_sanitize("address"))) void BlockRunner::enter() {
  while (true) {
    (*running->body)();
    running->idle.push_back(running->fibers[running->current]);
    running->yieldAs(Status::Done);
  }
}

__attribute__((no_sanitize("address"))) void BlockRunner::yieldAs(Status next) {
  status[current] = next;
  nncTwinSwitch(&pool[fibers[current]].pointer, scheduler);
}

void BlockRunner::waitAtBarrier() { running->yieldAs(Status::AtBarrier); }
void BlockRunner::waitAtWarp() { running->yieldAs(Status::AtWarp); }
void BlockRunner::waitAtGrid() { running->yieldAs(Status::AtGrid); }
void BlockRunner::waitForArrival() { running->yieldAs(Status::AtArrival); }

BlockRunner::Fiber &BlockRunner::fiberOf(unsigned thread) {
  if (status[thread] != Status::New)
    return pool[fibers[thread]];
  if (idle.empty()) {
    Fiber fiber{allocateStack(), nullptr};
    // As if enter() had been called from nowhere and then switched away from.
    auto *top = reinterpret_cast<uintptr_t *>(fiber.stack + StackBytes) - 1;
    *--top = reinterpret_cast<uintptr_t>(&BlockRunner::enter);
    top -= 6;
    fiber.pointer = top;
    idle.push_back(static_cast<unsigned>(pool.size()));
    pool.push_back(fiber);
  }
  fibers[thread] = idle.back();
  idle.pop_back();
  return pool[fibers[thread]];
}

__attribute__((no_sanitize("address"))) void BlockRunner::resume(unsigned thread) {
  current = thread;
  state->linearThread = thread;
  unsigned inBlock = thread % threads;
  state->thread.x = inBlock % state->blockSize.x;
  state->thread.y = inBlock / state->blockSize.x % state->blockSize.y;
  state->thread.z = inBlock / state->blockSize.x / state->blockSize.y;
  void *to = fiberOf(thread).pointer;
  nncTwinSwitch(&scheduler, to);
}

unsigned BlockRunner::countOf(Status which, unsigned begin, unsigned end) const {
  unsigned count = 0;
  for (unsigned thread = begin; thread < end; ++thread)
    count += status[thread] == which;
  return count;
}

void BlockRunner::release(Status waiting, unsigned begin, unsigned end) {
  for (unsigned thread = begin; thread < end; ++thread)
    if (status[thread] == waiting)
      status[thread] = Status::Ready;
}

/// Runs the lanes of a warp until each is done or waits for the block, or for others to arrive
/// somewhere. False: some lanes wait for lanes that wait for the block.
bool BlockRunner::runWarp(unsigned begin, unsigned end) {
  while (true) {
    bool ran = false;
    for (unsigned i = begin; i < end; ++i) {
      unsigned thread = reverse ? end - 1 - (i - begin) : i;
      if (status[thread] != Status::New && status[thread] != Status::Ready)
        continue;
      resume(thread);
      ran = true;
    }
    unsigned waiting = countOf(Status::AtWarp, begin, end);
    if (waiting == 0 && !ran)
      return true;
    if (waiting > 0 && countOf(Status::AtBarrier, begin, end) > 0)
      return false;
    if (waiting > 0 && countOf(Status::AtArrival, begin, end) > 0)
      return true;
    release(Status::AtWarp, begin, end);
  }
}

/// Runs a block until each of its threads is done or waits for the grid.
Result<void> BlockRunner::runBlock(unsigned block) {
  uint64_t number = firstBlock + block;
  NncTwinIndex grid = state->gridSize;
  state->block = {unsigned(number % grid.x), unsigned(number / grid.x % grid.y),
                  unsigned(number / grid.x / grid.y)};
  unsigned begin = block * threads, end = begin + threads, warps = (threads + 31) / 32;
  state->meetings = &meetings[size_t(block) * MeetingsOfBlock];
  while (true) {
    const unsigned long long before = state->arrivals;
    for (unsigned i = 0; i < warps; ++i) {
      unsigned lane = begin + 32 * (reverse ? warps - 1 - i : i);
      if (!runWarp(lane, std::min(lane + 32, end)))
        return Error{"some lanes of a warp wait for each other, others for the whole block"};
    }
    if (countOf(Status::AtArrival, begin, end) > 0) {
      if (state->arrivals == before)
        return Error{"some threads wait for others to arrive, which never do"};
      release(Status::AtArrival, begin, end);
      continue;
    }
    if (countOf(Status::AtBarrier, begin, end) == 0)
      return {};
    if (countOf(Status::AtGrid, begin, end) > 0)
      return Error{"some threads wait for their block, others for the whole grid"};
    release(Status::AtBarrier, begin, end);
  }
}

Result<void> BlockRunner::run(NncTwinState &newState, const std::function<void()> &newBody,
                              bool newReverse, uint64_t first, unsigned blocks,
                              const EnterBlock &enterBlock) {
  state = &newState;
  body = &newBody;
  reverse = newReverse;
  firstBlock = first;
  threads = state->blockSize.x * state->blockSize.y * state->blockSize.z;
  unsigned all = blocks * threads;
  status.assign(all, Status::New);
  fibers.resize(all);
  exchange.resize(2 * ((all + 31) / 32 * 32));
  parity.assign(all, 0);
  meetings.assign(blocks * MeetingsOfBlock, {});
  state->exchange = exchange.data();
  state->parity = parity.data();
  state->barrier = waitAtBarrier;
  state->warpBarrier = waitAtWarp;
  state->gridBarrier = waitAtGrid;
  state->waitForArrival = waitForArrival;
  for (bool isFirst = true; countOf(Status::Done, 0, all) < all; isFirst = false) {
    Result<void> ran;
    for (unsigned i = 0; i < blocks && ran; ++i) {
      unsigned block = reverse ? blocks - 1 - i : i;
      enterBlock(block, isFirst);
      ran = runBlock(block);
    }
    if (ran && countOf(Status::AtGrid, 0, all) > 0 && countOf(Status::Done, 0, all) > 0)
      ran = Error{"some threads wait for the whole grid, others have ended"};
    if (!ran) {
      pool.clear(); // the stacks that still wait are given up
      idle.clear();
      return ran;
    }
    release(Status::AtGrid, 0, all);
  }
  return {};
}
