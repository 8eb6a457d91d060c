//===- Diagnostics.cpp - Collecting diagnostics ---------------------------------------------===//

#include "frontend/syntax/Diagnostics.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

namespace nnc::syntax {

Diagnostic &Diagnostic::primaryLabel(std::string text) {
  primary.text = std::move(text);
  return *this;
}

Diagnostic &Diagnostic::label(Span span, std::string text) {
  labels.push_back({span, std::move(text)});
  return *this;
}

Diagnostic &Diagnostic::note(std::string text, Span place) {
  notes.push_back({std::move(text), place});
  return *this;
}

Diagnostic &Diagnostic::help(std::string title) { return fixIt(std::move(title), {}); }

Diagnostic &Diagnostic::fixIt(std::string title, std::vector<Edit> edits) {
  fixIts.push_back({std::move(title), std::move(edits)});
  return *this;
}

Diagnostic &Diagnostic::inModule(std::string path) {
  paths.push_back(std::move(path));
  return *this;
}

Diagnostic &Diagnostics::error(std::string_view code, Span span, std::string message) {
  return add(Severity::Error, code, span, std::move(message));
}

Diagnostic &Diagnostics::warning(std::string_view code, Span span, std::string message) {
  return add(Severity::Warning, code, span, std::move(message));
}

Diagnostic &Diagnostics::error(std::string message) {
  return add(Severity::Error, "", {}, std::move(message));
}

Diagnostic &Diagnostics::warning(std::string message) {
  return add(Severity::Warning, "", {}, std::move(message));
}

Diagnostic &Diagnostics::add(Severity severity, std::string_view code, Span span,
                             std::string message) {
  size_t &count = severity == Severity::Error ? errors : warnings;
  bool keep = ++count <= kMaxCollected;
  Diagnostic &diag = keep ? list.emplace_back() : overflow;
  if (!keep)
    diag = Diagnostic();
  diag.severity = severity;
  diag.code = code;
  diag.message = std::move(message);
  diag.primary.span = span;
  return diag;
}

std::vector<Diagnostic> Diagnostics::forDisplay() const {
  using Identity = std::tuple<std::string, Span, std::string>;
  std::map<Identity, size_t> seen;
  std::vector<Diagnostic> shown;
  for (const Diagnostic &diag : list) {
    Span span = diag.primary.span;
    Identity identity(diag.code, span, span.isValid() ? std::string() : diag.message);
    auto [it, isNew] = seen.try_emplace(std::move(identity), shown.size());
    if (isNew) {
      shown.push_back(diag);
      continue;
    }
    if (!shown[it->second].labels.empty())
      continue; // they say what the first instance holds
    std::vector<std::string> &paths = shown[it->second].paths;
    for (const std::string &path : diag.paths)
      if (std::find(paths.begin(), paths.end(), path) == paths.end())
        paths.push_back(path);
  }
  // Sorted by place through indices, which keep the order of reporting where places are equal.
  std::vector<size_t> order(shown.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(shown[a].primary.span, a) < std::tie(shown[b].primary.span, b);
  });
  std::vector<Diagnostic> sorted;
  for (size_t index : order)
    sorted.push_back(std::move(shown[index]));
  return sorted;
}

void Diagnostics::clear() {
  list.clear();
  errors = warnings = 0;
}

void Diagnostics::labelSince(size_t first, Span region, std::string_view text) {
  for (size_t i = first; i < list.size(); ++i) {
    Label &primary = list[i].primary;
    bool isInside = primary.span.file == region.file && primary.span.begin >= region.begin &&
                    primary.span.end <= region.end;
    if (isInside && primary.text.empty())
      primary.text = text;
  }
}

void Diagnostics::moveSince(size_t first, Span place, const std::function<bool(FileId)> &isInside) {
  for (size_t i = first; i < list.size(); ++i) {
    Diagnostic &diag = list[i];
    if (!diag.primary.span.isValid() || !isInside(diag.primary.span.file))
      continue;
    if (diag.primary.text.empty())
      diag.primary.text = "here";
    diag.labels.insert(diag.labels.begin(), std::move(diag.primary));
    diag.primary = {place, ""};
  }
}

} // namespace nnc::syntax
