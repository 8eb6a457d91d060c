// What is asked about the cursor: hover, definition, completion; and the colours of tokens.
#include "tools/lsp/Features.h"

#include "frontend/Library.h"
#include "tools/lsp/Json.h"
#include "tools/lsp/Symbols.h"
#include "tools/lsp/Uri.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace nnc::lsp {

using syntax::NameRole;
using syntax::Tok;
using syntax::VisibleName;

//===- Hover ----------------------------------------------------------------------------------===//

static std::string keyList(const std::vector<std::string> &keys) {
  constexpr size_t kShown = 6;
  std::string text;
  for (size_t i = 0; i < keys.size() && i < kShown; ++i)
    text += fmt::format("{}`{}`", i ? ", " : "", keys[i]);
  return keys.size() > kShown ? text + fmt::format(", ... ({} in all)", keys.size()) : text;
}

static std::string sizeText(uint64_t bytes) {
  if (bytes < 1024)
    return fmt::format("{} bytes", bytes);
  constexpr const char *kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  double size = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; size >= 1024 && unit + 1 < std::size(kUnits); ++unit)
    size /= 1024;
  return fmt::format("{:.1f} {} ({} bytes)", size, kUnits[unit], bytes);
}

/// What the names of a place came to, for a line of code: "x: float[B, 10]".
static void addValues(const Analysis &analysis, syntax::Span place, std::string_view name,
                      std::vector<std::string> &lines) {
  auto found = analysis.values.find(place);
  if (found == analysis.values.end())
    return;
  for (const std::string &type : found->second) {
    std::string line = type.starts_with("->") ? type : fmt::format("{}: {}", name, type);
    bool isNews = type != name && std::find(lines.begin(), lines.end(), line) == lines.end();
    if (isNews)
      lines.push_back(std::move(line));
  }
}

static std::string factsOf(const Analysis &analysis, const VisibleName &name) {
  std::string text;
  if (auto slot = analysis.slots.find(name.name.span); slot != analysis.slots.end()) {
    const SlotFact &fact = slot->second;
    text += fmt::format("\n\n{} `{}`  \n{}, {}", fact.keys.size() == 1 ? "key" : "keys",
                        fmt::join(fact.keys, "`, `"), fact.type, sizeText(fact.bytes));
    if (fact.keys.size() > 1)
      text = fmt::format("\n\nkeys {}  \n{}, {} each", keyList(fact.keys), fact.type,
                         sizeText(fact.bytes));
  }
  if (auto member = analysis.members.find(name.name.span); member != analysis.members.end())
    text += fmt::format("\n\nkeys {}  \n{} parameters, {}", keyList(member->second.keys),
                        member->second.parameters, sizeText(member->second.bytes));
  return text;
}

static bool isDeclaration(NameRole role) {
  return role == NameRole::Function || role == NameRole::Module || role == NameRole::Slot ||
         role == NameRole::Member || role == NameRole::Constant || role == NameRole::Import;
}

static std::string hoverText(Analysis &analysis, const Symbol &symbol) {
  const VisibleName &declared = symbol.declared;
  std::vector<std::string> lines;
  if (declared.formal)
    lines.emplace_back(analysis.sources.text(declared.formal->span));
  else if (declared.decl && isDeclaration(declared.role))
    lines.push_back(syntax::signature(analysis.sources, *declared.decl));
  addValues(analysis, symbol.use, declared.name.text, lines);
  if (symbol.use != declared.name.span && !isDeclaration(declared.role) && lines.empty())
    addValues(analysis, declared.name.span, declared.name.text, lines);
  if (lines.empty())
    lines.emplace_back(declared.role == NameRole::Dimension
                           ? fmt::format("{}: a dimension", declared.name.text)
                           : std::string(declared.name.text));
  std::string text = fmt::format("```nn\n{}\n```", fmt::join(lines, "\n"));
  if (declared.decl && isDeclaration(declared.role) && !declared.decl->doc.empty())
    text += "\n\n" + declared.decl->doc;
  return text + factsOf(analysis, declared);
}

/// The smallest expression around an offset that has a value.
static const std::pair<const syntax::Span, Types> *valueAt(const Analysis &analysis,
                                                           uint32_t offset) {
  const std::pair<const syntax::Span, Types> *best = nullptr;
  for (const auto &entry : analysis.values) {
    const syntax::Span &span = entry.first;
    bool around = span.file == analysis.file && span.begin <= offset && offset < span.end;
    if (around && (!best || span.size() < best->first.size()))
      best = &entry;
  }
  return best;
}

Json hover(Analysis &analysis, Position position) {
  const LineIndex &lines = analysis.lines(analysis.file);
  uint32_t offset = lines.offset(position);
  auto answer = [&](syntax::Span span, std::string text) {
    return Json{{"contents", {{"kind", "markdown"}, {"value", std::move(text)}}},
                {"range", toJson(lines.range(span.begin, span.end))}};
  };
  SymbolFinder finder(analysis);
  if (std::optional<Symbol> symbol = finder.find(offset))
    return answer(symbol->use, hoverText(analysis, *symbol));
  if (syntax::Span name = finder.nameAt(offset); name.isValid())
    for (const std::string &known : knownFunctions())
      if (known.substr(0, known.find('(')) == analysis.sources.text(name)) {
        std::vector<std::string> shown = {known};
        addValues(analysis, name, analysis.sources.text(name), shown);
        return answer(name, fmt::format("```nn\n{}\n```", fmt::join(shown, "\n")));
      }
  const auto *value = valueAt(analysis, offset);
  if (value)
    return answer(value->first, fmt::format("```nn\n{}\n```", fmt::join(value->second, "\n")));
  return nullptr;
}

//===- Definition -----------------------------------------------------------------------------===//

Json definition(Analysis &analysis, Position position) {
  uint32_t offset = analysis.lines(analysis.file).offset(position);
  std::optional<Symbol> symbol = SymbolFinder(analysis).find(offset);
  if (!symbol)
    return nullptr;
  syntax::Span span = symbol->declared.name.span;
  std::string uri = uriOfFile(analysis, span.file);
  if (uri.empty())
    return nullptr;
  return {{"uri", uri}, {"range", toJson(analysis.lines(span.file).range(span.begin, span.end))}};
}

//===- Completion -----------------------------------------------------------------------------===//

namespace {
/// Numbers of the protocol's CompletionItemKind.
enum ItemKind {
  kFunctionItem = 3,
  kFieldItem = 5,
  kVariableItem = 6,
  kClassItem = 7,
  kModuleItem = 9,
  kPropertyItem = 10,
  kKeywordItem = 14,
  kConstantItem = 21,
  kTypeParameterItem = 25
};
} // namespace

static ItemKind itemKind(NameRole role) {
  switch (role) {
  case NameRole::Function:
    return kFunctionItem;
  case NameRole::Module:
    return kClassItem;
  case NameRole::Slot:
  case NameRole::Member:
    return kFieldItem;
  case NameRole::Hyperparameter:
    return kPropertyItem;
  case NameRole::Dimension:
    return kTypeParameterItem;
  case NameRole::Constant:
    return kConstantItem;
  case NameRole::Import:
    return kModuleItem;
  default:
    return kVariableItem;
  }
}

static Json item(std::string label, ItemKind kind, std::string detail, int order) {
  Json result = {{"label", label}, {"kind", kind}, {"sortText", fmt::format("{}{}", order, label)}};
  if (!detail.empty())
    result["detail"] = std::move(detail);
  return result;
}

/// What is beside a name in the list.
static std::string detailOf(Analysis &analysis, const VisibleName &name) {
  if (name.formal)
    return std::string(analysis.sources.text(name.formal->span));
  if (name.decl && isDeclaration(name.role))
    return syntax::signature(analysis.sources, *name.decl);
  auto found = analysis.values.find(name.name.span);
  return found == analysis.values.end() ? std::string() : found->second.front();
}

static void addKeywords(Json &items) {
  constexpr Tok kKinds[] = {
#define NNC_TOKEN(name, text)
#define NNC_KEYWORD(name, word) Tok::name,
#define NNC_ELEMENT(name, word) Tok::name,
#include "frontend/syntax/Tokens.def"
  };
  for (Tok kind : kKinds) {
    std::string_view word = syntax::spelling(kind);
    items.push_back(item(std::string(word.substr(1, word.size() - 2)), kKeywordItem, "", 5));
  }
}

Json completion(Analysis &analysis, Position position) {
  uint32_t offset = analysis.lines(analysis.file).offset(position);
  SymbolFinder finder(analysis);
  Json items = Json::array();
  if (finder.isBehind(offset, Tok::At)) {
    for (const char *name : {"precision", "quant", "weights", "frozen", "remat", "kernel"})
      items.push_back(item(name, kKeywordItem, "", 0));
    return items;
  }
  bool isMember = finder.isBehind(offset, Tok::Dot);
  if (!isMember)
    for (const syntax::Formal *formal : finder.formalsAround(offset))
      items.push_back(item(fmt::format("{}=", formal->name.text), kPropertyItem,
                           std::string(analysis.sources.text(formal->span)), 0));
  for (const VisibleName &name : finder.candidates(offset)) {
    bool inLibrary = frontend::isLibrary(name.name.span.file);
    items.push_back(item(std::string(name.name.text), itemKind(name.role), detailOf(analysis, name),
                         inLibrary ? 3 : 1));
  }
  if (isMember)
    return items;
  for (const std::string &known : knownFunctions())
    items.push_back(item(known.substr(0, known.find('(')), kFunctionItem, known, 3));
  addKeywords(items);
  return items;
}

//===- Colours --------------------------------------------------------------------------------===//

namespace {

// clang-format off
enum TokenType : uint32_t {
  kKeyword, kType, kNumber, kString, kComment, kOperator, kFunction, kClass, kVariable, kTypeParameter,
  kDecorator, kProperty,
};
// clang-format on

struct Coloured {
  syntax::Span span;
  TokenType type;
};

class Colouring {
public:
  explicit Colouring(Analysis &analysis) : stream(syntax::lex(analysis.sources, analysis.file)) {
    for (const std::shared_ptr<const syntax::File> &part : analysis.prelude)
      addNames(*part);
    addNames(*analysis.tree);
    text = analysis.text();
  }

  std::vector<Coloured> run() {
    for (size_t i = 0; i < stream.tokens.size(); ++i)
      addToken(i);
    for (const syntax::Comment &comment : stream.comments)
      result.push_back({{stream.file, comment.begin, comment.end}, kComment});
    std::sort(result.begin(), result.end(),
              [](const Coloured &a, const Coloured &b) { return a.span < b.span; });
    return std::move(result);
  }

private:
  void addNames(const syntax::File &file) {
    for (const VisibleName &name : syntax::topLevelNames(file))
      (name.role == NameRole::Module ? classes : functions).insert(name.name.text);
  }

  Tok kindAt(size_t index) const {
    return index < stream.tokens.size() ? stream.tokens[index].kind : Tok::EndOfFile;
  }

  TokenType nameType(size_t index, std::string_view name) const {
    if (kindAt(index - 1) == Tok::At && stream.tokens[index - 1].startsLine)
      return kDecorator;
    if (kindAt(index - 1) == Tok::KwFn || (functions.count(name) && kindAt(index - 1) != Tok::Dot))
      return kFunction;
    if (kindAt(index - 1) == Tok::KwModule || kindAt(index - 1) == Tok::KwModel ||
        classes.count(name))
      return kClass;
    if (kindAt(index - 1) == Tok::Dot)
      return kindAt(index + 1) == Tok::LParen ? kFunction : kProperty;
    if (name.front() >= 'A' && name.front() <= 'Z')
      return kTypeParameter;
    return kindAt(index + 1) == Tok::LParen ? kFunction : kVariable;
  }

  void addToken(size_t index) {
    const syntax::Token &token = stream.tokens[index];
    syntax::Span span = {stream.file, token.begin, token.end};
    if (token.begin == token.end || token.kind == Tok::Newline)
      return;
    if (token.kind == Tok::Name)
      result.push_back({span, nameType(index, text.substr(token.begin, span.size()))});
    else if (syntax::isElementType(token.kind))
      result.push_back({span, kType});
    else if (syntax::isReserved(token.kind))
      result.push_back({span, kKeyword});
    else if (token.kind == Tok::Int || token.kind == Tok::Float)
      result.push_back({span, kNumber});
    else if (token.kind == Tok::String)
      result.push_back({span, kString});
    else if (token.kind >= Tok::Pipe && token.kind <= Tok::GreaterEq)
      result.push_back({span, kOperator});
  }

  syntax::TokenStream stream;
  std::string_view text;
  std::set<std::string_view> classes, functions;
  std::vector<Coloured> result;
};

} // namespace

Json semanticTokenTypes() {
  return {"keyword",  "type",  "number",   "string",        "comment",   "operator",
          "function", "class", "variable", "typeParameter", "decorator", "property"};
}

Json semanticTokens(Analysis &analysis) {
  const LineIndex &lines = analysis.lines(analysis.file);
  Json data = Json::array();
  Position last;
  for (const Coloured &coloured : Colouring(analysis).run()) {
    Range range = lines.range(coloured.span.begin, coloured.span.end);
    if (range.start.line != range.end.line)
      continue;
    bool sameLine = range.start.line == last.line;
    data.push_back(range.start.line - last.line);
    data.push_back(range.start.character - (sameLine ? last.character : 0));
    data.push_back(range.end.character - range.start.character);
    data.push_back(coloured.type);
    data.push_back(0);
    last = range.start;
  }
  return {{"data", std::move(data)}};
}

} // namespace nnc::lsp
