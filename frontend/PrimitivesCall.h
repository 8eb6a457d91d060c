// What a primitive sees of its call: arguments by the names of its formals, checked and converted.
// Every getter reports what is wrong with the argument and then gives nothing.
#pragma once

#include "frontend/PrimitivesBroadcast.h"

#include <cassert>

namespace nnc::frontend {

class PrimitiveCall;
using PrimitiveHandler = std::optional<Value> (*)(PrimitiveCall &);

/// One row of the table of primitives.
struct PrimitiveRow {
  std::string_view name;
  /// The formals in order; optional ones end in `?`: "x axis keep?". A last `*?` takes any other
  /// named arguments: named().
  std::string_view formals;
  PrimitiveHandler handler;
  /// Whether it may be called at build time, on numbers.
  bool foldsNumbers = false;
};

/// The rows of each file.
std::span<const PrimitiveRow> elementwisePrimitives();
std::span<const PrimitiveRow> reducePrimitives();
std::span<const PrimitiveRow> shapePrimitives();
std::span<const PrimitiveRow> padPrimitives();
std::span<const PrimitiveRow> createPrimitives();
std::span<const PrimitiveRow> convPrimitives();
std::span<const PrimitiveRow> poolPrimitives();
std::span<const PrimitiveRow> adaptivePrimitives();
std::span<const PrimitiveRow> resizePrimitives();
std::span<const PrimitiveRow> orderPrimitives();
std::span<const PrimitiveRow> patternPrimitives();
std::span<const PrimitiveRow> randomPrimitives();

class PrimitiveCall {
public:
  PrimitiveCall(Context &context, std::string_view name,
                std::span<const PrimitiveParameter> formals, syntax::Span callee, syntax::Span call)
      : context(context), name(name), callee(callee), span(call), emit(context, call),
        formals(formals), bound(formals.size()) {}

  Context &context;
  std::string_view name;
  syntax::Span callee, span;
  Emitter emit;

  /// Gives each formal its argument. False after an error.
  bool bind(std::vector<Argument> arguments);

  /// Operands of a product that are stored in few bits become what products are computed of.
  void readStored(std::string_view a, std::string_view b);

  /// The name of the primitive in back quotes, for messages.
  std::string quotedName() const;
  syntax::Diagnostic &error(std::string_view code, syntax::Span at, std::string message) const {
    return context.error(code, at, std::move(message));
  }

  /// Whether the formal got an argument other than `none`.
  bool has(std::string_view formal) const;
  /// The argument of a formal that has one.
  const Operand &operand(std::string_view formal) const;

  std::optional<TensorValue> tensor(std::string_view formal, Elements accepted = Elements::Any);
  /// A list or tuple of at least one tensor.
  std::optional<std::vector<Operand>> tensors(std::string_view formal);
  std::optional<Dim> dim(std::string_view formal);
  std::optional<int64_t> integer(std::string_view formal);
  std::optional<int64_t> integerOr(std::string_view formal, int64_t otherwise);
  std::optional<double> numberOr(std::string_view formal, double otherwise);
  std::optional<bool> booleanOr(std::string_view formal, bool otherwise);
  std::optional<Element> elementOr(std::string_view formal, Element otherwise);
  /// One int per axis, or one for all of them; each at least `least`.
  std::optional<std::vector<int64_t>> extents(std::string_view formal, size_t axes, int64_t least);
  std::optional<std::vector<int64_t>> extentsOr(std::string_view formal, size_t axes, int64_t least,
                                                std::vector<int64_t> otherwise);
  /// The same of one argument, or of one element of it.
  std::optional<int64_t> extent(std::string_view formal, const Operand &operand,
                                int64_t least) const;
  /// An axis of a tensor of this rank; negative ones count from the end.
  std::optional<size_t> axis(std::string_view formal, size_t rank);
  /// One axis or several, sorted; all of them where no argument is given.
  std::optional<std::vector<size_t>> axesOrAll(std::string_view formal, size_t rank);
  /// A list or tuple of sizes.
  std::optional<Shape> shape(std::string_view formal);

  /// The arguments that only `*?` takes, by the name each was given.
  std::span<const std::pair<std::string, Operand>> named() const { return others; }

  /// E0403: the argument is something else than `expected` ("an int").
  std::nullopt_t wrongKind(const Operand &operand, std::string_view expected) const;
  /// The elements of a list argument as operands, with their own places where it is written out.
  std::vector<Operand> elementsOf(const Operand &list) const;

private:
  bool assign(size_t index, Argument &argument);
  bool assignOther(Argument &argument);
  void helpWithList(syntax::Diagnostic &diag) const;
  bool checkComplete() const;
  void reportUnknown(const Argument &argument) const;
  std::optional<size_t> indexOf(std::string_view formal) const;
  std::optional<int64_t> toInteger(const Operand &operand) const;
  std::optional<size_t> toAxis(const Operand &operand, size_t rank) const;

  std::span<const PrimitiveParameter> formals;
  std::vector<std::optional<Operand>> bound;
  std::vector<std::pair<std::string, Operand>> others;
};

} // namespace nnc::frontend
