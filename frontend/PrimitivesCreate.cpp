// Tensors made from nothing but sizes and numbers.
#include "frontend/PrimitivesCall.h"

#include "ir/NNOps.h"

#include <fmt/format.h>

namespace nnc::frontend {
namespace {

std::optional<Shape> getShape(PrimitiveCall &call) {
  std::optional<Shape> shape = call.shape("shape");
  bool valid = shape && requireValidShape(call.context, call.operand("shape").span, *shape);
  return valid ? shape : std::nullopt;
}

std::optional<Value> constant(PrimitiveCall &call, double value) {
  std::optional<Shape> shape = getShape(call);
  if (!shape)
    return std::nullopt; // what follows may be a size too
  std::optional<Element> element = call.elementOr("element", Element::Float);
  if (!element)
    return std::nullopt;
  return Value::tensor(call.emit.full(value, *element, *shape));
}

std::optional<Value> zeros(PrimitiveCall &call) { return constant(call, 0); }
std::optional<Value> ones(PrimitiveCall &call) { return constant(call, 1); }

std::optional<Value> full(PrimitiveCall &call) {
  std::optional<Shape> shape = getShape(call);
  const Operand &value = call.operand("value");
  Element natural = value.value.is<bool>() ? Element::Bool : Element::Float;
  std::optional<Element> element = call.elementOr("element", natural);
  if (!shape || !element)
    return std::nullopt;
  if (!value.value.isNumber() && !value.value.is<bool>())
    return call.wrongKind(value, "a number");
  return numberToTensor(call.context, value, *element, *shape);
}

/// `arange(n)`, `arange(start, stop)`, `arange(start, stop, step)`.
std::optional<Value> arange(PrimitiveCall &call) {
  std::optional<Dim> start = call.dim("start");
  std::optional<Dim> stop = call.has("stop") ? call.dim("stop") : start;
  std::optional<int64_t> step = call.integerOr("step", 1);
  std::optional<Element> element = call.elementOr("element", Element::I32);
  if (!start || !stop || !step || !element)
    return std::nullopt;
  if (!call.has("stop"))
    start = 0;
  if (*step == 0) {
    call.error("E0507", call.operand("step").span, "the step of `arange` is 0");
    return std::nullopt;
  }
  Shape shape = {*step > 0 ? (*stop - *start).ceilDiv(*step)
                           : (*start - *stop).ceilDiv(-Dim(*step))};
  if (!requireValidShape(call.context, call.span, shape))
    return std::nullopt;
  Emitter &emit = call.emit;
  bool direct = *element == Element::I32 || *element == Element::I64;
  Element counting = direct ? *element : Element::I64;
  TensorValue result = emit.iota(counting, shape, 0);
  if (*step != 1)
    result = emit.binary("mul", result, emit.fullInt(*step, counting, shape));
  if (!(*start == Dim(0)))
    result = emit.binary("add", result, emit.size(*start, counting, shape));
  return Value::tensor(emit.cast(result, *element));
}

/// 1 where the last, new axis counts to the class, else 0.
std::optional<Value> oneHot(PrimitiveCall &call) {
  std::optional<TensorValue> ids = call.tensor("x", Elements::Indices);
  std::optional<Dim> classes = call.dim("classes");
  std::optional<Element> element = call.elementOr("element", Element::F32);
  if (!ids || !classes || !element)
    return std::nullopt;
  Shape shape = ids->shape;
  shape.push_back(*classes);
  if (!requireValidShape(call.context, call.span, shape))
    return std::nullopt;
  Emitter &emit = call.emit;
  std::vector<size_t> axes(ids->rank());
  for (size_t i = 0; i < axes.size(); ++i)
    axes[i] = i;
  TensorValue classOf = emit.broadcast(*ids, shape, axes);
  TensorValue counted = emit.iota(ids->element, shape, ids->rank());
  TensorValue hit = emit.compare(nn::CmpPredicate::Eq, classOf, counted);
  return Value::tensor(emit.cast(hit, *element));
}

constexpr PrimitiveRow rows[] = {
    {"zeros", "shape element?", zeros},        {"ones", "shape element?", ones},
    {"full", "shape value element?", full},    {"arange", "start stop? step? element?", arange},
    {"one_hot", "x classes element?", oneHot},
};

} // namespace

std::span<const PrimitiveRow> createPrimitives() { return rows; }

} // namespace nnc::frontend
