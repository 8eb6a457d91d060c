// Elementwise functions, choice, stored numbers, and casts. Of numbers they are computed when
// compiling.
#include "frontend/PrimitivesCall.h"

#include "ir/NNOps.h"

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
    {"abs", Elements::Numbers, std::fabs},   {"exp", Elements::Floats, std::exp},
    {"log", Elements::Floats, std::log},     {"sqrt", Elements::Floats, std::sqrt},
    {"sin", Elements::Floats, std::sin},     {"rsqrt", Elements::Floats, reciprocalRoot},
    {"cos", Elements::Floats, std::cos},     {"tanh", Elements::Floats, std::tanh},
    {"atan", Elements::Floats, std::atan},   {"erf", Elements::Floats, std::erf},
    {"floor", Elements::Floats, std::floor}, {"round", Elements::Floats, roundHalfToEven},
    {"ceil", Elements::Floats, std::ceil},
};

/// What rounds makes ints of numbers.
bool makesInts(std::string_view name) {
  return name == "floor" || name == "ceil" || name == "round";
}

std::optional<Value> foldUnary(PrimitiveCall &call, const UnaryFunction &function, double x) {
  double result = function.fold(x);
  if (std::isnan(result) && !std::isnan(x)) {
    call.error("E0507", call.span,
               fmt::format("{} of {} is no real number", call.quotedName(),
                           formatValue(call.operand("x").value)));
    return std::nullopt;
  }
  if (makesInts(function.name) && std::abs(result) < 0x1p62)
    return Value::integer(static_cast<int64_t>(result));
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
  if (call.name == "ceil")
    return Value::tensor(
        call.emit.unary("neg", call.emit.unary("floor", call.emit.unary("neg", *x))));
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

std::optional<Value> stopGradient(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x");
  return x ? std::optional(Value::tensor(call.emit.stopGradient(*x))) : std::nullopt;
}

//===- Stored numbers ------------------------------------------------------------------------===//

/// Reports unless `part`, of scales or zeros, has along each axis of `whole` one number for all,
/// one for each, or one for each run of `group`.
bool checkRuns(PrimitiveCall &call, std::string_view formal, const TensorValue &whole,
               const TensorValue &part, int64_t group) {
  if (part.rank() != whole.rank()) {
    call.error(
            "E0306", call.operand(formal).span,
            fmt::format("`{}` of `dequantize` needs {} axes, like `values`", formal, whole.rank()))
        .primaryLabel(fmt::format("found {}", formatTensorType(part)));
    return false;
  }
  for (size_t axis = 0; axis < whole.rank(); ++axis) {
    std::optional<int64_t> size = whole.shape[axis].getConstant();
    std::optional<int64_t> runs = part.shape[axis].getConstant();
    if (!size || !runs) {
      call.error("E0502", call.operand(size ? formal : "values").span,
                 "`dequantize` needs sizes that are known when compiling")
          .primaryLabel(fmt::format("found {}", formatTensorType(size ? part : whole)));
      return false;
    }
    int64_t groups = (*size + group - 1) / group;
    if (*runs == 1 || *runs == *size || *runs == groups)
      continue;
    std::string last =
        groups == *size ? "" : fmt::format(", or {} for groups of {}", groups, group);
    call.error("E0301", call.operand(formal).span,
               fmt::format("`{}` of `dequantize` has {} places along axis {}", formal, *runs, axis))
        .primaryLabel(fmt::format("expected 1 or {}{}", *size, last));
    return false;
  }
  return true;
}

std::optional<Value> dequantize(PrimitiveCall &call) {
  std::optional<TensorValue> values = call.tensor("values");
  if (values && values->element != Element::I8 && values->element != Element::I4 &&
      values->element != Element::F8E4M3 && values->element != Element::F8E5M2)
    return call.wrongKind(call.operand("values"), "i4, i8 or f8");
  std::optional<TensorValue> scales, zeros;
  if (values)
    scales = call.tensor("scales", Elements::Floats);
  if (!scales)
    return std::nullopt;
  std::optional<int64_t> group = 1;
  if (call.has("group") && !(group = call.extent("group", call.operand("group"), 1)))
    return std::nullopt;
  if (!checkRuns(call, "scales", *values, *scales, *group))
    return std::nullopt;
  if (call.has("zeros")) {
    if (!(zeros = call.tensor("zeros")))
      return std::nullopt;
    if (zeros->element == Element::Bool)
      return call.wrongKind(call.operand("zeros"), "numbers");
    SizeCheck check(call.context, call.callee, "`dequantize`");
    bool sameRank = zeros->rank() == scales->rank();
    for (size_t axis = 0; sameRank && axis < zeros->rank(); ++axis)
      check.expectEqual(call.operand("scales"), axis, call.operand("zeros"), axis);
    if (!sameRank)
      return call.wrongKind(call.operand("zeros"), formatTensorType(zeros->element, scales->shape));
    if (!check.finish())
      return std::nullopt;
  }
  TensorValue result = *values;
  result.element = Element::Float;
  result.value = call.context.builder.create<nn::DequantizeOp>(
      call.context.location(call.span), call.context.tensorType(result), values->value,
      call.emit.cast(*scales, Element::F32).value,
      zeros ? call.emit.cast(*zeros, Element::F32).value : mlir::Value(),
      call.has("group") ? call.context.builder.getI64IntegerAttr(*group) : mlir::IntegerAttr(),
      mlir::UnitAttr());
  return Value::tensor(std::move(result));
}

/// A number of 4 bits: the low ones, with a sign. It is computed as a byte.
TensorValue castToI4(Emitter &emit, const TensorValue &x) {
  if (x.element == Element::I4)
    return x;
  auto number = [&](int64_t value) { return emit.fullInt(value, Element::I8, x.shape); };
  TensorValue bits = emit.binary("mod", emit.cast(x, Element::I8), number(16));
  bits = emit.binary("mod", emit.binary("add", bits, number(8)), number(16));
  TensorValue result = emit.binary("sub", bits, number(8));
  result.element = Element::I4;
  return result;
}

constexpr PrimitiveRow rows[] = {
    {"abs", "x", unary, true},
    {"exp", "x", unary, true},
    {"log", "x", unary, true},
    {"sqrt", "x", unary, true},
    {"rsqrt", "x", unary, true},
    {"sin", "x", unary, true},
    {"cos", "x", unary, true},
    {"atan", "x", unary, true},
    {"tanh", "x", unary, true},
    {"erf", "x", unary, true},
    {"floor", "x", unary, true},
    {"round", "x", unary, true},
    {"ceil", "x", unary, true},
    {"where", "condition a b", where, true},
    {"stop_gradient", "x", stopGradient},
    {"dequantize", "values scales zeros? group?", dequantize},
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
  if (std::optional<int64_t> whole = operand.value.asInt(); whole && element == Element::I4)
    operand.value = Value::integer(((*whole & 15) ^ 8) - 8);
  if (context.emitting)
    return numberToTensor(context, operand, element, {});
  if (isFloating(element) && operand.value.asFloat())
    return Value::floating(*operand.value.asFloat());
  return operand.value;
}

std::optional<Value> callCast(Context &context, syntax::Elem element, const Operand &operand,
                              syntax::Span call) {
  std::string name(syntax::spelling(element));
  if (const TensorValue *tensor = operand.value.as<TensorValue>()) {
    Emitter emit(context, call);
    return Value::tensor(element == Element::I4 ? castToI4(emit, *tensor)
                                                : emit.cast(*tensor, element));
  }
  if (operand.value.isNumber() || operand.value.is<bool>())
    return castNumber(context, element, operand);
  context.error(
      "E0403", operand.span,
      fmt::format("`{}` casts tensors and numbers, found {}", name, describeKind(operand.value)));
  return std::nullopt;
}

} // namespace nnc::frontend
