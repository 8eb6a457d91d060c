// What blocks of a launch count in memory that is 0 before the first call.
#ifndef NNC_RUNTIME_FORMAT_COUNTERS_H
#define NNC_RUNTIME_FORMAT_COUNTERS_H

namespace nnc::format {

/// Counters of a launch with memory of its own: it uses no more, and leaves zeros.
inline constexpr unsigned MaxArrivals = 1024;

/// Before them is what a loop's kernel counts at its barriers.
inline constexpr unsigned ArrivalsOffset = 128;
inline constexpr unsigned CounterBytes = ArrivalsOffset + MaxArrivals * 4;

} // namespace nnc::format

#endif // NNC_RUNTIME_FORMAT_COUNTERS_H
