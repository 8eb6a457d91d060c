// Parts of a block that work apart and meet where one needs what the other did (sm_90a): counted
// arrivals in shared memory ("mbarrier" in the PTX ISA), barriers of some warps ("barrier.cta"),
// and registers that one part leaves to the other ("setmaxnreg"). For code that only HasGroups
// runs.

/// Eight bytes of shared memory that count arrivals in phases, 0 and 1 in turn, beginning with 0.
/// One thread prepares them for `count` arrivals per phase; others use them behind a barrier.
using Arrivals = unsigned long long;

#ifdef __CUDACC__

NNC_INLINE void prepareArrivals(Arrivals *arrivals, unsigned count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(sharedAddress(arrivals)), "r"(count)
               : "memory");
}
/// What this thread wrote before is visible to who waits for the phase.
NNC_INLINE void arrive(Arrivals *arrivals) {
  asm volatile("mbarrier.arrive.release.cta.shared.b64 _, [%0];" ::"r"(sharedAddress(arrivals))
               : "memory");
}
/// Waits until the phase has ended that has this parity. The phase before the first has ended.
NNC_INLINE void waitForArrivals(Arrivals *arrivals, unsigned parity) {
  asm volatile("{\n\t.reg .pred ended;\n"
               "again:\n\t"
               "mbarrier.try_wait.parity.acquire.cta.shared.b64 ended, [%0], %1;\n\t"
               "@ended bra.uni done;\n\t"
               "bra.uni again;\n"
               "done:\n\t}" ::"r"(sharedAddress(arrivals)),
               "r"(parity)
               : "memory");
}

/// Waits until `Threads` threads, whole warps, have come to barrier `number`, 1 to 15; makes shared
/// memory written before visible.
template <int Threads> NNC_INLINE void meet(int number) {
  asm volatile("barrier.cta.sync.aligned %0, %1;" ::"r"(number), "n"(Threads) : "memory");
}
// How many registers each thread has from here on, a multiple of 8; said by all warps of a group of
// four. Takes effect in kernels whose bounds say how many blocks a multiprocessor holds.
template <int Registers> NNC_INLINE void leaveRegisters() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}
template <int Registers> NNC_INLINE void takeRegisters() {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}

#else

/// From the lowest bit on: 20 bits of arrivals to come, 20 of arrivals per phase, the phase.
inline void prepareArrivals(Arrivals *arrivals, unsigned count) {
  *arrivals = count | (Arrivals)count << 20;
}
inline void arrive(Arrivals *arrivals) {
  ++nncTwin->arrivals;
  if ((--*arrivals & 0xfffff) == 0)
    *arrivals = (*arrivals ^ 1ull << 40) | (*arrivals >> 20 & 0xfffff);
}
inline void waitForArrivals(Arrivals *arrivals, unsigned parity) {
  while ((*arrivals >> 40 & 1) == parity)
    nncTwin->waitForArrival();
}

template <int Threads> inline void meet(int number) {
  NncTwinMeeting &meeting = nncTwin->meetings[number];
  const unsigned before = meeting.ended;
  ++nncTwin->arrivals;
  if (++meeting.arrived == Threads) {
    meeting.arrived = 0;
    ++meeting.ended;
  }
  while (meeting.ended == before)
    nncTwin->waitForArrival();
}
template <int> inline void leaveRegisters() {}
template <int> inline void takeRegisters() {}

#endif
