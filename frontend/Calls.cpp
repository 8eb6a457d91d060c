// Calling anything that can be called, and pipes. What a call does depends on the callee: a module
// name makes an instance, an instance runs `forward`, a list applies its elements in order, an
// element type casts, and a function whose first argument is missing becomes a stage.
#include "frontend/Evaluator.h"
#include "frontend/syntax/Lost.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

//===- Recursion ------------------------------------------------------------------------------===//

bool Evaluator::ActiveGuard::enter(syntax::Span use, std::string_view name) {
  bool again = false;
  for (const auto &running : evaluator.active)
    again |= running == what;
  if (again || evaluator.active.size() >= kMaxCallDepth) {
    evaluator
        .error("E0505", use,
               again ? fmt::format("`{}` is used within itself", name)
                     : fmt::format("more than {} calls are within each other", kMaxCallDepth))
        .note("there is no recursion; repeat with `for` and lists");
    return false;
  }
  evaluator.active.push_back(what);
  return entered = true;
}

Evaluator::ActiveGuard::~ActiveGuard() {
  if (entered)
    evaluator.active.pop_back();
}

//===- Calls and pipes in the source ----------------------------------------------------------===//

/// What messages call it: the source text where that is short, else what it is.
std::string Evaluator::calleeName(const syntax::Expr &callee, const Value &value) {
  std::string_view text = context.sources.text(callee.span);
  if (text.size() <= 40 && text.find('\n') == std::string_view::npos)
    return std::string(text);
  return formatValue(value);
}

std::optional<Value> Evaluator::evalCall(const syntax::CallExpr &expr, const Argument *piped) {
  std::optional<Value> callee = eval(*expr.callee);
  std::vector<Argument> arguments;
  if (piped)
    arguments.push_back(*piped);
  bool ok = callee.has_value();
  for (const syntax::Argument &written : expr.args) {
    std::optional<Value> value = eval(*written.value);
    ok &= value.has_value();
    if (value)
      arguments.push_back({std::string(written.name.text), std::move(*value), written.value->span,
                           written.value.get(), written.name.span});
  }
  if (!ok)
    return std::nullopt;
  return call(*callee, std::move(arguments),
              {expr.callee->span, expr.span, calleeName(*expr.callee, *callee), piped != nullptr});
}

std::optional<Value> Evaluator::evalStage(const syntax::Expr &stage, Argument piped,
                                          syntax::Span whole) {
  if (auto *withArguments = stage.as<syntax::CallExpr>())
    return evalCall(*withArguments, &piped);
  std::optional<Value> callee = eval(stage);
  if (!callee)
    return std::nullopt;
  return call(*callee, {std::move(piped)}, {stage.span, whole, calleeName(stage, *callee), true});
}

std::optional<Value> Evaluator::evalPipe(const syntax::PipeExpr &expr) {
  std::optional<Value> value = eval(*expr.head);
  syntax::Span whole = expr.head->span;
  const syntax::Expr *made = expr.head.get();
  for (const syntax::PipeExpr::Stage &stage : expr.stages) {
    if (!value)
      return std::nullopt;
    Argument piped{"", std::move(*value), whole, made};
    made = nullptr;
    whole = whole.to(stage.expr->span);
    value = evalStage(*stage.expr, std::move(piped), whole);
    if (observer && value)
      observer->applied(stage.expr->span, context.sources.text(stage.expr->span), *value);
  }
  return value;
}

//===- By kind of callee ----------------------------------------------------------------------===//

std::optional<Value> Evaluator::call(const Value &callee, std::vector<Argument> arguments,
                                     CallSite site) {
  if (!spend(site.call))
    return std::nullopt;
  if (auto *function = callee.as<FunctionRef>())
    return callFunction(*function, std::move(arguments), std::move(site));
  if (auto *cls = callee.as<const ModuleClass *>())
    return instantiate(**cls, std::move(arguments), std::move(site));
  if (auto *instance = callee.as<InstanceRef>())
    return callInstance(*instance, std::move(arguments), std::move(site));
  if (auto *list = callee.as<ListValue>())
    return callSequence(*list, std::move(arguments), std::move(site));
  if (auto *element = callee.as<Element>())
    return callElement(*element, arguments, site);
  syntax::Diagnostic &diag =
      error("E0508", site.callee, fmt::format("`{}` cannot be called", site.name))
          .primaryLabel(fmt::format("this is {}", describeKind(callee)));
  if (auto *text = callee.as<StringValue>(); text && text->literal && isKnown(text->text))
    diag.fixIt("functions are named without quotes", {{text->literal->span, text->text}});
  return std::nullopt;
}

std::optional<Value> Evaluator::callElement(Element element, const std::vector<Argument> &arguments,
                                            const CallSite &site) {
  if (arguments.size() != 1 || !arguments.front().name.empty()) {
    error("E0205", site.callee, fmt::format("`{}` casts one value", syntax::spelling(element)));
    return std::nullopt;
  }
  const Argument &only = arguments.front();
  if (!startOperation("cast", site.callee))
    return std::nullopt;
  return callCast(context, element, {only.value, only.span, only.expr}, site.call);
}

std::optional<Value> Evaluator::callInstance(const InstanceRef &instance,
                                             std::vector<Argument> arguments, CallSite site) {
  const syntax::FnStmt *forward = instance->cls->function("forward");
  if (!forward && syntax::hasSyntaxError(diags, instance->cls->decl->span))
    return std::nullopt; // what could not be read may be it
  if (!forward) {
    error("E0508", site.callee, fmt::format("`{}` has no `forward`", instance->cls->name()))
        .primaryLabel("an instance is called through it")
        .note("the module is declared", instance->cls->decl->name.span);
    return std::nullopt;
  }
  return callMethod(instance, *forward, std::move(arguments), std::move(site));
}

std::optional<Value> Evaluator::callMethod(const InstanceRef &instance, const syntax::FnStmt &fn,
                                           std::vector<Argument> arguments, CallSite site) {
  FunctionData data;
  data.kind = FunctionData::Kind::User;
  data.name = fn.name.text;
  data.decl = &fn;
  data.home = instance->cls->home;
  data.self = instance;
  return callUser(data, std::move(arguments), std::move(site));
}

std::optional<Value> Evaluator::callSequence(const ListValue &list, std::vector<Argument> arguments,
                                             CallSite site) {
  if (arguments.size() != 1 || !arguments.front().name.empty()) {
    error("E0205", site.callee, fmt::format("the list `{}` takes one value", site.name))
        .primaryLabel(fmt::format("{} were given", arguments.size()))
        .note("calling a list applies its elements in order");
    return std::nullopt;
  }
  Value value = std::move(arguments.front().value);
  const std::vector<Value> &elements = list.data->elements;
  for (size_t i = 0; i < elements.size(); ++i) {
    CallSite inner = site;
    inner.name = fmt::format("{}[{}]", site.name, i);
    inner.piped = true;
    std::optional<Value> next = call(elements[i], {{"", std::move(value), site.call}}, inner);
    if (!next)
      return std::nullopt;
    value = std::move(*next);
    if (observer)
      observer->applied(site.callee, inner.name, value);
  }
  return value;
}

//===- Functions and stages -------------------------------------------------------------------===//

bool takesTensorFirst(const syntax::FnStmt &decl) {
  return !decl.params.empty() && decl.params.front().type->is<syntax::TensorType>();
}

static bool mayHoldTensor(const syntax::TypeExpr &type) {
  if (auto *list = type.as<syntax::ListType>())
    return mayHoldTensor(*list->element);
  if (auto *tuple = type.as<syntax::TupleType>())
    for (const syntax::TypePtr &element : tuple->elements)
      if (mayHoldTensor(*element))
        return true;
  return type.is<syntax::TensorType>();
}

bool takesTensors(const syntax::FnStmt &decl) {
  for (const syntax::Formal &formal : decl.params)
    if (mayHoldTensor(*formal.type))
      return true;
  return false;
}

static bool anyTensor(const std::vector<Argument> &arguments) {
  for (const Argument &argument : arguments)
    if (argument.value.containsTensor())
      return true;
  return false;
}

/// Whether some formal without a default gets nothing.
static bool lacksArguments(const syntax::FnStmt &decl, const std::vector<Argument> &arguments) {
  size_t positional = 0;
  for (const Argument &argument : arguments)
    positional += argument.name.empty();
  for (size_t i = positional; i < decl.params.size(); ++i) {
    const syntax::Formal &formal = decl.params[i];
    bool named = false;
    for (const Argument &argument : arguments)
      named |= argument.name == formal.name.text;
    if (!formal.defaultValue && !named)
      return true;
  }
  return false;
}

bool Evaluator::isStageCall(const FunctionData &function, const std::vector<Argument> &arguments) {
  if (anyTensor(arguments))
    return false;
  if (function.kind == FunctionData::Kind::Primitive)
    return primitiveIsStage(function.name, arguments);
  if (!takesTensorFirst(*function.decl))
    return false;
  size_t positional = 0;
  for (const Argument &argument : arguments) {
    positional += argument.name.empty();
    if (argument.name == function.decl->params.front().name.text)
      return false;
  }
  if (positional >= function.decl->params.size())
    return false; // one of them stands where the tensor should
  return !frame->emission || lacksArguments(*function.decl, arguments);
}

static Value makeStage(const FunctionData &function, std::vector<Argument> arguments) {
  FunctionData stage = function;
  stage.isStage = true;
  for (const Argument &argument : arguments)
    stage.weight += argument.value.weight();
  stage.bound = std::move(arguments);
  return Value(std::make_shared<const FunctionData>(std::move(stage)));
}

/// The arguments of a call of a stage: the first of them, those it holds, the rest.
static std::vector<Argument> fillStage(const FunctionData &stage, std::vector<Argument> given) {
  std::vector<Argument> positional, named;
  auto add = [&](const Argument &argument) {
    (argument.name.empty() ? positional : named).push_back(argument);
  };
  size_t first = given.empty() ? 0 : 1;
  std::for_each(given.begin(), given.begin() + first, add);
  std::for_each(stage.bound.begin(), stage.bound.end(), add);
  std::for_each(given.begin() + first, given.end(), add);
  positional.insert(positional.end(), named.begin(), named.end());
  return positional;
}

std::optional<Value> Evaluator::callFunction(const FunctionRef &function,
                                             std::vector<Argument> arguments, CallSite site) {
  if (function->isStage) {
    FunctionData whole = *function;
    whole.isStage = false;
    arguments = fillStage(*function, std::move(arguments));
    whole.bound.clear();
    return callWhole(whole, std::move(arguments), std::move(site));
  }
  if (isListFold(*function, arguments))
    return foldList(function->name, arguments.front(), site);
  if (function->kind != FunctionData::Kind::Builtin && isStageCall(*function, arguments)) {
    Value stage = makeStage(*function, std::move(arguments));
    if (!checkWeight(stage.weight(), site.call))
      return std::nullopt;
    return stage;
  }
  return callWhole(*function, std::move(arguments), std::move(site));
}

std::optional<Value> Evaluator::callWhole(const FunctionData &function,
                                          std::vector<Argument> arguments, CallSite site) {
  switch (function.kind) {
  case FunctionData::Kind::User:
    return callUser(function, std::move(arguments), std::move(site));
  case FunctionData::Kind::Builtin:
    return callBuiltin(function.name, std::move(arguments), std::move(site));
  case FunctionData::Kind::Primitive:
    if (!startOperation(std::string(function.name), site.callee))
      return std::nullopt;
    return callPrimitive(context, function.name, std::move(arguments), site.callee, site.call);
  }
  return std::nullopt;
}

} // namespace nnc::frontend
