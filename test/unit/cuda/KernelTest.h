// Kernels from the text of the nn dialect to numbers: lowered, emitted, compiled by NVRTC for both
// architectures where it is there, compiled for the host and run by the twin.
#ifndef NNC_TEST_UNIT_CUDA_KERNELTEST_H
#define NNC_TEST_UNIT_CUDA_KERNELTEST_H

#include <cstdint>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

namespace nnc::test {

/// A dense tensor in memory.
using Bytes = std::vector<char>;

template <class T> Bytes bytesOf(const std::vector<T> &values) {
  Bytes bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <class T> std::vector<T> valuesOf(const Bytes &bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// The same numbers in every run, between -1 and 1.
std::vector<float> randomFloats(size_t count, unsigned seed = 1);

class KernelTest : public testing::Test {
protected:
  KernelTest();
  ~KernelTest() override;

  /// `kernel` is one nn.kernel on arguments of a function with dimensions B (1..64) and T (1..512):
  /// "func.func @f(ARGUMENTS) ... { KERNEL return }".
  void build(const std::string &arguments, const std::string &kernel);

  /// Runs with the twin, once in each order of threads, which must give the same bits. Outputs are
  /// poisoned before; what lies around them must not change, and every element must be written.
  std::vector<Bytes> run(const std::vector<int64_t> &dims, const std::vector<Bytes> &inputs);

  const std::string &source() const;

  /// Kernels are run as on a GPU before sm_90a, without products of groups of warps.
  bool withoutGroups = false;

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

/// Compares element by element. `relative` bounds the difference by the larger of 1 and the
/// expected magnitude.
void expectNear(const std::vector<float> &actual, const std::vector<float> &expected,
                float relative = 1e-5f);

} // namespace nnc::test

#endif
