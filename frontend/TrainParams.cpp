// Params and rules, matched by key.
#include "frontend/TrainParams.h"

#include "frontend/Suggest.h"
#include "frontend/syntax/Lost.h"

#include "runtime/format/Glob.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace nnc::frontend {
namespace {

//===- Optimizers -----------------------------------------------------------------------------===//

/// The name of the pack that is the whole shape of a type of f32; null if it is something else.
const syntax::Dim *wholePack(const syntax::TypeExpr &type) {
  auto *tensor = type.as<syntax::TensorType>();
  bool isPack = tensor && tensor->elem == Element::F32 && !tensor->optional &&
                tensor->dims.size() == 1 && tensor->dims.front().isPack;
  return isPack ? &tensor->dims.front() : nullptr;
}

/// The first part of `update` that is not as an optimizer's; invalid if all is.
syntax::Span firstMistake(const syntax::FnStmt &update) {
  if (update.params.size() < 3)
    return update.paramsSpan;
  const syntax::Dim *shape = wholePack(*update.params[0].type);
  if (!shape)
    return update.params[0].span;
  auto isLike = [&](const syntax::TypeExpr &type) {
    const syntax::Dim *pack = wholePack(type);
    return pack && pack->packName.text == shape->packName.text;
  };
  if (!isLike(*update.params[1].type))
    return update.params[1].span;
  auto *step = update.params[2].type->as<syntax::TensorType>();
  if (!step || step->elem != Element::I32 || !step->dims.empty())
    return update.params[2].span;
  for (size_t i = 3; i < update.params.size(); ++i)
    if (!update.params[i].defaultValue)
      return update.params[i].span;
  if (update.results.size() > 1 ||
      (update.results.size() == 1 && !isLike(*update.results.front().type)))
    return update.results.front().span.to(update.results.back().span);
  return {};
}

bool checkOptimizer(Evaluator &evaluator, const Instance &optimizer) {
  std::string_view name = optimizer.cls->name();
  const syntax::FnStmt &update = *optimizer.cls->function("update");
  if (syntax::Span mistake = firstMistake(update); mistake.isValid()) {
    evaluator
        .error("E0622", mistake, fmt::format("`{}` does not update as an optimizer does", name))
        .note("an optimizer has `fn update(w: f32[...S], grad: f32[...S], step: i32[]) -> "
              "f32[...S]`: from a param, its gradient and the number of updates before comes the "
              "new param");
    return false;
  }
  for (const Slot *slot : optimizer.slots())
    if (slot->decl->slot != syntax::SlotKind::State) {
      evaluator
          .error("E0622", slot->decl->name.span,
                 fmt::format("`{}` keeps states, this is a {}", name,
                             syntax::spelling(slot->decl->slot)))
          .help("declare it with `state`; a train block saves the states of its optimizers");
      return false;
    }
  return true;
}

//===- Params ---------------------------------------------------------------------------------===//

class Assignment {
public:
  Assignment(Evaluator &evaluator, const TrainBlock &block)
      : evaluator(evaluator), block(block), met(block.rules.size()) {}

  std::optional<std::vector<TrainParam>> run() {
    std::set<const Instance *> checked;
    for (const OptimizerRule &rule : block.rules)
      if (checked.insert(rule.optimizer.get()).second &&
          !checkOptimizer(evaluator, *rule.optimizer))
        return std::nullopt;
    collectKeys();
    bool ok = true;
    for (Slot *slot : order)
      ok = ok && assign(*slot);
    if (!ok || !checkAny() || !checkRules())
      return std::nullopt;
    return std::move(params);
  }

private:
  struct Met {
    bool takes = false;
    std::string frozen, taken; ///< keys that matched, but are not learned or were taken before
  };

  /// The keys of every param, and which are frozen: one that is tied to one is one with it.
  void collectKeys() {
    for (Slot *slot : block.net->slots()) {
      if (slot->decl->slot != syntax::SlotKind::Param)
        continue;
      Slot *own = slot->canonical();
      if (!keys.count(own))
        order.push_back(own);
      for (std::string &key : slotKeys(*slot))
        keys[own].push_back(std::move(key));
      if (slot->isFrozen || !isFloating(slot->element))
        frozen.insert(own);
    }
  }

  bool assign(Slot &slot) {
    const std::vector<std::string> &names = keys[&slot];
    bool isFrozen = frozen.count(&slot);
    const OptimizerRule *found = nullptr;
    for (size_t i = 0; i < block.rules.size(); ++i) {
      const OptimizerRule &rule = block.rules[i];
      if (std::ranges::none_of(
              names, [&](const std::string &key) { return format::matchesGlob(rule.glob, key); }))
        continue;
      std::string &other = isFrozen ? met[i].frozen : met[i].taken;
      if (isFrozen || found)
        other = other.empty() ? slot.symbol : other;
      else
        met[i].takes = true;
      found = found ? found : &rule;
    }
    if (isFrozen)
      return true;
    if (isStorageOnly(slot.stored)) {
      evaluator
          .error("E0622", block.self->made,
                 fmt::format("`{}` is stored as {}, which cannot be learned", slot.symbol,
                             syntax::spelling(slot.stored)))
          .note("the param is declared", slot.decl->name.span)
          .help("keep params as f32: `@precision(bf16, params=f32)`");
      return false;
    }
    if (found)
      params.push_back({&slot, slot.symbol, found});
    else
      return reportUnmatched(slot);
    return true;
  }

  syntax::Span optimizerSpan() const {
    for (const syntax::StmtPtr &stmt : block.self->cls->decl->body)
      if (auto *bind = stmt->as<syntax::BindStmt>();
          bind && bind->targets.front().name.text == "optimizer")
        return bind->value.expr->span;
    return block.self->made;
  }

  bool matchesAny(const OptimizerRule &rule) const {
    return std::ranges::any_of(keys, [&](const auto &entry) {
      return std::ranges::any_of(entry.second, [&](const std::string &key) {
        return format::matchesGlob(rule.glob, key);
      });
    });
  }

  bool reportUnmatched(const Slot &slot) {
    syntax::Diagnostic &diag = evaluator.error(
        "E0622", optimizerSpan(), fmt::format("no optimizer is for `{}`", slot.symbol));
    for (const OptimizerRule &rule : block.rules)
      if (!matchesAny(rule) && closestName(rule.glob, {slot.symbol}))
        diag.fixIt(
            fmt::format("`{}` is similar to `{}`, which matches nothing", slot.symbol, rule.glob),
            {{rule.globSpan, fmt::format("\"{}\"", slot.symbol)}});
    diag.note("the param is declared", slot.decl->name.span)
        .help("end the list with a rule for all others, `(\"**\", AdamW(lr=1e-3))`, or make the "
              "param `@frozen`");
    return false;
  }

  bool checkAny() {
    if (!params.empty())
      return true;
    syntax::Diagnostic &diag =
        evaluator.error("E0622", block.self->made,
                        fmt::format("`{}` has nothing to learn", block.self->cls->name()));
    diag.note(frozen.empty() ? "its model has no params" : "all params of its model are frozen");
    return false;
  }

  bool checkRules() {
    if (syntax::hasSyntaxError(evaluator.diags, block.net->cls->decl->span))
      return false; // params may be missing that are matched
    bool ok = true;
    for (size_t i = 0; i < block.rules.size(); ++i) {
      if (met[i].takes)
        continue;
      const OptimizerRule &rule = block.rules[i];
      bool isShadowed = !met[i].taken.empty();
      syntax::Diagnostic &diag = evaluator.error(
          "E0622", rule.globSpan,
          isShadowed ? fmt::format("every param that `{}` matches has an earlier rule", rule.glob)
                     : fmt::format("no param matches `{}`", rule.glob));
      if (isShadowed)
        diag.note(fmt::format("`{}` is one; the first rule that matches holds", met[i].taken));
      else if (!met[i].frozen.empty())
        diag.note(fmt::format("`{}` does, but is frozen", met[i].frozen));
      else
        diag.note("`*` stands for one step of a key, `**` for any number; `nnc keys` lists them");
      ok = false;
    }
    return ok;
  }

  Evaluator &evaluator;
  const TrainBlock &block;
  std::vector<Slot *> order;
  std::map<const Slot *, std::vector<std::string>> keys;
  std::set<const Slot *> frozen;
  std::vector<Met> met;
  std::vector<TrainParam> params;
};

} // namespace

std::optional<std::vector<TrainParam>> assignOptimizers(Evaluator &evaluator,
                                                        const TrainBlock &block) {
  return Assignment(evaluator, block).run();
}

} // namespace nnc::frontend
