//===- Snippet.cpp - One source line with marks under it ------------------------------------===//

#include "frontend/syntax/Snippet.h"

#include "frontend/syntax/Utf8.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace nnc::syntax {
namespace {

/// Lines of more bytes are cut to a window that starts kLead bytes before the mark that matters.
constexpr size_t kMaxLineBytes = 240;
constexpr size_t kWindowBytes = 160;
constexpr size_t kLead = 60;
constexpr unsigned kTabWidth = 4;

std::string_view escapeOf(Style style) {
  switch (style) {
  case Style::Plain:
    return "";
  case Style::Bold:
    return "\033[1m";
  case Style::Error:
    return "\033[1;31m";
  case Style::Warning:
    return "\033[1;33m";
  case Style::Gutter:
  case Style::Secondary:
    return "\033[1;34m";
  case Style::Help:
    return "\033[1;36m";
  case Style::Added:
    return "\033[1;32m";
  }
  return "";
}

bool isContinuationByte(char c) { return (c & 0xC0) == 0x80; }

/// The part of a line that is shown, and the terminal column of each of its bytes.
class Window {
public:
  Window(std::string_view line, size_t anchor);
  /// The column of a byte offset of the line, clipped to the window.
  unsigned column(size_t offset) const { return columns[std::clamp(offset, begin, end) - begin]; }
  bool contains(size_t offset) const { return offset >= begin && offset <= end; }
  std::string text;

private:
  size_t begin, end;
  std::vector<unsigned> columns; // end - begin + 1 of them
};

Window::Window(std::string_view line, size_t anchor) : begin(0), end(line.size()) {
  if (line.size() > kMaxLineBytes) {
    begin = std::min(anchor, line.size());
    begin = begin > kLead ? begin - kLead : 0;
    while (begin > 0 && isContinuationByte(line[begin]))
      --begin;
    end = std::min(begin + kWindowBytes, line.size());
    while (end < line.size() && isContinuationByte(line[end]))
      ++end;
  }
  unsigned column = 0;
  if (begin > 0) {
    text = "...";
    column = 3;
  }
  for (size_t pos = begin; pos < end;) {
    utf8::CodePoint c = utf8::decode(line, pos);
    columns.insert(columns.end(), c.size, column);
    if (c.value == '\t')
      text.append(kTabWidth, ' ');
    else if (c.valid && utf8::isPrintable(c.value))
      text += line.substr(pos, c.size);
    else
      text += "\xEF\xBF\xBD";
    column += c.value == '\t' ? kTabWidth : utf8::width(c.value);
    pos += c.size;
  }
  columns.push_back(column);
  if (end < line.size())
    text += "...";
}

/// A mark in terminal columns.
struct Placed {
  unsigned begin, end;
  const Mark *mark;
};

/// A row of symbols with styles, followed by text.
class Row {
public:
  void put(unsigned column, char symbol, Style style) {
    if (cells.size() <= column)
      cells.resize(column + 1, {' ', Style::Plain});
    cells[column] = {symbol, style};
  }
  void padTo(unsigned column) {
    if (cells.size() < column)
      cells.resize(column, {' ', Style::Plain});
  }
  std::string print(std::string_view text, Style style, bool color) const;

private:
  struct Cell {
    char symbol;
    Style style;
  };
  std::vector<Cell> cells;
};

std::string Row::print(std::string_view text, Style style, bool color) const {
  std::string out;
  for (size_t i = 0; i < cells.size();) {
    std::string run;
    size_t first = i;
    for (; i < cells.size() && cells[i].style == cells[first].style; ++i)
      run += cells[i].symbol;
    append(out, run, cells[first].style, color);
  }
  if (!text.empty())
    append(out, text, style, color);
  return out;
}

std::vector<Placed> place(const std::vector<Mark> &marks, const Window &window) {
  std::vector<Placed> placed;
  for (const Mark &mark : marks) {
    if (!window.contains(mark.begin))
      continue;
    unsigned begin = window.column(mark.begin);
    placed.push_back({begin, std::max(begin + 1, window.column(mark.end)), &mark});
  }
  std::sort(placed.begin(), placed.end(), [](const Placed &a, const Placed &b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  return placed;
}

/// Secondary marks first, so that carets win where both are.
Row drawUnderlines(const std::vector<Placed> &placed) {
  Row row;
  for (bool secondary : {true, false})
    for (const Placed &p : placed)
      if ((p.mark->style == Style::Secondary) == secondary)
        for (unsigned column = p.begin; column < p.end; ++column)
          row.put(column, p.mark->symbol, p.mark->style);
  return row;
}

/// The mark whose text goes on the row of the underlines: the rightmost, if nothing is in its way.
const Placed *findInline(const std::vector<Placed> &placed) {
  if (placed.empty() || placed.back().mark->text.empty())
    return nullptr;
  const Placed &last = placed.back();
  for (const Placed &p : placed)
    if (&p != &last && (p.end > last.end || (p.begin == last.begin && !p.mark->text.empty())))
      return nullptr;
  return &last;
}

/// The labels that stand below, right to left, with bars down to those further left.
void drawStack(std::vector<Placed> stack, bool color, std::vector<std::string> &rows) {
  auto drawBars = [](std::vector<Placed>::const_iterator first,
                     std::vector<Placed>::const_iterator last) {
    Row row;
    for (; first != last; ++first)
      row.put(first->begin, '|', first->mark->style);
    return row;
  };
  if (!stack.empty())
    rows.push_back(drawBars(stack.begin(), stack.end()).print("", Style::Plain, color));
  while (!stack.empty()) {
    Placed label = stack.back();
    stack.pop_back();
    auto end = std::find_if(stack.begin(), stack.end(),
                            [&](const Placed &p) { return p.begin >= label.begin; });
    Row row = drawBars(stack.begin(), end);
    row.padTo(label.begin);
    rows.push_back(row.print(label.mark->text, label.mark->style, color));
  }
}

} // namespace

void append(std::string &out, std::string_view text, Style style, bool color) {
  if (!color || style == Style::Plain) {
    out += text;
    return;
  }
  out += escapeOf(style);
  out += text;
  out += "\033[0m";
}

std::vector<std::string> renderLine(std::string_view line, std::vector<Mark> marks, bool color) {
  auto important = std::find_if(marks.begin(), marks.end(),
                                [](const Mark &m) { return m.style != Style::Secondary; });
  size_t anchor = marks.empty() ? 0 : (important == marks.end() ? marks[0] : *important).begin;
  Window window(line, anchor);
  std::vector<std::string> rows = {window.text};
  std::vector<Placed> placed = place(marks, window);
  if (placed.empty())
    return rows;

  const Placed *beside = findInline(placed);
  std::string text = beside ? " " + beside->mark->text : "";
  rows.push_back(
      drawUnderlines(placed).print(text, beside ? beside->mark->style : Style::Plain, color));
  std::vector<Placed> stack;
  for (const Placed &p : placed)
    if (&p != beside && !p.mark->text.empty())
      stack.push_back(p);
  drawStack(std::move(stack), color, rows);
  return rows;
}

std::string shorten(std::string_view text, size_t limit) {
  if (text.size() <= limit)
    return std::string(text);
  while (limit > 0 && isContinuationByte(text[limit]))
    --limit;
  return std::string(text.substr(0, limit)) + "...";
}

} // namespace nnc::syntax
