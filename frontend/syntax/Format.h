//===- Format.h - `nnc fmt` -----------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_FORMAT_H
#define NNC_FRONTEND_SYNTAX_FORMAT_H

#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Source.h"

#include <optional>
#include <string>

namespace nnc::syntax {

/// The text of `file` in the one style of the language. The result parses to the same tree, holds
/// all comments, and formatting it again changes nothing. Files with syntax errors are reported
/// and not formatted.
std::optional<std::string> formatSource(const SourceManager &sources, FileId file,
                                        Diagnostics &diags);

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_FORMAT_H
