// What an expression can be: build-time values (numbers, strings, lists, functions, modules) and
// run-time tensors. Values are small and shared; nothing in them changes after they are made,
// except a module instance, which its own body fills in.
#pragma once

#include "frontend/Dim.h"
#include "frontend/syntax/AST.h"
#include "frontend/syntax/Source.h"
#include "mlir/IR/Value.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nnc::frontend {

/// Element types. `Float` is the abstract working float: it equals no other, not even when it is
/// f32 in the emitted IR.
using Element = syntax::Elem;

bool isFloating(Element element); ///< Float and the concrete floats
bool isIntegral(Element element); ///< i4 i8 i32 i64
/// f8 and i4 and such: may be stored, not computed with.
bool isStorageOnly(Element element);

/// Why an axis has its size, for the note `400 = (c h w) of float[B, 16, 5, 5], at lenet.nn:11:14`.
struct SizeNote {
  Dim size;
  std::string text; ///< "(c h w) of float[B, 16, 5, 5]"
  syntax::Span place;
};
using SizeNoteRef = std::shared_ptr<const SizeNote>;

/// A run-time tensor.
struct TensorValue {
  Element element = Element::Float;
  std::vector<Dim> shape;
  mlir::Value value;
  /// Of rank 0: the integer that it is known to be, over the symbols of the entry point. What
  /// slices and guards may use of run-time scalars.
  std::optional<Dim> scalar = {};
  /// The expression that made it; for labels.
  syntax::Span origin = {};
  /// Empty, or one per axis (each may be null).
  std::vector<SizeNoteRef> sizeNotes = {};

  size_t rank() const { return shape.size(); }
};

/// `float[B, 10]`.
std::string formatTensorType(Element element, std::span<const Dim> shape);
inline std::string formatTensorType(const TensorValue &tensor) {
  return formatTensorType(tensor.element, tensor.shape);
}

class Value;
struct FunctionData; // Callable.h: a function, a method, a primitive, or a stage of one
struct ModuleClass;  // Module.h
struct Instance;     // Module.h
struct Namespace;    // Scope.h: `import ... as q`
struct KeySpec;      // Module.h: an evaluated `as "..."`

using FunctionRef = std::shared_ptr<const FunctionData>;
using InstanceRef = std::shared_ptr<Instance>;

struct NoneValue {};

/// A string. Patterns report errors inside the literal, where there is one.
struct StringValue {
  std::string text;
  const syntax::StringExpr *literal = nullptr;
};

/// A list or a tuple. Elements of a list may carry the key that replaces their index in a path.
struct SequenceData {
  std::vector<Value> elements;
  std::vector<std::shared_ptr<const KeySpec>> keys; ///< empty, or one per element (may be null)
  /// The number of values in it at all depths, so that what is walked stays bounded although lists
  /// share their elements.
  size_t weight = 1;
};
struct ListValue {
  std::shared_ptr<const SequenceData> data;
};
struct TupleValue {
  std::shared_ptr<const SequenceData> data;
};

class Value {
public:
  /// An int is a dimension: a constant, or a formula in the dimensions of the entry point.
  using Storage =
      std::variant<NoneValue, Dim, double, bool, StringValue, Element, TensorValue, ListValue,
                   TupleValue, FunctionRef, const ModuleClass *, InstanceRef, const Namespace *>;

  Value() = default; ///< none
  Value(Storage storage) : storage(std::move(storage)) {}

  static Value integer(Dim value) { return Value(Storage(std::move(value))); }
  static Value integer(int64_t value) { return Value(Storage(Dim(value))); }
  static Value floating(double value) { return Value(Storage(value)); }
  static Value boolean(bool value) { return Value(Storage(value)); }
  static Value string(std::string text, const syntax::StringExpr *literal = nullptr) {
    return Value(Storage(StringValue{std::move(text), literal}));
  }
  static Value element(Element element) { return Value(Storage(element)); }
  static Value tensor(TensorValue tensor) { return Value(Storage(std::move(tensor))); }
  static Value list(std::vector<Value> elements,
                    std::vector<std::shared_ptr<const KeySpec>> keys = {});
  static Value tuple(std::vector<Value> elements);

  template <typename T> bool is() const { return std::holds_alternative<T>(storage); }
  template <typename T> const T *as() const { return std::get_if<T>(&storage); }
  template <typename T> T *as() { return std::get_if<T>(&storage); }
  template <typename T> const T &get() const { return *std::get_if<T>(&storage); }

  bool isNone() const { return is<NoneValue>(); }
  bool isInt() const { return is<Dim>(); }
  bool isTensor() const { return is<TensorValue>(); }
  /// int, symbolic int or float.
  bool isNumber() const { return is<Dim>() || is<double>(); }
  bool isSequence() const { return is<ListValue>() || is<TupleValue>(); }

  /// The value of an int that is known now (not symbolic).
  std::optional<int64_t> asInt() const;
  /// The value of a number that is known now.
  std::optional<double> asFloat() const;
  /// Elements of a list or a tuple; must be one.
  std::span<const Value> elements() const;
  /// The keys of its elements: one for each, or none.
  std::span<const std::shared_ptr<const KeySpec>> elementKeys() const;
  /// The name of the primitive, if this is one without bound arguments (`mean` in
  /// `reduce("...", mean)`); else empty.
  std::string_view primitiveName() const;
  /// Whether a tensor is in it, at any depth of lists and tuples.
  bool containsTensor() const;

  const Storage &getStorage() const { return storage; }
  /// How many values a walk over this one meets.
  size_t weight() const;

private:
  Storage storage;
};

/// The tensors in a value at any depth of lists and tuples, in order.
void flattenTensors(const Value &value, std::vector<TensorValue> &tensors);
/// The same value with the IR's value of each tensor, in order, replaced by what `next` gives.
Value replaceTensors(const Value &value, const std::function<mlir::Value()> &next);

/// For messages: what kind of thing it is, with article ("an int", "a list", "float[B, 10]").
std::string describeKind(const Value &value);
/// For messages: the value as the user might write it ("256", "(1, 1)", "\"same\"", "Linear").
std::string formatValue(const Value &value);

} // namespace nnc::frontend
