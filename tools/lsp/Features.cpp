// Diagnostics, fixes, formatting, hints, symbols: what follows from an analysis without asking what
// stands under the cursor.
#include "tools/lsp/Features.h"

#include "tools/lsp/Json.h"
#include "tools/lsp/Uri.h"

#include <fmt/format.h>

namespace nnc::lsp {

std::string uriOfFile(const Analysis &analysis, syntax::FileId file) {
  const std::string &name = analysis.sources.name(file);
  bool isReal = file == analysis.file || name.starts_with('/');
  if (isReal)
    return uriOf(name);
  std::string path = materialise(name, analysis.sources.text(file));
  return path.empty() ? std::string() : uriOf(path);
}

static Json rangeOf(const Analysis &analysis, syntax::Span span) {
  return toJson(analysis.lines(span.file).range(span.begin, span.end));
}

static Json locationOf(const Analysis &analysis, syntax::Span span) {
  return {{"uri", uriOfFile(analysis, span.file)}, {"range", rangeOf(analysis, span)}};
}

//===- Diagnostics ----------------------------------------------------------------------------===//

/// The message, and below it what the terminal shows beside the source.
static std::string fullMessage(const syntax::Diagnostic &diag) {
  std::string text = diag.message;
  if (!diag.primary.text.empty())
    text += "\n" + diag.primary.text;
  for (const syntax::Note &note : diag.notes)
    if (!note.place.isValid())
      text += "\nnote: " + note.text;
  for (const syntax::FixIt &fix : diag.fixIts)
    text += "\nhelp: " + fix.title;
  if (!diag.paths.empty())
    text += fmt::format("\nnote: in {}", fmt::join(diag.paths, ", "));
  return text;
}

static Json related(const Analysis &analysis, const syntax::Diagnostic &diag) {
  Json list = Json::array();
  auto add = [&](syntax::Span span, std::string_view text) {
    while (text.ends_with(',') || text.ends_with(' '))
      text.remove_suffix(1);
    if (span.isValid())
      list.push_back({{"location", locationOf(analysis, span)}, {"message", std::string(text)}});
  };
  for (const syntax::Label &label : diag.labels)
    add(label.span, label.text);
  for (const syntax::Note &note : diag.notes)
    add(note.place, note.text);
  return list;
}

std::map<std::string, Json> diagnosticsOf(Analysis &analysis) {
  std::map<std::string, Json> byUri;
  std::string own = analysis.file ? uriOfFile(analysis, analysis.file) : std::string();
  byUri[own] = Json::array();
  for (const syntax::Diagnostic &diag : analysis.diags.forDisplay()) {
    syntax::Span span = diag.primary.span;
    Json item = {{"severity", diag.severity == syntax::Severity::Error ? 1 : 2},
                 {"source", "nnc"},
                 {"message", fullMessage(diag)},
                 {"range", span.isValid() ? rangeOf(analysis, span) : toJson(Range{})}};
    if (!diag.code.empty())
      item["code"] = diag.code;
    if (Json list = related(analysis, diag); !list.empty())
      item["relatedInformation"] = std::move(list);
    Json &list =
        byUri.try_emplace(span.isValid() ? uriOfFile(analysis, span.file) : own, Json::array())
            .first->second;
    list.push_back(std::move(item));
  }
  return byUri;
}

//===- Fixes and format -----------------------------------------------------------------------===//

static bool touches(const Range &a, const Range &b) {
  auto before = [](Position x, Position y) {
    return x.line < y.line || (x.line == y.line && x.character < y.character);
  };
  return !before(a.end, b.start) && !before(b.end, a.start);
}

Json codeActions(Analysis &analysis, Range range) {
  Json actions = Json::array();
  for (const syntax::Diagnostic &diag : analysis.diags.forDisplay()) {
    syntax::Span span = diag.primary.span;
    if (span.file != analysis.file ||
        !touches(analysis.lines(span.file).range(span.begin, span.end), range))
      continue;
    for (const syntax::FixIt &fix : diag.fixIts) {
      Json changes = Json::object();
      for (const syntax::Edit &edit : fix.edits)
        changes[uriOfFile(analysis, edit.span.file)].push_back(
            {{"range", rangeOf(analysis, edit.span)}, {"newText", edit.text}});
      if (!changes.empty())
        actions.push_back({{"title", fix.title},
                           {"kind", "quickfix"},
                           {"isPreferred", diag.fixIts.size() == 1},
                           {"edit", {{"changes", std::move(changes)}}}});
    }
  }
  return actions;
}

Json formatting(Analysis &analysis) {
  syntax::Diagnostics unwanted;
  std::optional<std::string> text = syntax::formatSource(analysis.sources, analysis.file, unwanted);
  if (!text)
    return nullptr;
  Json edits = Json::array();
  if (*text != analysis.text()) {
    auto end = static_cast<uint32_t>(analysis.text().size());
    edits.push_back(
        {{"range", toJson(analysis.lines(analysis.file).range(0, end))}, {"newText", *text}});
  }
  return edits;
}

//===- Hints ----------------------------------------------------------------------------------===//

Json inlayHints(Analysis &analysis, Range range) {
  const LineIndex &lines = analysis.lines(analysis.file);
  uint32_t begin = lines.offset(range.start), end = lines.offset(range.end);
  Json hints = Json::array();
  for (const TypeHint &hint : analysis.hints) {
    if (hint.name.end < begin || hint.name.begin > end || hint.types.empty())
      continue;
    bool several = hint.types.size() > 1;
    Json item = {{"position", toJson(lines.position(hint.name.end))},
                 {"label", ": " + hint.types.front() + (several ? " ..." : "")},
                 {"kind", 1}};
    if (several)
      item["tooltip"] = fmt::format("{}", fmt::join(hint.types, "\n"));
    hints.push_back(std::move(item));
  }
  return hints;
}

//===- Symbols --------------------------------------------------------------------------------===//

namespace {
/// Numbers of the protocol's SymbolKind.
enum SymbolNumber {
  kModuleSymbol = 5,
  kFieldSymbol = 8,
  kFunctionSymbol = 12,
  kVariableSymbol = 13
};
} // namespace

static Json symbol(const Analysis &analysis, const syntax::Ident &name, int kind,
                   syntax::Span span) {
  syntax::Span whole =
      span.begin <= name.span.begin && name.span.end <= span.end ? span : name.span;
  return {{"name", std::string(name.text)},
          {"kind", kind},
          {"range", rangeOf(analysis, whole)},
          {"selectionRange", rangeOf(analysis, name.span)}};
}

static void addSymbols(const Analysis &analysis, const std::vector<syntax::StmtPtr> &stmts,
                       Json &list) {
  for (const syntax::StmtPtr &stmt : stmts) {
    if (auto *fn = stmt->as<syntax::FnStmt>())
      list.push_back(symbol(analysis, fn->name, kFunctionSymbol, fn->span));
    else if (auto *slot = stmt->as<syntax::SlotStmt>())
      list.push_back(symbol(analysis, slot->name, kFieldSymbol, slot->span));
    else if (auto *bind = stmt->as<syntax::BindStmt>()) {
      for (const syntax::Target &target : bind->targets)
        if (!target.isTuple() && !target.name.isDiscard())
          list.push_back(symbol(analysis, target.name, kVariableSymbol, bind->span));
    } else if (auto *module = stmt->as<syntax::ModuleStmt>()) {
      Json item = symbol(analysis, module->name, kModuleSymbol, module->span);
      item["children"] = Json::array();
      addSymbols(analysis, module->body, item["children"]);
      list.push_back(std::move(item));
    } else if (auto *train = stmt->as<syntax::TrainStmt>()) {
      Json item = symbol(analysis, train->name, kModuleSymbol, train->span);
      item["children"] = Json::array();
      addSymbols(analysis, train->block->body, item["children"]);
      list.push_back(std::move(item));
    }
  }
}

Json documentSymbols(Analysis &analysis) {
  Json list = Json::array();
  addSymbols(analysis, analysis.tree->items, list);
  return list;
}

} // namespace nnc::lsp
