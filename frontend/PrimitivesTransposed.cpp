// With stride s, the elements of the result at places p, p + s, p + 2 s, .. see only every s-th
// element of the window. So the result is s convolutions of stride 1 with windows of kernel / s
// elements, and their results interleaved: no multiplication by zeros that stand between the
// elements of the input (Shi et al. 2016, https://arxiv.org/abs/1609.07009). The windows are made
// of the weight alone, which is done once when compiling.
#include "frontend/PrimitivesTransposed.h"

#include <algorithm>

namespace nnc::frontend {

Dim TransposedWindow::resultSize(size_t axis, const Dim &size) const {
  return (size - 1) * stride[axis] - 2 * padding[axis] + dilation[axis] * (kernel[axis] - 1) +
         outputPadding[axis] + 1;
}

namespace {

/// One axis of a transposed convolution as `phases` convolutions of stride 1.
struct PhaseAxis {
  int64_t phases;    ///< the stride
  int64_t taps;      ///< elements of one phase's window
  int64_t dilation;  ///< of that window
  int64_t low, high; ///< padding of the input
  int64_t skipped;   ///< places of the interleaved results before the first wanted one

  /// Where the stride is 1, the window keeps its dilation; else it is filled up with zeros.
  PhaseAxis(const TransposedWindow &window, size_t axis)
      : phases(window.stride[axis]), dilation(phases == 1 ? window.dilation[axis] : 1) {
    int64_t reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
    taps = phases == 1 ? window.kernel[axis] : (reach + phases - 1) / phases;
    int64_t border = dilation * (taps - 1), padding = window.padding[axis];
    low = std::max<int64_t>(border - padding / phases, 0);
    // Rows of phases behind the last element of the input that have wanted places.
    int64_t behind = reach + window.outputPadding[axis] - padding;
    high = std::max<int64_t>((behind + phases - 1) / phases - 1, 0);
    skipped = padding - phases * (border - low);
  }
};

class TransposedEmitter {
public:
  TransposedEmitter(Emitter &emit, const TransposedWindow &window, int64_t groups)
      : emit(emit), window(window), groups(groups), first(2 - window.axes) {
    for (size_t i = 0; i < window.axes; ++i)
      axes.emplace_back(window, i);
  }

  TensorValue run(const TensorValue &x, const TensorValue &weight) {
    TensorValue kernel = weight;
    for (size_t i = 0; i < axes.size(); ++i)
      kernel = fillUp(kernel, i);
    Emitter::Window steps;
    Shape image = x.shape, kernelShape;
    if (axes.size() == 1)
      image.insert(image.begin() + 2, 1);
    kernel = arrange(kernel);
    Shape shape = {x.shape[0], kernel.shape[0], 1, 1};
    for (size_t i = 0; i < axes.size(); ++i) {
      const PhaseAxis &axis = axes[i];
      steps.low[first + i] = axis.low;
      steps.high[first + i] = axis.high;
      steps.dilation[first + i] = axis.dilation;
      shape[2 + first + i] =
          x.shape[2 + i] + axis.low + axis.high - axis.dilation * (axis.taps - 1);
    }
    TensorValue phases = emit.conv2d(emit.reshape(x, image), kernel, steps, groups, shape);
    return crop(interleave(phases, weight.shape[1] * groups), x);
  }

private:
  /// The window with zeros between its elements where it is dilated, and behind them up to a
  /// multiple of the phases.
  TensorValue fillUp(const TensorValue &weight, size_t i) const {
    const PhaseAxis &axis = axes[i];
    size_t at = 2 + i;
    TensorValue result = weight;
    int64_t size = window.kernel[i], wanted = axis.taps * axis.phases;
    if (int64_t between = window.dilation[i]; between > 1 && axis.phases > 1 && size > 1) {
      Shape split = result.shape;
      split.insert(split.begin() + at + 1, 1);
      std::vector<int64_t> none(split.size(), 0), zeros = none;
      zeros[at + 1] = between - 1;
      result = emit.pad(emit.reshape(result, split), none, zeros, 0);
      size *= between;
      Shape merged = weight.shape;
      merged[at] = size;
      result = emit.reshape(result, merged);
    }
    if (size > wanted) {
      Shape starts(result.rank(), 0), lengths = result.shape;
      lengths[at] = wanted;
      return emit.slice(result, starts, lengths, std::vector<int64_t>(result.rank(), 1));
    }
    std::vector<int64_t> none(result.rank(), 0), zeros = none;
    zeros[at] = wanted - size;
    return size == wanted ? result : emit.pad(result, none, zeros, 0);
  }

  TensorValue reverse(const TensorValue &x, size_t axis) const {
    std::optional<int64_t> size = x.shape[axis].getConstant();
    return size == 1 ? x : emit.flip(x, axis);
  }

  /// From [groups * in, out, (taps phases)..] to [groups * out * phases, in, taps.. reversed].
  TensorValue arrange(const TensorValue &weight) const {
    Shape split = {groups, *weight.shape[0].exactDiv(groups), weight.shape[1]};
    Shape result = {weight.shape[1] * groups, split[1], 1, 1};
    std::vector<size_t> outer = {0, 2}, inner = {1};
    for (size_t i = 0; i < axes.size(); ++i) {
      outer.push_back(split.size() + 1);
      inner.push_back(split.size());
      split.push_back(axes[i].taps);
      split.push_back(axes[i].phases);
      result[0] *= axes[i].phases;
      result[2 + first + i] = axes[i].taps;
    }
    TensorValue parts = emit.reshape(weight, split);
    for (size_t i = 1; i < inner.size(); ++i)
      parts = reverse(parts, inner[i]);
    outer.insert(outer.end(), inner.begin(), inner.end());
    return emit.reshape(emit.transpose(parts, outer), result);
  }

  /// From [batch, (channels phases), rows..] to [batch, channels, (rows phases)..].
  TensorValue interleave(const TensorValue &x, const Dim &channels) const {
    Shape split = {x.shape[0], channels}, result = split;
    std::vector<size_t> permutation = {0, 1};
    for (size_t i = 0; i < axes.size(); ++i)
      split.push_back(axes[i].phases);
    for (size_t i = 0; i < axes.size(); ++i) {
      permutation.push_back(split.size());
      permutation.push_back(2 + i);
      split.push_back(x.shape[2 + first + i]);
      result.push_back(x.shape[2 + first + i] * axes[i].phases);
    }
    return emit.reshape(emit.transpose(emit.reshape(x, split), permutation), result);
  }

  TensorValue crop(const TensorValue &x, const TensorValue &input) const {
    Shape starts(x.rank(), 0), lengths = x.shape;
    for (size_t i = 0; i < axes.size(); ++i) {
      starts[2 + i] = axes[i].skipped;
      lengths[2 + i] = window.resultSize(i, input.shape[2 + i]);
    }
    return emit.slice(x, starts, lengths, std::vector<int64_t>(x.rank(), 1));
  }

  Emitter &emit;
  const TransposedWindow &window;
  int64_t groups;
  size_t first; ///< side of an image that axis 0 is
  std::vector<PhaseAxis> axes;
};

} // namespace

TensorValue emitTransposed(Emitter &emit, const TensorValue &x, const TensorValue &weight,
                           const TransposedWindow &window, int64_t groups) {
  return TransposedEmitter(emit, window, groups).run(x, weight);
}

} // namespace nnc::frontend
