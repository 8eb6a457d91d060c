// What a name is: a local, a member of the module around it, a name of the file, of the prelude, or
// one that the compiler knows. And `a.b`.
#include "frontend/Evaluator.h"

#include "frontend/Suggest.h"
#include "frontend/syntax/Lost.h"

#include "ir/NNOps.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <limits>
#include <numbers>

namespace nnc::frontend {

//===- Names that need no scope ---------------------------------------------------------------===//

static std::optional<Value> predeclared(std::string_view name, const Context &context) {
  if (name == "inf")
    return Value::floating(std::numeric_limits<double>::infinity());
  if (name == "pi")
    return Value::floating(std::numbers::pi);
  if (name == "training")
    return Value::boolean(context.training && context.emitting);
  return std::nullopt;
}

static std::optional<Value> knownFunction(std::string_view name) {
  FunctionData data;
  if (Evaluator::isBuiltin(name))
    data.kind = FunctionData::Kind::Builtin;
  else if (isPrimitive(name))
    data.kind = FunctionData::Kind::Primitive;
  else
    return std::nullopt;
  data.name = name;
  return Value(std::make_shared<const FunctionData>(std::move(data)));
}

static Value functionValue(const syntax::FnStmt &fn, const FileScope *home,
                           InstanceRef self = nullptr) {
  FunctionData data;
  data.kind = FunctionData::Kind::User;
  data.name = fn.name.text;
  data.decl = &fn;
  data.home = home;
  data.weight += self ? self->weight : 0;
  data.self = std::move(self);
  return Value(std::make_shared<const FunctionData>(std::move(data)));
}

//===- Lookup ---------------------------------------------------------------------------------===//

std::optional<Value> Evaluator::findInside(Instance &instance, std::string_view name,
                                           syntax::Span use, bool &known) {
  known = true;
  if (const Hyperparameter *hyper = instance.hyperparameter(name))
    return hyper->isDoubtful ? std::nullopt : std::optional(hyper->value);
  if (const Member *member = instance.member(name)) {
    if (!member->slot)
      return member->value;
    if (!requirePlace(instance, instance.cls->name(), use))
      return std::nullopt;
    return readSlot(*member->slot, use);
  }
  if (const syntax::FnStmt *fn = instance.cls->function(name))
    return functionValue(*fn, instance.cls->home, instance.shared_from_this());
  known = false;
  return std::nullopt;
}

std::optional<Value> Evaluator::evalName(const syntax::NameExpr &expr) {
  if (const std::optional<Value> *local = frame->locals.find(expr.name)) {
    if (auto *tensor = *local ? (*local)->as<TensorValue>() : nullptr)
      if (std::optional<Value> scalar = asGuardValue(*tensor))
        return scalar;
    return *local;
  }
  if (frame->self) {
    bool known = false;
    std::optional<Value> value = findInside(*frame->self, expr.name, expr.span, known);
    if (known)
      return value;
  }
  if (frame->constantsOf && frame->constantsOf->hyperparameter(expr.name)) {
    error("E0502", expr.span,
          fmt::format("`{}` is known only in an instance of `{}`", expr.name,
                      frame->constantsOf->name()));
    return std::nullopt;
  }
  if (Global *global = frame->home->find(expr.name))
    return globalValue(*frame->home, *global, expr.span);
  FileScope *prelude = files.prelude();
  if (Global *global = prelude->find(expr.name))
    return globalValue(*prelude, *global, expr.span);
  if (std::optional<Value> value = predeclared(expr.name, context))
    return value;
  if (std::optional<Value> value = knownFunction(expr.name))
    return value;
  return unknownName(expr);
}

bool Evaluator::isKnown(std::string_view name) {
  if (frame->locals.find(name))
    return true;
  if (Instance *self = frame->self)
    if (self->hyperparameter(name) || self->member(name) || self->cls->function(name))
      return true;
  return frame->home->find(name) || files.prelude()->find(name) || predeclared(name, context) ||
         knownFunction(name);
}

std::optional<Value> Evaluator::quietLookup(std::string_view name) {
  if (!frame)
    return std::nullopt;
  if (const std::optional<Value> *local = frame->locals.find(name))
    return *local;
  if (Instance *self = frame->self) {
    if (const Hyperparameter *hyper = self->hyperparameter(name))
      return hyper->value;
    if (const Member *member = self->member(name))
      return member->value;
  }
  Global *global = frame->home->find(name);
  if (global && global->state != Global::State::InProgress && global->decl->is<syntax::BindStmt>())
    return globalValue(*frame->home, *global, global->name.span);
  return predeclared(name, context);
}

bool Evaluator::requirePlace(const Instance &instance, std::string_view name, syntax::Span use) {
  const FunctionEmission *emission = frame->emission;
  if (!emission || instance.slots().empty() ||
      emission->reachable.contains(instance.slots().front()))
    return true;
  error("E0503", use, fmt::format("`{}` has parameters and is no member of what uses it", name))
      .primaryLabel("so they have no keys here")
      .label(instance.made, "made here")
      .help("bind it to a member of the module that calls it, or pass it as an argument");
  return false;
}

std::optional<Value> Evaluator::readSlot(Slot &slot, syntax::Span span) {
  std::string_view kind = syntax::spelling(slot.decl->slot);
  std::string_view name = slot.decl->name.text;
  if (!slot.present) {
    error("E0504", span, fmt::format("`{}` does not exist here", name))
        .primaryLabel("used without its condition")
        .label(slot.decl->condition->span, "the condition, false in this instance");
    return std::nullopt;
  }
  if (std::optional<Dim> scalar = inGuard ? slotScalar(slot) : std::nullopt)
    return Value::integer(*scalar);
  if (!frame->emission) {
    error("E0502", span, fmt::format("`{}` is a {}, known only at run time", name, kind))
        .primaryLabel("a build-time value is needed");
    return std::nullopt;
  }
  std::optional<SlotValue> held = slotValue(slot, span);
  if (!held)
    return std::nullopt;
  TensorValue tensor;
  tensor.element = slot.element;
  tensor.shape = held->shape;
  tensor.value = held->value;
  tensor.scalar = held->scalar;
  tensor.origin = span;
  if (slot.element == Element::I4)
    tensor.value = context.builder.create<nn::DequantizeOp>(
        context.location(span), context.tensorType(tensor), tensor.value, mlir::Value(),
        mlir::Value(), mlir::IntegerAttr(), context.builder.getUnitAttr());
  return castFloats(Value::tensor(std::move(tensor)), span);
}

//===- Unknown names --------------------------------------------------------------------------===//

std::vector<std::string_view> Evaluator::namesInScope(bool onlyNumbers) {
  std::vector<std::string_view> names = frame->locals.names();
  if (Instance *self = frame->self) {
    for (const Hyperparameter &hyper : self->hyperparameters)
      names.push_back(hyper.name);
    for (const Member &member : self->members)
      names.push_back(member.name.text);
    for (const syntax::StmtPtr &stmt : self->cls->decl->body)
      if (auto *fn = stmt->as<syntax::FnStmt>())
        names.push_back(fn->name.text);
  }
  for (std::string_view name : frame->home->names())
    names.push_back(name);
  if (onlyNumbers) {
    std::erase_if(names, [&](std::string_view name) {
      std::optional<Value> value = quietLookup(name);
      return !value || !value->isInt();
    });
    return names;
  }
  for (std::string_view name : files.prelude()->names())
    names.push_back(name);
  for (std::string_view name : primitiveNames())
    names.push_back(name);
  for (std::string_view name :
       {"len", "zip", "enumerate", "reverse", "shape", "inf", "pi", "training"})
    names.push_back(name);
  return names;
}

/// `hyperparameter or constant of `BertLayer`` and its like for functions.
static std::string shapeNamesOf(const Frame &frame) {
  if (frame.self)
    return fmt::format("not a hyperparameter or constant of `{}`", frame.self->cls->name());
  return "not a parameter or constant";
}

static syntax::Span dotBehind(syntax::Span name) { return {name.file, name.end, name.end + 1}; }

/// What people write elsewhere for what is here; false if the name is none of those.
static bool addForeignHelp(syntax::Diagnostic &diag, const syntax::NameExpr &expr,
                           const syntax::SourceManager &sources) {
  std::optional<std::string_view> local = syntax::localTypeName(expr.name);
  if (local && local->find_first_of("0123456789") == local->npos)
    local.reset(); // no value here
  const ForeignName *known = findForeignName(expr.name);
  if (!local && known && !known->local.empty())
    local = known->local;
  if (local)
    diag.fixIt(fmt::format("it is called `{}`", *local), {{expr.span, std::string(*local)}});
  else if (known && known->isPackage && sources.text(dotBehind(expr.span)) == ".")
    diag.fixIt(std::string(known->advice), {{expr.span.to(dotBehind(expr.span)), ""}});
  else if (known)
    diag.help(std::string(known->advice));
  return local || known;
}

static bool isAllCapitals(std::string_view name) {
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return std::isupper(c) || std::isdigit(c); });
}

std::nullopt_t Evaluator::unknownName(const syntax::NameExpr &expr) {
  // What stands on a line that could not be read was not written as it is read.
  uint32_t line = context.sources.lineCol(expr.span).line;
  if (syntax::mayBeLost(diags, context.sources, expr.span) ||
      syntax::hasSyntaxError(diags, context.sources.lineSpan(expr.span.file, line)))
    return std::nullopt;
  std::vector<std::string_view> candidates = namesInScope(inShape != nullptr);
  syntax::Diagnostic &diag =
      error("E0201", expr.span,
            fmt::format("unknown name `{}`{}", expr.name, inShape ? " in a shape" : ""));
  bool capitalised = std::isupper(static_cast<unsigned char>(expr.name.front()));
  if (inShape) {
    diag.primaryLabel(shapeNamesOf(*frame));
    diag.note(capitalised ? "a dimension is introduced by a size that is its name alone, in the "
                            "type of a parameter"
                          : "only capitalised names introduce a dimension");
  } else {
    diag.primaryLabel("not defined here");
    if (frame->emission && isAllCapitals(expr.name))
      diag.note("a dimension is introduced by a size that is its name alone, in the type of a "
                "parameter");
    if (frame->self)
      for (const syntax::StmtPtr &stmt : frame->self->cls->decl->body)
        if (auto *bind = stmt->as<syntax::BindStmt>();
            bind && bind->targets.front().name.text == expr.name)
          diag.note("members are evaluated in order; this one comes later", bind->span);
  }
  if (!inShape && addForeignHelp(diag, expr, context.sources))
    return std::nullopt;
  if (std::optional<std::string_view> similar = closestName(expr.name, candidates))
    diag.fixIt(fmt::format("`{}` has a similar name", *similar),
               {{expr.span, std::string(*similar)}});
  return std::nullopt;
}

//===- The top level of files -----------------------------------------------------------------===//

std::optional<Value> Evaluator::globalValue(const FileScope &file, Global &global,
                                            syntax::Span use) {
  if (auto *fn = global.decl->as<syntax::FnStmt>())
    return functionValue(*fn, &file);
  if (auto *module = global.decl->as<syntax::ModuleStmt>())
    return Value(file.moduleClass(*module));
  if (global.decl->is<syntax::TrainStmt>()) {
    error("E0620", use, fmt::format("`{}` is a train block, which is no value", global.name.text))
        .note("it is declared", global.name.span);
    return std::nullopt;
  }
  switch (global.state) {
  case Global::State::Done:
    return global.value;
  case Global::State::Failed:
    return std::nullopt;
  case Global::State::InProgress:
    error("E0505", use, fmt::format("`{}` is defined by itself", global.name.text))
        .label(global.name.span, "its definition");
    return std::nullopt;
  case Global::State::Fresh:
    break;
  }
  global.state = Global::State::InProgress;
  std::optional<Value> value = evaluateGlobal(file, global, use);
  global.state = value ? Global::State::Done : Global::State::Failed;
  if (value)
    global.value = *value;
  return value;
}

std::optional<Value> Evaluator::evaluateGlobal(const FileScope &file, Global &global,
                                               syntax::Span use) {
  if (global.decl->is<syntax::ImportStmt>())
    return evaluateImport(file, global, use);
  auto &bind = global.decl->get<syntax::BindStmt>();
  Frame top;
  top.home = &file;
  top.precision.emplace();
  EnterFrame enter(*this, top);
  BindingPrecision none(*this, std::nullopt);
  std::optional<Value> value =
      bind.scan ? evalScan(*bind.scan, /*isBound=*/true) : eval(*bind.value.expr);
  if (!bindTargets(bind.targets, value, bind.value.span, /*define=*/true))
    return std::nullopt;
  return *top.locals.find(global.name.text);
}

std::optional<Value> Evaluator::evaluateImport(const FileScope &file, const Global &global,
                                               syntax::Span use) {
  auto &import = global.decl->get<syntax::ImportStmt>();
  FileScope *target = files.resolve(import, file);
  if (!target)
    return std::nullopt;
  if (import.names.empty())
    return Value(files.makeNamespace(global.name.text, target));
  return exported(*target, global.name);
}

std::optional<Value> Evaluator::exported(const FileScope &file, const syntax::Ident &name) {
  if (!files.reportMissing(file, name))
    return std::nullopt;
  return globalValue(file, *file.find(name.text), name.span);
}

//===- Members --------------------------------------------------------------------------------===//

std::nullopt_t Evaluator::unknownMember(const Value &base, const syntax::Ident &name,
                                        const std::vector<std::string_view> &candidates) {
  syntax::Diagnostic &diag = error(
      "E0204", name.span, fmt::format("{} has no member `{}`", describeKind(base), name.text));
  if (auto similar = closestName(name.text, candidates))
    diag.fixIt(fmt::format("`{}` has a similar name", *similar),
               {{name.span, std::string(*similar)}});
  else if (const ForeignName *known = findForeignName(name.text);
           (base.isTensor() || name.text == "parameters") && known && !known->advice.empty())
    diag.help(std::string(known->advice));
  else if (base.isTensor() && isKnown(name.text))
    diag.help(
        fmt::format("functions take the tensor: `{0}(x, ...)` or `x |> {0}(...)`", name.text));
  return std::nullopt;
}

std::optional<Value> Evaluator::instanceMember(const InstanceRef &instance,
                                               const syntax::Ident &name) {
  bool known = false;
  std::optional<Value> value = findInside(*instance, name.text, name.span, known);
  if (known)
    return value;
  std::vector<std::string_view> names;
  for (const Hyperparameter &hyper : instance->hyperparameters)
    names.push_back(hyper.name);
  for (const Member &member : instance->members)
    names.push_back(member.name.text);
  for (const syntax::StmtPtr &stmt : instance->cls->decl->body)
    if (auto *fn = stmt->as<syntax::FnStmt>())
      names.push_back(fn->name.text);
  return unknownMember(Value(instance), name, names);
}

std::optional<Value> Evaluator::evalMember(const syntax::MemberExpr &expr) {
  std::optional<Value> base = eval(*expr.base);
  if (!base)
    return std::nullopt;
  if (base->isTensor() && expr.name.text == "T") {
    if (!startOperation("transpose", expr.span))
      return std::nullopt;
    return transposeLastTwo(context, {*base, expr.base->span, expr.base.get()}, expr.span);
  }
  if (auto *instance = base->as<InstanceRef>())
    return instanceMember(*instance, expr.name);
  if (auto *cls = base->as<const ModuleClass *>())
    return classConstant(**cls, expr.name);
  if (auto *space = base->as<const Namespace *>())
    return exported(*(*space)->file, expr.name);
  return unknownMember(*base, expr.name,
                       base->isTensor() ? std::vector<std::string_view>{"T"}
                                        : std::vector<std::string_view>{});
}

std::optional<Value> Evaluator::classConstant(const ModuleClass &cls, const syntax::Ident &name) {
  auto key = std::make_pair(&cls, name.text);
  if (auto found = classConstants.find(key); found != classConstants.end())
    return found->second;
  for (const syntax::StmtPtr &stmt : cls.decl->body) {
    auto *bind = stmt->as<syntax::BindStmt>();
    if (!bind || bind->scan || bind->targets.size() != 1 ||
        bind->targets.front().name.text != name.text)
      continue;
    ActiveGuard guard(*this, bind);
    if (!guard.enter(name.span, name.text))
      return std::nullopt;
    Frame constants;
    constants.home = cls.home;
    constants.constantsOf = &cls;
    EnterFrame enter(*this, constants);
    std::optional<Value> value = eval(*bind->value.expr);
    if (value)
      classConstants[key] = *value;
    return value;
  }
  if (cls.hyperparameter(name.text) || cls.function(name.text)) {
    error("E0204", name.span,
          fmt::format("`{}` belongs to an instance of `{}`", name.text, cls.name()))
        .note("only constants can be read from a module's name");
    return std::nullopt;
  }
  return unknownMember(Value(&cls), name, {});
}

} // namespace nnc::frontend
