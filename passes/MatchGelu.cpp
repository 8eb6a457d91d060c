//===- MatchGelu.cpp - Recognise the tanh form of GELU ----------------------------------------===//
//
// A model spells GELU with a dozen ops in any order. Every value of it has the form
// p(x) + q(x) * tanh(r(x)) with cubic polynomials, so ops are evaluated in that form and the result
// compared with GELU's. The erf form never has it.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/TacticRules.h"

#include "ir/NNOps.h"

#include "llvm/ADT/SetVector.h"

#include <array>
#include <cmath>

using namespace mlir;

namespace nnc {
namespace {

constexpr unsigned MaxOps = 16;
constexpr unsigned MaxUses = 4;

/// Coefficients of 1, x, x^2, x^3.
using Poly = std::array<double, 4>;

constexpr Poly Zero{}, One{1}, X{0, 1};

std::optional<Poly> multiply(const Poly &a, const Poly &b) {
  Poly product{};
  for (unsigned i = 0; i < 4; ++i)
    for (unsigned j = 0; j < 4; ++j) {
      if (a[i] * b[j] == 0)
        continue;
      if (i + j > 3)
        return std::nullopt;
      product[i + j] += a[i] * b[j];
    }
  return product;
}

Poly combine(const Poly &a, const Poly &b, double factor) {
  Poly sum;
  for (unsigned i = 0; i < 4; ++i)
    sum[i] = a[i] + factor * b[i];
  return sum;
}

bool isNumber(const Poly &a) { return a[1] == 0 && a[2] == 0 && a[3] == 0; }

/// Equal but for the rounding of f32 constants.
bool almostEqual(const Poly &a, const Poly &b) {
  for (unsigned i = 0; i < 4; ++i)
    if (std::abs(a[i] - b[i]) > 1e-6 * std::abs(b[i]))
      return false;
  return true;
}

/// p + q * tanh(r); r is meaningless where q is zero.
struct Form {
  Poly p{}, q{}, r{};
  bool hasTanh() const { return q != Zero; }
};

using Result = std::optional<Form>;

Result add(const Form &a, const Form &b, double factor) {
  if (a.hasTanh() && b.hasTanh() && a.r != b.r)
    return std::nullopt;
  return Form{combine(a.p, b.p, factor), combine(a.q, b.q, factor), a.hasTanh() ? a.r : b.r};
}

Result multiply(const Form &a, const Form &b) {
  if (a.hasTanh() && b.hasTanh())
    return std::nullopt;
  if (b.hasTanh())
    return multiply(b, a);
  std::optional<Poly> p = multiply(a.p, b.p), q = multiply(a.q, b.p);
  if (!p || !q)
    return std::nullopt;
  return Form{*p, *q, a.r};
}

Result divide(const Form &a, const Form &b) {
  if (b.hasTanh() || !isNumber(b.p) || b.p[0] == 0)
    return std::nullopt;
  return multiply(a, Form{{1 / b.p[0]}});
}

Result power(const Form &base, const Form &exponent) {
  double n = exponent.p[0];
  if (exponent.hasTanh() || !isNumber(exponent.p) || (n != 2 && n != 3))
    return std::nullopt;
  Result square = multiply(base, base);
  return square && n == 3 ? multiply(*square, base) : square;
}

/// Evaluates ops over the forms of their operands.
class Evaluator {
public:
  explicit Evaluator(Value x) { forms[x] = Form{X}; }

  bool knows(Value value) { return forms.contains(value) || readNumber(value); }

  /// Whether `op`, whose operands are known, has a form; it is remembered.
  bool evaluate(Operation *op) {
    Result form = formOf(op);
    if (form)
      forms[op->getResult(0)] = *form;
    return form.has_value();
  }

  const Form &of(Value value) { return forms[value]; }

private:
  bool readNumber(Value value) {
    auto full = value.getDefiningOp<nn::FullOp>();
    auto number = full ? dyn_cast<FloatAttr>(full.getValue()) : FloatAttr();
    if (number)
      forms[value] = Form{{number.getValueAsDouble()}};
    return bool(number);
  }

  Result formOf(Operation *op) {
    Form a = of(op->getOperand(0));
    Form b = op->getNumOperands() > 1 ? of(op->getOperand(1)) : Form();
    if (isa<nn::AddOp>(op))
      return add(a, b, 1);
    if (isa<nn::SubOp>(op))
      return add(a, b, -1);
    if (isa<nn::NegOp>(op))
      return multiply(a, Form{{-1}});
    if (isa<nn::MulOp>(op))
      return multiply(a, b);
    if (isa<nn::DivOp>(op))
      return divide(a, b);
    if (isa<nn::PowOp>(op))
      return power(a, b);
    if (isa<nn::TanhOp>(op) && !a.hasTanh())
      return Form{Zero, One, a.p};
    return std::nullopt;
  }

  DenseMap<Value, Form> forms;
};

bool isGelu(const Form &form) {
  const double c = std::sqrt(2 / M_PI);
  const Poly half{0, 0.5};
  return almostEqual(form.p, half) && almostEqual(form.q, half) &&
         almostEqual(form.r, {0, c, 0, c * 0.044715});
}

bool hasFewUses(Value value) {
  unsigned count = 0;
  for (auto it = value.use_begin(); it != value.use_end() && count <= MaxUses; ++it)
    ++count;
  return count <= MaxUses;
}

/// The first user of a value of the region, not in it, all of whose operands are known.
Operation *findNext(Value x, const llvm::SetVector<Operation *> &region, Evaluator &evaluator) {
  auto ready = [&](Operation *user) {
    return !region.contains(user) && user->getNumResults() == 1 &&
           llvm::all_of(user->getOperands(), [&](Value v) { return evaluator.knows(v); });
  };
  auto fromUsers = [&](Value value) -> Operation * {
    auto it = llvm::find_if(value.getUsers(), ready);
    return it == value.user_end() ? nullptr : *it;
  };
  if (Operation *next = fromUsers(x))
    return next;
  for (Operation *op : region)
    if (Operation *next = fromUsers(op->getResult(0)))
      return next;
  return nullptr;
}

bool isClosed(Value x, const llvm::SetVector<Operation *> &region) {
  auto inside = [&](Operation *user) { return region.contains(user); };
  return llvm::all_of(x.getUsers(), inside) &&
         llvm::all_of(ArrayRef(region.getArrayRef()).drop_back(), [&](Operation *op) {
           return llvm::all_of(op->getResult(0).getUsers(), inside);
         });
}

} // namespace

std::optional<SmallVector<Operation *>> matchGeluTanh(Value x) {
  Evaluator evaluator(x);
  llvm::SetVector<Operation *> region;
  if (!hasFewUses(x))
    return std::nullopt;
  while (region.size() < MaxOps) {
    Operation *next = findNext(x, region, evaluator);
    if (!next || !evaluator.evaluate(next) || !hasFewUses(next->getResult(0)))
      return std::nullopt;
    region.insert(next);
    if (isGelu(evaluator.of(next->getResult(0))) && isClosed(x, region)) {
      SmallVector<Operation *> ops = region.takeVector();
      return ops;
    }
  }
  return std::nullopt;
}

} // namespace nnc
