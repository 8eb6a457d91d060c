//===- Render.h - Diagnostics as text and as JSON -------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_RENDER_H
#define NNC_FRONTEND_SYNTAX_RENDER_H

#include "frontend/syntax/Diagnostics.h"

#include <cstdio>
#include <string>

namespace nnc::syntax {

struct RenderOptions {
  bool color = false;
  bool json = false;
  /// Errors shown; a last line tells how many were left out. 0: all.
  size_t errorLimit = 20;
};

/// One diagnostic, with source lines and carets; ends with a newline.
std::string render(const SourceManager &sources, const Diagnostic &diag, bool color = false);

/// One diagnostic as one line of JSON (no newline):
///   {"severity": "error", "code": "E0101", "message": "...", "file": "lenet.nn",
///    "spans": [{"file", "line", "column", "end_line", "end_column", "begin", "end", "primary",
///    "label"}], "notes": [{"message", "file"?, "line"?, "column"?}],
///    "fixes": [{"title", "edits": [{"file", "line", ..., "text"}]}], "modules": ["lstm.0"]}
/// Lines and columns count from 1, `begin` and `end` are byte offsets.
std::string renderJson(const SourceManager &sources, const Diagnostic &diag);

/// All that should be shown, in order; text diagnostics are separated by an empty line, JSON ones
/// stand one per line.
std::string render(const SourceManager &sources, const Diagnostics &diags,
                   const RenderOptions &options = {});

/// Whether `stream` is a terminal that wants colour (NO_COLOR and TERM=dumb are honoured).
bool wantsColor(std::FILE *stream);

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_RENDER_H
