// A reader of JSON that knows where it is: libraries for it do not tell.
#include "frontend/Config.h"

#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <utility>

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
      if (mayBeValue(peek()))
        reportOtherValue();
      else
        fail("an object is expected");
      return std::nullopt;
    }
    if (!readMembers(config))
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

  syntax::Span from(size_t begin) const {
    return {file, static_cast<uint32_t>(begin), static_cast<uint32_t>(at)};
  }

  /// Whether a value of JSON other than an object may begin so.
  static bool mayBeValue(char c) {
    return c == '[' || c == '"' || c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' ||
           c == 'n';
  }

  void reportOtherValue() {
    auto here = static_cast<uint32_t>(at);
    diags.error("E0511", {file, here, here + 1}, "a configuration is an object of JSON")
        .primaryLabel(fmt::format("found {}, expected `{{`", peek() == '[' ? "a list" : "a value"))
        .note("its members are the hyperparameters: `{\"hidden_size\": 768}`");
  }

  bool fail(const char *what) {
    auto here = static_cast<uint32_t>(std::min(at, text.size()));
    size_t next = at + 1; // the whole character
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0) == 0x80)
      ++next;
    auto end = static_cast<uint32_t>(std::min(next, text.size()));
    diags.error("E0511", {file, here, end}, "this is not JSON")
        .primaryLabel(at < text.size() ? what : fmt::format("{}, the file ends here", what));
    return false;
  }

  bool take(char wanted, const char *what) {
    skipBlanks();
    if (peek() != wanted)
      return fail(what);
    ++at;
    return true;
  }

  /// `{ "key": value, ... }`
  bool readMembers(Config &members) {
    ++at;
    skipBlanks();
    if (peek() == '}')
      return ++at;
    while (true) {
      if (!readMember(members))
        return false;
      skipBlanks();
      if (peek() == '}')
        return ++at;
      if (!take(',', "`,` or `}` is expected"))
        return false;
    }
  }

  bool readMember(Config &members) {
    std::string key;
    skipBlanks();
    if (peek() != '"')
      return fail("a name in quotes is expected");
    size_t begin = at;
    if (!readString(key))
      return false;
    syntax::Span name = from(begin);
    ConfigValue value;
    if (!take(':', "`:` is expected") || !readValue(value))
      return false;
    value.name = name;
    auto [place, isNew] = members.try_emplace(std::move(key), std::move(value));
    if (!isNew)
      diags.error("E0511", name, fmt::format("`{}` is there twice", place->first))
          .primaryLabel("here again")
          .label(place->second.name, "first here");
    return isNew;
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
    size_t begin = at;
    bool done = readKind(value);
    value.span = from(begin);
    --depth;
    return done;
  }

  bool readKind(ConfigValue &value) {
    constexpr double Infinity = std::numeric_limits<double>::infinity();
    switch (peek()) {
    case '{':
      return readMembers(value.value.emplace<ConfigValue::Object>());
    case '[':
      return readList(value.value.emplace<ConfigValue::List>());
    case '"':
      return readString(value.value.emplace<std::string>());
    case 't':
      return readWord("true", value, true);
    case 'f':
      return readWord("false", value, false);
    case 'n':
      return readWord("null", value, ConfigValue::Null{});
    case 'I':
      return readWord("Infinity", value, Infinity);
    case 'N':
      return readWord("NaN", value, std::numeric_limits<double>::quiet_NaN());
    case '-':
      if (text.substr(at).starts_with("-I"))
        return readWord("-Infinity", value, -Infinity);
      return readNumber(value);
    default:
      return readNumber(value);
    }
  }

  template <typename T> bool readWord(std::string_view word, ConfigValue &value, T meaning) {
    if (!text.substr(at).starts_with(word))
      return fail("a value is expected");
    at += word.size();
    value.value = meaning;
    return true;
  }

  size_t skipDigits(size_t from) const {
    return std::min(text.find_first_not_of("0123456789", from), text.size());
  }

  /// The end of the number at `at`; nothing if it is none: `05`, `.5` and `1.` are none.
  std::optional<size_t> endOfNumber() const {
    size_t begin = at + (peek() == '-'), end = skipDigits(begin);
    if (end == begin || (text[begin] == '0' && end > begin + 1))
      return std::nullopt;
    if (end < text.size() && text[end] == '.') {
      size_t fraction = end + 1;
      end = skipDigits(fraction);
      if (end == fraction)
        return std::nullopt;
    }
    if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
      size_t exponent = end + 1;
      exponent += exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-');
      end = skipDigits(exponent);
      if (end == exponent)
        return std::nullopt;
    }
    bool goesOn = end < text.size() && std::string_view("+-.").find(text[end]) != text.npos;
    return goesOn ? std::nullopt : std::optional(end);
  }

  /// An int where it is written as one and has 64 bits, else a float.
  bool readNumber(ConfigValue &value) {
    std::optional<size_t> end = endOfNumber();
    if (!end)
      return fail("a value is expected");
    const char *first = text.data() + at, *last = text.data() + *end;
    int64_t integer = 0;
    double number = 0;
    size_t begin = std::exchange(at, *end);
    if (auto read = std::from_chars(first, last, integer);
        read.ec == std::errc() && read.ptr == last) {
      value.value = integer;
    } else if (std::from_chars(first, last, number).ec == std::errc()) {
      value.value = number;
    } else {
      diags.error("E0511", from(begin), "this number is out of range")
          .primaryLabel("a float has 64 bits");
      return false;
    }
    return true;
  }

  bool readString(std::string &result) {
    for (++at; at < text.size(); ++at) {
      if (text[at] == '"')
        return ++at;
      if (text[at] == '\n')
        break;
      if (static_cast<unsigned char>(text[at]) < ' ')
        return fail("a control character must be escaped");
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

ConfigPlace findMember(const Config &config, std::string_view path) {
  if (auto found = config.find(path); found != config.end() && !found->second.isNull())
    return {&found->second};
  ConfigPlace misfit;
  for (size_t dot = path.rfind('.'); dot != path.npos;
       dot = dot == 0 ? path.npos : path.rfind('.', dot - 1)) {
    auto outer = config.find(path.substr(0, dot));
    if (outer == config.end() || outer->second.isNull())
      continue;
    auto *object = outer->second.as<ConfigValue::Object>();
    ConfigPlace inner = object ? findMember(*object, path.substr(dot + 1))
                               : ConfigPlace{nullptr, &outer->second, outer->first};
    if (inner.value)
      return inner;
    if (inner.misfit && !misfit.misfit)
      misfit = std::move(inner);
  }
  return misfit;
}

} // namespace nnc::frontend
