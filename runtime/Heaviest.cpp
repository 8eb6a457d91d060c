//===- Heaviest.cpp - What fills the memory of a call -----------------------------------------===//
#include "runtime/Heaviest.h"

#include "runtime/format/Plan.h"
#include "runtime/format/PlanText.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <vector>

namespace nnc::rt {

using namespace format;

namespace {

constexpr size_t MostValues = 3;

/// By name, as several buffers are parts of one layer; the largest first.
std::vector<std::pair<int64_t, std::string>> sizesOf(const EntryT &entry) {
  std::vector<int64_t> bounds;
  for (const std::unique_ptr<DimT> &dim : entry.dims)
    bounds.push_back(dim->max);
  std::map<std::string, int64_t> byName;
  for (const std::unique_ptr<BufferT> &buffer : entry.buffers) {
    if (buffer->kind != BufferKind::Arena || buffer->name.empty())
      continue;
    if (Result<int64_t> bytes = evaluate(*entry.exprs[buffer->bytes], bounds))
      byName[buffer->name] = std::max(byName[buffer->name], *bytes);
  }
  std::vector<std::pair<int64_t, std::string>> sizes;
  for (const auto &[name, bytes] : byName)
    sizes.emplace_back(bytes, name);
  std::ranges::sort(sizes, std::greater<>());
  sizes.resize(std::min(sizes.size(), MostValues));
  return sizes;
}

/// "a", "a and b", "a, b and c".
std::string listed(const std::vector<std::string> &parts) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i)
    text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

} // namespace

std::string heaviestOf(const EntryT &entry) {
  std::vector<std::string> values, open;
  for (const auto &[bytes, name] : sizesOf(entry))
    values.push_back(fmt::format("`{}` ({})", name, bytesText(static_cast<uint64_t>(bytes))));
  for (const std::unique_ptr<DimT> &dim : entry.dims)
    if (dim->kind == SymbolKind::Size && dim->min < dim->max)
      open.push_back(fmt::format("{} = {}", dim->name, dim->max));
  std::string text;
  if (!values.empty())
    text = fmt::format("the largest value{} of `{}` {} {}", values.size() > 1 ? "s" : "",
                       entry.name, values.size() > 1 ? "are" : "is", listed(values));
  if (!open.empty())
    text += fmt::format("{}planned for {}: `nnc --dim` fixes sizes", text.empty() ? "" : ", ",
                        listed(open));
  return text;
}

} // namespace nnc::rt
