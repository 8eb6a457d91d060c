//===- Explain.h - The catalogue of error codes ---------------------------------------------===//
//
// One Markdown file per code in `explain/`, embedded: its first line is the title, the rest
// explains with a wrong example and its fix. Adding a code is adding a file.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_EXPLAIN_H
#define NNC_FRONTEND_SYNTAX_EXPLAIN_H

#include <span>
#include <string>
#include <string_view>

namespace nnc::syntax {

struct Explanation {
  std::string_view code;  // "E0301", "W0901"
  std::string_view title; // "sizes differ"
  std::string_view text;  // Markdown, without the title
};

/// All codes in order.
std::span<const Explanation> explanations();

/// The entry of a code ("E0301" or "W0901", also "e0301" and "301"); null if there is none.
const Explanation *explain(std::string_view code);

/// The whole catalogue as one Markdown document (docs/errors.md).
std::string explanationsAsMarkdown();

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_EXPLAIN_H
