// Reading the protocol's JSON without trusting it: what is missing or of another type is empty,
// never an exception.
#pragma once

#include "tools/lsp/Positions.h"
#include "tools/lsp/Transport.h"

#include <optional>
#include <string>

namespace nnc::lsp {

/// The member of an object; null if it is not there or `object` is none.
inline const Json &at(const Json &object, const char *key) {
  static const Json nothing;
  if (!object.is_object())
    return nothing;
  auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

inline std::string stringAt(const Json &object, const char *key) {
  const Json &value = at(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

/// A number that fits, else 0: `-1` and `1e300` are no lines.
inline uint32_t numberAt(const Json &object, const char *key) {
  const Json &value = at(object, key);
  if (!value.is_number_unsigned())
    return 0;
  uint64_t number = value.get<uint64_t>();
  return number > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(number);
}

inline Position readPosition(const Json &value) {
  return {numberAt(value, "line"), numberAt(value, "character")};
}

inline Range readRange(const Json &value) {
  return {readPosition(at(value, "start")), readPosition(at(value, "end"))};
}

inline Json toJson(const Position &position) {
  return {{"line", position.line}, {"character", position.character}};
}

inline Json toJson(const Range &range) {
  return {{"start", toJson(range.start)}, {"end", toJson(range.end)}};
}

} // namespace nnc::lsp
