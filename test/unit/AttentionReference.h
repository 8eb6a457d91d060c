// Attention by its definition, in double: what kernels of both targets are compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace nnc::test {

struct AttentionShape {
  int64_t batch = 1, heads = 1, keyHeads = 1, queries = 1, keys = 1, headSize = 1;
  bool causal = false;
  int64_t offset = 0;

  size_t querySize() const { return size_t(batch * heads * queries * headSize); }
  size_t keySize() const { return size_t(batch * keyHeads * keys * headSize); }
  size_t maskSize() const { return size_t(batch * heads * queries * keys); }
};

/// All tensors are dense [batch, head, position, place]; `mask` is empty or [B, H, T, S].
template <class T>
std::vector<float> referenceAttention(const AttentionShape &shape, const std::vector<T> &query,
                                      const std::vector<T> &key, const std::vector<T> &value,
                                      const std::vector<char> &mask) {
  int64_t d = shape.headSize, group = shape.heads / shape.keyHeads;
  std::vector<float> result;
  for (int64_t row = 0; row < shape.batch * shape.heads * shape.queries; ++row) {
    int64_t t = row % shape.queries, head = row / shape.queries % shape.heads;
    int64_t batch = row / shape.queries / shape.heads;
    int64_t base = (batch * shape.keyHeads + head / group) * shape.keys;
    std::vector<double> scores;
    for (int64_t j = 0; j < shape.keys; ++j) {
      double score = 0;
      for (int64_t k = 0; k < d; ++k)
        score += double(query[size_t(row * d + k)]) * double(key[size_t((base + j) * d + k)]);
      bool isHidden = (!mask.empty() && !mask[size_t(row * shape.keys + j)]) ||
                      (shape.causal && t + shape.offset < j);
      scores.push_back(isHidden ? -INFINITY : score / std::sqrt(double(d)));
    }
    double highest = -INFINITY, sum = 0;
    for (double score : scores)
      highest = std::max(highest, score);
    for (double &score : scores)
      sum += score = std::exp(score - highest);
    for (int64_t k = 0; k < d; ++k) {
      double total = 0;
      for (int64_t j = 0; j < shape.keys; ++j)
        if (scores[size_t(j)] != 0)
          total += scores[size_t(j)] / sum * double(value[size_t((base + j) * d + k)]);
      result.push_back(float(total));
    }
  }
  return result;
}

/// [a, x, y, d] as [a, y, x, d].
template <class T>
std::vector<T> swapMiddle(const std::vector<T> &values, int64_t x, int64_t y, int64_t d) {
  std::vector<T> result(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    int64_t place = int64_t(i), k = place % d, b = place / d % y, a = place / d / y % x;
    result[size_t((((place / d / y / x) * y + b) * x + a) * d + k)] = values[i];
  }
  return result;
}

} // namespace nnc::test
