#include "runtime/format/Glob.h"

#include <optional>

using namespace nnc;

namespace {

/// The step up to the next dot, and what follows it; `rest` is none after the last step.
struct Steps {
  std::string_view first;
  std::optional<std::string_view> rest;
};

Steps splitStep(std::string_view key) {
  size_t dot = key.find('.');
  if (dot == std::string_view::npos)
    return {key, std::nullopt};
  return {key.substr(0, dot), key.substr(dot + 1)};
}

} // namespace

/// Greedy with one point to come back to, like a wildcard match over steps: linear in the key for
/// each `**`.
bool format::matchesGlob(std::string_view glob, std::string_view key) {
  std::optional<std::string_view> g = glob, k = key;
  std::optional<std::string_view> retryGlob, retryKey;
  bool canRetry = false;
  while (k) {
    Steps step = splitStep(*k);
    if (g) {
      Steps pattern = splitStep(*g);
      if (pattern.first == "**") {
        g = retryGlob = pattern.rest;
        retryKey = k;
        canRetry = true;
        continue;
      }
      if (pattern.first == "*" || pattern.first == step.first) {
        g = pattern.rest;
        k = step.rest;
        continue;
      }
    }
    if (!canRetry)
      return false;
    retryKey = splitStep(*retryKey).rest;
    g = retryGlob;
    k = retryKey;
    if (!g)
      return true; // a trailing ** takes all
    if (!retryKey)
      canRetry = false;
  }
  while (g && splitStep(*g).first == "**")
    g = splitStep(*g).rest;
  return !g;
}
