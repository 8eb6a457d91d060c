// Parses files once, enters the names of their top level, and follows imports.
#include "frontend/Files.h"

#include "frontend/AttributePlaces.h"
#include "frontend/Library.h"
#include "frontend/Suggest.h"
#include "frontend/syntax/Parser.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace nnc::frontend {

FileScope *Files::open(syntax::FileId file) {
  std::unique_ptr<FileScope> &scope = scopes[file];
  if (scope)
    return scope.get();
  scope = std::make_unique<FileScope>();
  scope->id = file;
  size_t before = diags.numErrors();
  scope->tree = syntax::parseFile(sources, file, diags);
  scope->isBroken = diags.numErrors() != before;
  FileScope *opened = scope.get();
  checkAttributePlaces(*opened->tree, diags);
  enterNames(*opened, *opened->tree);
  return opened;
}

FileScope *Files::prelude() {
  if (preludeScope)
    return preludeScope.get();
  preludeScope = std::make_unique<FileScope>();
  for (const LibraryFile &file : preludeFiles())
    enterLibraryFile(*preludeScope, file);
  return preludeScope.get();
}

FileScope *Files::package(const LibraryFile &package) {
  const ParsedLibraryFile &parsed = parseLibraryFile(package);
  std::unique_ptr<FileScope> &scope = scopes[parsed.tree->id];
  if (scope)
    return scope.get();
  scope = std::make_unique<FileScope>();
  scope->id = parsed.tree->id;
  scope->tree = parsed.tree;
  FileScope *opened = scope.get();
  enterLibraryFile(*opened, package);
  return opened;
}

void Files::enterLibraryFile(FileScope &scope, const LibraryFile &file) {
  const ParsedLibraryFile &parsed = parseLibraryFile(file);
  scope.isLibrary = true;
  scope.isBroken |= parsed.diags.hasErrors();
  for (const syntax::Diagnostic &diag : parsed.diags.all())
    diags.error(diag.code, diag.primary.span, diag.message) = diag;
  enterNames(scope, *parsed.tree);
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

void Files::enterNames(FileScope &scope, const syntax::File &tree) {
  for (const syntax::StmtPtr &item : tree.items) {
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

FileScope *Files::openPath(const syntax::ImportStmt &import, const FileScope &from) {
  std::filesystem::path path(import.path->value);
  if (path.is_relative())
    path = std::filesystem::path(sources.name(from.id)).parent_path() / path;
  syntax::Diagnostics loading;
  std::optional<syntax::FileId> file = sources.load(path.lexically_normal().string(), loading);
  if (file)
    return open(*file);
  std::string reason = loading.all().empty() ? "cannot read it" : loading.all().front().message;
  diags.error("E0206", import.path->span, reason).primaryLabel("imported here");
  return nullptr;
}

static bool isPrivate(const LibraryFile &package) { return package.name.starts_with('_'); }

/// `std.vision`, or `std`.
FileScope *Files::openPackage(const syntax::ImportStmt &import) {
  const syntax::Ident &first = import.package.front(), &last = import.package.back();
  bool isInLibrary = first.text == "std" && import.package.size() <= 2;
  if (isInLibrary && import.package.size() == 1)
    return prelude();
  const LibraryFile *package = isInLibrary ? findPackage(last.text) : nullptr;
  if (package && !isPrivate(*package))
    return this->package(*package);
  std::vector<std::string_view> names;
  std::string list;
  for (const LibraryFile &known : packages())
    if (!isPrivate(known)) {
      names.push_back(known.name);
      list += fmt::format("{}`std.{}`", list.empty() ? "" : ", ", known.name);
    }
  auto &diag = diags.error("E0206", first.span.to(last.span),
                           isInLibrary ? fmt::format("there is no package `std.{}`", last.text)
                                       : "only packages of `std` have names");
  if (auto similar = isInLibrary ? closestName(last.text, names) : std::nullopt)
    diag.fixIt(fmt::format("`{}` has a similar name", *similar),
               {{last.span, std::string(*similar)}});
  else if (isInLibrary)
    diag.note("there are " + list);
  else
    diag.help("import a file by its path: `import \"./blocks.nn\" (Block)`");
  return nullptr;
}

FileScope *Files::resolve(const syntax::ImportStmt &import, const FileScope &from) {
  if (auto found = resolved.find(&import); found != resolved.end())
    return found->second;
  FileScope *target = import.path ? openPath(import, from) : openPackage(import);
  return resolved[&import] = target;
}

//===- Checking imports -----------------------------------------------------------------------===//

/// Whether `target` has what is imported from it; names that it has not are not looked for again.
bool Files::findImported(FileScope &scope, const syntax::ImportStmt &import, FileScope &target) {
  bool ok = true;
  for (const syntax::Ident &name : import.names) {
    bool isLost = target.isBroken && !target.find(name.text);
    if (name.isEmpty() || (!isLost && reportMissing(target, name)))
      continue;
    ok = false;
    if (Global *global = scope.find(name.text); global && global->decl == &import)
      global->state = Global::State::Failed;
  }
  return ok;
}

bool Files::reportMissing(const FileScope &file, const syntax::Ident &name) {
  Global *found = file.find(name.text);
  if (found && name.text.front() != '_')
    return true;
  syntax::Diagnostic &diag = diags.error(
      "E0206", name.span,
      found ? fmt::format("`{}` is private to its file", name.text)
            : fmt::format("`{}` has no `{}`", file.id ? sources.name(file.id) : "std", name.text));
  if (found)
    diag.note("names that start with `_` cannot be imported; it is defined", found->name.span);
  else if (auto similar = closestName(name.text, file.names()))
    diag.fixIt(fmt::format("`{}` has a similar name", *similar),
               {{name.span, std::string(*similar)}});
  return false;
}

void Files::reportCycle(const syntax::ImportStmt &import, const FileScope &target) {
  auto place = [](const syntax::ImportStmt &stmt) {
    return stmt.path ? stmt.path->span : stmt.span;
  };
  syntax::Diagnostic &diag = diags.error(
      "E0206", place(import), fmt::format("`{}` imports itself", sources.name(target.id)));
  bool isInside = false;
  for (const auto &[scope, leads] : following) {
    isInside |= scope == &target;
    if (isInside && leads != &import)
      diag.note(fmt::format("`{}` is imported by `{}`", sources.name(resolved[leads]->id),
                            sources.name(scope->id)),
                place(*leads));
  }
}

void Files::checkImports(FileScope &scope) {
  // The prelude imports nothing.
  if (!checked.insert(&scope).second || &scope == preludeScope.get())
    return;
  following.push_back({&scope, nullptr});
  for (const syntax::StmtPtr &item : scope.tree->items) {
    auto *import = item->as<syntax::ImportStmt>();
    FileScope *target = import ? resolve(*import, scope) : nullptr;
    if (!target)
      continue;
    following.back().second = import;
    auto isTarget = [&](const auto &entry) { return entry.first == target; };
    if (std::any_of(following.begin(), following.end(), isTarget))
      reportCycle(*import, *target);
    else
      checkImports(*target);
    findImported(scope, *import, *target);
  }
  following.pop_back();
}

} // namespace nnc::frontend
