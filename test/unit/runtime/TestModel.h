// Models made by hand, so that the runtime is tested without the compiler.
#pragma once

#include "runtime/Engine.h"
#include "runtime/format/Plan.h"

namespace nnc {

/// Builds one entry point piece by piece; shapes are given as expressions of the pool.
class HandMadeEntry {
public:
  explicit HandMadeEntry(const char *name);

  uint32_t dim(const char *name, int64_t min, int64_t max); ///< the expression of a new dimension
  uint32_t constant(int64_t value) { return pool.constant(value); }
  uint32_t plus(uint32_t expr, int64_t term) { return apply(format::ExprOp::Add, expr, term); }
  uint32_t ceilDiv(uint32_t expr, int64_t n) { return apply(format::ExprOp::CeilDiv, expr, n); }
  uint32_t modulo(uint32_t expr, int64_t n) { return apply(format::ExprOp::Mod, expr, n); }

  /// Each returns the index of the buffer.
  uint32_t input(const char *name, DType type, std::vector<uint32_t> shape);
  uint32_t output(const char *name, DType type, std::vector<uint32_t> shape);
  uint32_t arena(DType type, std::vector<uint32_t> shape, uint64_t offset, uint64_t maxBytes);
  uint32_t weight(uint32_t index, DType type, std::vector<uint32_t> shape);
  uint32_t state(uint32_t index, DType type, std::vector<uint32_t> shape);

  void launch(const char *name, uint32_t kernel, std::vector<uint32_t> buffers, uint32_t grid);
  void copy(uint32_t source, uint32_t target);
  void gemm(const char *name, format::GemmT what);
  void guard(uint32_t expr, format::GuardKind kind, const char *text, const char *message,
             uint32_t line);

  std::unique_ptr<format::EntryT> take() { return std::move(entry); }

private:
  uint32_t apply(format::ExprOp op, uint32_t expr, int64_t operand);
  uint32_t buffer(format::BufferKind kind, uint32_t index, DType type, std::vector<uint32_t> shape);
  uint32_t byteExpr(DType type, const std::vector<uint32_t> &shape);

  std::unique_ptr<format::EntryT> entry;
  format::ExprPool pool;
};

/// A model with these entry points:
///   forward(x: f32[B, 4]) -> (scaled: f32[B, 4], sums: f32[B]), B in 1..=1024,
///     scaled = x * [1, 2, 3, 4], sums over the rows of scaled
///   halves(x: bf16[N]) -> (y: bf16[N]): a copy
///   pair(a: f32[H + 1, 3], ids: i32[H]) -> (y: i32[H]): a copy of ids, requires H % 2 == 0
///   tick() -> (n: i64[]): how often this session has called it
format::ModelT makeTestModel();

/// The bytes of a model.bin of it, with the kernels of kernels.c.
std::vector<std::byte> makeTestBinary(const format::ModelT &model);
std::vector<std::byte> makeTestBinary();

/// The test model as an engine named "tiny.bin".
Engine loadTestModel();

/// A tensor of these values, f32 unless T says otherwise.
template <typename T> struct DTypeOf;
template <> struct DTypeOf<float> {
  static constexpr DType value = DType::F32;
};
template <> struct DTypeOf<int32_t> {
  static constexpr DType value = DType::I32;
};
template <> struct DTypeOf<int64_t> {
  static constexpr DType value = DType::I64;
};

template <typename T>
Tensor tensorOf(std::initializer_list<int64_t> shape, const std::vector<T> &values) {
  Result<Tensor> tensor = Tensor::empty(DTypeOf<T>::value, std::span(shape.begin(), shape.size()));
  std::copy(values.begin(), values.end(), tensor->template values<T>().begin());
  return *tensor;
}

/// Zeros.
Tensor zeros(DType type, std::initializer_list<int64_t> shape);

template <typename T> std::vector<T> valuesOf(const Tensor &tensor) {
  std::span<T> values = tensor.values<T>();
  return {values.begin(), values.end()};
}

} // namespace nnc
