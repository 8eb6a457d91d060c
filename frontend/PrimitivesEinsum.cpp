// `einsum` becomes a matrix product: its axes are those of both operands and the result (batch), of
// one operand and the result (rows, columns), of both operands only (inner), or of one operand only
// (summed beforehand).
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

class Einsum {
public:
  Einsum(PrimitiveCall &call, const syntax::Pattern &pattern)
      : call(call), emit(call.emit), pattern(pattern), binder(call.context, call.quotedName()) {}

  std::optional<Value> run() {
    std::vector<NamedTensor> operands;
    std::vector<std::string_view> formals = {"a"};
    if (call.has("b"))
      formals.push_back("b");
    if (!checkSides(formals.size()))
      return std::nullopt;
    for (size_t i = 0; i < formals.size(); ++i) {
      std::optional<Keys> keys = bind(formals[i], pattern.left[i]);
      if (!keys)
        return std::nullopt;
      operands.push_back({call.operand(formals[i]).value.get<TensorValue>(), *keys});
    }
    std::optional<PatternAxes> right = binder.bindRight(pattern.right, false);
    if (!right)
      return std::nullopt;
    result = flatten(*right);
    Dim elements = 1;
    for (const NamedTensor &operand : operands)
      elements *= binder.sizeOf(operand.keys);
    if (!requireNonNegative(call.context, call.span, "the number of products", elements))
      return std::nullopt;
    for (const std::string &key : result)
      if (!binder.isOnLeft(key)) {
        call.error("E0303", pattern.right.span, "`einsum` makes no new axes");
        return std::nullopt;
      }
    return Value::tensor(operands.size() == 1 ? permuted(summed(operands[0], {}), result)
                                              : multiply(operands[0], operands[1]));
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

  std::optional<Keys> bind(std::string_view formal, const syntax::PatternSide &side) {
    if (!call.tensor(formal, Elements::Numbers))
      return std::nullopt;
    if (formal == "b") {
      Operand both[] = {call.operand("a"), call.operand("b")};
      if (!commonElement(call.context, call.callee, call.quotedName(), both))
        return std::nullopt;
    }
    std::optional<PatternAxes> axes = binder.bindLeft(side, call.operand(formal));
    return axes ? std::optional(flatten(*axes)) : std::nullopt;
  }

  /// Sums the axes that neither the result nor the other operand has.
  NamedTensor summed(const NamedTensor &x, const Keys &other) const {
    std::vector<size_t> axes;
    for (size_t i = 0; i < x.keys.size(); ++i)
      if (!contains(result, x.keys[i]) && !contains(other, x.keys[i]))
        axes.push_back(i);
    return {emit.reduce(nn::ReduceKind::Sum, x.value, axes), filter(x.keys, [&](auto &key) {
              return contains(result, key) || contains(other, key);
            })};
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

  TensorValue multiply(const NamedTensor &first, const NamedTensor &second) const {
    NamedTensor a = summed(first, second.keys), b = summed(second, first.keys);
    auto shared = [&](const std::string &key) { return contains(b.keys, key); };
    Keys batch = filter(a.keys, [&](auto &key) { return shared(key) && contains(result, key); });
    Keys inner = filter(a.keys, [&](auto &key) { return shared(key) && !contains(result, key); });
    Keys rows = filter(a.keys, [&](auto &key) { return !shared(key); });
    Keys columns = filter(b.keys, [&](auto &key) { return !contains(a.keys, key); });
    TensorValue left = asMatrix(a, batch, rows, inner), right = asMatrix(b, batch, inner, columns);
    NamedTensor product{emit.matmul(left, right), join(batch, rows, columns)};
    product.value = emit.reshape(product.value, sizes(product.keys));
    return permuted(product, result);
  }

  PrimitiveCall &call;
  Emitter &emit;
  const syntax::Pattern &pattern;
  PatternBinder binder;
  Keys result;
};

} // namespace

std::optional<Value> einsum(PrimitiveCall &call) {
  std::optional<syntax::Pattern> pattern = parsePatternArgument(call);
  return pattern ? Einsum(call, *pattern).run() : std::nullopt;
}

} // namespace nnc::frontend
