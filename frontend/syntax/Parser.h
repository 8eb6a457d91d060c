//===- Parser.h - From text to tree ---------------------------------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_PARSER_H
#define NNC_FRONTEND_SYNTAX_PARSER_H

#include "frontend/syntax/AST.h"
#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Source.h"

#include <memory>
#include <string>

namespace nnc::syntax {

/// Brackets, blocks and `if then else` nest no deeper than this.
inline constexpr unsigned kMaxNesting = 200;
/// No expression tree is higher than this, so that recursion over trees is safe.
inline constexpr unsigned kMaxHeight = 1000;

/// Parses a whole file. Always returns a tree: statements with syntax errors are left out of it,
/// the others are complete, so a caller that goes on after errors meets no null where the grammar
/// demands something. Trees point into `sources`.
std::unique_ptr<File> parseFile(const SourceManager &sources, FileId file, Diagnostics &diags);

/// Parses one expression, for options like `--set depth=6`. The whole text of `file` must be one.
/// Returns null after an error.
ExprPtr parseExpression(const SourceManager &sources, FileId file, Diagnostics &diags);

/// The tree as indented text, one node per line, for `--emit=ast`.
std::string dumpAst(const SourceManager &sources, const File &file);

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_PARSER_H
