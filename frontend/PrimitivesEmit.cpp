#include "frontend/PrimitivesEmit.h"

#include "ir/NNOps.h"

#include <algorithm>
#include <numeric>

namespace nnc::frontend {
namespace {

using mlir::DenseI64ArrayAttr;

llvm::SmallVector<int64_t> toInts(std::span<const size_t> values) {
  return llvm::SmallVector<int64_t>(values.begin(), values.end());
}

llvm::ArrayRef<int64_t> toRef(std::span<const int64_t> values) {
  return {values.data(), values.size()};
}

/// The sizes of x without some axes; with `keep` those are 1.
Shape dropAxes(const Shape &shape, std::span<const size_t> axes, bool keep) {
  Shape result;
  for (size_t i = 0; i < shape.size(); ++i) {
    bool dropped = std::find(axes.begin(), axes.end(), i) != axes.end();
    if (!dropped || keep)
      result.push_back(dropped ? Dim(1) : shape[i]);
  }
  return result;
}

} // namespace

TensorValue Emitter::wrap(Element element, Shape shape, mlir::Value value) const {
  TensorValue result;
  result.element = element;
  result.shape = std::move(shape);
  result.value = value;
  result.origin = span;
  return result;
}

TensorValue Emitter::wrapLike(const TensorValue &x, Element element, mlir::Value value) const {
  TensorValue result = wrap(element, x.shape, value);
  result.sizeNotes = x.sizeNotes;
  return result;
}

TensorValue Emitter::wrapProduct(Element element, Shape shape, mlir::Operation *op) const {
  if (context.precision.tf32 && context.elementType(element).isF32())
    op->setAttr(nn::kTf32Attr, context.builder.getUnitAttr());
  return wrap(element, std::move(shape), op->getResult(0));
}

mlir::RankedTensorType Emitter::type(Element element, const Shape &shape) {
  return context.tensorType(element, shape);
}

//===- Elementwise ---------------------------------------------------------------------------===//

TensorValue Emitter::unary(std::string_view mnemonic, const TensorValue &x) {
  mlir::OpBuilder &builder = context.builder;
  auto name = builder.getStringAttr("nn." + llvm::Twine(llvm::StringRef(mnemonic)));
  mlir::Operation *op =
      builder.create(location(), name, mlir::ValueRange(x.value), x.value.getType());
  return wrapLike(x, x.element, op->getResult(0));
}

TensorValue Emitter::binary(std::string_view mnemonic, const TensorValue &a, const TensorValue &b) {
  mlir::OpBuilder &builder = context.builder;
  auto name = builder.getStringAttr("nn." + llvm::Twine(llvm::StringRef(mnemonic)));
  mlir::Operation *op = builder.create(location(), name, mlir::ValueRange{a.value, b.value},
                                       mlir::TypeRange(type(a.element, a.shape)));
  return wrapLike(a, a.element, op->getResult(0));
}

TensorValue Emitter::compare(nn::CmpPredicate predicate, const TensorValue &a,
                             const TensorValue &b) {
  return wrapLike(a, Element::Bool,
                  context.builder.create<nn::CmpOp>(location(), type(Element::Bool, a.shape),
                                                    predicate, a.value, b.value));
}

TensorValue Emitter::select(const TensorValue &condition, const TensorValue &a,
                            const TensorValue &b) {
  return wrapLike(a, a.element,
                  context.builder.create<nn::SelectOp>(location(), type(a.element, a.shape),
                                                       condition.value, a.value, b.value));
}

TensorValue Emitter::cast(const TensorValue &x, Element element) {
  bool isSame = context.elementType(element) == context.elementType(x.element);
  mlir::Value value = x.value;
  if (!isSame)
    value = context.builder.create<nn::CastOp>(location(), type(element, x.shape), x.value);
  TensorValue result = wrapLike(x, element, value);
  if (isSame || element == Element::I64)
    result.scalar = x.scalar;
  return result;
}

TensorValue Emitter::stopGradient(const TensorValue &x) {
  if (!context.training || !isFloating(x.element))
    return x;
  return wrapLike(
      x, x.element,
      context.builder.create<nn::StopGradientOp>(location(), x.value.getType(), x.value));
}

//===- Sources -------------------------------------------------------------------------------===//

TensorValue Emitter::full(double value, Element element, const Shape &shape) {
  return wrap(element, shape,
              context.builder.create<nn::FullOp>(location(), type(element, shape), value));
}

TensorValue Emitter::fullInt(int64_t value, Element element, const Shape &shape) {
  mlir::TypedAttr attribute = context.builder.getIntegerAttr(context.elementType(element), value);
  TensorValue result =
      wrap(element, shape,
           context.builder.create<nn::FullOp>(location(), type(element, shape), attribute));
  if (shape.empty())
    result.scalar = Dim(value);
  return result;
}

TensorValue Emitter::size(const Dim &value, Element element, const Shape &shape) {
  if (std::optional<int64_t> constant = value.getConstant())
    return isIntegral(element) ? fullInt(*constant, element, shape)
                               : full(static_cast<double>(*constant), element, shape);
  TensorValue scalar =
      wrap(Element::I64, {},
           context.builder.create<nn::SizeOp>(location(), type(Element::I64, {}),
                                              context.affineMap(std::span<const Dim>(&value, 1))));
  TensorValue result = broadcast(cast(scalar, element), shape);
  if (shape.empty() && isIntegral(element))
    result.scalar = value;
  return result;
}

TensorValue Emitter::iota(Element element, const Shape &shape, size_t axis) {
  return wrap(element, shape,
              context.builder.create<nn::IotaOp>(location(), type(element, shape), axis));
}

TensorValue Emitter::draw(nn::RandomKind kind, const Shape &shape) {
  Element element = kind == nn::RandomKind::Bits ? Element::I32 : Element::F32;
  return wrap(element, shape,
              context.builder.create<nn::DrawOp>(location(), type(element, shape), kind));
}

//===- Reductions ----------------------------------------------------------------------------===//

TensorValue Emitter::reduce(nn::ReduceKind kind, const TensorValue &x, std::span<const size_t> axes,
                            bool keep) {
  if (axes.empty() && !keep)
    return x;
  Shape shape = dropAxes(x.shape, axes, false);
  TensorValue result = wrap(x.element, shape,
                            context.builder.create<nn::ReduceOp>(location(), type(x.element, shape),
                                                                 kind, x.value, toInts(axes)));
  return keep ? reshape(result, dropAxes(x.shape, axes, true)) : result;
}

TensorValue Emitter::argReduce(bool max, const TensorValue &x, size_t axis) {
  Shape shape = dropAxes(x.shape, std::span(&axis, 1), false);
  auto kind = max ? nn::ArgReduceKind::Max : nn::ArgReduceKind::Min;
  return wrap(Element::I32, shape,
              context.builder.create<nn::ArgReduceOp>(location(), type(Element::I32, shape), kind,
                                                      x.value, axis));
}

TensorValue Emitter::softmax(const TensorValue &x, size_t axis, bool logarithm) {
  mlir::RankedTensorType result = type(x.element, x.shape);
  mlir::OpBuilder &builder = context.builder;
  if (logarithm)
    return wrapLike(x, x.element,
                    builder.create<nn::LogSoftmaxOp>(location(), result, x.value, axis));
  return wrapLike(x, x.element, builder.create<nn::SoftmaxOp>(location(), result, x.value, axis));
}

//===- Views ---------------------------------------------------------------------------------===//

TensorValue Emitter::reshape(const TensorValue &x, const Shape &shape) {
  if (std::equal(shape.begin(), shape.end(), x.shape.begin(), x.shape.end()))
    return x;
  return wrap(x.element, shape,
              context.builder.create<nn::ReshapeOp>(location(), type(x.element, shape), x.value));
}

TensorValue Emitter::transpose(const TensorValue &x, std::span<const size_t> permutation) {
  if (std::is_sorted(permutation.begin(), permutation.end()))
    return x;
  Shape shape;
  for (size_t axis : permutation)
    shape.push_back(x.shape[axis]);
  return wrap(x.element, shape,
              context.builder.create<nn::TransposeOp>(location(), type(x.element, shape), x.value,
                                                      toInts(permutation)));
}

TensorValue Emitter::broadcast(const TensorValue &x, const Shape &shape,
                               std::span<const size_t> axes) {
  if (std::equal(shape.begin(), shape.end(), x.shape.begin(), x.shape.end()))
    return x;
  return wrap(x.element, shape,
              context.builder.create<nn::BroadcastOp>(location(), type(x.element, shape), x.value,
                                                      toInts(axes)));
}

TensorValue Emitter::broadcast(const TensorValue &x, const Shape &shape) {
  std::vector<size_t> axes(x.rank());
  std::iota(axes.begin(), axes.end(), shape.size() - x.rank());
  return broadcast(x, shape, axes);
}

TensorValue Emitter::concat(std::span<const TensorValue> parts, size_t axis, const Dim &size) {
  if (parts.size() == 1)
    return parts[0];
  Shape shape = parts[0].shape;
  shape[axis] = size;
  llvm::SmallVector<mlir::Value> values;
  for (const TensorValue &part : parts)
    values.push_back(part.value);
  return wrap(parts[0].element, shape,
              context.builder.create<nn::ConcatOp>(location(), type(parts[0].element, shape),
                                                   values, axis));
}

TensorValue Emitter::slice(const TensorValue &x, const Shape &starts, const Shape &lengths,
                           std::span<const int64_t> steps) {
  bool everything = std::all_of(steps.begin(), steps.end(), [](int64_t s) { return s == 1; }) &&
                    std::equal(lengths.begin(), lengths.end(), x.shape.begin());
  if (everything)
    return x;
  return wrap(x.element, lengths,
              context.builder.create<nn::SliceOp>(location(), type(x.element, lengths), x.value,
                                                  context.affineMap(starts), toRef(steps)));
}

TensorValue Emitter::update(const TensorValue &x, const TensorValue &value, const Shape &starts,
                            std::span<const int64_t> steps) {
  return wrapLike(x, x.element,
                  context.builder.create<nn::UpdateOp>(location(), x.value.getType(), x.value,
                                                       value.value, context.affineMap(starts),
                                                       toRef(steps)));
}

TensorValue Emitter::pad(const TensorValue &x, std::span<const int64_t> low,
                         std::span<const int64_t> high, double value) {
  Shape shape;
  for (size_t i = 0; i < x.rank(); ++i)
    shape.push_back(x.shape[i] + low[i] + high[i]);
  return wrap(x.element, shape,
              context.builder.create<nn::PadOp>(location(), type(x.element, shape), x.value,
                                                toRef(low), toRef(high), value));
}

TensorValue Emitter::gather(const TensorValue &table, const TensorValue &ids, size_t axis) {
  Shape shape = table.shape;
  shape.erase(shape.begin() + axis);
  shape.insert(shape.begin() + axis, ids.shape.begin(), ids.shape.end());
  if (table.shape[axis].bounds(context.facts).high < 1)
    return full(0, table.element, shape); // of nothing, such as an empty axis that is turned around
  return wrap(table.element, shape,
              context.builder.create<nn::GatherOp>(location(), type(table.element, shape),
                                                   table.value, ids.value, axis));
}

/// A gather, because slices have no negative steps.
TensorValue Emitter::flip(const TensorValue &x, size_t axis) {
  Shape shape = {x.shape[axis]};
  TensorValue last = size(x.shape[axis] - 1, Element::I32, shape);
  return gather(x, binary("sub", last, iota(Element::I32, shape, 0)), axis);
}

//===- Contractions and windows --------------------------------------------------------------===//

TensorValue Emitter::matmul(const TensorValue &a, const TensorValue &b) {
  Shape shape = a.shape;
  shape.back() = b.shape.back();
  return wrapProduct(a.element, shape,
                     context.builder.create<nn::MatmulOp>(location(), type(a.element, shape),
                                                          a.value, b.value, /*transpose_a=*/false,
                                                          /*transpose_b=*/false));
}

/// Top, bottom, left, right.
static llvm::SmallVector<int64_t, 4> sides(const Emitter::Window &window) {
  return {window.low[0], window.high[0], window.low[1], window.high[1]};
}

TensorValue Emitter::conv2d(const TensorValue &x, const TensorValue &weight, const Window &window,
                            int64_t groups, const Shape &shape) {
  return wrapProduct(x.element, shape,
                     context.builder.create<nn::Conv2dOp>(location(), type(x.element, shape),
                                                          x.value, weight.value, window.stride,
                                                          sides(window), window.dilation, groups));
}

TensorValue Emitter::pool(nn::PoolKind kind, const TensorValue &x, const int64_t (&kernel)[2],
                          const Window &window, const Shape &shape) {
  return wrap(x.element, shape,
              context.builder.create<nn::Pool2dOp>(location(), type(x.element, shape), kind,
                                                   x.value, kernel, window.stride, sides(window),
                                                   window.dilation));
}

} // namespace nnc::frontend
