#include "tools/lsp/Positions.h"

#include "frontend/syntax/Utf8.h"

#include <algorithm>

namespace nnc::lsp {

namespace utf8 = syntax::utf8;

/// The protocol's line breaks: LF, CR LF, and CR alone.
LineIndex::LineIndex(std::string_view text) : text(text), starts{0} {
  for (size_t i = 0; i < text.size(); ++i) {
    bool isBreak = text[i] == '\n' || (text[i] == '\r' && text.substr(i + 1, 1) != "\n");
    if (isBreak)
      starts.push_back(static_cast<uint32_t>(i + 1));
  }
}

std::string_view LineIndex::lineText(size_t line) const {
  size_t end = line + 1 < starts.size() ? starts[line + 1] : text.size();
  std::string_view result = text.substr(starts[line], end - starts[line]);
  if (line + 1 == starts.size())
    return result;
  result.remove_suffix(result.ends_with("\r\n") ? 2 : 1);
  return result;
}

static uint32_t unitsOf(char32_t character) { return character >= 0x10000 ? 2 : 1; }

uint32_t LineIndex::offset(Position position) const {
  if (position.line >= starts.size())
    return static_cast<uint32_t>(text.size());
  std::string_view line = lineText(position.line);
  uint32_t units = 0;
  size_t at = 0;
  while (at < line.size()) {
    utf8::CodePoint c = utf8::decode(line, at);
    units += unitsOf(c.value);
    if (units > position.character)
      break;
    at += c.size;
  }
  return starts[position.line] + static_cast<uint32_t>(at);
}

Position LineIndex::position(uint32_t offset) const {
  offset = std::min(offset, static_cast<uint32_t>(text.size()));
  auto next = std::upper_bound(starts.begin(), starts.end(), offset);
  auto line = static_cast<uint32_t>(next - starts.begin() - 1);
  std::string_view before = lineText(line).substr(0, offset - starts[line]);
  uint32_t units = 0;
  for (size_t at = 0; at < before.size();) {
    utf8::CodePoint c = utf8::decode(text, starts[line] + at);
    at += c.size;
    units += at <= before.size() ? unitsOf(c.value) : 0;
  }
  return {line, units};
}

std::string replaceRange(const std::string &text, const Range &range, std::string_view by) {
  LineIndex index(text);
  uint32_t begin = index.offset(range.start);
  uint32_t end = std::max(begin, index.offset(range.end));
  std::string result = text.substr(0, begin);
  result += by;
  return result.append(text, end);
}

} // namespace nnc::lsp
