//===- Lost.cpp - What syntax errors took with them -----------------------------------------===//

#include "frontend/syntax/Lost.h"

#include "frontend/syntax/Lexer.h"

namespace nnc::syntax {

static bool isSyntaxError(const Diagnostic &diag) { return diag.code.starts_with("E01"); }

bool hasSyntaxError(const Diagnostics &diags, Span region) {
  for (const Diagnostic &diag : diags.all()) {
    const Span &place = diag.primary.span;
    if (isSyntaxError(diag) && place.file == region.file && region.begin <= place.begin &&
        place.end <= region.end)
      return true;
  }
  return false;
}

/// Whether the name is another token of the text.
static bool standsIn(const SourceManager &sources, Span text, Span use) {
  for (const Token &token : lex(sources, text).tokens)
    if (token.kind == Tok::Name && token.begin != use.begin &&
        sources.text(Span{use.file, token.begin, token.end}) == sources.text(use))
      return true;
  return false;
}

/// Whether the name is another token of the line of `place`.
static bool standsOnLine(const SourceManager &sources, Span place, Span use) {
  return place.file == use.file &&
         standsIn(sources, sources.lineSpan(place.file, sources.lineCol(place).line), use);
}

bool mayBeLost(const Diagnostics &diags, const SourceManager &sources, Span use) {
  for (const Diagnostic &diag : diags.all()) {
    if (!isSyntaxError(diag))
      continue;
    bool found = standsOnLine(sources, diag.primary.span, use);
    found |= diag.lost.isValid() && diag.lost.file == use.file && standsIn(sources, diag.lost, use);
    for (const Label &label : diag.labels)
      found |= standsOnLine(sources, label.span, use);
    if (found)
      return true;
  }
  return false;
}

} // namespace nnc::syntax
