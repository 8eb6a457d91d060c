//===- Touch.h - Reads all of what a reader gave --------------------------------*- C++ -*-===//
#ifndef NNC_TEST_FUZZ_TOUCH_H
#define NNC_TEST_FUZZ_TOUCH_H

#include <cstddef>
#include <span>

namespace nnc::fuzz {

using Bytes = std::span<const std::byte>;

/// Reads every byte, so that a span beyond its buffer is found.
inline void touch(Bytes bytes) {
  volatile unsigned sum = 0;
  for (std::byte byte : bytes)
    sum = sum + static_cast<unsigned>(byte);
}

} // namespace nnc::fuzz

#endif
