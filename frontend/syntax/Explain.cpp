//===- Explain.cpp - The catalogue of error codes -------------------------------------------===//
//
// The entries come from the files of `explain/`, which CMake turns into Explanations.inc.
//
//===----------------------------------------------------------------------------------------===//

#include "frontend/syntax/Explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

namespace nnc::syntax {
namespace {

struct Embedded {
  std::string_view code;
  std::string_view markdown; // "# title\n\ntext"
};

constexpr Embedded kEmbedded[] = {
#include "frontend/syntax/Explanations.inc"
};

/// The headings of docs/errors.md, by the two digits after the `E`.
std::string_view familyName(std::string_view code) {
  constexpr std::string_view kNames[] = {"",
                                         "Syntax",
                                         "Names",
                                         "Shapes",
                                         "Elements",
                                         "Build time",
                                         "Scan, state and training",
                                         "Checkpoints",
                                         "",
                                         "Warnings"};
  auto family = static_cast<size_t>(code[2] - '0');
  return family < std::size(kNames) ? kNames[family] : "";
}

std::string_view trim(std::string_view text) {
  size_t first = std::min(text.find_first_not_of(" \n"), text.size());
  size_t last = text.find_last_not_of(" \n");
  return last == text.npos ? std::string_view() : text.substr(first, last + 1 - first);
}

Explanation split(const Embedded &entry) {
  size_t lineEnd = std::min(entry.markdown.find('\n'), entry.markdown.size());
  std::string_view title = entry.markdown.substr(0, lineEnd);
  title.remove_prefix(std::min(title.find_first_not_of("# "), title.size()));
  return {entry.code, title, trim(entry.markdown.substr(lineEnd))};
}

} // namespace

std::span<const Explanation> explanations() {
  static const std::vector<Explanation> entries = [] {
    std::vector<Explanation> list;
    for (const Embedded &entry : kEmbedded)
      list.push_back(split(entry));
    return list;
  }();
  return entries;
}

const Explanation *explain(std::string_view code) {
  constexpr std::string_view kPrefixes = "EeWw";
  if (!code.empty() && kPrefixes.find(code[0]) != kPrefixes.npos)
    code.remove_prefix(1);
  for (const Explanation &entry : explanations()) {
    std::string_view digits = entry.code.substr(1);
    if (digits == code || (code.size() == 3 && digits.substr(1) == code && digits[0] == '0'))
      return &entry;
  }
  return nullptr;
}

std::string explanationsAsMarkdown() {
  std::string out = "# Error codes\n\n"
                    "Every error and warning about a `.nn` file has a code. `nnc explain E0301` "
                    "prints one of these entries.\nThis page is made from "
                    "`frontend/syntax/explain/`; change it there.\n";
  std::string_view family;
  for (const Explanation &entry : explanations()) {
    if (familyName(entry.code) != family) {
      family = familyName(entry.code);
      out += fmt::format("\n## {}\n", family);
    }
    out += fmt::format("\n### {}: {}\n\n{}\n", entry.code, entry.title, entry.text);
  }
  return out;
}

} // namespace nnc::syntax
