// Elementwise functions, choice, and casts. Of numbers they are computed when compiling.
#include "frontend/PrimitivesCall.h"

#include <cmath>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

//===- Functions of one operand --------------------------------------------------------------===//

struct UnaryFunction {
  std::string_view name; ///< of the primitive and of the op
  Elements accepted;
  double (*fold)(double);
};

double reciprocalRoot(double x) { return 1 / std::sqrt(x); }
double roundHalfToEven(double x) { return std::nearbyint(x); }

constexpr UnaryFunction unaryFunctions[] = {
    {"abs", Elements::Numbers, std::fabs},        {"exp", Elements::Floats, std::exp},
    {"log", Elements::Floats, std::log},          {"sqrt", Elements::Floats, std::sqrt},
    {"sin", Elements::Floats, std::sin},          {"rsqrt", Elements::Floats, reciprocalRoot},
    {"cos", Elements::Floats, std::cos},          {"tanh", Elements::Floats, std::tanh},
    {"erf", Elements::Floats, std::erf},          {"floor", Elements::Floats, std::floor},
    {"round", Elements::Floats, roundHalfToEven},
};

std::optional<Value> foldUnary(PrimitiveCall &call, const UnaryFunction &function, double x) {
  double result = function.fold(x);
  if (std::isnan(result) && !std::isnan(x)) {
    call.error("E0507", call.span,
               fmt::format("{} of {} is no real number", call.quotedName(),
                           formatValue(call.operand("x").value)));
    return std::nullopt;
  }
  return Value::floating(result);
}

std::optional<Value> unary(PrimitiveCall &call) {
  const UnaryFunction *function = unaryFunctions;
  while (function->name != call.name)
    ++function;
  const Operand &operand = call.operand("x");
  if (std::optional<int64_t> whole = operand.value.asInt(); whole && call.name == "abs")
    return Value::integer(*whole < 0 ? -Dim(*whole) : Dim(*whole));
  if (std::optional<double> number = operand.value.asFloat())
    return foldUnary(call, *function, *number);
  std::optional<TensorValue> x = call.tensor("x", function->accepted);
  if (!x)
    return std::nullopt;
  return Value::tensor(call.emit.unary(call.name, *x));
}

//===- Choice --------------------------------------------------------------------------------===//

/// The element that two alternatives without a tensor get: that of the literals.
Element elementOfNumbers(const Operand &a, const Operand &b) {
  if (a.value.is<bool>() && b.value.is<bool>())
    return Element::Bool;
  return a.value.isInt() && b.value.isInt() ? Element::I32 : Element::Float;
}

std::optional<Element> elementOfChoice(PrimitiveCall &call, std::span<const Operand> choices) {
  for (const Operand &choice : choices)
    if (!choice.value.isTensor() && !choice.value.isNumber() && !choice.value.is<bool>())
      return call.wrongKind(choice, "a tensor or a number");
  if (!choices[0].value.isTensor() && !choices[1].value.isTensor())
    return elementOfNumbers(choices[0], choices[1]);
  return commonElement(call.context, call.callee, call.quotedName(), choices);
}

std::optional<Value> where(PrimitiveCall &call) {
  Operand choices[] = {call.operand("a"), call.operand("b")};
  if (const bool *known = call.operand("condition").value.as<bool>())
    return choices[*known ? 0 : 1].value;
  std::optional<TensorValue> condition = call.tensor("condition", Elements::Bools);
  if (!condition)
    return std::nullopt;
  std::optional<Element> element = elementOfChoice(call, choices);
  if (!element)
    return std::nullopt;
  Operand all[] = {call.operand("condition"), choices[0], choices[1]};
  std::optional<Shape> shape = broadcastShapes(call.context, call.callee, call.quotedName(), all);
  if (!shape)
    return std::nullopt;
  std::optional<TensorValue> a = toTensor(call.context, choices[0], *element, *shape);
  std::optional<TensorValue> b = toTensor(call.context, choices[1], *element, *shape);
  if (!a || !b)
    return std::nullopt;
  return Value::tensor(call.emit.select(call.emit.broadcast(*condition, *shape), *a, *b));
}

//===- Without effect when not training ------------------------------------------------------===//

std::optional<Value> stopGradient(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x");
  return x ? std::optional(Value::tensor(*x)) : std::nullopt;
}

std::optional<Value> dropout(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x", Elements::Floats);
  std::optional<double> p = call.numberOr("p", 0.5);
  if (!x || !p)
    return std::nullopt;
  if (!(*p >= 0 && *p < 1)) {
    call.error("E0507", call.operand("p").span,
               fmt::format("the probability of `dropout` is {}, but must be in 0..1", *p));
    return std::nullopt;
  }
  std::optional<Value> training = call.context.lookup("training");
  if (training && training->is<bool>() && training->get<bool>()) {
    call.error("E0590", call.callee, "`dropout` is not supported yet when training");
    return std::nullopt;
  }
  return Value::tensor(*x);
}

constexpr PrimitiveRow rows[] = {
    {"abs", "x", unary, true},
    {"exp", "x", unary, true},
    {"log", "x", unary, true},
    {"sqrt", "x", unary, true},
    {"rsqrt", "x", unary, true},
    {"sin", "x", unary, true},
    {"cos", "x", unary, true},
    {"tanh", "x", unary, true},
    {"erf", "x", unary, true},
    {"floor", "x", unary, true},
    {"round", "x", unary, true},
    {"where", "condition a b", where, true},
    {"stop_gradient", "x", stopGradient},
    {"dropout", "x p?", dropout},
};

} // namespace

std::span<const PrimitiveRow> elementwisePrimitives() { return rows; }

/// A number keeps its value where it can; a fraction is cut off towards zero by an integer type.
static std::optional<Value> castNumber(Context &context, Element element, Operand operand) {
  if (const bool *truth = operand.value.as<bool>(); truth && element != Element::Bool)
    operand.value = Value::integer(*truth ? 1 : 0);
  const double *number = operand.value.as<double>();
  if (number && isIntegral(element) && std::abs(*number) < 0x1p62)
    operand.value = Value::integer(static_cast<int64_t>(*number));
  if (element == Element::Bool && operand.value.asFloat())
    operand.value = Value::boolean(*operand.value.asFloat() != 0);
  if (context.emitting)
    return numberToTensor(context, operand, element, {});
  if (isFloating(element) && operand.value.asFloat())
    return Value::floating(*operand.value.asFloat());
  return operand.value;
}

std::optional<Value> callCast(Context &context, syntax::Elem element, const Operand &operand,
                              syntax::Span call) {
  std::string name(syntax::spelling(element));
  if (element == Element::I4) {
    context.error("E0590", call, "tensors of i4 cannot be computed yet")
        .note("a param of i4 is read from the checkpoint; `@quant` makes one of floats");
    return std::nullopt;
  }
  if (const TensorValue *tensor = operand.value.as<TensorValue>())
    return Value::tensor(Emitter(context, call).cast(*tensor, element));
  if (operand.value.isNumber() || operand.value.is<bool>())
    return castNumber(context, element, operand);
  context.error(
      "E0403", operand.span,
      fmt::format("`{}` casts tensors and numbers, found {}", name, describeKind(operand.value)));
  return std::nullopt;
}

} // namespace nnc::frontend
