//===- Utf8.h - Decoding and display width --------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_UTF8_H
#define NNC_FRONTEND_SYNTAX_UTF8_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace nnc::syntax::utf8 {

struct CodePoint {
  char32_t value = 0;
  unsigned size = 1;  // bytes
  bool valid = false; // an invalid byte stands alone
};

/// Decodes the character that starts at text[pos]; pos < text.size().
CodePoint decode(std::string_view text, size_t pos);

/// The offset of the first byte that is not UTF-8.
std::optional<size_t> findInvalid(std::string_view text);

/// The number of characters.
size_t count(std::string_view text);

/// Terminal columns: 0 for combining marks, 2 for wide characters, else 1.
unsigned width(char32_t c);

/// Whether a terminal can show the character as itself: no controls, no direction marks.
bool isPrintable(char32_t c);

} // namespace nnc::syntax::utf8

#endif // NNC_FRONTEND_SYNTAX_UTF8_H
