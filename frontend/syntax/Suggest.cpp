// Edit distance between names, small and bounded: names are short and candidates few.
#include "frontend/syntax/Suggest.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string>

namespace nnc::syntax {

std::optional<std::string_view> localTypeName(std::string_view foreign) {
  struct Alias {
    std::string_view foreign, ours;
  };
  constexpr Alias kAliases[] = {{"string", "str"},    {"String", "str"},    {"boolean", "bool"},
                                {"float16", "f16"},   {"half", "f16"},      {"fp16", "f16"},
                                {"bfloat16", "bf16"}, {"float32", "f32"},   {"fp32", "f32"},
                                {"int4", "i4"},       {"fp8", "f8e4m3"},    {"int8", "i8"},
                                {"int32", "i32"},     {"int64", "i64"},     {"long", "i64"},
                                {"integer", "int"},   {"Module", "module"}, {"func", "fn"},
                                {"function", "fn"},   {"Tensor", "float"},  {"tensor", "float"}};
  for (const Alias &alias : kAliases)
    if (alias.foreign == foreign)
      return alias.ours;
  return std::nullopt;
}

static constexpr size_t kLongestName = 64;

/// The optimal string alignment distance, at least `limit + 1` when it is greater than `limit`.
static size_t editDistance(std::string_view a, std::string_view b, size_t limit) {
  if (a.size() > b.size() + limit || b.size() > a.size() + limit)
    return limit + 1;
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

/// `relu` of `ReLU`, `logsoftmax` of `log_softmax`.
static std::string folded(std::string_view name) {
  std::string result;
  for (unsigned char c : name)
    if (c != '_')
      result += static_cast<char>(std::tolower(c));
  return result;
}

std::optional<std::string_view> closestName(std::string_view name,
                                            const std::vector<std::string_view> &candidates) {
  if (name.size() > kLongestName)
    return std::nullopt;
  std::string plain = folded(name);
  for (std::string_view candidate : candidates)
    if (name.size() > 1 && candidate != name && folded(candidate) == plain)
      return candidate;
  size_t best = name.size() <= 4 ? 1 : name.size() <= 7 ? 2 : 3;
  std::optional<std::string_view> found;
  for (std::string_view candidate : candidates) {
    size_t distance = editDistance(name, candidate, best);
    if (distance == 0 || distance > best || distance >= std::max(name.size(), candidate.size()))
      continue;
    if (found && distance == best)
      continue;
    best = distance;
    found = candidate;
  }
  return found;
}

} // namespace nnc::syntax
