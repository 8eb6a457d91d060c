// The tree of instances: looking things up in it, walking its slots, and reading keys off it.
#include "frontend/Module.h"

#include "frontend/Callable.h"
#include "frontend/Scope.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

//===- Looking up -----------------------------------------------------------------------------===//

const syntax::FnStmt *ModuleClass::function(std::string_view name) const {
  for (const syntax::StmtPtr &stmt : decl->body)
    if (auto *fn = stmt->as<syntax::FnStmt>(); fn && fn->name.text == name)
      return fn;
  return nullptr;
}

const syntax::Formal *ModuleClass::hyperparameter(std::string_view name) const {
  for (const syntax::Formal &formal : decl->params)
    if (formal.name.text == name)
      return &formal;
  return nullptr;
}

const Member *Instance::member(std::string_view name) const {
  for (const Member &member : members)
    if (member.name.text == name)
      return &member;
  return nullptr;
}

const Hyperparameter *Instance::hyperparameter(std::string_view name) const {
  for (const Hyperparameter &hyper : hyperparameters)
    if (hyper.name == name)
      return &hyper;
  return nullptr;
}

bool Slot::isScalarState() const {
  return decl->slot == syntax::SlotKind::State && present && shape.empty() &&
         (element == Element::I32 || element == Element::I64);
}

Slot *Slot::canonical() {
  Slot *slot = this;
  while (slot->tied)
    slot = slot->tied;
  return slot;
}

//===- Walking --------------------------------------------------------------------------------===//

namespace {

/// Collects slots in order of declaration. A module can reach itself, through a member that holds
/// one of its own functions: what is being walked already is not entered again.
class SlotWalk {
public:
  explicit SlotWalk(std::vector<Slot *> &slots) : slots(slots) {}

  void visit(const Value &value) {
    if (value.isSequence()) {
      for (const Value &element : value.elements())
        visit(element);
    } else if (auto *instance = value.as<InstanceRef>()) {
      visit(**instance);
    } else if (auto *function = value.as<FunctionRef>()) {
      if ((*function)->self)
        visit(*(*function)->self);
      for (const Argument &argument : (*function)->bound)
        visit(argument.value);
    }
  }

  void visit(const Instance &instance) {
    if (std::find(path.begin(), path.end(), &instance) != path.end())
      return;
    path.push_back(&instance);
    for (const Hyperparameter &hyper : instance.hyperparameters)
      visit(hyper.value);
    for (const Member &member : instance.members) {
      if (member.slot && member.slot->present)
        slots.push_back(member.slot.get());
      else if (member.value)
        visit(*member.value);
    }
    path.pop_back();
  }

private:
  std::vector<Slot *> &slots;
  std::vector<const Instance *> path;
};

} // namespace

void appendSlots(const Value &value, std::vector<Slot *> &slots) { SlotWalk(slots).visit(value); }

const std::vector<Slot *> &Instance::slots() const {
  if (!allSlots) {
    std::vector<Slot *> found;
    SlotWalk(found).visit(*this);
    allSlots = std::move(found);
  }
  return *allSlots;
}

//===- Places and keys ------------------------------------------------------------------------===//

static void place(Instance &parent, const Value &value, std::vector<PathStep> &steps,
                  bool onlyUnowned) {
  if (auto *instance = value.as<InstanceRef>()) {
    if (!onlyUnowned || (*instance)->placements.empty())
      (*instance)->placements.push_back({&parent, steps});
    return;
  }
  if (!value.isSequence())
    return;
  const SequenceData *data = value.is<ListValue>() ? value.as<ListValue>()->data.get()
                                                   : value.as<TupleValue>()->data.get();
  for (size_t i = 0; i < data->elements.size(); ++i) {
    steps.push_back({fmt::format("{}", i), data->keys.empty() ? nullptr : data->keys[i]});
    place(parent, data->elements[i], steps, onlyUnowned);
    steps.pop_back();
  }
}

void placeInstances(Instance &parent, const Value &value, const syntax::Ident &name,
                    const KeyRef &key, bool onlyUnowned) {
  std::vector<PathStep> steps{{std::string(name.text), key}};
  place(parent, value, steps, onlyUnowned);
}

std::string Instance::path() const {
  if (placements.empty())
    return {};
  std::string text = placements.front().parent->path();
  for (const PathStep &step : placements.front().steps)
    text += (text.empty() ? "" : ".") + step.shown;
  return text;
}

/// Every prefix followed by every alternative of the step.
static std::vector<std::string> extendKeys(const std::vector<std::string> &prefixes,
                                           const PathStep &step) {
  std::vector<std::string> own{step.shown};
  std::vector<std::string> keys;
  for (const std::string &prefix : prefixes)
    for (const std::string &alternative : step.key ? step.key->alternatives : own) {
      const char *dot = prefix.empty() || alternative.empty() ? "" : ".";
      if (keys.size() < kMaxKeys)
        keys.push_back(prefix + dot + alternative);
    }
  return keys;
}

static std::vector<std::string> instanceKeys(const Instance &instance) {
  if (instance.placements.empty())
    return {""};
  std::vector<std::string> all;
  for (const Placement &placement : instance.placements) {
    std::vector<std::string> keys = instanceKeys(*placement.parent);
    for (const PathStep &step : placement.steps)
      keys = extendKeys(keys, step);
    all.insert(all.end(), keys.begin(), keys.end());
    if (all.size() > kMaxKeys)
      all.resize(kMaxKeys);
  }
  return all;
}

std::vector<std::string> slotKeys(const Slot &slot) {
  return extendKeys(instanceKeys(*slot.owner), {std::string(slot.decl->name.text), slot.key});
}

//===- Equality of structure ------------------------------------------------------------------===//

unsigned Structures::intern(const Instance &instance) {
  const Precision &precision = instance.precision;
  std::string text = fmt::format("{}:{}:{}:{}", static_cast<const void *>(instance.cls),
                                 syntax::spelling(precision.working),
                                 syntax::spelling(precision.params), precision.tf32);
  for (const Hyperparameter &hyper : instance.hyperparameters) {
    text += ',';
    append(hyper.value, text);
  }
  for (const auto &[name, dims] : instance.packs) {
    fmt::format_to(std::back_inserter(text), ";{}", name);
    for (const Dim &dim : dims)
      text += ',' + dim.str();
  }
  return ids.try_emplace(std::move(text), ids.size() + 1).first->second;
}

void Structures::append(const Value &value, std::string &text) const {
  struct Visitor {
    const Structures &structures;
    std::string &text;

    void operator()(NoneValue) { text += '-'; }
    void operator()(const Dim &dim) { text += dim.str(); }
    void operator()(double number) { fmt::format_to(std::back_inserter(text), "f{:a}", number); }
    void operator()(bool value) { text += value ? "true" : "false"; }
    void operator()(const StringValue &value) {
      fmt::format_to(std::back_inserter(text), "s{}:{}", value.text.size(), value.text);
      if (value.literal) // errors inside it are reported there
        fmt::format_to(std::back_inserter(text), "@{}", static_cast<const void *>(value.literal));
    }
    void operator()(Element element) { text += syntax::spelling(element); }
    void operator()(const TensorValue &tensor) {
      text += formatTensorType(tensor);
      if (tensor.scalar)
        text += '#' + tensor.scalar->str();
    }
    void operator()(const ListValue &list) { sequence('[', list.data->elements); }
    void operator()(const TupleValue &tuple) { sequence('(', tuple.data->elements); }
    void sequence(char open, const std::vector<Value> &elements) {
      text += open;
      for (const Value &element : elements) {
        structures.append(element, text);
        text += ',';
      }
      text += ')';
    }
    void operator()(const FunctionRef &function) {
      if (function->decl)
        fmt::format_to(std::back_inserter(text), "u{}", static_cast<const void *>(function->decl));
      else
        fmt::format_to(std::back_inserter(text), "p{}", function->name);
      if (function->self)
        fmt::format_to(std::back_inserter(text), ".{}", function->self->structure);
      for (const Argument &argument : function->bound) {
        fmt::format_to(std::back_inserter(text), "|{}=", argument.name);
        structures.append(argument.value, text);
      }
      text += function->isStage ? '?' : '!';
    }
    void operator()(const ModuleClass *cls) {
      fmt::format_to(std::back_inserter(text), "m{}", static_cast<const void *>(cls));
    }
    void operator()(const InstanceRef &instance) {
      fmt::format_to(std::back_inserter(text), "i{}", instance->structure);
    }
    void operator()(const Namespace *space) {
      fmt::format_to(std::back_inserter(text), "n{}", static_cast<const void *>(space));
    }
  };
  std::visit(Visitor{*this, text}, value.getStorage());
}

} // namespace nnc::frontend
