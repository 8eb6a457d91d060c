// What the compiler itself can do with tensors: the table of primitives, and the operators and
// indexing that the grammar has signs for. The evaluator calls these; each checks its operands,
// reports what is wrong, and emits `nn` ops whose result types carry exact symbolic shapes.
#pragma once

#include "frontend/Context.h"
#include "frontend/Value.h"
#include "frontend/syntax/AST.h"
#include "frontend/syntax/Source.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nnc::frontend {

/// A value and the expression that it comes from.
struct Operand {
  Value value;
  syntax::Span span;
  /// The expression: fixes add parentheses where it needs them, patterns point into the literal.
  const syntax::Expr *expr = nullptr;
};

/// One argument of a call. A pipe's left side is the first positional argument.
struct Argument {
  std::string name; ///< empty: positional
  Value value;
  syntax::Span span; ///< of the expression
  const syntax::Expr *expr = nullptr;
  syntax::Span nameSpan = {}; ///< of a named one's name
};

/// One formal of a primitive.
struct PrimitiveParameter {
  std::string_view name;
  bool required;
};

/// True for every name that LANGUAGE section 12 calls a primitive and that works on tensors. The
/// build-time functions `len zip enumerate reverse` are the evaluator's own.
bool isPrimitive(std::string_view name);

/// All names for which isPrimitive holds, sorted (for "did you mean").
std::span<const std::string_view> primitiveNames();

/// The formals, in order.
std::span<const PrimitiveParameter> primitiveParameters(std::string_view name);

/// Whether such a call at build time, without a tensor, is a stage: one of `max_pool(2)`,
/// `max(axis=1)` is; `max(3, 4)` and `sqrt(2)` are numbers.
bool primitiveIsStage(std::string_view name, std::span<const Argument> arguments);

/// Calls a primitive. `callee` is the span of its name, `call` of the whole call. Reports errors;
/// nothing then.
std::optional<Value> callPrimitive(Context &context, std::string_view name,
                                   std::vector<Argument> arguments, syntax::Span callee,
                                   syntax::Span call);

/// `f32(x)`, `float(x)`, `i32(x)`: the element type's name used as a function.
std::optional<Value> callCast(Context &context, syntax::Elem element, const Operand &operand,
                              syntax::Span call);

/// `+ - * / // % ** @ == != < <= > >= and or`, where at least one side is a tensor.
/// `opSpan` is the place of the operator.
std::optional<Value> binaryOperator(Context &context, syntax::BinaryOp op, syntax::Span opSpan,
                                    const Operand &left, const Operand &right);

/// `-` and `not` on a tensor.
std::optional<Value> unaryOperator(Context &context, syntax::UnaryOp op, syntax::Span opSpan,
                                   const Operand &operand);

/// `+ - * / // % **` on build-time numbers (int, symbolic dimension, float); comparisons and the
/// others are the evaluator's. `/` on ints is an int where it comes out whole, else a float.
std::optional<Value> foldNumbers(Context &context, syntax::BinaryOp op, syntax::Span opSpan,
                                 const Operand &left, const Operand &right);

/// `max` or `min` of two build-time numbers; an error if it depends on run-time sizes.
std::optional<Value> foldExtreme(Context &context, std::string_view name, syntax::Span callee,
                                 const Value &a, const Value &b);

/// One entry of `x[...]`, evaluated.
struct IndexItem {
  enum class Kind { Value, Slice, Ellipsis, None };
  Kind kind;
  Operand value;                            ///< Kind::Value: an int or an integer tensor
  std::optional<Operand> start, stop, step; ///< Kind::Slice
  syntax::Span span;
};

/// `x[i, a:b, ..., none, ids]` on a tensor.
std::optional<Value> indexTensor(Context &context, const Operand &base,
                                 std::span<const IndexItem> items, syntax::Span whole);

/// `x[...] <- value`, where the type of the value is exactly that of the part: the new x. A number
/// becomes a tensor of that type. Axes that an index drops are dropped in the value too.
std::optional<TensorValue> updateTensor(Context &context, const Operand &base,
                                        std::span<const IndexItem> items, const Operand &value,
                                        syntax::Span at, syntax::Span place);

/// Reports at the `<-` unless `value` has exactly the element type and shape of `target`, of which
/// only those matter; makes a tensor of a number.
std::optional<TensorValue> exactTensor(Context &context, syntax::Span at, const Operand &target,
                                       const Operand &value);

/// `x.T`: swaps the last two axes.
std::optional<Value> transposeLastTwo(Context &context, const Operand &base, syntax::Span whole);

/// A number known now as one that an element of this integer type holds; nothing if none is.
std::optional<int64_t> toInteger(const Value &value, syntax::Elem element);

/// Gives a build-time number or bool the type of a tensor of this shape (`<-` of a number, slot
/// initial values). Reports E0402 for a fractional number beside integers.
std::optional<Value> numberToTensor(Context &context, const Operand &number, syntax::Elem element,
                                    std::span<const Dim> shape);

} // namespace nnc::frontend
