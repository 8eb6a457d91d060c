#include "tools/nnc-train/Metrics.h"

#include "runtime/format/Half.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <numeric>

using namespace nnc;
using namespace nnc::train;

std::optional<double> train::numberOf(const Tensor &tensor) {
  if (tensor.elements() != 1)
    return std::nullopt;
  switch (tensor.dtype()) {
  case DType::F64:
    return tensor.values<double>()[0];
  case DType::I32:
    return tensor.values<int32_t>()[0];
  case DType::I64:
    return static_cast<double>(tensor.values<int64_t>()[0]);
  default:
    break;
  }
  if (!format::isConvertibleFloat(tensor.dtype()))
    return std::nullopt;
  float value = 0;
  format::convertFloats(tensor.dtype(), tensor.data(), DType::F32, &value, 1);
  return static_cast<double>(value);
}

void Means::add(const TensorMap &outputs, size_t examples) {
  count += examples;
  double part = static_cast<double>(examples) / static_cast<double>(count);
  for (const NamedTensor &output : outputs) {
    std::optional<double> value = numberOf(output.tensor);
    if (!value)
      continue;
    auto known = std::ranges::find(means, output.name, &Scalar::name);
    if (known == means.end())
      means.push_back({output.name, *value});
    else
      known->value += (*value - known->value) * part;
  }
}

std::vector<Scalar> Means::values() const { return means; }

const double *Means::find(std::string_view name) const {
  auto known = std::ranges::find(means, name, &Scalar::name);
  return known == means.end() ? nullptr : &known->value;
}

namespace {

std::vector<float> floatsOf(const Tensor &tensor) {
  std::vector<float> values(tensor.elements());
  format::convertFloats(tensor.dtype(), tensor.data(), DType::F32, values.data(), values.size());
  return values;
}

double ratio(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

} // namespace

Result<void> Confusion::add(const Tensor &logits, const Tensor &labels) {
  std::vector<float> values = floatsOf(logits);
  for (size_t row = 0; row < labels.elements(); ++row) {
    int64_t label = labels.dtype() == DType::I32 ? labels.values<int32_t>()[row]
                                                 : labels.values<int64_t>()[row];
    if (label < 0 || static_cast<size_t>(label) >= classes)
      return Error{fmt::format("the label {} is no class: the model has {}", label, classes)};
    auto first = values.begin() + static_cast<ptrdiff_t>(row * classes);
    auto guess = std::max_element(first, first + static_cast<ptrdiff_t>(classes)) - first;
    ++counts[static_cast<size_t>(label) * classes + static_cast<size_t>(guess)];
  }
  return {};
}

uint64_t Confusion::total() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

double Confusion::accuracy() const {
  uint64_t right = 0;
  for (size_t i = 0; i < classes; ++i)
    right += at(i, i);
  return ratio(right, total());
}

uint64_t Confusion::support(size_t label) const {
  uint64_t sum = 0;
  for (size_t guess = 0; guess < classes; ++guess)
    sum += at(label, guess);
  return sum;
}

double Confusion::precision(size_t guess) const {
  uint64_t sum = 0;
  for (size_t label = 0; label < classes; ++label)
    sum += at(label, guess);
  return ratio(at(guess, guess), sum);
}

double Confusion::recall(size_t label) const { return ratio(at(label, label), support(label)); }

double Confusion::f1(size_t label) const {
  double sum = precision(label) + recall(label);
  return sum == 0 ? 0 : 2 * precision(label) * recall(label) / sum;
}

std::string Confusion::text(const std::vector<std::string> &names) const {
  size_t width = 5;
  auto nameOf = [&](size_t i) { return i < names.size() ? names[i] : std::to_string(i); };
  for (size_t i = 0; i < classes; ++i)
    width = std::max(width, nameOf(i).size());
  std::string text = fmt::format("{:>{}}  precision  recall  f1      examples\n", "class", width);
  for (size_t i = 0; i < classes; ++i)
    text += fmt::format("{:>{}}  {:<9.4f}  {:<6.4f}  {:<6.4f}  {}\n", nameOf(i), width,
                        precision(i), recall(i), f1(i), support(i));
  constexpr size_t MostColumns = 16;
  if (classes > MostColumns)
    return text;
  text += fmt::format("{:>{}}  taken for\n", "", width);
  for (size_t i = 0; i < classes; ++i) {
    text += fmt::format("{:>{}} ", nameOf(i), width);
    for (size_t guess = 0; guess < classes; ++guess)
      text += fmt::format(" {:>5}", at(i, guess));
    text += "\n";
  }
  return text;
}
