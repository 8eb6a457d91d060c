// The answers to an editor's questions about one file, as the protocol's JSON.
#pragma once

#include "tools/lsp/Analysis.h"
#include "tools/lsp/Transport.h"

#include <map>
#include <string>

namespace nnc::lsp {

/// Diagnostics by URI; always with an entry for the file itself.
std::map<std::string, Json> diagnosticsOf(Analysis &analysis);

Json hover(Analysis &analysis, Position position);
Json definition(Analysis &analysis, Position position);
Json completion(Analysis &analysis, Position position);
Json inlayHints(Analysis &analysis, Range range);
Json documentSymbols(Analysis &analysis);
/// Null where the file has syntax errors.
Json formatting(Analysis &analysis);
/// The fixes of the diagnostics that touch a range.
Json codeActions(Analysis &analysis, Range range);
Json semanticTokens(Analysis &analysis);
/// The names of the types of tokens, in the order of their numbers.
Json semanticTokenTypes();

/// The URI under which an editor can open a file that was read; empty if there is none.
std::string uriOfFile(const Analysis &analysis, syntax::FileId file);

} // namespace nnc::lsp
