// Random numbers for the order of examples and for augmentation: the same on every machine, and a
// function of seed and place alone, so that neither threads nor resuming change them.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace nnc::train {

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
class Random {
public:
  /// A stream of its own for every list of numbers, e.g. {seed, epoch, example}.
  Random(std::initializer_list<uint64_t> place) {
    for (uint64_t number : place)
      state = mix(state ^ mix(number + Golden)) + Golden;
  }

  uint64_t next() { return mix(state += Golden); }
  /// In [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// In 0..count, unbiased; count > 0.
  uint64_t below(uint64_t count) {
    uint64_t reject = -count % count; // 2^64 mod count
    uint64_t number = next();
    while (number < reject)
      number = next();
    return number % count;
  }

private:
  static constexpr uint64_t Golden = 0x9e3779b97f4a7c15;
  static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  uint64_t state = 0;
};

} // namespace nnc::train
