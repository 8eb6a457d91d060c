// Numbers as kernels have them in memory: f32, f16 or bf16.
#ifndef NNC_TEST_UNIT_CUDA_ELEMENTS_H
#define NNC_TEST_UNIT_CUDA_ELEMENTS_H

#include "runtime/format/Half.h"
#include "test/unit/cuda/KernelTest.h"

namespace nnc::test {

inline uint16_t halfOf(const std::string &element, float value) {
  return element == "f16" ? format::f16FromFloat(value) : format::bf16FromFloat(value);
}

inline float floatOf(const std::string &element, uint16_t half) {
  return element == "f16" ? format::floatFromF16(half) : format::floatFromBf16(half);
}

/// The numbers that `randomFloats` draws, twice as large, as the element type has them.
inline std::vector<double> drawElements(const std::string &element, size_t count, unsigned seed) {
  std::vector<double> values;
  for (float value : randomFloats(count, seed))
    values.push_back(element == "f32" ? 2 * value : floatOf(element, halfOf(element, 2 * value)));
  return values;
}

inline Bytes storedAs(const std::string &element, const std::vector<double> &values) {
  std::vector<float> floats(values.begin(), values.end());
  std::vector<uint16_t> halves;
  for (float value : floats)
    halves.push_back(halfOf(element, value));
  return element == "f32" ? bytesOf(floats) : bytesOf(halves);
}

inline std::vector<float> readAs(const std::string &element, const Bytes &bytes) {
  if (element == "f32")
    return valuesOf<float>(bytes);
  std::vector<float> floats;
  for (uint16_t half : valuesOf<uint16_t>(bytes))
    floats.push_back(floatOf(element, half));
  return floats;
}

} // namespace nnc::test

#endif
