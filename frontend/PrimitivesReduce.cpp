// Reductions along axes, and what is made of them.
#include "frontend/PrimitivesCall.h"

#include "ir/NNOps.h"

#include <fmt/format.h>

namespace nnc::frontend {
namespace {

/// A tensor and the axes to reduce.
struct Reduction {
  TensorValue x;
  std::vector<size_t> axes;
  bool keep;
};

std::optional<Reduction> getReduction(PrimitiveCall &call, Elements accepted) {
  std::optional<TensorValue> x = call.tensor("x", accepted);
  if (!x)
    return std::nullopt;
  std::optional<std::vector<size_t>> axes = call.axesOrAll("axis", x->rank());
  std::optional<bool> keep = call.booleanOr("keep", false);
  if (!axes || !keep)
    return std::nullopt;
  return Reduction{*x, *axes, *keep};
}

template <nn::ReduceKind kind> std::optional<Value> reduce(PrimitiveCall &call) {
  Elements accepted = kind == nn::ReduceKind::Mean ? Elements::Floats : Elements::Numbers;
  std::optional<Reduction> it = getReduction(call, accepted);
  if (!it)
    return std::nullopt;
  return Value::tensor(call.emit.reduce(kind, it->x, it->axes, it->keep));
}

/// The mean of squared deviations, in f32: 16-bit floats would lose too much in between.
std::optional<Value> variance(PrimitiveCall &call) {
  std::optional<Reduction> it = getReduction(call, Elements::Floats);
  if (!it)
    return std::nullopt;
  Emitter &emit = call.emit;
  bool narrow = !call.context.elementType(it->x.element).isF32();
  TensorValue x = narrow ? emit.cast(it->x, Element::F32) : it->x;
  std::vector<size_t> every(x.rank());
  for (size_t i = 0; i < every.size(); ++i)
    every[i] = i;
  TensorValue mean = emit.reduce(nn::ReduceKind::Mean, x, it->axes, /*keep=*/true);
  TensorValue deviation = emit.binary("sub", x, emit.broadcast(mean, x.shape, every));
  TensorValue square = emit.binary("mul", deviation, deviation);
  TensorValue result = emit.reduce(nn::ReduceKind::Mean, square, it->axes, it->keep);
  return Value::tensor(emit.cast(result, it->x.element));
}

/// `any` and `all`, of what is true or not 0: as numbers, the greatest and the smallest.
template <nn::ReduceKind kind> std::optional<Value> reduceTruth(PrimitiveCall &call) {
  auto *given = call.operand("x").value.as<TensorValue>();
  bool isTruth = given && given->element == Element::Bool;
  std::optional<Reduction> it = getReduction(call, isTruth ? Elements::Bools : Elements::Numbers);
  if (!it)
    return std::nullopt;
  Emitter &emit = call.emit;
  TensorValue truth = it->x;
  if (!isTruth)
    truth = emit.compare(nn::CmpPredicate::Ne, truth, emit.full(0, truth.element, truth.shape));
  TensorValue number = emit.reduce(kind, emit.cast(truth, Element::I32), it->axes, it->keep);
  return Value::tensor(emit.cast(number, Element::Bool));
}

//===- max and min: of two operands, or along axes -------------------------------------------===//

std::optional<Value> elementwiseExtreme(PrimitiveCall &call) {
  Operand operands[] = {call.operand("x"), call.operand("y")};
  bool anyTensor = false;
  for (const Operand &operand : operands) {
    anyTensor |= operand.value.isTensor();
    if (!operand.value.isTensor() && !operand.value.isNumber())
      return call.wrongKind(operand, "a tensor or a number");
  }
  if (!anyTensor)
    return foldExtreme(call.context, call.name, call.callee, operands[0].value, operands[1].value);
  if (call.has("axis") || call.has("keep")) {
    call.error("E0205", call.callee,
               fmt::format("{} either compares two values or reduces one along an axis",
                           call.quotedName()))
        .primaryLabel("has two values and an axis");
    return std::nullopt;
  }
  auto tensors =
      matchOperands(call.context, call.callee, call.quotedName(), Elements::Numbers, operands);
  if (!tensors)
    return std::nullopt;
  return Value::tensor(call.emit.binary(call.name, (*tensors)[0], (*tensors)[1]));
}

std::optional<Value> extreme(PrimitiveCall &call) {
  if (call.has("y"))
    return elementwiseExtreme(call);
  return call.name == "max" ? reduce<nn::ReduceKind::Max>(call) : reduce<nn::ReduceKind::Min>(call);
}

//===- Along one axis ------------------------------------------------------------------------===//

std::optional<Value> argExtreme(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x", Elements::Numbers);
  if (!x)
    return std::nullopt;
  std::optional<size_t> axis = call.axis("axis", x->rank());
  std::optional<bool> keep = call.booleanOr("keep", false);
  if (!axis || !keep || !requireElementsAlong(call.context, call.callee, *x, *axis))
    return std::nullopt;
  TensorValue place = call.emit.argReduce(call.name == "argmax", *x, *axis);
  if (!*keep)
    return Value::tensor(place);
  Shape shape = x->shape;
  shape[*axis] = 1;
  return Value::tensor(call.emit.reshape(place, shape));
}

std::optional<Value> softmax(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x", Elements::Floats);
  if (!x)
    return std::nullopt;
  std::optional<size_t> axis = call.axis("axis", x->rank());
  if (!axis)
    return std::nullopt;
  return Value::tensor(call.emit.softmax(*x, *axis, call.name == "log_softmax"));
}

constexpr PrimitiveRow rows[] = {
    {"sum", "x axis? keep?", reduce<nn::ReduceKind::Sum>},
    {"mean", "x axis? keep?", reduce<nn::ReduceKind::Mean>},
    {"var", "x axis? keep?", variance},
    {"any", "x axis? keep?", reduceTruth<nn::ReduceKind::Max>},
    {"all", "x axis? keep?", reduceTruth<nn::ReduceKind::Min>},
    {"max", "x y? axis? keep?", extreme, true},
    {"min", "x y? axis? keep?", extreme, true},
    {"argmax", "x axis keep?", argExtreme},
    {"argmin", "x axis keep?", argExtreme},
    {"softmax", "x axis", softmax},
    {"log_softmax", "x axis", softmax},
};

} // namespace

std::span<const PrimitiveRow> reducePrimitives() { return rows; }

} // namespace nnc::frontend
