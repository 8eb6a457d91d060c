#include "tools/lsp/Analysis.h"

#include "frontend/Frontend.h"
#include "frontend/Library.h"
#include "frontend/Module.h"
#include "frontend/Observer.h"
#include "frontend/Primitives.h"
#include "frontend/Scope.h"

#include "mlir/IR/MLIRContext.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <set>

namespace nnc::lsp {
namespace {

using frontend::Value;

/// More than this is not read by anyone.
constexpr size_t kMaxTypes = 8;
constexpr size_t kMaxShownKeys = 200;

uint64_t bytesOf(frontend::Element element) {
  using frontend::Element;
  switch (element) {
  case Element::I64:
    return 8;
  case Element::Float:
  case Element::F32:
  case Element::I32:
    return 4;
  case Element::F16:
  case Element::BF16:
    return 2;
  default:
    return 1;
  }
}

void addOnce(Types &types, std::string text) {
  if (types.size() < kMaxTypes && std::find(types.begin(), types.end(), text) == types.end())
    types.push_back(std::move(text));
}

/// "float[B, 10]" for tensors, "3", "Linear" for what is known when building.
std::string describe(const Value &value) {
  constexpr size_t kMaxWeight = 60; // a list of a thousand layers is not shown
  if (auto *tensor = value.as<frontend::TensorValue>())
    return frontend::formatTensorType(*tensor);
  if (auto *instance = value.as<frontend::InstanceRef>())
    return std::string((*instance)->cls->name());
  if (!value.isSequence())
    return frontend::formatValue(value);
  if (value.weight() > kMaxWeight)
    return fmt::format("{} of {} values", value.is<frontend::ListValue>() ? "list" : "tuple",
                       value.elements().size());
  std::string text;
  for (const Value &element : value.elements())
    text += (text.empty() ? "" : ", ") + describe(element);
  return value.is<frontend::ListValue>() ? "[" + text + "]" : "(" + text + ")";
}

class Recorder : public frontend::Observer {
public:
  explicit Recorder(Analysis &analysis) : analysis(analysis) {}

  void enterBody(const syntax::FnStmt &fn, const frontend::Frame &frame) override {
    for (const syntax::Formal &formal : fn.params)
      if (const std::optional<Value> *value = frame.locals.find(formal.name.text); value && *value)
        addOnce(analysis.values[formal.name.span], describe(**value));
  }

  void evaluated(const syntax::Expr &expr, const Value &value) override {
    note(expr.span, value);
    syntax::Span cls;
    if (auto *instance = value.as<frontend::InstanceRef>())
      cls = (*instance)->cls->decl->name.span;
    else if (auto *module = value.as<const frontend::ModuleClass *>())
      cls = (*module)->decl->name.span;
    if (cls.isValid())
      analysis.classes.try_emplace(expr.span, cls);
  }

  void applied(syntax::Span place, std::string_view name, const Value &value) override {
    if (value.isTensor())
      addOnce(analysis.values[place], "-> " + describe(value));
  }

  void bound(const syntax::Ident &name, const Value &value) override {
    note(name.span, value);
    if (name.span.file != analysis.file || !value.containsTensor())
      return;
    auto [at, isNew] = hintAt.try_emplace(name.span, analysis.hints.size());
    if (isNew)
      analysis.hints.push_back({name.span, {}});
    addOnce(analysis.hints[at->second].types, describe(value));
  }

  void built(const frontend::Instance &root, const frontend::ModelInfo &info) override {
    visit(root);
  }

private:
  void note(syntax::Span span, const Value &value) {
    if (span.isValid() && !value.isNone())
      addOnce(analysis.values[span], describe(value));
  }

  void visit(const frontend::Instance &instance);
  void visit(const Value &value);
  void addSlot(const frontend::Slot &slot);
  void addMember(const frontend::Member &member);

  Analysis &analysis;
  std::map<syntax::Span, size_t> hintAt;
  std::set<const frontend::Instance *> seen;
};

uint64_t elementsOf(const frontend::Slot &slot) {
  uint64_t elements = 1;
  for (const frontend::Dim &dim : slot.shape)
    elements *= dim.getConstant().value_or(1);
  return elements;
}

void Recorder::addSlot(const frontend::Slot &slot) {
  auto [at, isNew] = analysis.slots.try_emplace(slot.decl->name.span);
  if (isNew) {
    at->second.type = frontend::formatTensorType(slot.element, slot.shape);
    at->second.bytes = elementsOf(slot) * bytesOf(slot.element);
  }
  if (at->second.keys.size() < kMaxShownKeys)
    at->second.keys.push_back(frontend::slotKeys(slot).front());
}

void Recorder::addMember(const frontend::Member &member) {
  std::vector<frontend::Slot *> slots;
  frontend::appendSlots(*member.value, slots);
  if (slots.empty())
    return;
  MemberFact &fact = analysis.members[member.name.span];
  std::set<frontend::Slot *> once;
  for (frontend::Slot *slot : slots) {
    if (!once.insert(slot->canonical()).second)
      continue;
    if (fact.keys.size() < kMaxShownKeys)
      fact.keys.push_back(frontend::slotKeys(*slot).front());
    fact.parameters += slot->decl->slot == syntax::SlotKind::Param ? elementsOf(*slot) : 0;
    fact.bytes += elementsOf(*slot) * bytesOf(slot->element);
  }
}

void Recorder::visit(const frontend::Instance &instance) {
  if (!seen.insert(&instance).second)
    return;
  for (const frontend::Member &member : instance.members) {
    if (member.slot && member.slot->present)
      addSlot(*member.slot);
    if (!member.value)
      continue;
    addMember(member);
    visit(*member.value);
  }
  for (const frontend::Hyperparameter &hyper : instance.hyperparameters)
    visit(hyper.value);
}

void Recorder::visit(const Value &value) {
  if (auto *instance = value.as<frontend::InstanceRef>())
    visit(**instance);
  else if (value.isSequence())
    for (const Value &element : value.elements())
      visit(element);
}

} // namespace

Analysis::Analysis(const std::string &path, const Texts &texts) {
  for (const auto &[name, text] : texts)
    sources.overlay(name, text);
  std::optional<syntax::FileId> loaded = sources.load(path, diags);
  if (!loaded)
    return;
  file = *loaded;
  syntax::Diagnostics unwanted; // the check reports them
  tree = syntax::parseFile(sources, file, unwanted);
  prelude = frontend::preludeTrees();
  Recorder recorder(*this);
  frontend::FrontendOptions options;
  options.observer = &recorder;
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  frontend::checkFile(sources, file, options, diags, context);
}

const std::vector<std::string> &knownFunctions() {
  static const std::vector<std::string> signatures = [] {
    std::vector<std::string> list = {"len(list)", "zip(lists...)", "enumerate(list)",
                                     "reverse(list)", "shape(x)"};
    for (std::string_view name : frontend::primitiveNames()) {
      std::string text = std::string(name) + "(";
      for (const frontend::PrimitiveParameter &formal : frontend::primitiveParameters(name))
        text += fmt::format("{}{}{}", text.ends_with('(') ? "" : ", ", formal.name,
                            formal.required ? "" : "?");
      list.push_back(text + ")");
    }
    return list;
  }();
  return signatures;
}

const LineIndex &Analysis::lines(syntax::FileId id) const {
  return indices.try_emplace(id, sources.text(id)).first->second;
}

const syntax::File *Analysis::treeOf(syntax::FileId id) const {
  if (id == file)
    return tree.get();
  for (const std::shared_ptr<const syntax::File> &part : prelude)
    if (id == part->id)
      return part.get();
  auto [at, isNew] = trees.try_emplace(id);
  if (isNew) {
    syntax::Diagnostics unwanted;
    at->second = syntax::parseFile(sources, id, unwanted);
  }
  return at->second.get();
}

std::optional<syntax::FileId> Analysis::imported(const syntax::ImportStmt &import,
                                                 syntax::FileId from) {
  if (!import.path)
    return std::nullopt;
  std::filesystem::path path(import.path->value);
  if (path.is_relative())
    path = std::filesystem::path(sources.name(from)).parent_path() / path;
  syntax::Diagnostics unwanted;
  return sources.load(path.lexically_normal().string(), unwanted);
}

const syntax::ModuleStmt *Analysis::moduleAt(syntax::Span name) const {
  const syntax::File *declaring = treeOf(name.file);
  if (!declaring)
    return nullptr;
  for (const syntax::StmtPtr &item : declaring->items)
    if (auto *module = item->as<syntax::ModuleStmt>(); module && module->name.span == name)
      return module;
  return nullptr;
}

} // namespace nnc::lsp
