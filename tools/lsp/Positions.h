// Places in a text as the protocol has them: a line, and UTF-16 code units within it. Everything
// else in nnc counts bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nnc::lsp {

/// Both count from 0.
struct Position {
  uint32_t line = 0;
  uint32_t character = 0;
  friend bool operator==(const Position &, const Position &) = default;
};

struct Range {
  Position start, end;
};

/// Converts between byte offsets and positions of one text, which must outlive it.
class LineIndex {
public:
  explicit LineIndex(std::string_view text);

  /// Lines beyond the end are the end; characters beyond a line's end are the line's end; within a
  /// surrogate pair is before it.
  uint32_t offset(Position position) const;
  /// \param offset at most the text's size; within a character it is before it.
  Position position(uint32_t offset) const;
  Range range(uint32_t begin, uint32_t end) const { return {position(begin), position(end)}; }

private:
  /// Without its line break.
  std::string_view lineText(size_t line) const;

  std::string_view text;
  std::vector<uint32_t> starts;
};

/// `text` with a range replaced.
std::string replaceRange(const std::string &text, const Range &range, std::string_view by);

} // namespace nnc::lsp
