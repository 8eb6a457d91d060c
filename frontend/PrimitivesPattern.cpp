// `rearrange`, `reduce` and `repeat`: all are split the groups, reduce, permute, repeat, join
// groups.
#include "frontend/Pattern.h"
#include "frontend/PrimitivesCall.h"
#include "frontend/PrimitivesEinsum.h"

#include "ir/NNOps.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

std::optional<syntax::Pattern> parsePatternArgument(PrimitiveCall &call) {
  const Operand &operand = call.operand("pattern");
  const StringValue *string = operand.value.as<StringValue>();
  if (!string)
    return call.wrongKind(operand, "a pattern such as \"b c h w -> b (c h w)\"");
  if (!string->literal) {
    call.error("E0403", operand.span,
               fmt::format("the pattern of {} must be written out as a string", call.quotedName()));
    return std::nullopt;
  }
  return syntax::parsePattern(*string->literal, call.context.diags);
}

namespace {

using Keys = std::vector<std::string>;

Keys flatten(const PatternAxes &axes) {
  Keys keys;
  for (const Keys &axis : axes)
    keys.insert(keys.end(), axis.begin(), axis.end());
  return keys;
}

bool contains(const Keys &keys, const std::string &key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// A tensor whose axes are the parts of a pattern.
struct PatternTensor {
  TensorValue value;
  Keys keys;
};

class PatternMover {
public:
  PatternMover(PrimitiveCall &call, const syntax::Pattern &pattern)
      : call(call), emit(call.emit), pattern(pattern), binder(call.context, call.quotedName()) {}

  /// `heads=4`: the size of an axis of the pattern. Reports E0303 and E0403.
  bool takeSizes() {
    for (const auto &[name, operand] : call.named())
      if (!binder.giveSize(name, operand, pattern))
        return false;
    return true;
  }

  /// Binds both sides. `kind` is how lost axes are reduced; without it none may get lost.
  std::optional<Value> run(std::optional<nn::ReduceKind> kind) {
    const Operand &operand = call.operand("x");
    if (pattern.left.size() != 1) {
      call.error("E0303", pattern.left[1].span,
                 fmt::format("{} takes one tensor, its pattern has several", call.quotedName()));
      return std::nullopt;
    }
    std::optional<PatternAxes> left = binder.bindLeft(pattern.left[0], operand);
    if (!left)
      return std::nullopt;
    std::optional<PatternAxes> right = binder.bindRight(pattern.right, call.name == "repeat");
    if (!right || !checkLost(flatten(*left), flatten(*right), kind.has_value()))
      return std::nullopt;
    const TensorValue &x = operand.value.get<TensorValue>();
    PatternTensor parts{emit.reshape(x, sizesOf(flatten(*left))), flatten(*left)};
    reduceLost(parts, flatten(*right), kind);
    permute(parts, flatten(*right));
    addNew(parts, flatten(*right));
    return joinGroups(parts, *right, x);
  }

private:
  Shape sizesOf(const Keys &keys) const {
    Shape shape;
    for (const std::string &key : keys)
      shape.push_back(binder.sizeOf(key));
    return shape;
  }

  bool checkLost(const Keys &left, const Keys &right, bool reduces) const {
    for (const std::string &key : left)
      if (!reduces && !contains(right, key) &&
          !(binder.sizeOf(key) == Dim(1) && key.find('#') != key.npos)) {
        call.error("E0303", binder.placeOf(key),
                   fmt::format("{} would lose this axis", call.quotedName()))
            .primaryLabel("not on the right side")
            .help("to combine its elements, use `reduce`");
        return false;
      }
    return true;
  }

  void reduceLost(PatternTensor &parts, const Keys &right,
                  std::optional<nn::ReduceKind> kind) const {
    std::vector<size_t> lost;
    Keys kept;
    for (size_t i = 0; i < parts.keys.size(); ++i) {
      if (contains(right, parts.keys[i]))
        kept.push_back(parts.keys[i]);
      else
        lost.push_back(i);
    }
    parts.value =
        kind ? emit.reduce(*kind, parts.value, lost) : emit.reshape(parts.value, sizesOf(kept));
    parts.keys = std::move(kept);
  }

  void permute(PatternTensor &parts, const Keys &right) const {
    std::vector<size_t> permutation;
    Keys keys;
    for (const std::string &key : right) {
      auto found = std::find(parts.keys.begin(), parts.keys.end(), key);
      if (found == parts.keys.end())
        continue;
      permutation.push_back(found - parts.keys.begin());
      keys.push_back(key);
    }
    parts = {emit.transpose(parts.value, permutation), std::move(keys)};
  }

  void addNew(PatternTensor &parts, const Keys &right) const {
    std::vector<size_t> axes;
    bool repeats = false;
    for (size_t i = 0; i < right.size(); ++i) {
      if (contains(parts.keys, right[i]))
        axes.push_back(i);
      else
        repeats |= !(binder.sizeOf(right[i]) == Dim(1));
    }
    if (repeats)
      parts.value = emit.broadcast(parts.value, sizesOf(right), axes);
    else
      parts.value = emit.reshape(parts.value, sizesOf(right));
    parts.keys = right;
  }

  std::optional<Value> joinGroups(const PatternTensor &parts, const PatternAxes &right,
                                  const TensorValue &x) const {
    Shape shape;
    std::vector<SizeNoteRef> notes;
    for (const Keys &keys : right) {
      shape.push_back(binder.sizeOf(keys));
      notes.push_back(keys.size() < 2 ? nullptr : noteFor(keys, shape.back(), x));
    }
    if (!requireValidShape(call.context, call.span, shape))
      return std::nullopt;
    TensorValue result = emit.reshape(parts.value, shape);
    result.sizeNotes = std::move(notes);
    return Value::tensor(std::move(result));
  }

  /// `400 = (c h w) of float[B, 16, 5, 5]`.
  SizeNoteRef noteFor(const Keys &keys, const Dim &size, const TensorValue &x) const {
    std::string text;
    for (const std::string &key : keys)
      text += (text.empty() ? "(" : " ") + key.substr(0, key.find('#'));
    return std::make_shared<SizeNote>(
        SizeNote{size, text + ") of " + formatTensorType(x), call.callee});
  }

  PrimitiveCall &call;
  Emitter &emit;
  const syntax::Pattern &pattern;
  PatternBinder binder;
};

std::optional<Value> move(PrimitiveCall &call, Elements accepted,
                          std::optional<nn::ReduceKind> kind) {
  if (!call.tensor("x", accepted))
    return std::nullopt;
  std::optional<syntax::Pattern> pattern = parsePatternArgument(call);
  if (!pattern)
    return std::nullopt;
  PatternMover mover(call, *pattern);
  return mover.takeSizes() ? mover.run(kind) : std::nullopt;
}

std::optional<Value> rearrange(PrimitiveCall &call) {
  return move(call, Elements::Any, std::nullopt);
}

std::optional<Value> reduce(PrimitiveCall &call) {
  std::string_view op = call.operand("op").value.primitiveName();
  if (op == "mean")
    return move(call, Elements::Floats, nn::ReduceKind::Mean);
  if (op == "sum")
    return move(call, Elements::Numbers, nn::ReduceKind::Sum);
  if (op == "max")
    return move(call, Elements::Numbers, nn::ReduceKind::Max);
  if (op == "min")
    return move(call, Elements::Numbers, nn::ReduceKind::Min);
  return call.wrongKind(call.operand("op"), "one of `mean`, `sum`, `max`, `min`");
}

constexpr PrimitiveRow rows[] = {
    {"rearrange", "x pattern *?", rearrange},
    {"repeat", "x pattern *?", rearrange},
    {"reduce", "x pattern op *?", reduce},
    {"einsum", "pattern a b? c? d? e? f? g? h?", einsum},
};

} // namespace

std::span<const PrimitiveRow> patternPrimitives() { return rows; }

} // namespace nnc::frontend
