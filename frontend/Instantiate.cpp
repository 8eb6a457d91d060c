// Making an instance of a module: its hyperparameters are bound and checked, then its body is
// evaluated in order. An error in one member leaves the others usable.
#include "frontend/Attributes.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

/// `model A = M(...)`: the call it stands for, with the command line's values put in.
std::optional<Value> Evaluator::instantiateAlias(const ModuleClass &cls,
                                                 std::vector<Argument> arguments,
                                                 const CallSite &site) {
  auto *made = cls.decl->instance->as<syntax::CallExpr>();
  if (!made || !arguments.empty()) {
    error("E0205", made ? site.callee : cls.decl->instance->span,
          made ? fmt::format("`{}` takes no arguments", cls.name())
               : fmt::format("`{}` must be a call of a module", cls.name()));
    return std::nullopt;
  }
  Frame top;
  top.home = cls.home;
  EnterFrame enter(*this, top);
  bool ok = true;
  std::optional<Precision> precision = readPrecision(*this, *cls.decl, context.precision, ok);
  if (!ok)
    return std::nullopt;
  BindingPrecision own(*this, bindingPrecision ? bindingPrecision : precision);
  if (overridden == &cls)
    if (std::optional<Value> callee = eval(*made->callee))
      if (auto *target = callee->as<const ModuleClass *>())
        overridden = *target;
  return evalCall(*made, nullptr);
}

/// Puts the values of `--set` in place of arguments.
void Evaluator::applyOverrides(const ModuleClass &cls, std::vector<Argument> &arguments) {
  if (overridden != &cls)
    return;
  overridden = nullptr;
  std::vector<Argument> replacing = std::move(overrides);
  overrides.clear();
  for (Argument &argument : replacing) {
    size_t index = 0;
    const auto &formals = cls.decl->params;
    while (index < formals.size() && formals[index].name.text != argument.name)
      ++index;
    auto isSame = [&](const Argument &given) { return given.name == argument.name; };
    size_t positional = std::count_if(arguments.begin(), arguments.end(),
                                      [](const Argument &given) { return given.name.empty(); });
    if (index < positional) {
      argument.name.clear();
      arguments[index] = std::move(argument);
      continue;
    }
    std::erase_if(arguments, isSame);
    arguments.push_back(std::move(argument));
  }
}

std::optional<Value> Evaluator::instantiate(const ModuleClass &cls, std::vector<Argument> arguments,
                                            CallSite site, Packs packs) {
  if (frame->emission) {
    std::string function(frame->function ? frame->function->name.text : "forward");
    error("E0503", site.callee, fmt::format("`{}` is made inside a tensor function", cls.name()))
        .primaryLabel(fmt::format("`{}` runs on tensors; modules are made at build time", function))
        .help(fmt::format("bind it to a member of the module, `name = {}`, and call that",
                          context.sources.text(site.call).size() <= 60 && !site.piped
                              ? std::string(context.sources.text(site.call))
                              : fmt::format("{}(...)", cls.name())));
    return std::nullopt;
  }
  ActiveGuard guard(*this, cls.decl);
  if (!guard.enter(site.callee, cls.name()))
    return std::nullopt;
  if (cls.decl->instance)
    return instantiateAlias(cls, std::move(arguments), site);
  applyOverrides(cls, arguments);

  auto instance = std::make_shared<Instance>();
  instances.push_back(instance);
  instance->cls = &cls;
  instance->made = site.call;
  instance->maker = frame->self;
  FormalSource source{cls.decl->params, std::string(cls.name()), cls.decl->name.span};
  std::optional<std::vector<BoundArgument>> bound =
      bindArguments(source, std::move(arguments), site);
  if (!bound)
    return std::nullopt;
  Frame body;
  body.home = cls.home;
  body.self = instance.get();
  body.caller = frame->self;
  if (packs.empty() && frame->self)
    packs = frame->self->packs; // of an optimizer that is made of others
  body.packs = packs;
  instance->packs = std::move(packs);
  EnterFrame enter(*this, body);
  BindingPrecision own(*this, std::nullopt); // inside, bindings have their own
  if (!takeHyperparameters(*instance, *bound, site) || !choosePrecision(*instance, own.outer()) ||
      !checkGuards(cls.decl->guards, std::string(cls.name()), site))
    return std::nullopt;
  instance->structure = structures.intern(*instance);
  runModuleBody(*instance);
  if (!checkWeight(instance->weight, site.call))
    return std::nullopt;
  return Value(instance);
}

/// A number given to an optimizer for a function (`lr=0.1`) is the schedule that stays there.
Value Evaluator::asSchedule(const syntax::TypeExpr &type, Value value) {
  auto *scalar = type.as<syntax::ScalarType>();
  if (!scalar || scalar->scalar != syntax::ScalarKind::Fn || !value.asFloat())
    return value;
  FileScope *prelude = files.prelude();
  Global *constant = prelude->find("constant");
  std::optional<Value> function = globalValue(*prelude, *constant, constant->name.span);
  FunctionData stage = **function->as<FunctionRef>();
  stage.isStage = true;
  stage.weight += 1;
  stage.bound = {{"lr", Value::floating(*value.asFloat()), {}}};
  return Value(std::make_shared<const FunctionData>(std::move(stage)));
}

bool Evaluator::takeHyperparameters(Instance &instance, std::vector<BoundArgument> &bound,
                                    const CallSite &site) {
  Taker taker{Taker::Kind::Argument, std::string(instance.cls->name()), site};
  for (BoundArgument &argument : bound) {
    const syntax::Formal &formal = *argument.formal;
    bool isDefault = !argument.value;
    std::optional<Value> value = isDefault ? eval(*formal.defaultValue) : std::move(argument.value);
    syntax::Span span = isDefault ? formal.defaultValue->span : argument.span;
    std::vector<TensorMatch> tensors;
    if (value && instance.cls->isOptimizer())
      value = asSchedule(*formal.type, std::move(*value));
    if (!value || !conform(*formal.type, *value, taker, formal.name.text, span, tensors))
      return false;
    if (formal.type->is<syntax::TensorType>()) {
      error("E0403", formal.type->span, "a hyperparameter is a build-time value")
          .primaryLabel("this is the type of a tensor");
      return false;
    }
    instance.weight += value->weight();
    instance.hyperparameters.push_back(
        {formal.name.text, *value, span, isDefault, formal.name.span, argument.expr});
  }
  return true;
}

/// The nearest says what `float` is: the binding that the instance is made in, its declaration, or
/// what is around it.
bool Evaluator::choosePrecision(Instance &instance, const std::optional<Precision> &ofBinding) {
  bool ok = true;
  std::optional<Precision> own = readPrecision(*this, *instance.cls->decl, context.precision, ok);
  instance.precision = ofBinding ? *ofBinding : own.value_or(context.precision);
  context.precision = instance.precision;
  return ok;
}

//===- Bodies ---------------------------------------------------------------------------------===//

/// False, and an error, if the instance has something of that name.
bool Evaluator::isNewMember(Instance &instance, const syntax::Ident &name) {
  syntax::Span first;
  if (const syntax::Formal *hyper = instance.cls->hyperparameter(name.text))
    first = hyper->name.span;
  else if (const Member *member = instance.member(name.text))
    first = member->name.span;
  else if (const syntax::FnStmt *fn = instance.cls->function(name.text))
    first = fn->name.span;
  else
    return true;
  if (first != name.span)
    error("E0202", name.span, fmt::format("`{}` is defined twice", name.text))
        .primaryLabel("defined again here")
        .label(first, "first defined here");
  return false;
}

void Evaluator::bindMember(Instance &instance, const syntax::BindStmt &bind) {
  if (bind.scan) {
    evalScan(*bind.scan, /*isBound=*/true);
    instance.failed = true;
    return;
  }
  KeyRef key;
  bool ok = true;
  BindingPrecision own(*this, readPrecision(*this, bind, context.precision, ok));
  std::optional<Value> value = ok ? evalWithKey(bind.value, key) : std::nullopt;
  instance.failed |= !value;
  if (value && bind.attribute("frozen")) {
    std::vector<Slot *> slots;
    appendSlots(*value, slots);
    for (Slot *slot : slots)
      slot->isFrozen = true;
  }
  size_t mark = frame->locals.enterBlock();
  bindTargets(bind.targets, value, bind.value.span, /*define=*/true);
  std::vector<syntax::Ident> names;
  collectNames(bind.targets, names);
  for (const syntax::Ident &name : names) {
    const std::optional<Value> *bound = frame->locals.find(name.text);
    std::optional<Value> member = bound ? *bound : std::nullopt;
    if (!isNewMember(instance, name)) {
      for (Member &first : instance.members)
        if (first.name.text == name.text)
          first.value.reset(); // which of the two is meant, nobody knows
      for (Hyperparameter &hyper : instance.hyperparameters)
        hyper.isDoubtful |= hyper.name == name.text;
      continue;
    }
    if (member) {
      instance.weight += member->weight();
      placeInstances(instance, *member, name, key);
    }
    instance.members.push_back({name, std::move(member), nullptr, key});
  }
  frame->locals.leaveBlock(mark);
}

void Evaluator::collectNames(const std::vector<syntax::Target> &targets,
                             std::vector<syntax::Ident> &names) {
  for (const syntax::Target &target : targets) {
    if (target.isTuple())
      collectNames(target.elements, names);
    else if (!target.name.isDiscard())
      names.push_back(target.name);
  }
}

void Evaluator::runModuleBody(Instance &instance) {
  for (const syntax::StmtPtr &stmt : instance.cls->decl->body) {
    if (exhausted)
      return;
    if (auto *slot = stmt->as<syntax::SlotStmt>())
      declareSlot(instance, *slot);
    else if (auto *bind = stmt->as<syntax::BindStmt>())
      bindMember(instance, *bind);
    else if (auto *fn = stmt->as<syntax::FnStmt>())
      checkFunctionName(instance, *fn);
  }
  // What was handed in and is owned by nobody belongs to the hyperparameter.
  for (const Hyperparameter &hyper : instance.hyperparameters)
    placeInstances(instance, hyper.value, {hyper.name, hyper.given}, nullptr, true);
  for (const syntax::StmtPtr &stmt : instance.cls->decl->body)
    if (auto *tie = stmt->as<syntax::TieStmt>())
      applyTie(instance, *tie);
}

/// Functions of one module have different names, and not those of hyperparameters.
void Evaluator::checkFunctionName(Instance &instance, const syntax::FnStmt &fn) {
  const syntax::FnStmt *first = instance.cls->function(fn.name.text);
  const syntax::Formal *hyper = instance.cls->hyperparameter(fn.name.text);
  if (first == &fn && !hyper)
    return;
  error("E0202", fn.name.span, fmt::format("`{}` is defined twice", fn.name.text))
      .primaryLabel("defined again here")
      .label(hyper ? hyper->name.span : first->name.span, "first defined here");
}

} // namespace nnc::frontend
