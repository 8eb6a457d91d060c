// The files of a compilation: parsed once each, with the names of their top level; the prelude; and
// the imports between them.
#pragma once

#include "frontend/Library.h"
#include "frontend/Scope.h"
#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Source.h"

#include <deque>
#include <map>
#include <set>
#include <vector>

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
  /// A package of the library, whose tree all compilations share; one whose name starts with `_` is
  /// the compiler's own.
  FileScope *package(const LibraryFile &package);
  /// What an `import` names; null after an error (reported once).
  FileScope *resolve(const syntax::ImportStmt &import, const FileScope &from);
  /// Follows all imports of a file, and theirs. Reports files and names that are not there, private
  /// names, and cycles.
  void checkImports(FileScope &scope);
  /// False, and an error, if a file has no such name, or keeps it private.
  bool reportMissing(const FileScope &file, const syntax::Ident &name);
  const Namespace *makeNamespace(std::string_view name, const FileScope *file);

private:
  void enterNames(FileScope &scope, const syntax::File &tree);
  void enterLibraryFile(FileScope &scope, const LibraryFile &file);
  void enterImport(FileScope &scope, const syntax::ImportStmt &import);
  void enter(FileScope &scope, syntax::Ident name, const syntax::Stmt &decl);
  FileScope *openPath(const syntax::ImportStmt &import, const FileScope &from);
  FileScope *openPackage(const syntax::ImportStmt &import);
  bool findImported(FileScope &scope, const syntax::ImportStmt &import, FileScope &target);
  void reportCycle(const syntax::ImportStmt &import, const FileScope &target);

  syntax::SourceManager &sources;
  syntax::Diagnostics &diags;
  std::map<syntax::FileId, std::unique_ptr<FileScope>> scopes;
  std::map<const syntax::ImportStmt *, FileScope *> resolved;
  std::deque<Namespace> namespaces;
  std::set<const FileScope *> checked;
  /// The files whose imports are being followed, with the import that leads on from each.
  std::vector<std::pair<FileScope *, const syntax::ImportStmt *>> following;
  std::unique_ptr<FileScope> preludeScope;
};

} // namespace nnc::frontend
