// Arithmetic on numbers that are known when compiling: ints exactly, sizes as formulas, floats as
// doubles.
#include "frontend/Primitives.h"
#include "frontend/PrimitivesErrors.h"

#include <cmath>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

using syntax::BinaryOp;

class NumberFolder {
public:
  NumberFolder(Context &context, BinaryOp op, syntax::Span opSpan, const Operand &left,
               const Operand &right)
      : context(context), op(op), opSpan(opSpan), left(left), right(right) {}

  std::optional<Value> fold() {
    bool divides = op == BinaryOp::Div || op == BinaryOp::FloorDiv || op == BinaryOp::Mod;
    if (divides && right.value.asFloat() == 0.0)
      return fail("division by zero");
    if (left.value.isInt() && right.value.isInt())
      return foldInts(left.value.get<Dim>(), right.value.get<Dim>());
    std::optional<double> a = left.value.asFloat(), b = right.value.asFloat();
    if (!a || !b)
      return refuseFraction();
    return foldFloats(*a, *b);
  }

private:
  std::optional<Value> fail(std::string message) {
    context.error("E0507", opSpan, std::move(message)).primaryLabel(describe());
    return std::nullopt;
  }

  /// The operation with the values of its operands.
  std::string describe() const {
    return fmt::format("{} {} {}", formatValue(left.value), syntax::spelling(op),
                       formatValue(right.value));
  }

  /// A number that is no size and depends on sizes only known at run time.
  std::optional<Value> refuseFraction() {
    const Operand &size = left.value.asFloat() ? right : left;
    context
        .error("E0502", opSpan,
               fmt::format("`{}` makes a fraction of a size that is known only at run time",
                           syntax::spelling(op)))
        .primaryLabel(describe())
        .help(fmt::format("make a tensor of the size first: `full([], {}, f32)`",
                          formatValue(size.value)));
    return std::nullopt;
  }

  std::optional<Value> integer(Dim value) {
    if (!value.isValid())
      return fail("this number is out of range");
    return Value::integer(std::move(value));
  }

  std::optional<Value> foldInts(const Dim &a, const Dim &b) {
    switch (op) {
    case BinaryOp::Add:
      return integer(a + b);
    case BinaryOp::Sub:
      return integer(a - b);
    case BinaryOp::Mul:
      return integer(a * b);
    case BinaryOp::FloorDiv:
      return integer(a.floorDiv(b));
    case BinaryOp::Mod:
      return integer(a.mod(b));
    case BinaryOp::Div:
      return divide(a, b);
    case BinaryOp::Pow:
      return power(a, b);
    default:
      return fail(fmt::format("`{}` does not work on numbers", syntax::spelling(op)));
    }
  }

  std::optional<Value> divide(const Dim &a, const Dim &b) {
    if (std::optional<Dim> quotient = a.exactDiv(b))
      return integer(*quotient);
    if (a.isConstant() && b.isConstant())
      return Value::floating(static_cast<double>(*a.getConstant()) / *b.getConstant());
    if (a.isConstant())
      return refuseFraction();
    syntax::Diagnostic &diag = context.error(
        "E0304", opSpan, fmt::format("cannot prove that {} divides {}", b.str(), a.str()));
    diag.primaryLabel("`/` of sizes is exact");
    addGuardFix(context, diag, suggestGuards(a.floorDiv(b) * b, a));
    diag.help("to round down, use `//`");
    return std::nullopt;
  }

  std::optional<Value> power(const Dim &a, const Dim &b) {
    std::optional<int64_t> exponent = b.getConstant();
    // Large powers of other numbers than 0, 1 and -1 overflow; of -1 only the parity matters.
    if (exponent && *exponent >= 0)
      return integer(a.pow(*exponent > 1000 ? 1000 + *exponent % 2 : *exponent));
    if (exponent && a.isConstant())
      return foldFloats(static_cast<double>(*a.getConstant()), static_cast<double>(*exponent));
    return refuseFraction();
  }

  std::optional<Value> foldFloats(double a, double b) {
    switch (op) {
    case BinaryOp::Add:
      return Value::floating(a + b);
    case BinaryOp::Sub:
      return Value::floating(a - b);
    case BinaryOp::Mul:
      return Value::floating(a * b);
    case BinaryOp::Div:
      return Value::floating(a / b);
    case BinaryOp::FloorDiv:
      return Value::floating(std::floor(a / b));
    case BinaryOp::Mod:
      return Value::floating(a - b * std::floor(a / b));
    case BinaryOp::Pow:
      return power(a, b);
    default:
      return fail(fmt::format("`{}` does not work on numbers", syntax::spelling(op)));
    }
  }

  std::optional<Value> power(double a, double b) {
    double result = std::pow(a, b);
    if (std::isnan(result) && !std::isnan(a) && !std::isnan(b))
      return fail("this power is no real number");
    return Value::floating(result);
  }

  Context &context;
  BinaryOp op;
  syntax::Span opSpan;
  const Operand &left, &right;
};

} // namespace

std::optional<Value> foldNumbers(Context &context, BinaryOp op, syntax::Span opSpan,
                                 const Operand &left, const Operand &right) {
  return NumberFolder(context, op, opSpan, left, right).fold();
}

std::optional<Value> foldExtreme(Context &context, std::string_view name, syntax::Span callee,
                                 const Value &a, const Value &b) {
  std::optional<double> x = a.asFloat(), y = b.asFloat();
  if (!x || !y) {
    context
        .error("E0502", callee, fmt::format("`{}` of sizes that are known only at run time", name))
        .help("make a tensor of one of them: `full([], n, i32)`");
    return std::nullopt;
  }
  bool first = name == "max" ? *x >= *y : *x <= *y;
  return first ? a : b;
}

} // namespace nnc::frontend
