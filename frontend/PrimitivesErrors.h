// How errors of primitives and operators read: sizes that differ, elements that do not fit, numbers
// that cannot adapt.
#pragma once

#include "frontend/Context.h"
#include "frontend/Primitives.h"

#include <string>
#include <string_view>
#include <vector>

namespace nnc::frontend {

/// The operand as the user wrote it, in back quotes; a kind of value where that is too long.
std::string describeOperand(const Context &context, const Operand &operand);

/// `text` before and after an expression, in parentheses of its own where a postfix would otherwise
/// bind to a part of it.
std::vector<syntax::Edit> wrapEdits(const Operand &operand, std::string before, std::string after);
/// `[:, 0]` after an expression.
std::vector<syntax::Edit> postfixEdits(const Operand &operand, std::string postfix);

/// One side of a comparison of sizes.
struct SizedOperand {
  Operand operand;
  /// Where it stands apart from the operand's shape: "`shape`"; else "axis 2 of `s`".
  size_t axis;
  Dim size;
};

/// Compares sizes that must be equal, and reports the first pair that is not: E0301 if they are
/// different at all sizes of the model's dimensions, else E0304 with sizes at which they differ and
/// the guards that would make all pairs equal.
class SizeCheck {
public:
  /// `at` gets the carets; `what` needs the sizes to be equal ("`concat` along axis 1").
  SizeCheck(Context &context, syntax::Span at, std::string what)
      : context(context), at(at), what(std::move(what)) {}

  void expectEqual(const SizedOperand &a, const SizedOperand &b);
  /// Axis by axis of the operands' own shapes.
  void expectEqual(const Operand &a, size_t axisOfA, const Operand &b, size_t axisOfB);
  /// What mends the failure, shown in place of guards.
  void setFix(syntax::FixIt fix) { offered = std::move(fix); }
  /// True if all were equal; reports otherwise. Operands get labels with their types on request.
  bool finish(bool withLabels = false);

private:
  struct Failure {
    SizedOperand a, b;
  };
  std::string describe(const SizedOperand &side) const;
  void addGuards(syntax::Diagnostic &diag) const;

  Context &context;
  syntax::Span at;
  std::string what;
  std::vector<Failure> failures;
  std::optional<syntax::FixIt> offered;
};

/// Labels the operands with their types, as E0401 does.
void labelTypes(syntax::Diagnostic &diag, std::initializer_list<Operand> operands);

/// E0401: two element types meet in `what` ("`*`"). Offers the cast that mends it.
void reportMixedElements(Context &context, syntax::Span at, std::string_view what,
                         const Operand &left, const Operand &right);

/// Which elements something works on.
enum class Elements { Any, Numbers, Floats, Integers, Indices, Bools };
bool accepts(Elements accepted, Element element);
/// E0403, unless the operand's element is accepted. `what` needs it ("`exp`").
bool requireElements(Context &context, Elements accepted, std::string_view what,
                     const Operand &operand, syntax::Span at);

/// Adds the fix that writes guards into the entry point's `requires`.
void addGuardFix(const Context &context, syntax::Diagnostic &diag,
                 const std::vector<std::string> &guards);

/// True if a dimension is at least 0 at all sizes. Reports otherwise, E0308 if it never is, else
/// E0304; `what` must not be negative ("the size of axis 2").
bool requireNonNegative(Context &context, syntax::Span at, std::string_view what, const Dim &value);

/// True if an axis may have elements. Reports E0308 otherwise, at what would choose some of them.
bool requireElementsAlong(Context &context, syntax::Span at, const TensorValue &x, size_t axis);

/// True if a dimension is at least `least` at all sizes. Reports otherwise, E0308 if it never is,
/// else E0304; `what` is the dimension ("the width of the result").
bool requireAtLeast(Context &context, syntax::Span at, std::string_view what, const Dim &value,
                    const Dim &least);

/// That they are not negative, for all sizes of a shape, which may also overflow.
bool requireValidShape(Context &context, syntax::Span at, std::span<const Dim> shape);

/// E0306 unless the tensor has so many axes.
bool requireRank(Context &context, syntax::Span at, std::string_view what, const Operand &operand,
                 size_t rank, std::string_view axes);

} // namespace nnc::frontend
