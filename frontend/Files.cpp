// Parses files once, enters the names of their top level, and follows imports.
#include "frontend/Files.h"

#include "frontend/Prelude.h"
#include "frontend/syntax/Parser.h"

#include <filesystem>
#include <fmt/format.h>

namespace nnc::frontend {

FileScope *Files::open(syntax::FileId file) {
  std::unique_ptr<FileScope> &scope = scopes[file];
  if (scope)
    return scope.get();
  scope = std::make_unique<FileScope>();
  scope->id = file;
  scope->tree = syntax::parseFile(sources, file, diags);
  FileScope *opened = scope.get();
  enterNames(*opened);
  return opened;
}

FileScope *Files::prelude() {
  if (preludeScope)
    return preludeScope;
  std::optional<syntax::FileId> file =
      sources.addText(std::string(kPreludeName), std::string(preludeText()), diags);
  preludeScope = open(*file);
  preludeScope->isPrelude = true;
  return preludeScope;
}

const Namespace *Files::makeNamespace(std::string_view name, const FileScope *file) {
  return &namespaces.emplace_back(Namespace{name, file});
}

//===- Names ----------------------------------------------------------------------------------===//

void Files::enter(FileScope &scope, syntax::Ident name, const syntax::Stmt &decl) {
  if (name.isDiscard() || name.isEmpty() || scope.add(name, &decl))
    return;
  diags.error("E0202", name.span, fmt::format("`{}` is defined twice", name.text))
      .primaryLabel("defined again here")
      .label(scope.find(name.text)->name.span, "first defined here");
}

static void collectTargets(const std::vector<syntax::Target> &targets,
                           std::vector<syntax::Ident> &names) {
  for (const syntax::Target &target : targets) {
    if (target.isTuple())
      collectTargets(target.elements, names);
    else
      names.push_back(target.name);
  }
}

void Files::enterNames(FileScope &scope) {
  for (const syntax::StmtPtr &item : scope.tree->items) {
    if (auto *module = item->as<syntax::ModuleStmt>())
      enter(scope, module->name, *item);
    else if (auto *fn = item->as<syntax::FnStmt>())
      enter(scope, fn->name, *item);
    else if (auto *train = item->as<syntax::TrainStmt>())
      enter(scope, train->name, *item);
    else if (auto *import = item->as<syntax::ImportStmt>())
      enterImport(scope, *import);
    else if (auto *bind = item->as<syntax::BindStmt>()) {
      std::vector<syntax::Ident> names;
      collectTargets(bind->targets, names);
      for (const syntax::Ident &name : names)
        enter(scope, name, *item);
    }
  }
}

void Files::enterImport(FileScope &scope, const syntax::ImportStmt &import) {
  for (const syntax::Ident &name : import.names)
    enter(scope, name, import);
  if (!import.alias.isEmpty())
    enter(scope, import.alias, import);
  else if (import.names.empty() && !import.package.empty())
    enter(scope, import.package.back(), import);
  else if (import.names.empty())
    diags.error("E0206", import.span, "this import brings no name into scope")
        .help("name what to import: `import \"./blocks.nn\" (Block)` or `... as blocks`");
}

//===- Imports --------------------------------------------------------------------------------===//

FileScope *Files::resolve(const syntax::ImportStmt &import, const FileScope &from) {
  if (auto found = resolved.find(&import); found != resolved.end())
    return found->second;
  resolved[&import] = nullptr;
  if (!import.path) {
    diags.error("E0590", import.span, "packages of the library cannot be imported yet")
        .primaryLabel("only files can be: `import \"./blocks.nn\" (Block)`");
    return nullptr;
  }
  std::filesystem::path path(import.path->value);
  if (path.is_relative())
    path = std::filesystem::path(sources.name(from.id)).parent_path() / path;
  syntax::Diagnostics loading;
  std::optional<syntax::FileId> file = sources.load(path.lexically_normal().string(), loading);
  if (!file) {
    std::string reason = loading.all().empty() ? "cannot read it" : loading.all().front().message;
    diags.error("E0206", import.path->span, reason).primaryLabel("imported here");
    return nullptr;
  }
  FileScope *opened = open(*file);
  return resolved[&import] = opened;
}

} // namespace nnc::frontend
