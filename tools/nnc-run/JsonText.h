// JSON as text, without a library: nnc-run stays small.
#ifndef NNC_TOOLS_NNCRUN_JSONTEXT_H
#define NNC_TOOLS_NNCRUN_JSONTEXT_H

#include <string>
#include <string_view>

namespace nnc::run {

/// Appends members one by one: `{"name": value, ...`; text() ends it.
class JsonObject {
public:
  /// A string; bytes that are no UTF-8 are replaced.
  JsonObject &add(const char *name, std::string_view text);
  /// A number, exactly; null for what JSON has no number for.
  JsonObject &add(const char *name, double number);
  /// What is JSON already.
  JsonObject &addJson(const char *name, std::string_view json);
  std::string text() const { return json.empty() ? "{}" : json + "}"; }

private:
  void open(const char *name);
  std::string json;
};

/// The same of elements, a line each.
class JsonArray {
public:
  void add(std::string_view element);
  std::string text() const { return "[" + json + "\n]"; }

private:
  std::string json;
};

} // namespace nnc::run

#endif
