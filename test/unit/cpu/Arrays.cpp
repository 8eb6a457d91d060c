//===- Arrays.cpp - numbers in memory -------------------------------------===//

#include "Interpreter.h"

#include "runtime/format/Half.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace mlir;
using namespace nnc;
using namespace nnc::test;

size_t test::elementBytes(Type element) {
  return std::max(1u, element.getIntOrFloatBitWidth() / 8);
}

void test::writeElements(void *memory, Type element, const std::vector<double> &values) {
  auto write = [&](auto convert) {
    using T = decltype(convert(0.0));
    for (size_t i = 0; i < values.size(); ++i) {
      T value = convert(values[i]);
      std::memcpy(static_cast<char *>(memory) + i * sizeof(T), &value, sizeof(T));
    }
  };
  if (element.isF32())
    write([](double x) { return float(x); });
  else if (element.isBF16())
    write([](double x) { return format::bf16FromFloat(float(x)); });
  else if (element.isF16())
    write([](double x) { return format::f16FromFloat(float(x)); });
  else if (element.isInteger(64))
    write([](double x) { return int64_t(x); });
  else if (element.isInteger(32))
    write([](double x) { return int32_t(x); });
  else
    write([](double x) { return int8_t(x); });
}

std::vector<double> test::readElements(const void *memory, Type element, size_t count) {
  std::vector<double> values(count);
  auto read = [&]<typename T>(T, auto convert) {
    for (size_t i = 0; i < count; ++i) {
      T value;
      std::memcpy(&value, static_cast<const char *>(memory) + i * sizeof(T), sizeof(T));
      values[i] = double(convert(value));
    }
  };
  if (element.isF32())
    read(float(), [](float x) { return x; });
  else if (element.isBF16())
    read(uint16_t(), [](uint16_t x) { return format::floatFromBf16(x); });
  else if (element.isF16())
    read(uint16_t(), [](uint16_t x) { return format::floatFromF16(x); });
  else if (element.isInteger(64))
    read(int64_t(), [](int64_t x) { return x; });
  else if (element.isInteger(32))
    read(int32_t(), [](int32_t x) { return x; });
  else
    read(int8_t(), [](int8_t x) { return x; });
  return values;
}

Array test::randomArray(RankedTensorType type, const std::vector<int64_t> &shape, unsigned seed) {
  std::mt19937 random(seed);
  Array array{shape, {}};
  size_t count = 1;
  for (int64_t size : shape)
    count *= size_t(size);
  Type element = type.getElementType();
  for (size_t i = 0; i < count; ++i) {
    double unit = double(random()) / double(std::mt19937::max());
    if (isa<FloatType>(element))
      array.data.push_back(roundTo(element, unit * 4 - 2));
    else if (element.isInteger(1))
      array.data.push_back(unit < 0.5 ? 0 : 1);
    else
      array.data.push_back(std::floor(unit * 17) - 8);
  }
  return array;
}

void test::expectClose(const Array &got, const Array &want, Type element,
                       const std::string &where) {
  ASSERT_EQ(got.data.size(), want.data.size()) << where;
  // Sums of f32 in another order; one unit in the last place of the narrow types.
  double relative = element.isBF16() ? 1.0 / 100 : element.isF16() ? 1.0 / 800 : 2e-5;
  for (size_t i = 0; i < got.data.size(); ++i) {
    double a = got.data[i], b = want.data[i];
    if ((std::isnan(a) && std::isnan(b)) || a == b)
      continue;
    double allowed = isa<FloatType>(element) ? relative * (std::fabs(b) + 1) : 0;
    ASSERT_LE(std::fabs(a - b), allowed)
        << where << ", element " << i << ": " << a << ", not " << b;
  }
}
