// Random numbers of tools that want some, the same in every run and on every machine.
#pragma once

#include <cstdint>

namespace nnc {

/// SplitMix64.
class SplitMix {
public:
  explicit SplitMix(uint64_t seed) : state(seed) {}

  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// Nearly normal, exact everywhere: the sum of twelve uniform numbers, less six.
  float normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i)
      sum += static_cast<double>(next() >> 40) * 0x1p-24;
    return static_cast<float>(sum);
  }

private:
  uint64_t state;
};

} // namespace nnc
