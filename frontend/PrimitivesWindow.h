// What convolutions and pools share: windows over the last axes of [batch, channels, height, width]
// or of [batch, channels, length]. The second is computed as an image of height 1, so that the
// dialect knows images only.
#pragma once

#include "frontend/PrimitivesCall.h"

namespace nnc::frontend {

/// The last axes of an image, or the one axis of a signal.
struct Window {
  size_t axes; ///< 1 or 2
  std::vector<int64_t> stride, low, high, dilation;
};

/// `[batch, channels, length]` or `[batch, channels, height, width]`.
std::string_view describeImage(size_t axes);
/// "length", "height" or "width".
std::string_view sideName(size_t axes, size_t side);

/// The argument `x`, an image or a signal of floats; E0306 for another rank.
std::optional<TensorValue> getImage(PrimitiveCall &call);

/// With a height of 1, if the tensor (or weight) has a length only.
TensorValue toImage(Emitter &emit, const TensorValue &x);
/// Without that height, if `axes` is 1.
TensorValue fromImage(Emitter &emit, const TensorValue &x, size_t axes);
/// The same window on an image.
Emitter::Window toImage(const Window &window);

/// Appends the number of places that windows of these sizes have along each axis to `shape`. False
/// after E0308 or E0304 where one may not fit at all.
bool addWindows(PrimitiveCall &call, const TensorValue &x, std::span<const Dim> kernel,
                const Window &window, Shape &shape);

} // namespace nnc::frontend
