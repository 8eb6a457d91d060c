//===- Pattern.h - The little language inside `rearrange("b c h w -> b (c h w)")` -----------===//

#ifndef NNC_FRONTEND_SYNTAX_PATTERN_H
#define NNC_FRONTEND_SYNTAX_PATTERN_H

#include "frontend/syntax/AST.h"
#include "frontend/syntax/Diagnostics.h"

#include <optional>
#include <string>
#include <vector>

namespace nnc::syntax {

/// A name or an integer in a pattern.
struct PatternAtom {
  bool isNumber = false;
  int64_t number = 0;
  Ident name; // its text also for numbers
};

/// One axis of a side: `...`, a single atom, or a group `(c h w)`.
struct PatternAxis {
  enum Kind : uint8_t { Single, Group, Ellipsis } kind = Single;
  std::vector<PatternAtom> atoms; // one for Single, any number for Group, none for Ellipsis
  Span span;
};

struct PatternSide {
  std::vector<PatternAxis> axes;
  Span span;
};

/// `left, left -> right`. Only `einsum` has several left sides.
struct Pattern {
  std::vector<PatternSide> left;
  PatternSide right;
  Span arrow;
};

/// Parses the text of a string literal; errors (E0118) point inside the string.
std::optional<Pattern> parsePattern(const StringExpr &literal, Diagnostics &diags);

/// Single-spaced: "b c h w -> b (c h w)".
std::string printPattern(const Pattern &pattern);

/// Whether calls of this name take a pattern as an argument (rearrange, reduce, repeat, einsum).
bool takesPattern(std::string_view callee);

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_PATTERN_H
