// Calls of functions written in the language: arguments are bound and checked against the
// signature, then the body is evaluated in place (build time) or emitted once and called (tensors).
#include "frontend/Attributes.h"
#include "frontend/syntax/Lost.h"

#include <fmt/format.h>

namespace nnc::frontend {

/// Binds the build-time formals of the current frame and collects the tensors. `values` gets one
/// value per formal.
bool Evaluator::takeArguments(const syntax::FnStmt &fn, std::vector<BoundArgument> &bound,
                              const Taker &taker, std::vector<Value> &values,
                              std::vector<TensorMatch> &tensors) {
  bool ok = true;
  for (BoundArgument &argument : bound) {
    const syntax::Formal &formal = *argument.formal;
    std::optional<Value> value = std::move(argument.value);
    if (!value) {
      value = eval(*formal.defaultValue);
      argument.span = taker.site.callee;
    }
    ok = value && conform(*formal.type, *value, taker, formal.name.text, argument.span, tensors) &&
         ok;
    frame->locals.define(formal.name.text, value, formal.name.span);
    values.push_back(value ? std::move(*value) : Value());
  }
  return ok;
}

/// A number becomes a tensor where its sizes are known, from other arguments or because it has
/// none; where it would be the first to tell them, a tensor was forgotten.
bool Evaluator::mayBecomeTensor(const syntax::TypeExpr &type, const Value &value,
                                const Taker &taker, std::string_view name, syntax::Span span) {
  auto *tensor = type.as<syntax::TensorType>();
  if (!tensor || value.isTensor() || value.isNone() || !frame->emission || knowsSizes(*tensor))
    return true;
  error("E0403", span,
        fmt::format("{} {}, this is {}", taker.takes(name), formatDeclared(*tensor),
                    describeKind(value)))
      .primaryLabel("a tensor is expected")
      .label(type.span, "declared here")
      .note("a number becomes a tensor where other arguments tell its sizes");
  return false;
}

static size_t countTensorFormals(const syntax::FnStmt &fn) {
  size_t count = 0;
  for (const syntax::Formal &formal : fn.params)
    count += formal.type->is<syntax::TensorType>();
  return count;
}

std::optional<Value> Evaluator::callUser(const FunctionData &function,
                                         std::vector<Argument> arguments, CallSite site) {
  const syntax::FnStmt &fn = *function.decl;
  FormalSource source{fn.params, site.name, fn.name.span};
  std::optional<std::vector<BoundArgument>> bound =
      bindArguments(source, std::move(arguments), site);
  if (!bound)
    return std::nullopt;
  if (site.piped && !bound->empty())
    bound->front().span = site.callee;

  ActiveGuard guard(*this, &fn, function.self.get());
  if (!guard.enter(site.callee, site.name))
    return std::nullopt;
  Frame callee;
  callee.home = function.home;
  callee.self = function.self.get();
  callee.function = &fn;
  callee.emission = frame->emission;
  callee.caller = frame->self;
  std::optional<Value> result = callBound(callee, function, *bound, site);
  return result ? std::optional(castFloats(*result, site.callee)) : std::nullopt;
}

/// What crosses the border of a precision is cast: arguments here, results by the caller.
std::optional<Value> Evaluator::callBound(Frame &callee, const FunctionData &function,
                                          std::vector<BoundArgument> &bound, const CallSite &site) {
  const syntax::FnStmt &fn = *function.decl;
  callee.precision = function.self ? function.self->precision : context.precision;
  bool entersLibrary = callee.home->isLibrary && !isLibrary(site.callee.file);
  size_t firstError = diags.all().size();
  EnterFrame enter(*this, callee);
  bool ok = mayBindFormals(fn);
  if (!ok)
    return placeholderResult(fn);
  if (std::optional<Precision> own = readPrecision(*this, fn, *callee.precision, ok)) {
    callee.precision = own;
    context.precision = *own;
  }
  Taker taker{Taker::Kind::Argument, site.name, site, countTensorFormals(fn)};
  std::vector<Value> values;
  std::vector<TensorMatch> tensors;
  ok = takeArguments(fn, bound, taker, values, tensors) && ok;
  ok = unify(tensors, taker) && ok;
  for (size_t i = 0; i < values.size() && ok; ++i) {
    const BoundArgument &argument = bound[i];
    values[i] = castFloats(values[i], argument.span);
    ok = mayBecomeTensor(*argument.formal->type, values[i], taker, argument.formal->name.text,
                         argument.span) &&
         adaptNumber(*argument.formal->type, values[i], argument.span);
    callee.locals.assign(argument.formal->name.text, values[i], argument.formal->name.span);
  }
  ok = ok && checkGuards(fn.guards, site.name, site);
  if (!ok)
    return placeholderResult(fn);
  bool isTensorFunction = takesTensors(fn) || function.self;
  bool isEmitted = callee.emission && isTensorFunction;
  std::optional<Value> result =
      isEmitted ? callEmitted(callee, function, values, site) : runBody(callee, fn);
  if (entersLibrary)
    diags.moveSince(firstError, site.callee, isLibrary);
  return result || !isEmitted ? result : placeholderResult(fn);
}

//===- Bodies ---------------------------------------------------------------------------------===//

std::optional<Value> Evaluator::runBody(Frame &body, const syntax::FnStmt &fn) {
  if (body.self)
    context.modulePath = body.self->path();
  if (observer)
    observer->enterBody(fn, body);
  std::optional<Value> result = evalBody(body, fn);
  if (observer)
    observer->leaveBody(fn, result ? &*result : nullptr);
  return result;
}

std::optional<Value> Evaluator::evalBody(Frame &body, const syntax::FnStmt &fn) {
  if (fn.expr) {
    size_t before = diags.numErrors();
    body.result = eval(*fn.expr);
    if (body.result && diags.numErrors() != before && !fn.results.empty())
      return placeholderResult(fn); // a mismatch would follow from what is reported already
    body.resultSpans = {fn.expr->span};
    body.failed = !body.result;
  } else {
    runBlock(*fn.block);
    if (!body.returned && syntax::hasSyntaxError(diags, fn.span))
      return std::nullopt; // what was left out may be the return
    if (!body.returned && !body.failed) {
      error("E0208", fn.name.span, fmt::format("`{}` returns nothing", fn.name.text))
          .note("a function ends with `return`");
      return std::nullopt;
    }
  }
  if (body.failed || !body.result || !checkResults(fn, *body.result))
    return std::nullopt;
  return body.result;
}

bool Evaluator::checkResults(const syntax::FnStmt &fn, Value &result) {
  if (fn.results.empty())
    return true;
  Taker taker{Taker::Kind::Result, std::string(fn.name.text)};
  bool isOne = fn.results.size() == 1;
  if (!isOne && (!result.is<TupleValue>() || result.elements().size() != fn.results.size())) {
    error("E0207", frame->resultSpans.front(),
          fmt::format("`{}` is declared to return {} values, this is {}", fn.name.text,
                      fn.results.size(), describeKind(result)))
        .label(fn.results.front().span.to(fn.results.back().span), "declared here");
    return false;
  }
  std::vector<Value> values =
      isOne ? std::vector<Value>{result}
            : std::vector<Value>(result.elements().begin(), result.elements().end());
  bool ok = true;
  for (size_t i = 0; i < values.size(); ++i) {
    bool separate = frame->resultSpans.size() == values.size();
    syntax::Span span = frame->resultSpans[separate ? i : 0];
    std::vector<TensorMatch> tensors;
    const syntax::Result &declared = fn.results[i];
    ok &= conform(*declared.type, values[i], taker, declared.name.text, span, tensors) &&
          unify(tensors, taker) && adaptNumber(*declared.type, values[i], span);
  }
  result = isOne ? values.front() : Value::tuple(std::move(values));
  return ok;
}

/// What a call that failed would have returned, so that the rest of the caller can be checked.
/// Nothing where the signature does not tell.
std::optional<Value> Evaluator::placeholderResult(const syntax::FnStmt &fn) {
  if (!frame->emission || fn.results.empty())
    return std::nullopt;
  std::vector<Value> values;
  for (const syntax::Result &result : fn.results) {
    auto *type = result.type->as<syntax::TensorType>();
    if (!type)
      return std::nullopt;
    if (!knowsSizes(*type) || isStorageOnly(type->elem))
      return std::nullopt;
    values.push_back(type->elem == Element::Bool ? Value::boolean(false) : Value::integer(0));
    syntax::Diagnostics before = diags;
    if (!adaptNumber(*type, values.back(), result.span)) {
      diags = std::move(before); // it follows from what is reported already
      return std::nullopt;
    }
  }
  return values.size() == 1 ? values.front() : Value::tuple(std::move(values));
}

} // namespace nnc::frontend
