#include "test/fuzz/SourceMutator.h"

#include "frontend/syntax/Syntax.h"

#include <algorithm>

namespace nnc::fuzz {
namespace {

using syntax::Tok;

constexpr std::string_view kNumbers[] = {
    "0",    "1",       "2",          "3",   "7",    "-1",    "16", "64",
    "1000", "1000000", "2147483648", "0.5", "1e-5", "1e300", "-2", "9223372036854775807"};
constexpr std::string_view kTypes[] = {"float", "f32", "bf16", "f16", "i32", "i64", "bool", "i8"};
constexpr std::string_view kOperators[] = {"+", "-",  "*",  "/",  "//", "%",   "**",  "@",
                                           "<", "==", ">=", "|>", "..", "..=", " in "};
constexpr std::string_view kPieces[] = {"\n",
                                        ", ",
                                        "[:, none]",
                                        "[0]",
                                        "[:, -1]",
                                        "[..., 1:]",
                                        "()",
                                        "(x)",
                                        " if n",
                                        "[x, x]",
                                        "axis=0",
                                        "axis=-1",
                                        "none",
                                        "training",
                                        "true",
                                        "...",
                                        "...S",
                                        " as \"k\"",
                                        "?",
                                        "(1, 2)",
                                        "\"b c -> c b\"",
                                        " |> f32",
                                        " + x",
                                        "-",
                                        "x = ",
                                        "return x\n",
                                        "tie a = b\n",
                                        "state s: f32[4]\n",
                                        "@frozen ",
                                        "reduce(\"b c -> b\", mean)",
                                        "[x for x in 0..3]",
                                        "requires B in 1..=4 "};

std::string_view pick(const auto &list, Random &random) { return list[random() % std::size(list)]; }

/// The text, its tokens, and one change at a time.
class Mutator {
public:
  Mutator(std::string source, const std::vector<std::string_view> &words, Random &random)
      : text(std::move(source)), words(words), random(random) {}

  std::string run() {
    syntax::SourceManager sources;
    syntax::Diagnostics diags;
    std::optional<syntax::FileId> file = sources.addText("text.nn", text, diags);
    if (!file)
      return text;
    stream = syntax::lex(sources, *file);
    if (stream.tokens.size() > 1)
      change();
    return std::move(text);
  }

private:
  size_t anyToken() { return random() % (stream.tokens.size() - 1); }
  std::string textOf(size_t index) const {
    const syntax::Token &token = stream.tokens[index];
    return text.substr(token.begin, token.end - token.begin);
  }
  void replace(size_t first, size_t last, std::string_view by) {
    uint32_t begin = stream.tokens[first].begin;
    text.replace(begin, stream.tokens[last].end - begin, by);
  }

  void change() {
    size_t index = anyToken();
    switch (random() % 10) {
    case 0:
      return replace(index, index, "");
    case 1: // a range, deleted or moved
      return moveRange(index, random() % 2);
    case 2:
      return replace(index, index, textOf(anyToken()));
    case 3:
      return replace(index, index, textOf(index) + std::string(pick(kPieces, random)));
    case 4:
      return changeLines();
    default:
      return changeKindly(index);
    }
  }

  void moveRange(size_t first, bool keep) {
    size_t last = std::min(first + random() % 8, stream.tokens.size() - 1);
    uint32_t begin = stream.tokens[first].begin, end = stream.tokens[last].end;
    std::string range = text.substr(begin, end - begin);
    size_t to = stream.tokens[anyToken()].begin;
    if (keep) {
      text.insert(to, range + " ");
      return;
    }
    text.erase(begin, end - begin);
    if (random() % 2)
      text.insert(std::min(to, text.size()), range + " ");
  }

  /// A token becomes another of its kind.
  void changeKindly(size_t index) {
    // Names and numbers are what shapes and scopes are made of: look for one.
    for (int tries = 0; tries < 4 && stream.tokens[index].kind != Tok::Name &&
                        stream.tokens[index].kind != Tok::Int;
         ++tries)
      index = anyToken();
    Tok kind = stream.tokens[index].kind;
    if (kind == Tok::Int || kind == Tok::Float)
      return replace(index, index, pick(kNumbers, random));
    if (syntax::isElementType(kind))
      return replace(index, index, pick(kTypes, random));
    if (kind == Tok::Name)
      return replace(index, index, anyName());
    if (kind >= Tok::Pipe && kind <= Tok::GreaterEq)
      return replace(index, index, pick(kOperators, random));
    replace(index, index, textOf(anyToken()));
  }

  std::string anyName() {
    if (!words.empty() && random() % 3 == 0)
      return std::string(pick(words, random));
    for (int tries = 0; tries < 20; ++tries)
      if (size_t index = anyToken(); stream.tokens[index].kind == Tok::Name)
        return textOf(index);
    return "x";
  }

  void changeLines();

  std::string text;
  const std::vector<std::string_view> &words;
  Random &random;
  syntax::TokenStream stream;
};

std::vector<std::string> splitLines(const std::string &text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size() - 1);
    lines.push_back(text.substr(begin, end + 1 - begin));
    begin = end + 1;
  }
  return lines;
}

std::string joinLines(const std::vector<std::string> &lines) {
  std::string text;
  for (const std::string &line : lines)
    text += line;
  return text;
}

void Mutator::changeLines() {
  std::vector<std::string> lines = splitLines(text);
  size_t from = random() % lines.size(), to = random() % lines.size();
  switch (random() % 3) {
  case 0:
    lines.erase(lines.begin() + from);
    break;
  case 1:
    lines.insert(lines.begin() + to, lines[from]);
    break;
  default:
    std::swap(lines[from], lines[to]);
  }
  text = joinLines(lines);
}

} // namespace

std::string mutateSource(std::string text, const std::vector<std::string_view> &words,
                         Random &random) {
  for (unsigned i = 0, count = 1 + random() % 3; i < count; ++i)
    text = Mutator(std::move(text), words, random).run();
  return text;
}

std::string spliceSources(const std::string &text, const std::string &other, Random &random) {
  std::vector<std::string> lines = splitLines(text), more = splitLines(other);
  if (lines.empty() || more.empty())
    return text + other;
  size_t first = random() % more.size();
  size_t count = 1 + random() % std::min<size_t>(6, more.size() - first);
  lines.insert(lines.begin() + random() % lines.size(), more.begin() + first,
               more.begin() + first + count);
  return joinLines(lines);
}

} // namespace nnc::fuzz
