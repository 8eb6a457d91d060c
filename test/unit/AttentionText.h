// Types of the tensors of attention, in functions whose dimensions are T (s0: queries) and S (s1:
// keys), and the masks that tests of both targets use.
#pragma once

#include "test/unit/AttentionReference.h"

#include <fmt/format.h>
#include <string>

namespace nnc::test {

/// A tensor of so many dims before the last ones; `positions` is one of them, a number, "s0" or
/// "s1".
inline std::string tensorText(const std::string &before, const std::string &positions,
                              const std::string &behind, const std::string &element) {
  auto list = [](std::string dims) { // "2, 3" for "2x3x"
    std::string text;
    for (char c : dims)
      text += c == 'x' ? std::string(", ") : std::string(1, c);
    return text;
  };
  if (positions.front() != 's')
    return fmt::format("tensor<{}{}x{}{}>", before, positions, behind, element);
  std::string last = list(behind);
  if (!last.empty())
    last = ", " + last.substr(0, last.size() - 2);
  return fmt::format("tensor<{}?x{}{}, affine_map<()[s0, s1] -> ({}{}{})>>", before, behind,
                     element, list(before), positions, last);
}

/// [batch, head, position, place], or [batch, position, head, place].
inline std::string tensorOfHeads(const AttentionShape &shape, int64_t heads,
                                 const std::string &positions, const std::string &element,
                                 bool transposed) {
  std::string batch = fmt::format("{}x", shape.batch), head = fmt::format("{}x", heads),
              place = fmt::format("{}x", shape.headSize);
  return transposed ? tensorText(batch, positions, head + place, element)
                    : tensorText(batch + head, positions, place, element);
}

/// [batch, head, T]: a number for every row.
inline std::string tensorOfRows(const AttentionShape &shape, const std::string &queries = "s0") {
  return tensorText(fmt::format("{}x{}x", shape.batch, shape.heads), queries, "", "f32");
}

/// [batch, S]
inline std::string keyMaskText(const AttentionShape &shape) {
  return tensorText(fmt::format("{}x", shape.batch), "s1", "", "i1");
}

/// [batch, head, T, S]
inline std::string maskText(const AttentionShape &shape, const std::string &queries = "s0") {
  bool isKnown = queries.front() != 's';
  return fmt::format("tensor<{0}x{1}x{2}x?xi1, affine_map<()[s0, s1] -> ({0}, {1}, {3}, s1)>>",
                     shape.batch, shape.heads, isKnown ? queries : "?", queries);
}

/// Which keys are shown, in so many rows of them.
inline std::vector<char> drawMask(const AttentionShape &shape, int64_t rows) {
  std::vector<char> shown;
  for (int64_t i = 0; i < rows * shape.keys; ++i)
    shown.push_back(i % 5 != 2 && i % shape.keys != shape.keys - 1);
  return shown;
}

/// Those rows for all queries: [batch, head, T, S].
inline std::vector<char> stretchMask(const AttentionShape &shape, const std::vector<char> &shown) {
  size_t keys = size_t(shape.keys), shared = shape.maskSize() / shown.size();
  std::vector<char> mask;
  for (size_t i = 0; i < shape.maskSize(); ++i)
    mask.push_back(shown[i / keys / shared * keys + i % keys]);
  return mask;
}

} // namespace nnc::test
