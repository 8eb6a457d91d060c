//===- Snippet.h - One source line with marks under it --------------------------------------===//
//
// Turns a line of source and marked byte ranges into rows of terminal text: the line (tabs
// expanded, controls replaced, cut around the marks when it is very long), the underlines, and the
// labels, stacked below where they do not fit beside each other.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_SNIPPET_H
#define NNC_FRONTEND_SYNTAX_SNIPPET_H

#include <string>
#include <string_view>
#include <vector>

namespace nnc::syntax {

/// How a stretch of output looks; the palette is in Snippet.cpp.
enum class Style : uint8_t { Plain, Bold, Error, Warning, Gutter, Secondary, Help, Added };

/// Appends `text` in a style; plain if `color` is false.
void append(std::string &out, std::string_view text, Style style, bool color);

/// Bytes [begin, end) of a line, underlined with `symbol`. An empty range gets one symbol.
struct Mark {
  size_t begin = 0;
  size_t end = 0;
  char symbol = '^';
  Style style = Style::Error;
  std::string text;
};

/// The rows of one line, without gutter: the text first, then underlines and labels.
std::vector<std::string> renderLine(std::string_view line, std::vector<Mark> marks, bool color);

/// User text for messages: at most `limit` bytes, with `...` where it was cut.
std::string shorten(std::string_view text, size_t limit = 80);

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_SNIPPET_H
