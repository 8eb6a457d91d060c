// Expressions by kind, and the parts that are neither names, operators nor calls: lists,
// comprehensions, conditions, keys.
#include "frontend/Evaluator.h"

#include "frontend/syntax/Lost.h"

#include <fmt/format.h>

namespace nnc::frontend {

Evaluator::Evaluator(syntax::SourceManager &sources, syntax::Diagnostics &diags,
                     mlir::MLIRContext &mlirContext, Files &files)
    : context(mlirContext, sources, diags), files(files), diags(diags) {
  context.lookup = [this](std::string_view name) { return quietLookup(name); };
  context.checkOnEntry = [this](const Dim &dim, syntax::Span at) { requireOnEntry(dim, at); };
}

//===- Budgets --------------------------------------------------------------------------------===//

bool Evaluator::spend(syntax::Span span) {
  if (exhausted)
    return false;
  if (++steps <= kMaxSteps && !diags.isFull())
    return true;
  exhausted = true;
  if (steps > kMaxSteps)
    error("E0506", span, "this model takes too long to build")
        .note(fmt::format("more than {} expressions were evaluated at build time", kMaxSteps));
  return false;
}

bool Evaluator::checkWeight(size_t weight, syntax::Span span) {
  if (weight <= kMaxWeight)
    return true;
  if (!exhausted)
    error("E0506", span, fmt::format("this holds more than {} values", kMaxWeight));
  exhausted = true;
  return false;
}

bool Evaluator::startOperation(std::string name, syntax::Span span) {
  if (inShape) {
    error("E0403", inShape->span, "a size is an int")
        .primaryLabel("this computes a tensor when the model runs")
        .note("sizes are known before it runs");
    return false;
  }
  context.opName = std::move(name);
  if (exhausted || ++operations <= kMaxOperations)
    return !exhausted;
  exhausted = true;
  error("E0506", span,
        fmt::format("this model unrolls to more than {} operations", kMaxOperations));
  return false;
}

std::nullopt_t Evaluator::refuse(syntax::Span span, std::string message) {
  error("E0590", span, std::move(message));
  return std::nullopt;
}

Evaluator::EnterFrame::EnterFrame(Evaluator &evaluator, Frame &inner)
    : evaluator(evaluator), outer(evaluator.frame), wasEmitting(evaluator.context.emitting),
      outerPrecision(evaluator.context.precision), outerPath(evaluator.context.modulePath) {
  evaluator.frame = &inner;
  evaluator.context.emitting = inner.emission != nullptr;
  if (inner.precision)
    evaluator.context.precision = *inner.precision;
}

Evaluator::EnterFrame::~EnterFrame() {
  evaluator.frame = outer;
  evaluator.context.emitting = wasEmitting;
  evaluator.context.precision = outerPrecision;
  evaluator.context.modulePath = std::move(outerPath);
}

//===- By kind --------------------------------------------------------------------------------===//

std::optional<Value> Evaluator::eval(const syntax::Expr &expr) {
  if (!spend(expr.span))
    return std::nullopt;
  if (exprDepth >= kMaxExprDepth) {
    exhausted = true;
    error("E0506", expr.span, "expressions and calls nest too deeply here");
    return std::nullopt;
  }
  ++exprDepth;
  std::optional<Value> value = evalKind(expr);
  --exprDepth;
  if (observer && value)
    observer->evaluated(expr, *value);
  return value;
}

std::optional<Value> Evaluator::evalKind(const syntax::Expr &expr) {
  using syntax::ExprKind;
  switch (expr.kind()) {
  case ExprKind::Int:
    return Value::integer(expr.get<syntax::IntExpr>().value);
  case ExprKind::Float:
    return Value::floating(expr.get<syntax::FloatExpr>().value);
  case ExprKind::String:
    return Value::string(expr.get<syntax::StringExpr>().value, &expr.get<syntax::StringExpr>());
  case ExprKind::Bool:
    return Value::boolean(expr.get<syntax::BoolExpr>().value);
  case ExprKind::None:
    return Value();
  case ExprKind::Elem:
    return Value::element(expr.get<syntax::ElemExpr>().elem);
  case ExprKind::Name:
    return evalName(expr.get<syntax::NameExpr>());
  case ExprKind::List:
    return evalList(expr.get<syntax::ListExpr>());
  case ExprKind::ListComp:
    return evalComprehension(expr.get<syntax::ListCompExpr>());
  case ExprKind::Tuple:
    return evalTuple(expr.get<syntax::TupleExpr>().elements);
  case ExprKind::Unary:
    return evalUnary(expr.get<syntax::UnaryExpr>());
  case ExprKind::Binary:
    return evalBinary(expr.get<syntax::BinaryExpr>());
  case ExprKind::Range:
    return evalRange(expr.get<syntax::RangeExpr>());
  case ExprKind::If: {
    auto &choice = expr.get<syntax::IfExpr>();
    std::optional<bool> condition = evalCondition(*choice.condition, "if");
    if (!condition)
      return std::nullopt;
    return eval(*condition ? *choice.thenValue : *choice.elseValue);
  }
  case ExprKind::Pipe:
    return evalPipe(expr.get<syntax::PipeExpr>());
  case ExprKind::Call:
    return evalCall(expr.get<syntax::CallExpr>(), nullptr);
  case ExprKind::Index:
    return evalIndex(expr.get<syntax::IndexExpr>());
  case ExprKind::Member:
    return evalMember(expr.get<syntax::MemberExpr>());
  }
  return std::nullopt;
}

//===- Lists and tuples -----------------------------------------------------------------------===//

std::optional<Value> Evaluator::evalTuple(const std::vector<syntax::ExprPtr> &exprs) {
  std::vector<Value> elements;
  bool ok = true;
  for (const syntax::ExprPtr &expr : exprs) {
    std::optional<Value> value = eval(*expr);
    ok &= value.has_value();
    if (value)
      elements.push_back(std::move(*value));
  }
  if (!ok)
    return std::nullopt;
  Value tuple = Value::tuple(std::move(elements));
  if (!checkWeight(tuple.weight(), exprs.front()->span))
    return std::nullopt;
  return tuple;
}

std::optional<Value> Evaluator::evalWithKey(const syntax::Value &value, KeyRef &key) {
  std::optional<Value> result = eval(*value.expr);
  if (value.key) {
    std::optional<KeyRef> evaluated = evalKey(*value.key);
    if (!evaluated)
      return std::nullopt;
    key = *evaluated;
  }
  return result;
}

/// A list whose keys are dropped where no element has one.
static Value makeList(std::vector<Value> elements, std::vector<KeyRef> keys) {
  bool anyKey = false;
  for (const KeyRef &key : keys)
    anyKey |= key != nullptr;
  if (!anyKey)
    keys.clear();
  return Value::list(std::move(elements), std::move(keys));
}

std::optional<Value> Evaluator::evalList(const syntax::ListExpr &expr) {
  std::vector<Value> elements;
  std::vector<KeyRef> keys;
  bool ok = true;
  for (const syntax::Value &element : expr.elements) {
    KeyRef key;
    std::optional<Value> value = evalWithKey(element, key);
    ok &= value.has_value();
    if (!value)
      continue;
    elements.push_back(std::move(*value));
    keys.push_back(std::move(key));
  }
  if (!ok)
    return std::nullopt;
  Value list = makeList(std::move(elements), std::move(keys));
  if (!checkWeight(list.weight(), expr.span))
    return std::nullopt;
  return list;
}

std::optional<Value> Evaluator::evalComprehension(const syntax::ListCompExpr &expr) {
  std::optional<std::vector<Value>> items = evalSequence(*expr.range);
  if (!items)
    return std::nullopt;
  std::vector<Value> elements;
  std::vector<KeyRef> keys;
  size_t weight = 0;
  size_t block = frame->locals.enterBlock();
  bool ok = true;
  for (const Value &item : *items) {
    ok = bindTargets(expr.targets, item, expr.range->span, /*define=*/true);
    std::optional<bool> wanted = true;
    if (ok && expr.condition)
      wanted = evalCondition(*expr.condition, "if");
    ok &= wanted.has_value();
    if (ok && *wanted) {
      KeyRef key;
      std::optional<Value> value = evalWithKey(expr.value, key);
      ok = value && checkWeight(weight += value->weight(), expr.span);
      if (ok) {
        elements.push_back(std::move(*value));
        keys.push_back(std::move(key));
      }
    }
    frame->locals.leaveBlock(block);
    if (!ok)
      return std::nullopt;
  }
  return makeList(std::move(elements), std::move(keys));
}

std::optional<std::vector<Value>> Evaluator::evalSequence(const syntax::Expr &expr) {
  std::optional<Value> value = eval(expr);
  if (!value)
    return std::nullopt;
  if (value->isSequence())
    return std::vector<Value>(value->elements().begin(), value->elements().end());
  syntax::Diagnostic &diag = error("E0403", expr.span, "`for` walks over a list or a range")
                                 .primaryLabel(fmt::format("this is {}", describeKind(*value)));
  if (value->isTensor())
    diag.help("a range is written `0..n`; over an axis of a tensor walks `scan`");
  return std::nullopt;
}

//===- Targets --------------------------------------------------------------------------------===//

bool Evaluator::bindTarget(const syntax::Target &target, std::optional<Value> value,
                           syntax::Span span, bool define) {
  if (target.isTuple())
    return bindTargets(target.elements, std::move(value), span, define);
  if (value && target.type && !checkAnnotation(target, *value, span))
    value.reset();
  bool ok = value.has_value();
  if (target.name.isDiscard())
    return ok;
  // Of a name that may not be bound, nothing is known from here on; it is reported once.
  const std::optional<Value> *local = frame->locals.find(target.name.text);
  bool isDoubtful = local && !*local;
  if (!isDoubtful && !mayBind(target.name)) {
    value.reset();
    ok = false;
  }
  if (observer && value)
    observer->bound(target.name, *value);
  if (define)
    frame->locals.define(target.name.text, std::move(value), target.name.span);
  else
    frame->locals.assign(target.name.text, std::move(value), target.name.span);
  return ok;
}

/// The types of parameters read hyperparameters, which one of that name would hide.
bool Evaluator::mayBindFormals(const syntax::FnStmt &fn) {
  bool ok = true;
  for (const syntax::Formal &formal : fn.params)
    if (frame->self && frame->self->cls->hyperparameter(formal.name.text))
      ok &= mayBind(formal.name, "parameter");
  return ok;
}

bool Evaluator::mayBind(const syntax::Ident &name, std::string_view what) {
  if (!frame->function || !frame->self)
    return true;
  const ModuleClass &cls = *frame->self->cls;
  syntax::Span first;
  const Slot *slot = nullptr;
  if (const syntax::Formal *hyper = cls.hyperparameter(name.text)) {
    first = hyper->name.span;
  } else if (const Member *member = frame->self->member(name.text)) {
    first = member->name.span;
    slot = member->slot.get();
  } else if (const syntax::FnStmt *fn = cls.function(name.text))
    first = fn->name.span;
  else
    return true;
  // What was written there was not a binding (`n += 1`): that error says it.
  if (syntax::hasSyntaxError(
          diags, context.sources.lineSpan(name.span.file, context.sources.lineCol(name.span).line)))
    return false;
  syntax::Diagnostic &diag = error(
      "E0203", name.span, fmt::format("`{}` is a member of `{}` already", name.text, cls.name()));
  diag.primaryLabel(fmt::format("a {} may not hide it", what)).label(first, "the member");
  if (slot && slot->decl->slot != syntax::SlotKind::Param)
    diag.help(fmt::format("a {} is written by `<-`: `{} <- ...`",
                          syntax::spelling(slot->decl->slot), name.text));
  return false;
}

bool Evaluator::checkAnnotation(const syntax::Target &target, Value &value, syntax::Span span) {
  Taker taker{Taker::Kind::Annotation, std::string(target.name.text)};
  std::vector<TensorMatch> tensors;
  return conform(*target.type, value, taker, target.name.text, span, tensors) &&
         unify(tensors, taker) && adaptNumber(*target.type, value, span);
}

bool Evaluator::bindTargets(const std::vector<syntax::Target> &targets, std::optional<Value> value,
                            syntax::Span span, bool define) {
  if (targets.size() == 1)
    return bindTarget(targets.front(), std::move(value), span, define);
  bool fits = value && value->isSequence() && value->elements().size() == targets.size();
  if (value && !fits) {
    std::string found = value->isSequence() ? fmt::format("{} values", value->elements().size())
                                            : describeKind(*value);
    error("E0207", span, fmt::format("{} names are bound to {}", targets.size(), found))
        .label(targets.front().span.to(targets.back().span), "these names");
  }
  bool ok = fits;
  for (size_t i = 0; i < targets.size(); ++i)
    ok &= bindTarget(targets[i], fits ? std::optional<Value>(value->elements()[i]) : std::nullopt,
                     span, define);
  return ok;
}

//===- Keys -----------------------------------------------------------------------------------===//

std::optional<KeyRef> Evaluator::evalKey(const syntax::Key &key) {
  auto spec = std::make_shared<KeySpec>();
  spec->span = key.span;
  for (const syntax::Key::Alternative &alternative : key.alternatives) {
    std::string text;
    for (const syntax::Key::Part &part : alternative.parts) {
      if (!part.expr) {
        text += part.text;
        continue;
      }
      std::optional<Value> value = eval(*part.expr);
      if (!value)
        return std::nullopt;
      if (auto *string = value->as<StringValue>()) {
        text += string->text;
      } else if (std::optional<int64_t> number = value->asInt()) {
        text += std::to_string(*number);
      } else {
        error("E0403", part.expr->span, "only an int or a str can be part of a key")
            .primaryLabel(fmt::format("this is {}", describeKind(*value)));
        return std::nullopt;
      }
    }
    spec->alternatives.push_back(std::move(text));
  }
  return spec;
}

//===- Conditions -----------------------------------------------------------------------------===//

/// The first name in an expression, where the blame for a run-time condition is put.
static const syntax::NameExpr *firstName(const syntax::Expr &expr) {
  if (auto *name = expr.as<syntax::NameExpr>())
    return name;
  if (auto *unary = expr.as<syntax::UnaryExpr>())
    return firstName(*unary->operand);
  if (auto *binary = expr.as<syntax::BinaryExpr>()) {
    const syntax::NameExpr *left = firstName(*binary->lhs);
    return left ? left : firstName(*binary->rhs);
  }
  if (auto *index = expr.as<syntax::IndexExpr>())
    return firstName(*index->base);
  if (auto *call = expr.as<syntax::CallExpr>())
    for (const syntax::Argument &argument : call->args)
      if (const syntax::NameExpr *name = firstName(*argument.value))
        return name;
  return nullptr;
}

std::string Evaluator::describeRuntime(const syntax::Expr &expr, const Value &value) {
  const syntax::NameExpr *name = firstName(expr);
  if (!name)
    return fmt::format("this is {}, known only at run time", describeKind(value));
  if (!frame->locals.find(name->name) && frame->self)
    if (const Member *member = frame->self->member(name->name); member && member->slot)
      return fmt::format("`{}` is a {}, known only at run time", name->name,
                         syntax::spelling(member->slot->decl->slot));
  std::optional<Value> named = quietLookup(name->name);
  return fmt::format("`{}` is {}, known only at run time", name->name,
                     describeKind(named ? *named : value));
}

std::optional<bool> Evaluator::evalCondition(const syntax::Expr &expr, std::string_view what) {
  std::optional<Value> value = eval(expr);
  if (!value)
    return std::nullopt;
  if (const bool *known = value->as<bool>())
    return *known;
  if (value->isTensor())
    error("E0502", expr.span, fmt::format("`{}` needs a build-time condition", what))
        .primaryLabel(describeRuntime(expr, *value))
        .help("to choose between two values at run time, use `where(cond, a, b)`");
  else
    error("E0403", expr.span, fmt::format("`{}` needs a bool", what))
        .primaryLabel(fmt::format("this is {}", describeKind(*value)));
  return std::nullopt;
}

} // namespace nnc::frontend
