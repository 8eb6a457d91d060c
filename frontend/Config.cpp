// A reader of JSON that knows where it is: libraries for it do not tell.
#include "frontend/Config.h"

#include <charconv>
#include <fmt/format.h>

namespace nnc::frontend {

const char *ConfigValue::kind() const {
  constexpr const char *Kinds[] = {"null",     "a bool", "an int",   "a float",
                                   "a string", "a list", "an object"};
  return Kinds[value.index()];
}

namespace {

constexpr unsigned kMaxJsonDepth = 100;

class Reader {
public:
  Reader(std::string_view text, syntax::FileId file, syntax::Diagnostics &diags)
      : text(text), file(file), diags(diags) {}

  std::optional<Config> run() {
    Config config;
    skipBlanks();
    if (peek() != '{') {
      fail("an object is expected");
      return std::nullopt;
    }
    if (!readMembers(&config))
      return std::nullopt;
    skipBlanks();
    if (at < text.size() && !fail("nothing may follow the object"))
      return std::nullopt;
    return config;
  }

private:
  char peek() const { return at < text.size() ? text[at] : '\0'; }

  void skipBlanks() {
    while (at < text.size() && std::string_view(" \t\r\n").find(text[at]) != text.npos)
      ++at;
  }

  bool fail(const char *what) {
    auto here = static_cast<uint32_t>(std::min(at, text.size()));
    auto end = static_cast<uint32_t>(std::min(at + 1, text.size()));
    diags.error("E0511", {file, here, end}, "this is not JSON").primaryLabel(what);
    return false;
  }

  bool take(char wanted, const char *what) {
    skipBlanks();
    if (peek() != wanted)
      return fail(what);
    ++at;
    return true;
  }

  /// `{ "key": value, ... }`, kept in `members` unless that is null.
  bool readMembers(Config *members) {
    ++at;
    skipBlanks();
    if (peek() == '}')
      return ++at;
    while (true) {
      std::string key;
      skipBlanks();
      if (peek() != '"')
        return fail("a name in quotes is expected");
      if (!readString(key) || !take(':', "`:` is expected"))
        return false;
      ConfigValue value;
      if (!readValue(value))
        return false;
      if (members)
        members->insert_or_assign(std::move(key), std::move(value));
      skipBlanks();
      if (peek() == '}')
        return ++at;
      if (!take(',', "`,` or `}` is expected"))
        return false;
    }
  }

  bool readList(ConfigValue::List &list) {
    ++at;
    skipBlanks();
    if (peek() == ']')
      return ++at;
    while (true) {
      if (!readValue(list.emplace_back()))
        return false;
      skipBlanks();
      if (peek() == ']')
        return ++at;
      if (!take(',', "`,` or `]` is expected"))
        return false;
    }
  }

  bool readValue(ConfigValue &value) {
    if (++depth > kMaxJsonDepth)
      return fail("nested too deeply");
    skipBlanks();
    auto begin = static_cast<uint32_t>(at);
    bool done = readKind(value);
    value.span = {file, begin, static_cast<uint32_t>(at)};
    --depth;
    return done;
  }

  bool readKind(ConfigValue &value) {
    switch (peek()) {
    case '{':
      value.value = ConfigValue::Object{};
      return readMembers(nullptr);
    case '[':
      return readList(value.value.emplace<ConfigValue::List>());
    case '"':
      return readString(value.value.emplace<std::string>());
    case 't':
      value.value = true;
      return readWord("true");
    case 'f':
      value.value = false;
      return readWord("false");
    case 'n':
      value.value = ConfigValue::Null{};
      return readWord("null");
    default:
      return readNumber(value);
    }
  }

  bool readWord(std::string_view word) {
    if (!text.substr(at).starts_with(word))
      return fail("a value is expected");
    at += word.size();
    return true;
  }

  bool readNumber(ConfigValue &value) {
    size_t end = std::min(text.find_first_not_of("+-.0123456789eE", at), text.size());
    const char *first = text.data() + at, *last = text.data() + end;
    int64_t integer = 0;
    double number = 0;
    if (auto read = std::from_chars(first, last, integer);
        read.ec == std::errc() && read.ptr == last && first != last)
      value.value = integer;
    else if (auto real = std::from_chars(first, last, number);
             real.ec == std::errc() && real.ptr == last && first != last)
      value.value = number;
    else
      return fail("a value is expected");
    at = end;
    return true;
  }

  bool readString(std::string &result) {
    for (++at; at < text.size(); ++at) {
      if (text[at] == '"')
        return ++at;
      if (text[at] == '\n')
        break;
      if (text[at] != '\\')
        result += text[at];
      else if (!readEscape(result))
        return false;
    }
    return fail("this string is never closed");
  }

  /// Leaves `at` on the escape's last character.
  bool readEscape(std::string &result) {
    constexpr std::string_view From = "\"\\/bfnrt", To = "\"\\/\b\f\n\r\t";
    ++at;
    if (size_t known = From.find(peek()); peek() && known != From.npos) {
      result += To[known];
      return true;
    }
    unsigned code = 0;
    const char *digits = text.data() + at + 1;
    if (peek() != 'u' || text.size() - at < 5 ||
        std::from_chars(digits, digits + 4, code, 16).ptr != digits + 4)
      return fail("there is no such escape");
    at += 4;
    // Names and values that anything here reads are ASCII; others only have to be different.
    if (code < 0x80)
      result += static_cast<char>(code);
    else
      result += fmt::format("\\u{:04x}", code);
    return true;
  }

  std::string_view text;
  syntax::FileId file;
  syntax::Diagnostics &diags;
  size_t at = 0;
  unsigned depth = 0;
};

} // namespace

std::optional<Config> parseConfig(const syntax::SourceManager &sources, syntax::FileId file,
                                  syntax::Diagnostics &diags) {
  return Reader(sources.text(file), file, diags).run();
}

} // namespace nnc::frontend
