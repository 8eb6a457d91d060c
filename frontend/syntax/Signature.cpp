//===- Signature.cpp - How a declaration is shown to people ---------------------------------===//

#include "frontend/syntax/Signature.h"

#include <fmt/format.h>

#include <algorithm>

namespace nnc::syntax {
namespace {

/// With every run of white space as one space, none at the ends and none inside of brackets, and
/// without comments.
std::string onOneLine(std::string_view text) {
  std::string line;
  bool inString = false, inComment = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"' && !inComment && (i == 0 || text[i - 1] != '\\'))
      inString = !inString;
    inComment = c != '\n' && (inComment || (c == '#' && !inString));
    if (inComment)
      continue;
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
      line += c;
    else if (!line.empty() && line.back() != ' ' && line.back() != '(' && line.back() != '[')
      line += ' ';
  }
  while (!line.empty() && line.back() == ' ')
    line.pop_back();
  return line;
}

/// Where the keyword or name after the attributes stands.
uint32_t beginOf(const Stmt &decl) {
  return decl.attributes.empty() ? decl.span.begin
                                 : std::max(decl.span.begin, decl.attributes.back().span.end);
}

/// Where the head of a module or function ends.
uint32_t headEnd(const Stmt &decl) {
  if (auto *module = decl.as<ModuleStmt>())
    return module->instance ? module->span.end : module->bodySpan.begin;
  if (auto *train = decl.as<TrainStmt>())
    return train->block->bodySpan.begin;
  auto *fn = decl.as<FnStmt>();
  if (!fn)
    return decl.span.end;
  if (fn->block)
    return fn->block->span.begin;
  if (!fn->guards.empty())
    return fn->guards.back().span.end;
  return fn->results.empty() ? fn->paramsSpan.end : fn->results.back().span.end;
}

class ReferenceWriter {
public:
  explicit ReferenceWriter(const SourceManager &sources) : sources(sources) {}

  void writeFile(const File &file);
  std::string out;

private:
  void writeDecl(const Stmt &decl, std::string_view name, unsigned level);
  void writeModule(const ModuleStmt &module);
  void writeFormals(const std::vector<Formal> &formals);
  void writeSlots(const std::vector<StmtPtr> &body);
  std::string code(Span span) const { return fmt::format("`{}`", onOneLine(sources.text(span))); }

  const SourceManager &sources;
};

bool isPublic(std::string_view name) { return !name.empty() && name.front() != '_'; }

/// Cells of a table cannot hold a bar.
std::string cell(std::string text) {
  for (size_t pos = text.find('|'); pos != text.npos; pos = text.find('|', pos + 2))
    text.insert(pos, "\\");
  return text;
}

void ReferenceWriter::writeDecl(const Stmt &decl, std::string_view name, unsigned level) {
  out += fmt::format("\n{} {}\n", std::string(level, '#'), name);
  if (!decl.doc.empty())
    out += fmt::format("\n{}\n", decl.doc);
  out += "\n```nn\n";
  for (const Attribute &attribute : decl.attributes)
    out += onOneLine(sources.text(attribute.span)) + "\n";
  out += signature(sources, decl) + "\n```\n";
}

void ReferenceWriter::writeFormals(const std::vector<Formal> &formals) {
  if (formals.empty())
    return;
  bool anyKey = std::any_of(formals.begin(), formals.end(),
                            [](const Formal &formal) { return formal.key.has_value(); });
  out += fmt::format("\n| hyperparameter | type | default |{}\n|---|---|---|{}\n",
                     anyKey ? " in `--config` |" : "", anyKey ? "---|" : "");
  for (const Formal &formal : formals) {
    std::string value = formal.defaultValue ? code(formal.defaultValue->span) : "";
    std::string key = formal.key ? code(formal.key->alternatives.front().span) : "";
    out += fmt::format("| `{}` | {} | {} |{}\n", formal.name.text, cell(code(formal.type->span)),
                       cell(value), anyKey ? " " + cell(key) + " |" : "");
  }
}

void ReferenceWriter::writeSlots(const std::vector<StmtPtr> &body) {
  bool any = false;
  for (const StmtPtr &stmt : body) {
    auto *slot = stmt->as<SlotStmt>();
    if (!slot)
      continue;
    if (!any)
      out += "\n| slot | type | key | exists | |\n|---|---|---|---|---|\n";
    any = true;
    std::string key = slot->key ? code(slot->key->span) : "";
    std::string exists = slot->condition ? "if " + code(slot->condition->span) : "always";
    out += fmt::format("| {} `{}` | {} | {} | {} | {} |\n", spelling(slot->slot), slot->name.text,
                       cell(code(slot->type->span)), cell(key), cell(exists),
                       cell(onOneLine(slot->doc)));
  }
}

void ReferenceWriter::writeModule(const ModuleStmt &module) {
  writeDecl(module, fmt::format("{} {}", module.isModel ? "model" : "module", module.name.text), 2);
  writeFormals(module.params);
  writeSlots(module.body);
  for (const StmtPtr &stmt : module.body)
    if (auto *fn = stmt->as<FnStmt>(); fn && isPublic(fn->name.text))
      writeDecl(*fn, fmt::format("{}.{}", module.name.text, fn->name.text), 3);
}

void ReferenceWriter::writeFile(const File &file) {
  for (const StmtPtr &item : file.items) {
    if (auto *module = item->as<ModuleStmt>()) {
      if (isPublic(module->name.text))
        writeModule(*module);
    } else if (auto *fn = item->as<FnStmt>()) {
      if (isPublic(fn->name.text))
        writeDecl(*fn, fmt::format("fn {}", fn->name.text), 2);
    } else if (auto *train = item->as<TrainStmt>()) {
      writeDecl(*train, fmt::format("train {}", train->name.text), 2);
    } else if (auto *bind = item->as<BindStmt>()) {
      std::string_view name = bind->targets.front().name.text;
      if (isPublic(name))
        writeDecl(*bind, name, 2);
    }
  }
}

} // namespace

std::string signature(const SourceManager &sources, const Stmt &decl) {
  return onOneLine(sources.text(Span{decl.span.file, beginOf(decl), headEnd(decl)}));
}

std::string referenceMarkdown(const SourceManager &sources,
                              const std::vector<std::shared_ptr<const File>> &files,
                              const std::string &title) {
  ReferenceWriter writer(sources);
  writer.out = fmt::format("# {}\n", title);
  for (const std::shared_ptr<const File> &file : files)
    writer.writeFile(*file);
  return std::move(writer.out);
}

} // namespace nnc::syntax
