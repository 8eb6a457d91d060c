#include "tools/nnc-run/Compare.h"
#include "runtime/format/Half.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

using namespace nnc;

namespace {

template <typename T> std::vector<double> widen(const Tensor &tensor) {
  std::span<T> values = tensor.values<T>();
  return {values.begin(), values.end()};
}

/// "[2, 3]" of a flat index.
std::string position(size_t flat, std::span<const int64_t> shape) {
  std::vector<size_t> index(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = flat % static_cast<size_t>(shape[axis]);
    flat /= static_cast<size_t>(shape[axis]);
  }
  return fmt::format("[{}]", fmt::join(index, ", "));
}

/// Infinities of one sign and NaNs are equal to themselves.
double difference(double found, double expected) {
  if (found == expected || (std::isnan(found) && std::isnan(expected)))
    return 0;
  double value = std::abs(found - expected);
  return std::isnan(value) ? INFINITY : value;
}

} // namespace

Result<std::vector<double>> run::toDoubles(const Tensor &tensor) {
  switch (tensor.dtype()) {
  case DType::I8:
    return widen<int8_t>(tensor);
  case DType::U8:
  case DType::Bool:
    return widen<uint8_t>(tensor);
  case DType::I16:
    return widen<int16_t>(tensor);
  case DType::I32:
    return widen<int32_t>(tensor);
  case DType::I64:
    return widen<int64_t>(tensor);
  default:
    break;
  }
  if (!format::isConvertibleFloat(tensor.dtype()))
    return Error{fmt::format("{} cannot be shown as numbers", dtypeName(tensor.dtype()))};
  std::vector<double> values(tensor.elements());
  format::convertFloats(tensor.dtype(), tensor.data(), DType::F64, values.data(), values.size());
  return values;
}

Result<std::string> run::compare(const std::string &name, const Tensor &found,
                                 const Tensor &expected, double rtol, double atol) {
  bool bothFloat =
      format::isConvertibleFloat(found.dtype()) && format::isConvertibleFloat(expected.dtype());
  if (!std::ranges::equal(found.shape(), expected.shape()) ||
      (found.dtype() != expected.dtype() && !bothFloat))
    return Error{fmt::format("output `{}` is {}, expected {}", name,
                             tensorText(found.dtype(), found.shape()),
                             tensorText(expected.dtype(), expected.shape()))};
  Result<std::vector<double>> a = toDoubles(found);
  if (!a)
    return a.error();
  Result<std::vector<double>> b = toDoubles(expected);
  if (!b)
    return b.error();

  size_t outside = 0, worst = 0;
  double largest = 0;
  for (size_t i = 0; i < a->size(); ++i) {
    double distance = difference((*a)[i], (*b)[i]);
    outside += !(distance <= atol + rtol * std::abs((*b)[i])) && distance > 0;
    if (distance > largest) {
      largest = distance;
      worst = i;
    }
  }
  std::string where = largest > 0
                          ? fmt::format(" at {}: {} instead of {}", position(worst, found.shape()),
                                        (*a)[worst], (*b)[worst])
                          : "";
  if (outside == 0)
    return fmt::format("output `{}` agrees: largest difference {:.3g}{}", name, largest, where);
  return Error{
      fmt::format("output `{}` differs in {} of {} elements (rtol {:g}, atol {:g}): largest "
                  "difference {:.3g}{}",
                  name, outside, a->size(), rtol, atol, largest, where)};
}
