//===- Lost.h - What syntax errors took with them -------------------------------------------===//
//
// Statements with syntax errors are left out of the tree. What is missing because of it is no error
// of its own.
//
//===----------------------------------------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_LOST_H
#define NNC_FRONTEND_SYNTAX_LOST_H

#include "frontend/syntax/Diagnostics.h"

namespace nnc::syntax {

/// Whether a syntax error was reported within `region`: something in it may be left out.
bool hasSyntaxError(const Diagnostics &diags, Span region);

/// Whether the name at `use` also stands on a line with a syntax error, which may have bound it.
bool mayBeLost(const Diagnostics &diags, const SourceManager &sources, Span use);

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_LOST_H
