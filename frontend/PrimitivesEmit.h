// Emission of single `nn` ops on tensors of the language: each takes and gives TensorValues, whose
// exact shapes become the types of the op. Nothing here reports errors: callers have checked that
// the op is right. Sizes must be valid dimensions, elements not of the storage-only kind.
#pragma once

#include "frontend/Context.h"

#include <string_view>

namespace nnc::nn {
enum class CmpPredicate : uint32_t;
enum class ReduceKind : uint32_t;
enum class PoolKind : uint32_t;
enum class RandomKind : uint32_t;
} // namespace nnc::nn

namespace nnc::frontend {

using Shape = std::vector<Dim>;

/// Where ops are emitted and for which piece of source.
class Emitter {
public:
  Emitter(Context &context, syntax::Span span) : context(context), span(span) {}

  /// `mnemonic` is that of an elementwise op whose operands and result have one type.
  TensorValue unary(std::string_view mnemonic, const TensorValue &x);
  TensorValue binary(std::string_view mnemonic, const TensorValue &a, const TensorValue &b);
  TensorValue compare(nn::CmpPredicate predicate, const TensorValue &a, const TensorValue &b);
  TensorValue select(const TensorValue &condition, const TensorValue &a, const TensorValue &b);
  /// Emits nothing where the IR's type stays the same.
  TensorValue cast(const TensorValue &x, Element element);

  /// x itself where nothing is trained, or x is no float.
  TensorValue stopGradient(const TensorValue &x);

  TensorValue full(double value, Element element, const Shape &shape);
  /// Exact, for integer elements.
  TensorValue fullInt(int64_t value, Element element, const Shape &shape);
  /// A dimension as numbers at run time (a constant becomes `full`).
  TensorValue size(const Dim &value, Element element, const Shape &shape);
  /// Of i32 or i64; counts along the axis.
  TensorValue iota(Element element, const Shape &shape, size_t axis);
  /// The next numbers of the session's generator: `bits` as i32, `normal` as f32.
  TensorValue draw(nn::RandomKind kind, const Shape &shape);

  /// Over these axes (strictly increasing); they are dropped, or stay with size 1.
  TensorValue reduce(nn::ReduceKind kind, const TensorValue &x, std::span<const size_t> axes,
                     bool keep = false);
  /// i32, the axis dropped.
  TensorValue argReduce(bool max, const TensorValue &x, size_t axis);
  TensorValue softmax(const TensorValue &x, size_t axis, bool logarithm);

  TensorValue reshape(const TensorValue &x, const Shape &shape);
  /// Axis i of the result is axis permutation[i] of x.
  TensorValue transpose(const TensorValue &x, std::span<const size_t> permutation);
  /// Axis i of x becomes axis axes[i] of the result; sizes 1 are repeated.
  TensorValue broadcast(const TensorValue &x, const Shape &shape, std::span<const size_t> axes);
  /// The same with x's axes as the last ones.
  TensorValue broadcast(const TensorValue &x, const Shape &shape);
  TensorValue concat(std::span<const TensorValue> parts, size_t axis, const Dim &size);
  TensorValue slice(const TensorValue &x, const Shape &starts, const Shape &lengths,
                    std::span<const int64_t> steps);
  /// x with a part replaced.
  TensorValue update(const TensorValue &x, const TensorValue &value, const Shape &starts,
                     std::span<const int64_t> steps);
  TensorValue pad(const TensorValue &x, std::span<const int64_t> low, std::span<const int64_t> high,
                  double value);
  TensorValue gather(const TensorValue &table, const TensorValue &ids, size_t axis);
  /// Backwards along an axis.
  TensorValue flip(const TensorValue &x, size_t axis);

  /// `[..., M, K] @ [K, N]`, or equal ranks of at least 2.
  TensorValue matmul(const TensorValue &a, const TensorValue &b);
  struct Window {
    int64_t stride[2] = {1, 1}, dilation[2] = {1, 1};
    int64_t low[2] = {0, 0}, high[2] = {0, 0}; ///< padding before and behind
  };
  TensorValue conv2d(const TensorValue &x, const TensorValue &weight, const Window &window,
                     int64_t groups, const Shape &shape);
  TensorValue pool(nn::PoolKind kind, const TensorValue &x, const int64_t (&kernel)[2],
                   const Window &window, const Shape &shape);

private:
  mlir::Location location() const { return context.location(span); }
  TensorValue wrap(Element element, Shape shape, mlir::Value value) const;
  /// A product, which may use TF32 where the precision says so.
  TensorValue wrapProduct(Element element, Shape shape, mlir::Operation *op) const;
  /// The result has x's shape, and so the reasons for x's sizes.
  TensorValue wrapLike(const TensorValue &x, Element element, mlir::Value value) const;
  mlir::RankedTensorType type(Element element, const Shape &shape);

  Context &context;
  syntax::Span span;
};

} // namespace nnc::frontend
