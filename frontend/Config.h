// `--config config.json`: hyperparameters from a file like Hugging Face's, with places for errors.
#pragma once

#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Source.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nnc::frontend {

/// A value of JSON and where it stands.
struct ConfigValue {
  struct Null {};
  struct Object {}; ///< its members are of no use here
  using List = std::vector<ConfigValue>;

  std::variant<Null, bool, int64_t, double, std::string, List, Object> value;
  syntax::Span span;

  template <typename T> const T *as() const { return std::get_if<T>(&value); }
  bool isNull() const { return as<Null>(); }
  /// "a number", "a string", ... for messages.
  const char *kind() const;
};

/// The members of the outermost object; of one that is there twice the last, as everywhere.
using Config = std::map<std::string, ConfigValue, std::less<>>;

/// Reads a text of JSON. Errors: E0511 where it is malformed or no object.
std::optional<Config> parseConfig(const syntax::SourceManager &sources, syntax::FileId file,
                                  syntax::Diagnostics &diags);

} // namespace nnc::frontend
