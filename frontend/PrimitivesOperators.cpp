// Operators on tensors.
#include "frontend/PrimitivesBroadcast.h"

#include "ir/NNOps.h"

#include <fmt/format.h>

namespace nnc::frontend {
namespace {

using syntax::BinaryOp;

struct ArithmeticOp {
  BinaryOp op;
  std::string_view mnemonic;
  Elements accepted;
};
constexpr ArithmeticOp arithmeticOps[] = {
    {BinaryOp::Add, "add", Elements::Numbers},
    {BinaryOp::Sub, "sub", Elements::Numbers},
    {BinaryOp::Mul, "mul", Elements::Numbers},
    {BinaryOp::Div, "div", Elements::Floats},
    {BinaryOp::FloorDiv, "floordiv", Elements::Numbers},
    {BinaryOp::Mod, "mod", Elements::Numbers},
    {BinaryOp::And, "and", Elements::Bools},
    {BinaryOp::Or, "or", Elements::Bools},
};

struct Comparison {
  BinaryOp op;
  nn::CmpPredicate predicate;
  bool ofBools; ///< also of bools
};
constexpr Comparison comparisons[] = {
    {BinaryOp::Eq, nn::CmpPredicate::Eq, true},  {BinaryOp::Ne, nn::CmpPredicate::Ne, true},
    {BinaryOp::Lt, nn::CmpPredicate::Lt, false}, {BinaryOp::Le, nn::CmpPredicate::Le, false},
    {BinaryOp::Gt, nn::CmpPredicate::Gt, false}, {BinaryOp::Ge, nn::CmpPredicate::Ge, false},
};

std::string quote(BinaryOp op) { return fmt::format("`{}`", syntax::spelling(op)); }

/// E0403 unless each side is a tensor, a number or a bool.
bool requireOperand(Context &context, BinaryOp op, syntax::Span opSpan, const Operand &operand) {
  if (operand.value.isTensor() || operand.value.isNumber() || operand.value.is<bool>())
    return true;
  syntax::Diagnostic &diag = context.error(
      "E0403", opSpan,
      fmt::format("{} needs tensors or numbers, found {}", quote(op), describeKind(operand.value)));
  labelTypes(diag, {operand});
  if (operand.value.isNone() && operand.expr && operand.expr->as<syntax::NameExpr>())
    diag.help(fmt::format("an optional argument may be missing: ask `if {0} != none` first",
                          operand.expr->as<syntax::NameExpr>()->name));
  return false;
}

std::optional<Value> wrap(const TensorValue &tensor) { return Value::tensor(tensor); }

/// What a sum, difference or product of integers that are known is.
std::optional<Dim> foldScalars(BinaryOp op, const TensorValue &a, const TensorValue &b) {
  if (!a.scalar || !b.scalar)
    return std::nullopt;
  Dim result = op == BinaryOp::Add   ? *a.scalar + *b.scalar
               : op == BinaryOp::Sub ? *a.scalar - *b.scalar
               : op == BinaryOp::Mul ? *a.scalar * *b.scalar
                                     : Dim::invalid();
  return result.isValid() ? std::optional(result) : std::nullopt;
}

std::optional<Value> arithmetic(Context &context, const ArithmeticOp &row, syntax::Span opSpan,
                                std::span<const Operand> operands) {
  auto tensors = matchOperands(context, opSpan, quote(row.op), row.accepted, operands);
  if (!tensors)
    return std::nullopt;
  TensorValue result = Emitter(context, opSpan).binary(row.mnemonic, (*tensors)[0], (*tensors)[1]);
  result.scalar = foldScalars(row.op, (*tensors)[0], (*tensors)[1]);
  return wrap(result);
}

std::optional<Value> compare(Context &context, const Comparison &row, syntax::Span opSpan,
                             std::span<const Operand> operands) {
  bool onBools = false;
  for (const Operand &operand : operands)
    if (const TensorValue *tensor = operand.value.as<TensorValue>())
      onBools |= tensor->element == Element::Bool;
  Elements accepted = onBools && row.ofBools ? Elements::Bools : Elements::Numbers;
  auto tensors = matchOperands(context, opSpan, quote(row.op), accepted, operands);
  if (!tensors)
    return std::nullopt;
  return wrap(Emitter(context, opSpan).compare(row.predicate, (*tensors)[0], (*tensors)[1]));
}

//===- Powers --------------------------------------------------------------------------------===//

/// The exponents that are cheaper otherwise, as PyTorch does them.
std::optional<TensorValue> simplePower(Emitter &emit, const TensorValue &x, double exponent) {
  auto reciprocal = [&](const TensorValue &y) {
    return emit.binary("div", emit.full(1, y.element, y.shape), y);
  };
  if (exponent == 1)
    return x;
  if (exponent == 2)
    return emit.binary("mul", x, x);
  if (exponent == 3)
    return emit.binary("mul", emit.binary("mul", x, x), x);
  if (!isFloating(x.element))
    return std::nullopt;
  if (exponent == 0.5)
    return emit.unary("sqrt", x);
  if (exponent == -0.5)
    return emit.unary("rsqrt", x);
  if (exponent == -1)
    return reciprocal(x);
  if (exponent == -2)
    return reciprocal(emit.binary("mul", x, x));
  return std::nullopt;
}

/// Integers to a small constant power, by repeated squaring; they wrap.
TensorValue integerPower(Emitter &emit, const TensorValue &x, int64_t exponent) {
  std::optional<TensorValue> result;
  TensorValue square = x;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2)
      result = result ? emit.binary("mul", *result, square) : square;
    if (exponent > 1)
      square = emit.binary("mul", square, square);
  }
  return result ? *result : emit.fullInt(1, x.element, x.shape);
}

std::optional<Value> power(Context &context, syntax::Span opSpan,
                           std::span<const Operand> operands) {
  const Operand &base = operands[0], &exponent = operands[1];
  Emitter emit(context, opSpan);
  const TensorValue *x = base.value.as<TensorValue>();
  if (std::optional<double> known = exponent.value.asFloat(); known && x) {
    if (!requireElements(context, Elements::Numbers, quote(BinaryOp::Pow), base, opSpan))
      return std::nullopt;
    if (std::optional<TensorValue> result = simplePower(emit, *x, *known))
      return wrap(*result);
    std::optional<int64_t> whole = exponent.value.asInt();
    if (isIntegral(x->element) && whole && *whole >= 0)
      return wrap(integerPower(emit, *x, *whole));
  }
  auto tensors = matchOperands(context, opSpan, quote(BinaryOp::Pow), Elements::Floats, operands);
  if (!tensors)
    return std::nullopt;
  return wrap(emit.binary("pow", (*tensors)[0], (*tensors)[1]));
}

} // namespace

std::optional<Value> binaryOperator(Context &context, BinaryOp op, syntax::Span opSpan,
                                    const Operand &left, const Operand &right) {
  if (!requireOperand(context, op, opSpan, left) || !requireOperand(context, op, opSpan, right))
    return std::nullopt;
  if (op == BinaryOp::MatMul)
    return multiplyMatrices(context, opSpan, left, right);
  Operand operands[] = {left, right};
  if (op == BinaryOp::Pow)
    return power(context, opSpan, operands);
  for (const ArithmeticOp &row : arithmeticOps)
    if (row.op == op)
      return arithmetic(context, row, opSpan, operands);
  for (const Comparison &row : comparisons)
    if (row.op == op)
      return compare(context, row, opSpan, operands);
  context.error("E0403", opSpan, fmt::format("{} does not work on tensors", quote(op)));
  return std::nullopt;
}

std::optional<Value> unaryOperator(Context &context, syntax::UnaryOp op, syntax::Span opSpan,
                                   const Operand &operand) {
  bool isNot = op == syntax::UnaryOp::Not;
  std::string what = fmt::format("`{}`", syntax::spelling(op));
  if (!requireElements(context, isNot ? Elements::Bools : Elements::Numbers, what, operand, opSpan))
    return std::nullopt;
  return wrap(
      Emitter(context, opSpan).unary(isNot ? "not" : "neg", operand.value.get<TensorValue>()));
}

std::optional<Value> transposeLastTwo(Context &context, const Operand &base, syntax::Span whole) {
  const TensorValue &x = base.value.get<TensorValue>();
  if (x.rank() < 2) {
    context.error("E0306", whole, "`.T` swaps the last two axes, this value has fewer")
        .primaryLabel("found " + formatTensorType(x));
    return std::nullopt;
  }
  std::vector<size_t> permutation;
  for (size_t axis = 0; axis < x.rank(); ++axis)
    permutation.push_back(axis);
  std::swap(permutation[x.rank() - 1], permutation[x.rank() - 2]);
  return wrap(Emitter(context, whole).transpose(x, permutation));
}

} // namespace nnc::frontend
