#include "frontend/PrimitivesWindow.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {

std::string_view describeImage(size_t axes) {
  return axes == 1 ? "[batch, channels, length]" : "[batch, channels, height, width]";
}

std::string_view sideName(size_t axes, size_t side) {
  return axes == 1 ? "length" : side == 0 ? "height" : "width";
}

std::optional<TensorValue> getImage(PrimitiveCall &call) {
  std::optional<TensorValue> x = call.tensor("x", Elements::Floats);
  if (!x || x->rank() == 3 || x->rank() == 4)
    return x;
  call.error("E0306", call.callee,
             fmt::format("{} needs 3 or 4 axes, {} or {}, this value has {}", call.quotedName(),
                         describeImage(1), describeImage(2), x->rank()))
      .primaryLabel("found " + formatTensorType(*x));
  return std::nullopt;
}

TensorValue toImage(Emitter &emit, const TensorValue &x) {
  Shape shape = x.shape;
  if (shape.size() == 3)
    shape.insert(shape.begin() + 2, 1);
  return emit.reshape(x, shape);
}

TensorValue fromImage(Emitter &emit, const TensorValue &x, size_t axes) {
  Shape shape = x.shape;
  if (axes == 1)
    shape.erase(shape.begin() + 2);
  return emit.reshape(x, shape);
}

Emitter::Window toImage(const Window &window) {
  Emitter::Window image;
  size_t first = 2 - window.axes;
  std::copy(window.stride.begin(), window.stride.end(), image.stride + first);
  std::copy(window.low.begin(), window.low.end(), image.low + first);
  std::copy(window.high.begin(), window.high.end(), image.high + first);
  std::copy(window.dilation.begin(), window.dilation.end(), image.dilation + first);
  return image;
}

namespace {

/// A window along one axis of an image.
struct WindowAxis {
  std::string_view side;
  Dim padded, reach; ///< sizes of the image with its padding, and of the window
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

std::optional<Dim> countWindows(PrimitiveCall &call, const WindowAxis &axis) {
  Dim room = axis.padded - axis.reach;
  if (provablyNonNegative(room, call.context.facts))
    return room.floorDiv(axis.stride) + 1;
  reportWindow(call, axis, room);
  return std::nullopt;
}

} // namespace

bool addWindows(PrimitiveCall &call, const TensorValue &x, std::span<const Dim> kernel,
                const Window &window, Shape &shape) {
  for (size_t i = 0; i < window.axes; ++i) {
    std::optional<Dim> places = countWindows(
        call, {sideName(window.axes, i), x.shape[2 + i] + window.low[i] + window.high[i],
               window.dilation[i] * (kernel[i] - 1) + 1, window.stride[i]});
    if (!places)
      return false;
    shape.push_back(*places);
  }
  return true;
}

} // namespace nnc::frontend
