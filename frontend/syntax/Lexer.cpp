//===- Lexer.cpp - From text to tokens ------------------------------------------------------===//
//
// Two steps per token: scan one token from the text (the scan* methods), then decide whether the
// line break before it ends a statement (endsStatement). Open brackets are tracked for the second
// step. An unclosed `(` would swallow all later line breaks, so a break that cannot be inside
// brackets (two operands meet and the second begins a statement) closes them: correct programs
// never get there.
//
//===----------------------------------------------------------------------------------------===//

#include "frontend/syntax/Lexer.h"

#include "frontend/syntax/TokenKinds.h"
#include "frontend/syntax/Utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace nnc::syntax {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool isNamePart(char c) { return isNameStart(c) || isDigit(c); }

const std::unordered_map<std::string_view, Tok> &keywords() {
  static const std::unordered_map<std::string_view, Tok> table = {
#define NNC_TOKEN(name, text)
#define NNC_KEYWORD(name, word) {word, Tok::name},
#define NNC_ELEMENT(name, word) {word, Tok::name},
#include "frontend/syntax/Tokens.def"
  };
  return table;
}

struct Punctuation {
  std::string_view text;
  Tok kind;
};

/// Longest first where one begins another.
constexpr Punctuation kPunctuation[] = {
    {"...", Tok::Ellipsis}, {"..=", Tok::DotDotEq}, {"..", Tok::DotDot},     {".", Tok::Dot},
    {"|>", Tok::Pipe},      {"|", Tok::Bar},        {"->", Tok::Arrow},      {"-", Tok::Minus},
    {"<-", Tok::LArrow},    {"<=", Tok::LessEq},    {"<", Tok::Less},        {">=", Tok::GreaterEq},
    {">", Tok::Greater},    {"==", Tok::EqEq},      {"=", Tok::Assign},      {"!=", Tok::NotEq},
    {"**", Tok::StarStar},  {"*", Tok::Star},       {"//", Tok::SlashSlash}, {"/", Tok::Slash},
    {"(", Tok::LParen},     {")", Tok::RParen},     {"[", Tok::LBracket},    {"]", Tok::RBracket},
    {"{", Tok::LBrace},     {"}", Tok::RBrace},     {",", Tok::Comma},       {":", Tok::Colon},
    {"?", Tok::Question},   {"+", Tok::Plus},       {"%", Tok::Percent},     {"@", Tok::At}};

class Lexer {
public:
  Lexer(std::string_view text, FileId file, uint32_t begin, uint32_t end, bool inBrackets)
      : text(text.substr(0, end)), pos(begin), lineStart(begin), inString(inBrackets) {
    stream.file = file;
    if (inBrackets)
      open.push_back({Tok::LParen, 0});
  }

  TokenStream run();

private:
  struct Bracket {
    Tok kind;
    uint32_t indent; // of the line that it stands on
  };

  void skipBlanks();
  void scanComment();
  Tok scanToken();
  Tok scanNumber();
  Tok scanString();
  Tok scanBadCharacter();
  void emit(Token token);
  void trackBrackets(Tok kind);
  void closeUpToBrace();
  bool endsStatement(const Token &next) const;
  bool cannotContinueBracket(const Token &next) const;
  bool nextIs(std::string_view what) const { return text.substr(pos, what.size()) == what; }
  char peek(size_t ahead = 0) const { return pos + ahead < text.size() ? text[pos + ahead] : 0; }
  bool insideParens() const { return !open.empty() && open.back().kind != Tok::LBrace; }
  uint32_t column(uint32_t at) const { return at - lineStart; }

  std::string_view text;
  uint32_t pos;
  uint32_t lineStart;
  bool inString;
  uint32_t indent = 0;  // of the current line's first token
  uint32_t breakAt = 0; // where the pending line break is
  bool pendingBreak = false;
  bool atLineStart = true;
  std::vector<Bracket> open;
  TokenStream stream;
};

TokenStream Lexer::run() {
  if (pos == 0 && text.starts_with("\xEF\xBB\xBF"))
    pos = lineStart = 3;
  for (skipBlanks(); pos < text.size(); skipBlanks()) {
    Token token;
    token.begin = pos;
    token.startsLine = atLineStart;
    if (atLineStart)
      indent = column(pos);
    token.kind = scanToken();
    token.end = pos;
    emit(token);
    atLineStart = false;
  }
  auto end = static_cast<uint32_t>(text.size());
  stream.tokens.push_back({Tok::EndOfFile, true, end, end});
  return std::move(stream);
}

void Lexer::skipBlanks() {
  while (pos < text.size()) {
    char c = text[pos];
    bool separates = c == '\n' || (c == ';' && !insideParens());
    if (separates && !pendingBreak) {
      pendingBreak = true;
      breakAt = pos;
    }
    if (c == '\n') {
      atLineStart = true;
      lineStart = pos + 1;
    } else if (c == '#') {
      scanComment();
      continue;
    } else if (!separates && c != ' ' && c != '\t' && c != '\r') {
      return;
    }
    ++pos;
  }
}

void Lexer::scanComment() {
  Comment comment;
  comment.begin = pos;
  comment.ownLine = atLineStart;
  comment.doc = nextIs("##");
  size_t lineEnd = std::min(text.find('\n', pos), text.size());
  pos = static_cast<uint32_t>(lineEnd);
  while (lineEnd > comment.begin &&
         (text[lineEnd - 1] == '\r' || text[lineEnd - 1] == ' ' || text[lineEnd - 1] == '\t'))
    --lineEnd;
  comment.end = static_cast<uint32_t>(lineEnd);
  stream.comments.push_back(comment);
}

Tok Lexer::scanToken() {
  char c = text[pos];
  if (isNameStart(c)) {
    uint32_t begin = pos;
    while (isNamePart(peek()))
      ++pos;
    auto it = keywords().find(text.substr(begin, pos - begin));
    return it == keywords().end() ? Tok::Name : it->second;
  }
  if (isDigit(c))
    return scanNumber();
  if (c == '"' || c == '\'')
    return scanString();
  for (const Punctuation &punctuation : kPunctuation) {
    if (nextIs(punctuation.text)) {
      pos += static_cast<uint32_t>(punctuation.text.size());
      return punctuation.kind;
    }
  }
  return scanBadCharacter();
}

/// Takes a run of digits with single underscores between them.
static bool isDigits(std::string_view text) {
  if (text.empty() || text.front() == '_' || text.back() == '_')
    return false;
  return text.find("__") == text.npos;
}

Tok Lexer::scanNumber() {
  uint32_t begin = pos;
  bool good = true;
  auto takeDigits = [&] {
    uint32_t first = pos;
    while (isDigit(peek()) || peek() == '_')
      ++pos;
    good &= isDigits(text.substr(first, pos - first));
  };
  takeDigits();
  Tok kind = Tok::Int;
  if (peek() == '.' && isDigit(peek(1))) {
    ++pos;
    takeDigits();
    kind = Tok::Float;
  }
  size_t sign = peek(1) == '-' || peek(1) == '+' ? 1 : 0;
  if ((peek() == 'e' || peek() == 'E') && isDigit(peek(1 + sign))) {
    pos += static_cast<uint32_t>(1 + sign);
    takeDigits();
    kind = Tok::Float;
  }
  if (isNameStart(peek()))
    good = false;
  while (isNamePart(peek()))
    ++pos;
  // `0x10` has a digit followed by letters; `1.5.2` and `1.` are left to the parser.
  return good && pos > begin ? kind : Tok::BadNumber;
}

/// A string ends at its quote or, malformed, at the end of the line. Single quotes are scanned too,
/// so that the parser can say that strings use double ones.
Tok Lexer::scanString() {
  char quote = text[pos++];
  bool good = quote == '"';
  for (; pos < text.size() && text[pos] != '\n'; ++pos) {
    if (text[pos] == quote) {
      ++pos;
      return good ? Tok::String : Tok::BadString;
    }
    if (text[pos] != '\\')
      continue;
    char escaped = peek(1);
    good &= escaped == '"' || escaped == '\\' || escaped == 'n';
    if (escaped != '\n' && escaped != 0)
      ++pos;
  }
  pos = std::min(pos, static_cast<uint32_t>(text.size()));
  return Tok::BadString;
}

Tok Lexer::scanBadCharacter() {
  if (nextIs("&&") || nextIs("||") || nextIs("::"))
    pos += 2;
  else
    pos += utf8::decode(text, pos).size;
  return Tok::BadCharacter;
}

void Lexer::emit(Token token) {
  if (insideParens() && pendingBreak && !inString && cannotContinueBracket(token))
    closeUpToBrace();
  if (pendingBreak && endsStatement(token))
    stream.tokens.push_back({Tok::Newline, false, breakAt, breakAt + 1});
  pendingBreak = false;
  trackBrackets(token.kind);
  stream.tokens.push_back(token);
}

bool Lexer::endsStatement(const Token &next) const {
  if (stream.tokens.empty() || insideParens() || continuesStatement(next.kind))
    return false;
  Tok previous = stream.tokens.back().kind;
  if (previous == Tok::KwFn || previous == Tok::KwModule) {
    // Types in `x: fn`, words that need a name elsewhere.
    bool isType = stream.tokens.size() > 1 && std::prev(stream.tokens.end(), 2)->kind == Tok::Colon;
    return isType;
  }
  return !needsOperand(previous);
}

/// Whether `next`, first of its line, cannot stand inside the open bracket: it begins a statement
/// and follows a complete operand, or is a word that only begins statements.
bool Lexer::cannotContinueBracket(const Token &next) const {
  if (stream.tokens.empty() || !next.startsLine)
    return false;
  if (onlyStartsStatement(next.kind))
    return true;
  bool followsOperand = endsOperand(stream.tokens.back().kind);
  size_t after = std::min(text.find_first_not_of(" \t", pos), text.size());
  std::string_view rest = text.substr(after);
  if (next.kind == Tok::KwFn || next.kind == Tok::KwModule)
    return followsOperand && !rest.empty() && isNameStart(rest[0]);
  bool isBinding = rest.starts_with("=") && !rest.starts_with("==");
  bool isTarget = isBinding || rest.starts_with("<-") || rest.starts_with(":");
  return followsOperand && next.kind == Tok::Name && isTarget &&
         column(next.begin) <= open.back().indent;
}

void Lexer::closeUpToBrace() {
  while (insideParens())
    open.pop_back();
}

void Lexer::trackBrackets(Tok kind) {
  switch (kind) {
  case Tok::LBrace:
    closeUpToBrace(); // no brace stands inside of other brackets
    [[fallthrough]];
  case Tok::LParen:
  case Tok::LBracket:
    open.push_back({kind, indent});
    return;
  case Tok::RBrace:
    closeUpToBrace();
    if (!open.empty())
      open.pop_back();
    return;
  case Tok::RParen:
  case Tok::RBracket: {
    Tok opening = kind == Tok::RParen ? Tok::LParen : Tok::LBracket;
    // A closing bracket also closes unclosed ones of the other kind, up to the enclosing brace.
    for (size_t i = open.size(); i-- > 0 && open[i].kind != Tok::LBrace;) {
      if (open[i].kind == opening) {
        open.resize(i);
        return;
      }
    }
    return;
  }
  default:
    return;
  }
}

} // namespace

std::string_view spelling(Tok kind) {
  static constexpr std::string_view table[] = {
#define NNC_TOKEN(name, text) text,
#include "frontend/syntax/Tokens.def"
  };
  return table[static_cast<size_t>(kind)];
}

std::string_view kindName(Tok kind) {
  static constexpr std::string_view table[] = {
#define NNC_TOKEN(name, text) #name,
#include "frontend/syntax/Tokens.def"
  };
  return table[static_cast<size_t>(kind)];
}

bool isElementType(Tok kind) { return kind >= Tok::ElFloat && kind <= Tok::ElBool; }

bool isReserved(Tok kind) { return kind >= Tok::KwImport && kind <= Tok::ElBool; }

TokenStream lex(const SourceManager &sources, FileId file) {
  std::string_view text = sources.text(file);
  return Lexer(text, file, 0, static_cast<uint32_t>(text.size()), false).run();
}

TokenStream lex(const SourceManager &sources, Span span) {
  return Lexer(sources.text(span.file), span.file, span.begin, span.end, true).run();
}

std::string dumpTokens(const SourceManager &sources, const TokenStream &stream) {
  std::string out;
  for (const Token &token : stream.tokens) {
    LineCol at = sources.lineCol(stream.file, token.begin);
    fmt::format_to(std::back_inserter(out), "{}:{} {}", at.line, at.col, kindName(token.kind));
    if (token.kind != Tok::Newline && token.kind != Tok::EndOfFile)
      fmt::format_to(std::back_inserter(out), " {}",
                     sources.text({stream.file, token.begin, token.end}));
    out += '\n';
  }
  return out;
}

} // namespace nnc::syntax
