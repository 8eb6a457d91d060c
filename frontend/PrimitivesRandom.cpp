// Random numbers at run time. What is emitted only says how they are distributed; a pass numbers
// the draws once all functions are inlined.
#include "frontend/PrimitivesCall.h"

#include "ir/NNOps.h"

#include <cmath>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

/// Random bits come as integers of so many.
constexpr int kRandomBits = 24;

struct Draw {
  Shape shape;
  Element element;
};

std::optional<Draw> getDraw(PrimitiveCall &call) {
  std::optional<Shape> shape = call.shape("shape");
  if (!shape || !requireValidShape(call.context, call.operand("shape").span, *shape))
    return std::nullopt;
  std::optional<Element> element = call.elementOr("element", Element::Float);
  if (!element)
    return std::nullopt;
  bool isComputed = accepts(Elements::Floats, *element);
  if (isComputed)
    return Draw{std::move(*shape), *element};
  call.error("E0403", call.operand("element").span,
             fmt::format("{} makes floats, not {}", call.quotedName(), syntax::spelling(*element)));
  return std::nullopt;
}

/// A finite number, as bounds and deviations are.
std::optional<double> getNumber(PrimitiveCall &call, std::string_view formal, double otherwise) {
  std::optional<double> number = call.numberOr(formal, otherwise);
  if (!number || std::isfinite(*number))
    return number;
  call.error(
      "E0507", call.operand(formal).span,
      fmt::format("`{}` of {} is {}, but must be finite", formal, call.quotedName(), *number));
  return std::nullopt;
}

/// `first + scale * x`, in f32.
TensorValue scaled(Emitter &emit, TensorValue x, double first, double scale) {
  if (scale != 1)
    x = emit.binary("mul", x, emit.full(scale, Element::F32, x.shape));
  if (first != 0)
    x = emit.binary("add", x, emit.full(first, Element::F32, x.shape));
  return x;
}

std::optional<Value> normal(PrimitiveCall &call) {
  std::optional<Draw> draw = getDraw(call);
  std::optional<double> mean = draw ? getNumber(call, "mean", 0) : std::nullopt;
  std::optional<double> deviation = mean ? getNumber(call, "std", 1) : std::nullopt;
  if (!deviation)
    return std::nullopt;
  if (*deviation < 0) {
    call.error(
        "E0507", call.operand("std").span,
        fmt::format("the deviation of `normal` is {}, but must not be negative", *deviation));
    return std::nullopt;
  }
  TensorValue x = call.emit.draw(nn::RandomKind::Normal, draw->shape);
  return Value::tensor(call.emit.cast(scaled(call.emit, x, *mean, *deviation), draw->element));
}

/// f32s of equal distances in 0 .. 1, without 1: as many as are numbers of the element, so that
/// rounding to it does not give 1.
TensorValue drawUnit(PrimitiveCall &call, const Draw &draw) {
  mlir::Type type = call.context.elementType(draw.element);
  int digits = std::min<int>(mlir::cast<mlir::FloatType>(type).getFPMantissaWidth(), kRandomBits);
  Emitter &emit = call.emit;
  TensorValue bits = emit.draw(nn::RandomKind::Bits, draw.shape);
  if (digits < kRandomBits)
    bits =
        emit.binary("floordiv", bits,
                    emit.fullInt(int64_t(1) << (kRandomBits - digits), Element::I32, bits.shape));
  return scaled(emit, emit.cast(bits, Element::F32), 0, std::ldexp(1.0, -digits));
}

std::optional<Value> uniform(PrimitiveCall &call) {
  std::optional<Draw> draw = getDraw(call);
  std::optional<double> low = draw ? getNumber(call, "low", 0) : std::nullopt;
  std::optional<double> high = low ? getNumber(call, "high", 1) : std::nullopt;
  if (!high)
    return std::nullopt;
  if (*low > *high) {
    call.error("E0507", call.has("high") ? call.operand("high").span : call.operand("low").span,
               "there are no numbers between the bounds of `uniform`")
        .primaryLabel(fmt::format("from {} to {}", *low, *high));
    return std::nullopt;
  }
  TensorValue x = scaled(call.emit, drawUnit(call, *draw), *low, *high - *low);
  return Value::tensor(call.emit.cast(x, draw->element));
}

/// Uniform between -b and b, where b is one by the root of how many inputs an output of such a
/// weight has: what `torch.nn.Linear` and `Conv2d` start with.
std::optional<Value> kaimingUniform(PrimitiveCall &call) {
  std::optional<Draw> draw = getDraw(call);
  if (!draw)
    return std::nullopt;
  Dim inputs = 1;
  for (size_t axis = 1; axis < draw->shape.size(); ++axis)
    inputs *= draw->shape[axis];
  Emitter &emit = call.emit;
  TensorValue bound = emit.unary("rsqrt", emit.size(inputs, Element::F32, draw->shape));
  TensorValue x = emit.binary("mul", scaled(emit, drawUnit(call, *draw), -1, 2), bound);
  return Value::tensor(emit.cast(x, draw->element));
}

/// Whether a dropout drops: as it says itself, else as `training` is where it stands.
std::optional<bool> isTraining(PrimitiveCall &call) {
  if (call.has("training"))
    return call.booleanOr("training", false);
  std::optional<Value> training = call.context.lookup("training");
  return training && training->is<bool>() && training->get<bool>();
}

/// x with every element dropped with probability p, and the others scaled so that the mean stays.
TensorValue dropped(Emitter &emit, const TensorValue &x, double p) {
  auto least = static_cast<int64_t>(std::nearbyint(std::ldexp(p, kRandomBits)));
  TensorValue bits = emit.draw(nn::RandomKind::Bits, x.shape);
  TensorValue isKept =
      emit.compare(nn::CmpPredicate::Ge, bits, emit.fullInt(least, Element::I32, x.shape));
  TensorValue kept = emit.binary("mul", x, emit.full(1 / (1 - p), x.element, x.shape));
  return emit.select(isKept, kept, emit.full(0, x.element, x.shape));
}

std::optional<Value> dropout(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x", Elements::Floats);
  std::optional<double> p = call.numberOr("p", 0.5);
  std::optional<bool> training = isTraining(call);
  if (!x || !p || !training)
    return std::nullopt;
  if (!(*p >= 0 && *p <= 1)) {
    call.error("E0507", call.operand("p").span,
               fmt::format("the probability of `dropout` is {}, but must be in 0..=1", *p));
    return std::nullopt;
  }
  if (!*training || *p == 0)
    return Value::tensor(*x);
  if (*p == 1)
    return Value::tensor(call.emit.full(0, x->element, x->shape));
  return Value::tensor(dropped(call.emit, *x, *p));
}

constexpr PrimitiveRow rows[] = {
    {"normal", "shape mean? std? element?", normal},
    {"uniform", "shape low? high? element?", uniform},
    {"kaiming_uniform", "shape element?", kaimingUniform},
    {"dropout", "x p? training?", dropout},
};

} // namespace

std::span<const PrimitiveRow> randomPrimitives() { return rows; }

} // namespace nnc::frontend
