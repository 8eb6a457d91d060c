// Transposed convolutions, made of a convolution: every place of the input adds a window to the
// result.
#pragma once

#include "frontend/PrimitivesEmit.h"

namespace nnc::frontend {

/// As PyTorch's `conv_transpose2d` understands these.
struct TransposedWindow {
  size_t axes; ///< 1 or 2
  std::vector<int64_t> stride, padding, outputPadding, dilation, kernel;

  /// `(size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1`
  Dim resultSize(size_t axis, const Dim &size) const;
};

/// `x` is [batch, in, ...], `weight` [in, out / groups, ...]; all sizes of the result are positive.
TensorValue emitTransposed(Emitter &emit, const TensorValue &x, const TensorValue &weight,
                           const TransposedWindow &window, int64_t groups);

} // namespace nnc::frontend
