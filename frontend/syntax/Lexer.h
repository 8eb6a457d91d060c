//===- Lexer.h - From text to tokens --------------------------------------------------------===//
//
// A token is a kind and a slice of the buffer, so its place is free. Newlines that end a statement
// are tokens; all others are dropped here, so that the parser never thinks about line breaks.
// Comments are kept beside the tokens for the formatter and for documentation.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_LEXER_H
#define NNC_FRONTEND_SYNTAX_LEXER_H

#include "frontend/syntax/Source.h"

#include <string>
#include <string_view>
#include <vector>

namespace nnc::syntax {

enum class Tok : uint8_t {
#define NNC_TOKEN(name, text) name,
#include "frontend/syntax/Tokens.def"
};

/// How a kind is spelled in messages: "`,`", "`then`", "a name", "the end of the file".
std::string_view spelling(Tok kind);
/// The kind's own name, for dumpTokens.
std::string_view kindName(Tok kind);
bool isElementType(Tok kind);
/// True for every reserved word, element types included.
bool isReserved(Tok kind);

struct Token {
  Tok kind = Tok::EndOfFile;
  /// Whether this is the first token of its line.
  bool startsLine = false;
  uint32_t begin = 0;
  uint32_t end = 0;
};

struct Comment {
  uint32_t begin = 0; // at the `#`
  uint32_t end = 0;   // before the line break
  bool ownLine = false;
  bool doc = false; // starts with `##`
};

struct TokenStream {
  FileId file;
  std::vector<Token> tokens; // the last is EndOfFile
  std::vector<Comment> comments;
};

/// Never fails: what is no token becomes one of the Bad kinds, which the parser reports.
TokenStream lex(const SourceManager &sources, FileId file);
/// Lexes the bytes of one span, as inside brackets: for expressions within strings.
TokenStream lex(const SourceManager &sources, Span span);

/// One token per line: `3:11 Name Conv2d`, for `--emit=tokens`.
std::string dumpTokens(const SourceManager &sources, const TokenStream &stream);

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_LEXER_H
