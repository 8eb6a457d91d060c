// Where the buffers of a running loop are: what an iteration reads of the one before it, and where
// it writes. Shared by all executors; nothing is copied.
#ifndef NNC_RUNTIME_LOOPBUFFERS_H
#define NNC_RUNTIME_LOOPBUFFERS_H

#include "runtime/format/Plan.h"

namespace nnc::rt {

/// Moves the addresses of a loop's buffers in the table of all buffers of the entry. `Address` is a
/// pointer of the host or of a device.
template <typename Address> class LoopBuffers {
public:
  /// Before the first iteration.
  LoopBuffers(const format::LoopT &loop, std::vector<Address> &buffers)
      : loop(loop), buffers(buffers) {
    for (const auto &carried : loop.carried)
      buffers[carried->argument] = buffers[carried->init];
  }

  /// Before an iteration; advance(address, slot) is the place of the buffer `slot` in what begins
  /// at `address`.
  template <typename Advance> void begin(Advance &&advance) {
    for (const auto &stacked : loop.stacked)
      buffers[stacked->slot] = advance(buffers[stacked->result], stacked->slot);
  }

  /// After an iteration.
  void end() {
    for (const auto &carried : loop.carried)
      buffers[carried->argument] = buffers[carried->next];
    for (const auto &carried : loop.carried)
      if (carried->spare >= 0)
        std::swap(buffers[carried->next], buffers[static_cast<size_t>(carried->spare)]);
  }

  /// After the last.
  void finish() {
    for (const auto &carried : loop.carried)
      buffers[carried->result] = buffers[carried->argument];
  }

private:
  const format::LoopT &loop;
  std::vector<Address> &buffers;
};

} // namespace nnc::rt

#endif
