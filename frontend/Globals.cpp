// One `nn.global` per tensor of the checkpoint, with all the keys under which it may be found.
#include "frontend/Globals.h"
#include "frontend/Suggest.h"

#include "frontend/DimAffine.h"
#include "ir/NNOps.h"
#include "runtime/format/Glob.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <unordered_map>
#include <unordered_set>

namespace nnc::frontend {

static mlir::DictionaryAttr initAttr(mlir::OpBuilder &builder, const SlotInit &init) {
  auto entry = [&](const char *name, double value) {
    return builder.getNamedAttr(name, builder.getF64FloatAttr(value));
  };
  auto kind = [&](const char *name) {
    return builder.getNamedAttr("kind", builder.getStringAttr(name));
  };
  switch (init.kind) {
  case SlotInit::Kind::Full:
    return builder.getDictionaryAttr({kind("full"), entry("value", init.a)});
  case SlotInit::Kind::KaimingUniform:
    return builder.getDictionaryAttr({kind("kaiming_uniform")});
  case SlotInit::Kind::Normal:
    return builder.getDictionaryAttr({kind("normal"), entry("mean", init.a), entry("std", init.b)});
  case SlotInit::Kind::Uniform:
    return builder.getDictionaryAttr(
        {kind("uniform"), entry("low", init.a), entry("high", init.b)});
  }
  return {};
}

//===- Quantization ---------------------------------------------------------------------------===//

/// Products read such params, and only products gain by it.
static bool isQuantizable(const Slot &slot) {
  return slot.decl->slot == syntax::SlotKind::Param && isFloating(slot.element) &&
         !isStorageOnly(slot.stored) && slot.shape.size() >= 2;
}

static bool matches(const QuantRule &rule, const std::vector<std::string> &keys) {
  return std::any_of(keys.begin(), keys.end(),
                     [&](const std::string &key) { return format::matchesGlob(rule.glob, key); });
}

static mlir::DictionaryAttr quantAttr(mlir::OpBuilder &builder, const QuantRule &rule) {
  llvm::SmallVector<mlir::NamedAttribute> entries;
  auto name = [&](Element element) {
    return builder.getStringAttr(std::string(syntax::spelling(element)));
  };
  entries.push_back(builder.getNamedAttr("element", name(rule.element)));
  if (rule.group > 0)
    entries.push_back(builder.getNamedAttr("group", builder.getI64IntegerAttr(rule.group)));
  if (rule.zero)
    entries.push_back(builder.getNamedAttr("zero", builder.getUnitAttr()));
  if (rule.act)
    entries.push_back(builder.getNamedAttr("act", name(*rule.act)));
  return builder.getDictionaryAttr(entries);
}

namespace {

/// The rules of a model, and what of the model each has met.
class QuantRules {
public:
  QuantRules(Context &context, const std::vector<QuantRule> &rules)
      : context(context), rules(rules), met(rules.size()) {}

  /// The first rule that takes the slot; null if none does.
  const QuantRule *find(const Slot &slot, const std::vector<std::string> &keys) {
    const QuantRule *found = nullptr;
    if (!rules.empty() && isQuantizable(slot))
      quantizable.push_back(keys.front());
    for (size_t i = 0; i < rules.size(); ++i) {
      if (!matches(rules[i], keys))
        continue;
      if (isQuantizable(slot)) {
        met[i].takes = true;
        found = found ? found : &rules[i];
      } else if (met[i].other.empty()) {
        met[i].other = keys.front();
      }
    }
    return found;
  }

  bool reportUnused() const {
    bool ok = true;
    for (size_t i = 0; i < rules.size(); ++i)
      if (!met[i].takes) {
        ok = false;
        syntax::Diagnostic &diag = context.error(
            "E0706", rules[i].globSpan, fmt::format("no weight matches `{}`", rules[i].glob));
        if (!met[i].other.empty())
          diag.note(fmt::format("`{}` does, but only params of floats with at least 2 axes are "
                                "quantized",
                                met[i].other));
        else
          suggest(diag, rules[i]);
      }
    return ok;
  }

private:
  /// A key that is similar, or those below what is a module.
  void suggest(syntax::Diagnostic &diag, const QuantRule &rule) const {
    std::vector<std::string_view> names(quantizable.begin(), quantizable.end());
    auto isBelow = [&](std::string_view key) { return key.starts_with(rule.glob + "."); };
    if (std::any_of(names.begin(), names.end(), isBelow))
      diag.fixIt(fmt::format("`{}` is a module, whose weights are", rule.glob),
                 {{rule.globSpan, fmt::format("\"{}.**\"", rule.glob)}});
    else if (auto similar = closestName(rule.glob, names))
      diag.fixIt(fmt::format("`{}` is similar", *similar),
                 {{rule.globSpan, fmt::format("\"{}\"", *similar)}});
    diag.note("`*` stands for one step of a key, `**` for any number; `nnc keys` lists them");
  }

  struct Met {
    bool takes = false;
    std::string other; ///< the first key that matched but cannot be quantized
  };
  Context &context;
  const std::vector<QuantRule> &rules;
  std::vector<Met> met;
  std::vector<std::string> quantizable; ///< the first key of each
};

} // namespace

static void emitGlobal(Context &context, Slot &slot, const std::vector<std::string> &keys,
                       const QuantRule *rule) {
  slot.symbol = keys.front();
  context.opName = slot.symbol;
  mlir::OpBuilder &builder = context.builder;
  llvm::SmallVector<llvm::StringRef> names(keys.begin(), keys.end());
  llvm::SmallVector<mlir::AffineExpr> dims;
  for (const Dim &dim : context.storedShape(slot.stored, slot.shape))
    dims.push_back(toAffine(dim, slot.variables, builder.getContext()));
  mlir::Type type = nn::getTensorType(dims, context.elementType(slot.stored));
  auto global = builder.create<nn::GlobalOp>(
      context.location(slot.decl->name.span), builder.getStringAttr(slot.symbol),
      mlir::TypeAttr::get(type), builder.getStringAttr(syntax::spelling(slot.decl->slot)),
      builder.getStrArrayAttr(names), initAttr(builder, slot.init));
  if (slot.stored == Element::I4)
    global->setAttr("packed", builder.getUnitAttr());
  if (rule)
    global->setAttr("quant", quantAttr(builder, *rule));
}

static SlotInfo describeSlot(const Slot &slot, const std::vector<std::string> &keys) {
  SlotInfo info;
  info.key = keys.front();
  info.alternatives.assign(keys.begin() + 1, keys.end());
  for (const Dim &dim : slot.shape)
    info.shape.push_back(dim.getConstant().value_or(-1));
  info.type = formatTensorType(slot.element, slot.shape);
  info.dtype = syntax::spelling(slot.element);
  info.kind = syntax::spelling(slot.decl->slot);
  info.location = slot.decl->name.span;
  return info;
}

/// Where a slot comes from, for people: "`a.weight`".
static std::string slotPath(const Slot &slot) {
  std::string path = slot.owner->path();
  return path + (path.empty() ? "" : ".") + std::string(slot.decl->name.text);
}

static void reportClash(Context &context, const std::string &key, const Slot &first,
                        const Slot &second) {
  bool sameModule = first.owner == second.owner;
  auto place = [&](const Slot &slot) {
    return sameModule ? slot.decl->name.span : slot.owner->made;
  };
  context.error("E0704", place(second), fmt::format("two slots have the key `{}`", key))
      .primaryLabel(fmt::format("of `{}`", slotPath(second)))
      .label(place(first), fmt::format("of `{}`", slotPath(first)));
}

/// The keys of every tensor: of its own slot first, then of those tied to it.
static std::unordered_map<Slot *, std::vector<std::string>>
collectKeys(const std::vector<Slot *> &order, const std::vector<Slot *> &all) {
  std::unordered_map<Slot *, std::vector<std::string>> keys;
  for (Slot *slot : order)
    keys[slot] = slotKeys(*slot);
  for (Slot *slot : all)
    if (slot->tied) {
      std::vector<std::string> more = slotKeys(*slot), &known = keys[slot->canonical()];
      known.insert(known.end(), more.begin(), more.end());
    }
  return keys;
}

bool emitGlobals(Context &context, const Instance &root, const std::vector<QuantRule> &quants,
                 std::vector<SlotInfo> &slots) {
  std::vector<Slot *> order, all;
  std::unordered_set<Slot *> seen;
  for (Slot *slot : root.slots()) {
    if (seen.insert(slot).second)
      all.push_back(slot);
  }
  seen.clear();
  for (Slot *slot : all)
    if (seen.insert(slot->canonical()).second)
      order.push_back(slot->canonical());
  auto keys = collectKeys(order, all);
  std::map<std::string, Slot *> owner;
  QuantRules rules(context, quants);
  bool ok = true;
  for (Slot *slot : order) {
    for (const std::string &key : keys[slot]) {
      auto [at, isNew] = owner.try_emplace(key, slot);
      if (key.empty()) {
        context.error("E0704", slot->decl->name.span, "this slot has an empty key");
        ok = false;
      } else if (!isNew && at->second != slot) {
        reportClash(context, key, *at->second, *slot);
        return false;
      }
    }
    if (ok && slot->isOpen) {
      context
          .error("E0590", slot->decl->type->span,
                 "states with a pack of dimensions are not supported yet")
          .note("an optimizer may have them, of which a train block makes one for every param");
      ok = false;
    }
    if (!ok)
      continue;
    emitGlobal(context, *slot, keys[slot], rules.find(*slot, keys[slot]));
    slots.push_back(describeSlot(*slot, keys[slot]));
  }
  return rules.reportUnused() && ok;
}

} // namespace nnc::frontend
