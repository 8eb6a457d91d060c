// `--config config.json`: hyperparameters from a file like Hugging Face's, with places for errors.
#pragma once

#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Source.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nnc::frontend {

/// A value of JSON and where it stands.
struct ConfigValue {
  struct Null {};
  using List = std::vector<ConfigValue>;
  using Object = std::map<std::string, ConfigValue, std::less<>>;

  std::variant<Null, bool, int64_t, double, std::string, List, Object> value;
  syntax::Span span;
  syntax::Span name; ///< of a member of an object: its name

  template <typename T> const T *as() const { return std::get_if<T>(&value); }
  bool isNull() const { return as<Null>(); }
  /// "a number", "a string", ... for messages.
  const char *kind() const;
};

/// The members of the outermost object.
using Config = ConfigValue::Object;

/// Reads a text of JSON, as Python writes it: `NaN`, `Infinity` and `-Infinity` are numbers.
/// Errors: E0511 where it is malformed or no object, a name is there twice, or a number is too
/// large for a float.
std::optional<Config> parseConfig(const syntax::SourceManager &sources, syntax::FileId file,
                                  syntax::Diagnostics &diags);

/// What a path of names leads to.
struct ConfigPlace {
  const ConfigValue *value = nullptr;  ///< null where there is no such member
  const ConfigValue *misfit = nullptr; ///< what stands where the path needs an object
  std::string misfitPath = {};
};

/// The member called `path` or, where that has dots, the member of a member: `a.b` is `b` of the
/// object `a`. The longest name goes first. What is null is as good as absent.
ConfigPlace findMember(const Config &config, std::string_view path);

} // namespace nnc::frontend
