// `einsum` becomes matrix products, from left to right: the axes of each are those of both operands
// and the result (batch), of one operand and the result (rows, columns), of both operands only
// (inner), or of one operand only (summed beforehand). What a later operand has counts as result.
#include "frontend/PrimitivesEinsum.h"

#include "frontend/Pattern.h"

#include "ir/NNOps.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

using Keys = std::vector<std::string>;

bool contains(const Keys &keys, const std::string &key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

template <typename Predicate> Keys filter(const Keys &keys, Predicate keep) {
  Keys result;
  std::copy_if(keys.begin(), keys.end(), std::back_inserter(result), keep);
  return result;
}

Keys join(const Keys &a, const Keys &b, const Keys &c = {}) {
  Keys result = a;
  result.insert(result.end(), b.begin(), b.end());
  result.insert(result.end(), c.begin(), c.end());
  return result;
}

/// A tensor and the name of each of its axes.
struct NamedTensor {
  TensorValue value;
  Keys keys;
};

constexpr std::string_view operandFormals[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

class Einsum {
public:
  Einsum(PrimitiveCall &call, const syntax::Pattern &pattern)
      : call(call), emit(call.emit), pattern(pattern), binder(call.context, call.quotedName()) {}

  std::optional<Value> run() {
    std::optional<std::vector<NamedTensor>> operands = bindOperands();
    if (!operands)
      return std::nullopt;
    std::optional<PatternAxes> right = binder.bindRight(pattern.right, false);
    if (!right)
      return std::nullopt;
    Keys result = flatten(*right);
    for (const std::string &key : result)
      if (!binder.isOnLeft(key)) {
        call.error("E0303", pattern.right.span, "`einsum` makes no new axes");
        return std::nullopt;
      }
    NamedTensor product = operands->front();
    for (size_t i = 1; i < operands->size(); ++i) {
      Keys wanted = result;
      for (size_t later = i + 1; later < operands->size(); ++later)
        wanted = join(wanted, (*operands)[later].keys);
      if (!checkProducts(product, (*operands)[i]))
        return std::nullopt;
      product = multiply(product, (*operands)[i], wanted);
    }
    return Value::tensor(permuted(summed(product, result), result));
  }

private:
  static Keys flatten(const PatternAxes &axes) {
    Keys keys;
    for (const Keys &axis : axes)
      keys.insert(keys.end(), axis.begin(), axis.end());
    return keys;
  }

  /// As many sides as tensors, and no groups.
  bool checkSides(size_t tensors) {
    if (pattern.left.size() != tensors) {
      call.error("E0303", call.operand("pattern").span,
                 fmt::format("this pattern is for {} tensors, `einsum` has {}", pattern.left.size(),
                             tensors));
      return false;
    }
    std::vector<syntax::PatternSide> sides = pattern.left;
    sides.push_back(pattern.right);
    for (const syntax::PatternSide &side : sides)
      for (const syntax::PatternAxis &axis : side.axes)
        if (axis.kind == syntax::PatternAxis::Group) {
          call.error("E0303", axis.span, "`einsum` has no groups").help("use `rearrange` for them");
          return false;
        }
    return true;
  }

  std::optional<std::vector<NamedTensor>> bindOperands() {
    std::vector<std::string_view> formals;
    for (std::string_view formal : operandFormals)
      if (call.has(formal))
        formals.push_back(formal);
    if (!checkSides(formals.size()))
      return std::nullopt;
    std::vector<NamedTensor> operands;
    for (size_t i = 0; i < formals.size(); ++i) {
      std::optional<NamedTensor> operand = bind(formals[i], pattern.left[i]);
      if (!operand)
        return std::nullopt;
      operands.push_back(std::move(*operand));
    }
    return operands;
  }

  std::optional<NamedTensor> bind(std::string_view formal, const syntax::PatternSide &side) {
    std::optional<TensorValue> x = call.tensor(formal, Elements::Numbers);
    if (!x)
      return std::nullopt;
    Operand both[] = {call.operand("a"), call.operand(formal)};
    if (!commonElement(call.context, call.callee, call.quotedName(), both))
      return std::nullopt;
    std::optional<PatternAxes> axes = binder.bindLeft(side, call.operand(formal), true);
    if (!axes)
      return std::nullopt;
    return diagonal({*x, flatten(*axes)});
  }

  /// Of axes with one name, the elements at equal places.
  NamedTensor diagonal(NamedTensor x) const {
    for (size_t second = 1; second < x.keys.size(); ++second) {
      auto last = x.keys.begin() + second;
      size_t first = std::find(x.keys.begin(), last, *last) - x.keys.begin();
      if (first == second)
        continue;
      const Shape &shape = x.value.shape;
      TensorValue isSame = emit.compare(nn::CmpPredicate::Eq, emit.iota(Element::I32, shape, first),
                                        emit.iota(Element::I32, shape, second));
      TensorValue zero = isFloating(x.value.element) ? emit.full(0, x.value.element, shape)
                                                     : emit.fullInt(0, x.value.element, shape);
      x.value = emit.reduce(nn::ReduceKind::Sum, emit.select(isSame, x.value, zero),
                            std::span(&second, 1));
      x.keys.erase(last);
      --second;
    }
    return x;
  }

  /// The number of products may not overflow.
  bool checkProducts(const NamedTensor &a, const NamedTensor &b) const {
    Keys all = join(a.keys, filter(b.keys, [&](auto &key) { return !contains(a.keys, key); }));
    return requireNonNegative(call.context, call.span, "the number of products",
                              binder.sizeOf(all));
  }

  /// Sums the axes that nobody wants.
  NamedTensor summed(const NamedTensor &x, const Keys &wanted) const {
    std::vector<size_t> axes;
    for (size_t i = 0; i < x.keys.size(); ++i)
      if (!contains(wanted, x.keys[i]))
        axes.push_back(i);
    return {emit.reduce(nn::ReduceKind::Sum, x.value, axes),
            filter(x.keys, [&](auto &key) { return contains(wanted, key); })};
  }

  TensorValue permuted(const NamedTensor &x, const Keys &order) const {
    std::vector<size_t> permutation;
    for (const std::string &key : order)
      permutation.push_back(std::find(x.keys.begin(), x.keys.end(), key) - x.keys.begin());
    return emit.transpose(x.value, permutation);
  }

  Shape sizes(const Keys &keys) const {
    Shape shape;
    for (const std::string &key : keys)
      shape.push_back(binder.sizeOf(key));
    return shape;
  }

  /// The batch axes one by one, then rows and columns, each joined to one axis.
  TensorValue asMatrix(const NamedTensor &x, const Keys &batch, const Keys &rows,
                       const Keys &columns) const {
    Shape shape = sizes(batch);
    shape.push_back(binder.sizeOf(rows));
    shape.push_back(binder.sizeOf(columns));
    return emit.reshape(permuted(x, join(batch, rows, columns)), shape);
  }

  /// The axes of the result are batch, rows and columns, those of `wanted`.
  NamedTensor multiply(const NamedTensor &first, const NamedTensor &second,
                       const Keys &wanted) const {
    NamedTensor a = summed(first, join(wanted, second.keys));
    NamedTensor b = summed(second, join(wanted, first.keys));
    auto shared = [&](const std::string &key) { return contains(b.keys, key); };
    Keys batch = filter(a.keys, [&](auto &key) { return shared(key) && contains(wanted, key); });
    Keys inner = filter(a.keys, [&](auto &key) { return shared(key) && !contains(wanted, key); });
    Keys rows = filter(a.keys, [&](auto &key) { return !shared(key); });
    Keys columns = filter(b.keys, [&](auto &key) { return !contains(a.keys, key); });
    TensorValue left = asMatrix(a, batch, rows, inner), right = asMatrix(b, batch, inner, columns);
    NamedTensor product{emit.matmul(left, right), join(batch, rows, columns)};
    product.value = emit.reshape(product.value, sizes(product.keys));
    return product;
  }

  PrimitiveCall &call;
  Emitter &emit;
  const syntax::Pattern &pattern;
  PatternBinder binder;
};

} // namespace

std::optional<Value> einsum(PrimitiveCall &call) {
  std::optional<syntax::Pattern> pattern = parsePatternArgument(call);
  return pattern ? Einsum(call, *pattern).run() : std::nullopt;
}

} // namespace nnc::frontend
