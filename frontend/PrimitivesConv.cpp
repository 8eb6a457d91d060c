// `conv1d`, `conv2d`, and their transposes.
#include "frontend/PrimitivesTransposed.h"
#include "frontend/PrimitivesWindow.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

/// Both operands of a convolution over `axes` axes, checked for elements and ranks.
struct Operands {
  size_t axes;
  TensorValue x, weight;
};

std::optional<Operands> getOperands(PrimitiveCall &call, std::string_view weightAxes) {
  std::optional<TensorValue> x = call.tensor("x", Elements::Floats);
  std::optional<TensorValue> weight = call.tensor("weight", Elements::Floats);
  if (!x || !weight)
    return std::nullopt;
  size_t axes = call.name.ends_with("1d") ? 1 : 2;
  std::string layout = fmt::format("[{}, {}]", weightAxes, axes == 1 ? "length" : "height, width");
  Operand both[] = {call.operand("x"), call.operand("weight")};
  if (!commonElement(call.context, call.callee, call.quotedName(), both) ||
      !requireRank(call.context, call.callee, call.quotedName(), both[0], 2 + axes,
                   describeImage(axes)) ||
      !requireRank(call.context, call.callee, "the weight of " + call.quotedName(), both[1],
                   2 + axes, layout))
    return std::nullopt;
  return Operands{axes, *x, *weight};
}

std::optional<int64_t> getGroups(PrimitiveCall &call) {
  std::optional<int64_t> groups = call.integerOr("groups", 1);
  if (!groups || *groups >= 1)
    return groups;
  call.error("E0507", call.operand("groups").span,
             fmt::format("{} has {} groups, but needs at least 1", call.quotedName(), *groups));
  return std::nullopt;
}

/// The input has as many channels as the weight is for.
bool checkChannels(PrimitiveCall &call, const Operands &operands, const Dim &expected,
                   int64_t groups) {
  const Dim &found = operands.x.shape[1];
  if (found == expected)
    return true;
  bool different = provablyDifferent(found, expected, call.context.facts);
  call.error(different ? "E0301" : "E0304", call.callee,
             fmt::format("{} takes {} channels, this value has {}", call.quotedName(),
                         expected.str(), found.str()))
      .primaryLabel("found " + formatTensorType(operands.x))
      .note(fmt::format("the weight is {}{}", formatTensorType(operands.weight),
                        groups == 1 ? "" : fmt::format(", in {} groups", groups)));
  return false;
}

bool checkGroups(PrimitiveCall &call, const Dim &channels, int64_t groups, std::string_view what) {
  if (channels.exactDiv(groups))
    return true;
  call.error("E0301", call.callee,
             fmt::format("{} groups do not divide {} {} channels", groups, channels.str(), what));
  return false;
}

//===- Padding -------------------------------------------------------------------------------===//

/// Of the two sides of one axis, so that there are as many places as elements.
bool padAsSame(PrimitiveCall &call, const Operands &operands, Window &window) {
  for (size_t i = 0; i < window.axes; ++i) {
    std::optional<int64_t> kernel = operands.weight.shape[2 + i].getConstant();
    if (!kernel || window.stride[i] != 1) {
      syntax::Diagnostic &diag =
          call.error("E0507", call.operand("padding").span,
                     fmt::format("padding \"same\" of {} needs {}", call.quotedName(),
                                 kernel ? "a stride of 1" : "a window of known size"));
      if (kernel)
        diag.note(fmt::format("the stride is {}", window.stride[i]));
      return false;
    }
    int64_t total = window.dilation[i] * (*kernel - 1);
    window.low[i] = total / 2;
    window.high[i] = total - total / 2;
  }
  return true;
}

/// `"same"`, `"valid"`, a number, one per axis, or a pair (before, after) per axis.
bool getPadding(PrimitiveCall &call, const Operands &operands, Window &window) {
  window.low.assign(window.axes, 0);
  window.high.assign(window.axes, 0);
  if (!call.has("padding"))
    return true;
  const Operand &given = call.operand("padding");
  if (const StringValue *word = given.value.as<StringValue>()) {
    if (word->text == "same")
      return padAsSame(call, operands, window);
    if (word->text == "valid")
      return true;
    call.error(
        "E0507", given.span,
        fmt::format("the padding of {} is \"{}\", but must be \"same\", \"valid\" or numbers",
                    call.quotedName(), word->text));
    return false;
  }
  std::vector<Operand> parts(window.axes, given);
  if (given.value.isSequence())
    parts = call.elementsOf(given);
  if (parts.size() != window.axes) {
    call.wrongKind(given, window.axes == 1 ? "an int" : "an int or a pair of ints");
    return false;
  }
  for (size_t i = 0; i < window.axes; ++i) {
    std::vector<Operand> sides = {parts[i], parts[i]};
    if (parts[i].value.isSequence())
      sides = call.elementsOf(parts[i]);
    if (sides.size() != 2) {
      call.wrongKind(parts[i], "an int or a pair (before, after)");
      return false;
    }
    std::optional<int64_t> low = call.extent("padding", sides[0], 0);
    std::optional<int64_t> high = low ? call.extent("padding", sides[1], 0) : std::nullopt;
    if (!high)
      return false;
    window.low[i] = *low;
    window.high[i] = *high;
  }
  return true;
}

std::optional<Window> getSteps(PrimitiveCall &call, size_t axes) {
  std::vector<int64_t> ones(axes, 1);
  std::optional<std::vector<int64_t>> stride = call.extentsOr("stride", axes, 1, ones);
  if (!stride)
    return std::nullopt;
  std::optional<std::vector<int64_t>> dilation = call.extentsOr("dilation", axes, 1, ones);
  if (!dilation)
    return std::nullopt;
  return Window{axes, *stride, {}, {}, *dilation};
}

//===- The primitives ------------------------------------------------------------------------===//

std::optional<Value> convolution(PrimitiveCall &call) {
  std::optional<Operands> operands = getOperands(call, "out, in / groups");
  if (!operands)
    return std::nullopt;
  const auto &[axes, x, weight] = *operands;
  std::optional<Window> window = getSteps(call, axes);
  if (!window || !getPadding(call, *operands, *window))
    return std::nullopt;
  std::optional<int64_t> groups = getGroups(call);
  if (!groups || !checkChannels(call, *operands, weight.shape[1] * *groups, *groups) ||
      !checkGroups(call, weight.shape[0], *groups, "output"))
    return std::nullopt;
  Shape shape = {x.shape[0], weight.shape[0]};
  if (!addWindows(call, x, std::span(weight.shape).subspan(2), *window, shape))
    return std::nullopt;
  if (axes == 1)
    shape.insert(shape.begin() + 2, 1);
  TensorValue result = call.emit.conv2d(toImage(call.emit, x), toImage(call.emit, weight),
                                        toImage(*window), *groups, shape);
  return Value::tensor(fromImage(call.emit, result, axes));
}

/// E0507 where the result would have rows that nothing reaches for sure.
bool checkOutputPadding(PrimitiveCall &call, const TransposedWindow &window) {
  for (size_t i = 0; i < window.axes; ++i) {
    int64_t most = std::max(window.stride[i], window.dilation[i]) - 1;
    if (window.outputPadding[i] <= most)
      continue;
    call.error("E0507", call.operand("output_padding").span,
               fmt::format("`output_padding` of {} is {}, but must be less than the stride or the "
                           "dilation",
                           call.quotedName(), window.outputPadding[i]))
        .note(
            fmt::format("the stride is {}, the dilation {}", window.stride[i], window.dilation[i]));
    return false;
  }
  return true;
}

std::optional<TransposedWindow> getTransposedWindow(PrimitiveCall &call, const Operands &operands) {
  size_t axes = operands.axes;
  std::optional<Window> steps = getSteps(call, axes);
  if (!steps)
    return std::nullopt;
  std::vector<int64_t> zeros(axes, 0);
  std::optional<std::vector<int64_t>> padding = call.extentsOr("padding", axes, 0, zeros);
  if (!padding)
    return std::nullopt;
  std::optional<std::vector<int64_t>> extra = call.extentsOr("output_padding", axes, 0, zeros);
  if (!extra)
    return std::nullopt;
  TransposedWindow window{axes, steps->stride, *padding, *extra, steps->dilation, {}};
  for (size_t i = 0; i < axes; ++i) {
    std::optional<int64_t> kernel = operands.weight.shape[2 + i].getConstant();
    if (!kernel) {
      call.error("E0590", call.callee,
                 fmt::format("{} needs a window of known size", call.quotedName()));
      return std::nullopt;
    }
    window.kernel.push_back(*kernel);
  }
  if (!checkOutputPadding(call, window))
    return std::nullopt;
  return window;
}

std::optional<Value> transposedConvolution(PrimitiveCall &call) {
  std::optional<Operands> operands = getOperands(call, "in, out / groups");
  if (!operands)
    return std::nullopt;
  const auto &[axes, x, weight] = *operands;
  std::optional<TransposedWindow> window = getTransposedWindow(call, *operands);
  std::optional<int64_t> groups = window ? getGroups(call) : std::nullopt;
  if (!groups || !checkChannels(call, *operands, weight.shape[0], *groups) ||
      !checkGroups(call, weight.shape[0], *groups, "input"))
    return std::nullopt;
  for (size_t i = 0; i < axes; ++i) {
    Dim size = window->resultSize(i, x.shape[2 + i]);
    std::string what =
        fmt::format("the {} of the result of {}", sideName(axes, i), call.quotedName());
    if (!requireAtLeast(call.context, call.callee, what, size, 1))
      return std::nullopt;
  }
  return Value::tensor(emitTransposed(call.emit, x, weight, *window, *groups));
}

constexpr std::string_view forward = "x weight stride? padding? groups? dilation?";
constexpr std::string_view backward = "x weight stride? padding? output_padding? groups? dilation?";

constexpr PrimitiveRow rows[] = {
    {"conv1d", forward, convolution},
    {"conv2d", forward, convolution},
    {"conv_transpose1d", backward, transposedConvolution},
    {"conv_transpose2d", backward, transposedConvolution},
};

} // namespace

std::span<const PrimitiveRow> convPrimitives() { return rows; }

} // namespace nnc::frontend
