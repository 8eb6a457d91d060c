//===- Utf8.cpp - Decoding and display width ------------------------------------------------===//
//
// The width table holds the blocks that matter in practice (combining marks, East Asian wide and
// full-width forms, emoji), not all of Unicode: a wrong guess moves a caret by one column.
//
//===----------------------------------------------------------------------------------------===//

#include "frontend/syntax/Utf8.h"

#include <algorithm>
#include <iterator>

namespace nnc::syntax::utf8 {
namespace {

struct Interval {
  char32_t first, last;
};

constexpr Interval kZeroWidth[] = {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD},
                                   {0x0610, 0x061A}, {0x064B, 0x065F}, {0x1AB0, 0x1AFF},
                                   {0x1DC0, 0x1DFF}, {0x200B, 0x200D}, {0x20D0, 0x20FF},
                                   {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF}};

constexpr Interval kWide[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},
    {0x2614, 0x2615},   {0x267F, 0x267F},   {0x2693, 0x2693},   {0x26A1, 0x26A1},
    {0x2705, 0x2705},   {0x2728, 0x2728},   {0x274C, 0x274C},   {0x2757, 0x2757},
    {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},
    {0xA000, 0xA4CF},   {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
    {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
    {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD}};

template <size_t N> bool contains(const Interval (&table)[N], char32_t c) {
  const Interval *it = std::upper_bound(std::begin(table), std::end(table), c,
                                        [](char32_t c, Interval i) { return c < i.first; });
  return it != std::begin(table) && c <= std::prev(it)->last;
}

unsigned sequenceLength(unsigned char lead) {
  if (lead < 0x80)
    return 1;
  if (lead >= 0xC2 && lead <= 0xDF)
    return 2;
  if (lead >= 0xE0 && lead <= 0xEF)
    return 3;
  if (lead >= 0xF0 && lead <= 0xF4)
    return 4;
  return 0;
}

/// Overlong forms, surrogates and values beyond U+10FFFF are not characters.
bool isCharacter(char32_t value, unsigned size) {
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  return value >= kSmallest[size] && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
}

} // namespace

CodePoint decode(std::string_view text, size_t pos) {
  unsigned char lead = static_cast<unsigned char>(text[pos]);
  unsigned size = sequenceLength(lead);
  if (size == 1)
    return {lead, 1, true};
  constexpr CodePoint kInvalid = {0xFFFD, 1, false};
  if (size == 0 || size > text.size() - pos)
    return kInvalid;
  char32_t value = lead & (0x7Fu >> size);
  for (unsigned i = 1; i < size; ++i) {
    unsigned char next = static_cast<unsigned char>(text[pos + i]);
    if ((next & 0xC0) != 0x80)
      return kInvalid;
    value = value << 6 | (next & 0x3F);
  }
  return isCharacter(value, size) ? CodePoint{value, size, true} : kInvalid;
}

std::optional<size_t> findInvalid(std::string_view text) {
  for (size_t pos = 0; pos < text.size();) {
    CodePoint c = decode(text, pos);
    if (!c.valid)
      return pos;
    pos += c.size;
  }
  return std::nullopt;
}

size_t count(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

unsigned width(char32_t c) {
  if (c < 0x300)
    return 1;
  if (contains(kZeroWidth, c))
    return 0;
  return contains(kWide, c) ? 2 : 1;
}

bool isPrintable(char32_t c) {
  bool isControl = c < 0x20 || (c >= 0x7F && c < 0xA0);
  bool isDirection =
      (c >= 0x200E && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  bool isSeparator = c == 0x2028 || c == 0x2029;
  return !isControl && !isDirection && !isSeparator && c != 0xFEFF;
}

} // namespace nnc::syntax::utf8
