// `max_pool` and `avg_pool`, with the options and the rounding of torch.nn.functional.
#include "frontend/PrimitivesWindow.h"

#include "ir/NNOps.h"

#include <algorithm>
#include <fmt/format.h>

namespace nnc::frontend {
namespace {

/// A pool's window; `ceil` rounds the number of places up.
struct Pool {
  Window window;
  std::vector<int64_t> kernel, padding;
  bool ceil;

  int64_t reach(size_t i) const { return window.dilation[i] * (kernel[i] - 1) + 1; }
};

bool checkPadding(PrimitiveCall &call, const Pool &pool) {
  for (size_t i = 0; i < pool.kernel.size(); ++i)
    if (pool.padding[i] > pool.reach(i) / 2) {
      call.error("E0507", call.operand("padding").span,
                 fmt::format("the padding of {} is {}, but at most half of the window is allowed",
                             call.quotedName(), pool.padding[i]))
          .note(pool.kernel.size() == 1
                    ? fmt::format("the window is {}", pool.reach(0))
                    : fmt::format("the window is {} x {}", pool.reach(0), pool.reach(1)));
      return false;
    }
  return true;
}

/// With `ceil_mode`, a window may begin at any element or in the padding before them, and there is
/// one more place if elements are left. So many elements behind the padding make that the ordinary
/// formula.
void setPadding(Pool &pool) {
  pool.window.low = pool.window.high = pool.padding;
  for (size_t i = 0; pool.ceil && i < pool.kernel.size(); ++i)
    pool.window.high[i] = std::min(pool.padding[i] + pool.window.stride[i] - 1, pool.reach(i) - 1);
}

std::optional<Pool> getPool(PrimitiveCall &call, size_t axes) {
  std::optional<std::vector<int64_t>> kernel = call.extents("kernel", axes, 1);
  if (!kernel)
    return std::nullopt;
  std::optional<std::vector<int64_t>> stride = call.extentsOr("stride", axes, 1, *kernel);
  if (!stride)
    return std::nullopt;
  std::vector<int64_t> zeros(axes, 0), ones(axes, 1);
  std::optional<std::vector<int64_t>> padding = call.extentsOr("padding", axes, 0, zeros);
  if (!padding)
    return std::nullopt;
  std::optional<bool> ceil = call.booleanOr("ceil_mode", false);
  if (!ceil)
    return std::nullopt;
  std::optional<std::vector<int64_t>> dilation = ones;
  if (call.name == "max_pool")
    dilation = call.extentsOr("dilation", axes, 1, ones);
  if (!dilation)
    return std::nullopt;
  Pool pool{{axes, *stride, {}, {}, *dilation}, *kernel, *padding, *ceil};
  if (!checkPadding(call, pool))
    return std::nullopt;
  setPadding(pool);
  return pool;
}

TensorValue emitPool(PrimitiveCall &call, nn::PoolKind kind, const TensorValue &x, const Pool &pool,
                     Shape shape) {
  size_t axes = pool.kernel.size();
  int64_t kernel[2] = {1, 1};
  std::copy(pool.kernel.begin(), pool.kernel.end(), kernel + (2 - axes));
  if (axes == 1)
    shape.insert(shape.begin() + 2, 1);
  TensorValue result =
      call.emit.pool(kind, toImage(call.emit, x), kernel, toImage(pool.window), shape);
  return fromImage(call.emit, result, axes);
}

/// Whether every window is divided by its whole size: no window reaches over the end of what
/// counts.
bool dividesByAll(const Pool &pool, bool countsPadding) {
  return pool.window.high == pool.padding &&
         (countsPadding || std::all_of(pool.padding.begin(), pool.padding.end(),
                                       [](int64_t width) { return width == 0; }));
}

/// How many elements of one axis count in each of its windows, as f32.
TensorValue countElements(Emitter &emit, const Pool &pool, size_t i, const Dim &size,
                          const Dim &places, bool countsPadding) {
  Shape shape = {places};
  auto number = [&](const Dim &value) { return emit.size(value, Element::I32, shape); };
  TensorValue start = emit.iota(Element::I32, shape, 0);
  start = emit.binary("mul", start, number(pool.window.stride[i]));
  start = emit.binary("sub", start, number(pool.padding[i]));
  TensorValue stop = emit.binary("add", start, number(pool.kernel[i]));
  stop = emit.binary("min", stop, number(countsPadding ? size + pool.padding[i] : size));
  if (!countsPadding)
    start = emit.binary("max", start, number(0));
  return emit.cast(emit.binary("sub", stop, start), Element::F32);
}

/// Sums, divided by what PyTorch counts: elements, and padding if `count_include_pad`, but nothing
/// of what only `ceil_mode` adds.
TensorValue averageCounted(PrimitiveCall &call, const TensorValue &x, const Pool &pool,
                           const Shape &shape, bool countsPadding) {
  Emitter &emit = call.emit;
  TensorValue sums = emitPool(call, nn::PoolKind::Sum, emit.cast(x, Element::F32), pool, shape);
  std::optional<TensorValue> counts;
  for (size_t i = 0; i < pool.kernel.size(); ++i) {
    size_t axis = 2 + i;
    TensorValue count = countElements(emit, pool, i, x.shape[axis], shape[axis], countsPadding);
    count = emit.broadcast(count, shape, std::span(&axis, 1));
    counts = counts ? emit.binary("mul", *counts, count) : count;
  }
  return emit.cast(emit.binary("div", sums, *counts), x.element);
}

std::optional<Value> pool(PrimitiveCall &call) {
  std::optional<TensorValue> x = getImage(call);
  std::optional<Pool> pool = x ? getPool(call, x->rank() - 2) : std::nullopt;
  if (!pool)
    return std::nullopt;
  Shape shape = {x->shape[0], x->shape[1]};
  std::vector<Dim> kernel(pool->kernel.begin(), pool->kernel.end());
  if (!addWindows(call, *x, kernel, pool->window, shape))
    return std::nullopt;
  if (call.name == "max_pool")
    return Value::tensor(emitPool(call, nn::PoolKind::Max, *x, *pool, shape));
  std::optional<bool> countsPadding = call.booleanOr("count_include_pad", true);
  if (!countsPadding)
    return std::nullopt;
  if (dividesByAll(*pool, *countsPadding))
    return Value::tensor(emitPool(call, nn::PoolKind::Avg, *x, *pool, shape));
  return Value::tensor(averageCounted(call, *x, *pool, shape, *countsPadding));
}

constexpr PrimitiveRow rows[] = {
    {"max_pool", "x kernel stride? padding? dilation? ceil_mode?", pool},
    {"avg_pool", "x kernel stride? padding? ceil_mode? count_include_pad?", pool},
};

} // namespace

std::span<const PrimitiveRow> poolPrimitives() { return rows; }

} // namespace nnc::frontend
