#include "tools/nnc-run/JsonText.h"

#include <cmath>
#include <fmt/format.h>

using namespace nnc;

namespace {

/// How many bytes the character takes that `text` begins with; 0 if it is none of UTF-8.
size_t lengthOf(std::string_view text) {
  auto first = static_cast<unsigned char>(text.front());
  size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || length > text.size())
    return 0;
  for (size_t i = 1; i < length; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80)
      return 0;
  auto second = static_cast<unsigned char>(length > 1 ? text[1] : 0);
  bool isLonger = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  bool isBeyond = (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
  return isLonger || isBeyond ? 0 : length;
}

void appendString(std::string &json, std::string_view text) {
  json += '"';
  while (!text.empty()) {
    size_t length = lengthOf(text);
    auto first = static_cast<unsigned char>(text.front());
    if (length == 0)
      json += "\\ufffd";
    else if (first < ' ')
      json += fmt::format("\\u{:04x}", first);
    else {
      if (first == '"' || first == '\\')
        json += '\\';
      json += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  json += '"';
}

} // namespace

void run::JsonObject::open(const char *name) {
  json += json.empty() ? "{" : ", ";
  appendString(json, name);
  json += ": ";
}

run::JsonObject &run::JsonObject::add(const char *name, std::string_view text) {
  open(name);
  appendString(json, text);
  return *this;
}

run::JsonObject &run::JsonObject::add(const char *name, double number) {
  open(name);
  json += std::isfinite(number) ? fmt::format("{}", number) : "null";
  return *this;
}

run::JsonObject &run::JsonObject::addJson(const char *name, std::string_view text) {
  open(name);
  json += text;
  return *this;
}

void run::JsonArray::add(std::string_view element) {
  json += json.empty() ? "\n  " : ",\n  ";
  json += element;
}
