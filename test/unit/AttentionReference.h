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

/// The logarithms of the sums of the softmax, by row.
template <class T>
std::vector<float> referenceSums(const AttentionShape &shape, const std::vector<T> &query,
                                 const std::vector<T> &key, const std::vector<char> &mask);

/// The gradients of attention by its operands, for the gradient `g` of its result, and what kernels
/// of them are given: numbers by row of the queries. A row that sees no key has no part in them.
struct AttentionGradReference {
  std::vector<double> lse, delta, query, key, value;
};

template <class T>
AttentionGradReference
referenceAttentionGrad(const AttentionShape &shape, const std::vector<T> &query,
                       const std::vector<T> &key, const std::vector<T> &value,
                       const std::vector<T> &g, const std::vector<char> &mask) {
  int64_t d = shape.headSize, group = shape.heads / shape.keyHeads;
  double scale = 1 / std::sqrt(double(d));
  AttentionGradReference result;
  result.query.resize(query.size());
  result.key.resize(key.size());
  result.value.resize(value.size());
  for (int64_t row = 0; row < shape.batch * shape.heads * shape.queries; ++row) {
    int64_t t = row % shape.queries, head = row / shape.queries % shape.heads;
    int64_t batch = row / shape.queries / shape.heads;
    int64_t base = (batch * shape.keyHeads + head / group) * shape.keys;
    auto dot = [&](const std::vector<T> &rows, const std::vector<T> &others, int64_t j) {
      double sum = 0;
      for (int64_t k = 0; k < d; ++k)
        sum += double(rows[size_t(row * d + k)]) * double(others[size_t((base + j) * d + k)]);
      return sum;
    };
    std::vector<double> scores, products;
    double highest = -INFINITY, sum = 0, delta = 0;
    for (int64_t j = 0; j < shape.keys; ++j) {
      bool isHidden = (!mask.empty() && !mask[size_t(row * shape.keys + j)]) ||
                      (shape.causal && t + shape.offset < j);
      scores.push_back(isHidden ? -INFINITY : dot(query, key, j) * scale);
      products.push_back(dot(g, value, j));
      highest = std::max(highest, scores.back());
    }
    for (double score : scores)
      sum += std::exp(score - highest);
    result.lse.push_back(highest == -INFINITY ? highest : highest + std::log(sum));
    for (int64_t j = 0; j < shape.keys; ++j)
      delta += std::exp(scores[size_t(j)] - highest) / sum * products[size_t(j)];
    result.delta.push_back(delta); // NaN of a row that sees nothing
    for (int64_t j = 0; j < shape.keys; ++j) {
      if (scores[size_t(j)] == -INFINITY)
        continue;
      double weight = std::exp(scores[size_t(j)] - highest) / sum;
      double error = weight * (products[size_t(j)] - delta) * scale;
      for (int64_t k = 0; k < d; ++k) {
        auto own = size_t(row * d + k), other = size_t((base + j) * d + k);
        result.query[own] += error * double(key[other]);
        result.key[other] += error * double(query[own]);
        result.value[other] += weight * double(g[own]);
      }
    }
  }
  return result;
}

template <class T>
std::vector<float> referenceSums(const AttentionShape &shape, const std::vector<T> &query,
                                 const std::vector<T> &key, const std::vector<char> &mask) {
  std::vector<double> sums = referenceAttentionGrad(shape, query, key, key, query, mask).lse;
  return {sums.begin(), sums.end()};
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
