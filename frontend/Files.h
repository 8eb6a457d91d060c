// The files of a compilation: parsed once each, with the names of their top level; the prelude; and
// the imports between them.
#pragma once

#include "frontend/Scope.h"
#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Source.h"

#include <deque>
#include <map>

namespace nnc::frontend {

class Files {
public:
  Files(syntax::SourceManager &sources, syntax::Diagnostics &diags)
      : sources(sources), diags(diags) {}

  /// Parses a file and enters its names, once. A file with syntax errors still gives what is whole
  /// of it. Never null.
  FileScope *open(syntax::FileId file);
  /// The prelude: in scope everywhere.
  FileScope *prelude();
  /// What an `import` names; null after an error (reported once).
  FileScope *resolve(const syntax::ImportStmt &import, const FileScope &from);
  const Namespace *makeNamespace(std::string_view name, const FileScope *file);

private:
  void enterNames(FileScope &scope);
  void enterImport(FileScope &scope, const syntax::ImportStmt &import);
  void enter(FileScope &scope, syntax::Ident name, const syntax::Stmt &decl);

  syntax::SourceManager &sources;
  syntax::Diagnostics &diags;
  std::map<syntax::FileId, std::unique_ptr<FileScope>> scopes;
  std::map<const syntax::ImportStmt *, FileScope *> resolved;
  std::deque<Namespace> namespaces;
  FileScope *preludeScope = nullptr;
};

} // namespace nnc::frontend
