//===- Signature.h - How a declaration is shown to people -----------------------------------===//

#ifndef NNC_FRONTEND_SYNTAX_SIGNATURE_H
#define NNC_FRONTEND_SYNTAX_SIGNATURE_H

#include "frontend/syntax/AST.h"
#include "frontend/syntax/Source.h"

#include <memory>
#include <string>
#include <vector>

namespace nnc::syntax {

/// The head of a module, model or function, the whole of a slot, binding or import, as written but
/// on one line: "fn relu(x: float[...S]) -> float[...S]".
std::string signature(const SourceManager &sources, const Stmt &decl);

/// The reference of files as Markdown: every public declaration with its `##` comment and
/// signature; modules with their hyperparameters, slots and functions. Names that start with `_`
/// are private.
std::string referenceMarkdown(const SourceManager &sources,
                              const std::vector<std::shared_ptr<const File>> &files,
                              const std::string &title);

} // namespace nnc::syntax

#endif // NNC_FRONTEND_SYNTAX_SIGNATURE_H
