// Convolution and pooling: windows over the last two of four axes, [batch, channels, height,
// width].
#include "frontend/PrimitivesCall.h"

#include "ir/NNOps.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

constexpr std::string_view imageAxes = "[batch, channels, height, width]";

/// A window along one axis of an image.
struct WindowAxis {
  std::string_view side; ///< "height" or "width"
  Dim padded, reach;     ///< sizes of the image with its padding, and of the window
  int64_t stride;
};

void reportWindow(PrimitiveCall &call, const WindowAxis &axis, const Dim &room) {
  bool never = !room.isValid() || room.bounds(call.context.facts).high < 0;
  std::string name = call.quotedName();
  syntax::Diagnostic &diag =
      never ? call.error("E0308", call.callee,
                         fmt::format("the window of {} is larger than the {}", name, axis.side))
            : call.error("E0304", call.callee,
                         fmt::format("cannot prove that the window of {} fits into the {}", name,
                                     axis.side));
  diag.note(fmt::format("the {} is {} with its padding, the window {}", axis.side,
                        axis.padded.str(), axis.reach.str()));
  if (never)
    return;
  if (std::optional<DimSizes> sizes = findNegative(room, call.context.facts))
    diag.note("it does not fit when " + formatSizes(*sizes));
  addGuardFix(call.context, diag, {formatNonNegative(room)});
}

/// How many places a window has; nothing after E0308 or E0304 where it may not fit at all.
std::optional<Dim> countWindows(PrimitiveCall &call, const WindowAxis &axis) {
  Dim room = axis.padded - axis.reach;
  if (provablyNonNegative(room, call.context.facts))
    return room.floorDiv(axis.stride) + 1;
  reportWindow(call, axis, room);
  return std::nullopt;
}

/// The last two sizes of the result, appended to `shape`.
bool addWindows(PrimitiveCall &call, const TensorValue &x, const Dim &height, const Dim &width,
                const Emitter::Window &window, Shape &shape) {
  for (size_t i = 0; i < 2; ++i) {
    const Dim &kernel = i == 0 ? height : width;
    std::optional<Dim> places =
        countWindows(call, {i == 0 ? "height" : "width", x.shape[2 + i] + 2 * window.padding[i],
                            window.dilation[i] * (kernel - 1) + 1, window.stride[i]});
    if (!places)
      return false;
    shape.push_back(*places);
  }
  return true;
}

bool copyPair(const std::optional<std::array<int64_t, 2>> &from, int64_t (&to)[2]) {
  if (from)
    std::copy(from->begin(), from->end(), to);
  return from.has_value();
}

//===- Convolution ---------------------------------------------------------------------------===//

bool checkChannels(PrimitiveCall &call, const TensorValue &x, const TensorValue &weight,
                   int64_t groups) {
  if (groups < 1) {
    call.error("E0507", call.operand("groups").span,
               fmt::format("`conv2d` has {} groups, but needs at least 1", groups));
    return false;
  }
  Dim expected = weight.shape[1] * groups;
  if (!(x.shape[1] == expected)) {
    bool different = provablyDifferent(x.shape[1], expected, call.context.facts);
    std::string_view code = different ? "E0301" : "E0304";
    call.error(code, call.callee,
               fmt::format("`conv2d` takes {} channels, this value has {}", expected.str(),
                           x.shape[1].str()))
        .primaryLabel("found " + formatTensorType(x))
        .note(fmt::format("the weight is {}{}", formatTensorType(weight),
                          groups == 1 ? "" : fmt::format(", in {} groups", groups)));
    return false;
  }
  if (weight.shape[0].exactDiv(groups))
    return true;
  call.error(
      "E0301", call.callee,
      fmt::format("{} groups do not divide {} output channels", groups, weight.shape[0].str()));
  return false;
}

std::optional<Emitter::Window> getConvWindow(PrimitiveCall &call) {
  Emitter::Window window;
  if (copyPair(call.pairOr("stride", 1, {1, 1}), window.stride) &&
      copyPair(call.pairOr("padding", 0, {0, 0}), window.padding) &&
      copyPair(call.pairOr("dilation", 1, {1, 1}), window.dilation))
    return window;
  return std::nullopt;
}

std::optional<Value> conv2d(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x", Elements::Floats);
  std::optional<TensorValue> weight = call.tensor("weight", Elements::Floats);
  if (!x || !weight)
    return std::nullopt;
  Operand both[] = {call.operand("x"), call.operand("weight")};
  if (!commonElement(call.context, call.callee, call.quotedName(), both) ||
      !requireRank(call.context, call.callee, call.quotedName(), both[0], 4, imageAxes) ||
      !requireRank(call.context, call.callee, "the weight of `conv2d`", both[1], 4,
                   "[out, in / groups, height, width]"))
    return std::nullopt;
  std::optional<Emitter::Window> window = getConvWindow(call);
  std::optional<int64_t> groups = call.integerOr("groups", 1);
  if (!window || !groups || !checkChannels(call, *x, *weight, *groups))
    return std::nullopt;
  Shape shape = {x->shape[0], weight->shape[0]};
  if (!addWindows(call, *x, weight->shape[2], weight->shape[3], *window, shape))
    return std::nullopt;
  return Value::tensor(call.emit.conv2d(*x, *weight, *window, *groups, shape));
}

//===- Pooling -------------------------------------------------------------------------------===//

bool checkPadding(PrimitiveCall &call, const int64_t (&kernel)[2], const Emitter::Window &window) {
  for (size_t i = 0; i < 2; ++i)
    if (window.padding[i] > kernel[i] / 2) {
      call.error("E0507", call.operand("padding").span,
                 fmt::format("the padding of {} is {}, but at most half of the window is allowed",
                             call.quotedName(), window.padding[i]))
          .note(fmt::format("the window is {} x {}", kernel[0], kernel[1]));
      return false;
    }
  return true;
}

std::optional<Value> pool(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x", Elements::Floats);
  if (!x ||
      !requireRank(call.context, call.callee, call.quotedName(), call.operand("x"), 4, imageAxes))
    return std::nullopt;
  int64_t kernel[2];
  Emitter::Window window;
  std::optional<std::array<int64_t, 2>> size = call.pair("kernel", 1);
  if (!copyPair(size, kernel) || !copyPair(call.pairOr("stride", 1, *size), window.stride) ||
      !copyPair(call.pairOr("padding", 0, {0, 0}), window.padding) ||
      !checkPadding(call, kernel, window))
    return std::nullopt;
  Shape shape = {x->shape[0], x->shape[1]};
  if (!addWindows(call, *x, kernel[0], kernel[1], window, shape))
    return std::nullopt;
  nn::PoolKind kind = call.name == "max_pool" ? nn::PoolKind::Max : nn::PoolKind::Avg;
  return Value::tensor(call.emit.pool(kind, *x, kernel, window, shape));
}

constexpr PrimitiveRow rows[] = {
    {"conv2d", "x weight stride? padding? groups? dilation?", conv2d},
    {"max_pool", "x kernel stride? padding?", pool},
    {"avg_pool", "x kernel stride? padding?", pool},
};

} // namespace

std::span<const PrimitiveRow> windowPrimitives() { return rows; }

} // namespace nnc::frontend
