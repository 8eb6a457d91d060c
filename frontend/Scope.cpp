// Names at the top level of files and in the blocks of functions.
#include "frontend/Scope.h"

namespace nnc::frontend {

//===- Files ----------------------------------------------------------------------------------===//

Global *FileScope::find(std::string_view name) const {
  auto found = byName.find(name);
  return found == byName.end() ? nullptr : found->second;
}

std::vector<std::string_view> FileScope::names() const {
  std::vector<std::string_view> result;
  for (const Global &global : globals)
    result.push_back(global.name.text);
  return result;
}

Global *FileScope::add(syntax::Ident name, const syntax::Stmt *decl) {
  if (byName.count(name.text))
    return nullptr;
  globals.push_back({name, decl});
  byName[name.text] = &globals.back();
  return &globals.back();
}

const ModuleClass *FileScope::moduleClass(const syntax::ModuleStmt &decl) const {
  const ModuleClass *&cls = classOf[&decl];
  if (!cls)
    cls = &classes.emplace_back(ModuleClass{&decl, this});
  return cls;
}

//===- Blocks ---------------------------------------------------------------------------------===//

const std::optional<Value> *Locals::find(std::string_view name) const {
  for (auto binding = bindings.rbegin(); binding != bindings.rend(); ++binding)
    if (binding->name == name)
      return &binding->value;
  return nullptr;
}

void Locals::define(std::string_view name, std::optional<Value> value, syntax::Span place) {
  bindings.push_back({name, std::move(value), place});
}

void Locals::assign(std::string_view name, std::optional<Value> value, syntax::Span place) {
  for (auto binding = bindings.rbegin(); binding != bindings.rend(); ++binding)
    if (binding->name == name) {
      binding->value = std::move(value);
      binding->place = place;
      return;
    }
  define(name, std::move(value), place);
}

syntax::Span Locals::placeOf(std::string_view name) const {
  for (auto binding = bindings.rbegin(); binding != bindings.rend(); ++binding)
    if (binding->name == name)
      return binding->place;
  return {};
}

std::vector<std::string_view> Locals::names() const {
  std::vector<std::string_view> result;
  for (const Binding &binding : bindings)
    result.push_back(binding.name);
  return result;
}

} // namespace nnc::frontend
