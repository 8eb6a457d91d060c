#include "tools/lsp/Symbols.h"

#include <algorithm>
#include <set>

namespace nnc::lsp {

using syntax::NameRole;
using syntax::Tok;
using syntax::VisibleName;

SymbolFinder::SymbolFinder(Analysis &analysis)
    : analysis(analysis), stream(syntax::lex(analysis.sources, analysis.file)) {}

//===- Tokens ---------------------------------------------------------------------------------===//

int SymbolFinder::tokenAt(uint32_t offset) const {
  int touching = -1;
  for (size_t i = 0; i < stream.tokens.size(); ++i) {
    const syntax::Token &token = stream.tokens[i];
    if (token.begin > offset)
      break;
    if (token.begin <= offset && offset <= token.end && token.kind == Tok::Name)
      touching = static_cast<int>(i);
  }
  return touching;
}

int SymbolFinder::tokenBefore(uint32_t offset) const {
  int before = -1;
  for (size_t i = 0; i < stream.tokens.size() && stream.tokens[i].end <= offset; ++i)
    before = static_cast<int>(i);
  bool isTyped =
      before >= 0 && stream.tokens[before].kind == Tok::Name && stream.tokens[before].end == offset;
  if (int inside = tokenAt(offset); inside >= 0)
    return inside - 1;
  return isTyped ? before - 1 : before;
}

std::string_view SymbolFinder::textOf(int token) const {
  return analysis.sources.text(spanOf(token));
}

syntax::Span SymbolFinder::spanOf(int token) const {
  return {stream.file, stream.tokens[token].begin, stream.tokens[token].end};
}

bool SymbolFinder::isBehind(uint32_t offset, Tok kind) const {
  int before = tokenBefore(offset);
  return before >= 0 && stream.tokens[before].kind == kind;
}

int SymbolFinder::callAround(int token) const {
  int depth = 0;
  for (int i = token; i >= 0; --i) {
    switch (stream.tokens[i].kind) {
    case Tok::RParen:
    case Tok::RBracket:
    case Tok::RBrace:
      ++depth;
      break;
    case Tok::LParen:
    case Tok::LBracket:
    case Tok::LBrace:
      if (depth == 0)
        return stream.tokens[i].kind == Tok::LParen ? i : -1;
      --depth;
      break;
    default:
      break;
    }
  }
  return -1;
}

//===- Names ----------------------------------------------------------------------------------===//

VisibleName SymbolFinder::resolve(VisibleName name) {
  for (int depth = 0; depth < 8 && name.role == NameRole::Import; ++depth) {
    auto *import = name.decl->as<syntax::ImportStmt>();
    std::optional<syntax::FileId> file =
        import ? analysis.imported(*import, name.name.span.file) : std::nullopt;
    if (!file || import->names.empty())
      return name;
    bool found = false;
    for (const VisibleName &other : syntax::topLevelNames(*analysis.treeOf(*file)))
      if (other.name.text == name.name.text) {
        name = other;
        found = true;
        break;
      }
    if (!found)
      return name;
  }
  return name;
}

std::vector<VisibleName> SymbolFinder::visible(uint32_t offset) {
  std::vector<VisibleName> names;
  auto add = [&](const std::vector<VisibleName> &more) {
    names.insert(names.end(), more.begin(), more.end());
  };
  for (const std::shared_ptr<const syntax::File> &part : analysis.prelude)
    add(syntax::topLevelNames(*part));
  add(syntax::namesAt(*analysis.tree, offset));
  return names;
}

std::optional<VisibleName> SymbolFinder::lookup(std::string_view name, uint32_t offset) {
  std::vector<VisibleName> names = visible(offset);
  for (auto it = names.rbegin(); it != names.rend(); ++it)
    if (it->name.text == name)
      return resolve(*it);
  return std::nullopt;
}

const syntax::ModuleStmt *SymbolFinder::classOf(int lastToken) {
  uint32_t end = stream.tokens[lastToken].end;
  // What was evaluated here: of the expressions that end here, the widest.
  for (const auto &[span, cls] : analysis.classes)
    if (span.file == stream.file && span.end == end)
      return analysis.moduleAt(cls);
  if (stream.tokens[lastToken].kind != Tok::Name)
    return nullptr;
  // In a statement that is not whole yet: what the name is bound to.
  std::optional<VisibleName> name = lookup(textOf(lastToken), stream.tokens[lastToken].begin);
  auto *bind = name && name->decl ? name->decl->as<syntax::BindStmt>() : nullptr;
  if (bind && bind->value.expr)
    if (auto found = analysis.classes.find(bind->value.expr->span); found != analysis.classes.end())
      return analysis.moduleAt(found->second);
  return name && name->decl ? name->decl->as<syntax::ModuleStmt>() : nullptr;
}

std::vector<VisibleName> SymbolFinder::membersOf(int lastToken) {
  if (lastToken < 0)
    return {};
  if (stream.tokens[lastToken].kind == Tok::Name)
    if (auto name = lookup(textOf(lastToken), stream.tokens[lastToken].begin);
        name && name->role == NameRole::Import) {
      auto &import = name->decl->get<syntax::ImportStmt>();
      std::optional<syntax::FileId> file = analysis.imported(import, name->name.span.file);
      return file ? syntax::topLevelNames(*analysis.treeOf(*file)) : std::vector<VisibleName>();
    }
  const syntax::ModuleStmt *cls = classOf(lastToken);
  return cls ? syntax::memberNames(*cls) : std::vector<VisibleName>();
}

//===- Calls ----------------------------------------------------------------------------------===//

static std::vector<const syntax::Formal *> addresses(const std::vector<syntax::Formal> &formals) {
  std::vector<const syntax::Formal *> result;
  for (const syntax::Formal &formal : formals)
    result.push_back(&formal);
  return result;
}

std::vector<const syntax::Formal *> SymbolFinder::formalsOf(int callee) {
  if (callee < 0 || stream.tokens[callee].kind != Tok::Name)
    return {};
  std::optional<Symbol> symbol = find(stream.tokens[callee].begin);
  if (!symbol || !symbol->declared.decl)
    return {};
  const syntax::Stmt *decl = symbol->declared.decl;
  if (auto *fn = decl->as<syntax::FnStmt>(); fn && !symbol->declared.formal)
    return addresses(fn->params);
  if (auto *module = decl->as<syntax::ModuleStmt>(); module && !symbol->declared.formal)
    return addresses(module->params);
  if (const syntax::ModuleStmt *cls = classOf(callee))
    for (const syntax::StmtPtr &stmt : cls->body)
      if (auto *fn = stmt->as<syntax::FnStmt>(); fn && fn->name.text == "forward")
        return addresses(fn->params);
  return {};
}

std::vector<const syntax::Formal *> SymbolFinder::formalsAround(uint32_t offset) {
  int open = callAround(tokenBefore(offset));
  return open > 0 ? formalsOf(open - 1) : std::vector<const syntax::Formal *>();
}

//===- Answers --------------------------------------------------------------------------------===//

syntax::Span SymbolFinder::nameAt(uint32_t offset) const {
  int token = tokenAt(offset);
  return token < 0 ? syntax::Span() : spanOf(token);
}

std::optional<Symbol> SymbolFinder::find(uint32_t offset) {
  int token = tokenAt(offset);
  if (token < 0)
    return std::nullopt;
  syntax::Span use = spanOf(token);
  std::string_view name = textOf(token);
  auto kindAt = [&](int index) {
    bool exists = index >= 0 && index < static_cast<int>(stream.tokens.size());
    return exists ? stream.tokens[index].kind : Tok::EndOfFile;
  };
  if (kindAt(token - 1) == Tok::Dot) {
    for (const VisibleName &member : membersOf(token - 2))
      if (member.name.text == name)
        return Symbol{use, resolve(member)};
    return std::nullopt;
  }
  bool mayBeArgument = kindAt(token + 1) == Tok::Assign &&
                       (kindAt(token - 1) == Tok::Comma || kindAt(token - 1) == Tok::LParen);
  int open = mayBeArgument ? callAround(token - 1) : -1;
  if (open > 0)
    for (const syntax::Formal *formal : formalsOf(open - 1))
      if (formal->name.text == name)
        return Symbol{use, {formal->name, NameRole::Parameter, nullptr, formal}};
  std::optional<VisibleName> declared = lookup(name, use.begin);
  return declared ? std::optional(Symbol{use, *declared}) : std::nullopt;
}

std::vector<VisibleName> SymbolFinder::candidates(uint32_t offset) {
  if (isBehind(offset, Tok::Dot))
    return membersOf(tokenBefore(offset) - 1);
  std::vector<VisibleName> names = visible(offset), result;
  std::set<std::string_view> seen;
  for (auto it = names.rbegin(); it != names.rend(); ++it)
    if (!it->name.isDiscard() && !it->name.isEmpty() && seen.insert(it->name.text).second)
      result.push_back(*it);
  return result;
}

} // namespace nnc::lsp
