#include "runtime/Suggest.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <vector>

/// Levenshtein's distance.
static size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string nnc::rt::suggestion(std::string_view wrong, std::span<const std::string_view> names) {
  constexpr size_t MaxLength = 256;
  std::string_view best;
  size_t least = std::max<size_t>(wrong.size() / 3, 1) + 1;
  for (std::string_view name : names) {
    if (wrong.size() > MaxLength || name.size() > MaxLength)
      continue;
    size_t edits = distance(wrong, name);
    if (edits < least) {
      least = edits;
      best = name;
    }
  }
  if (!best.empty())
    return fmt::format("; did you mean `{}`?", best);
  if (names.empty())
    return "; there is none";
  return fmt::format("; there is `{}`", fmt::join(names, "`, `"));
}
