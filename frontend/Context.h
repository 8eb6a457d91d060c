// What the code that emits operations gets beside its operands: where to emit, where to report, and
// the dimensions of the entry point being emitted.
#pragma once

#include "frontend/Dim.h"
#include "frontend/Precision.h"
#include "frontend/Value.h"
#include "frontend/syntax/Diagnostics.h"
#include "frontend/syntax/Source.h"
#include "ir/EntryAttrs.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nnc::frontend {

/// A symbol that is no size: a run-time scalar or the counter of a loop.
struct SymbolInfo {
  nn::SymbolKind kind = nn::SymbolKind::Scalar;
  std::optional<unsigned> input = {}; ///< of a scalar: the number of its argument, or
  std::string state = {};             ///< the symbol of its `nn.global`
};

class Context {
public:
  Context(mlir::MLIRContext &mlirContext, const syntax::SourceManager &sources,
          syntax::Diagnostics &diags)
      : builder(&mlirContext), sources(sources), diags(diags) {}

  /// Stands at the end of the function being emitted. At build time it has no insertion point: see
  /// `emitting`.
  mlir::OpBuilder builder;
  const syntax::SourceManager &sources;
  syntax::Diagnostics &diags;

  /// Whether a tensor function is being emitted. Outside one no tensor exists and none may be made.
  bool emitting = false;
  /// What `float` is in the function being emitted, and in the modules being made.
  Precision precision;
  /// Whether the entry point being emitted trains: `training` in its functions.
  bool training = false;

  /// The symbols of the entry point by the user's names, in order: symbol s_i is the i-th. Its
  /// dimensions come first; the others follow as they are needed.
  std::vector<std::string> dimNames;
  /// What else variables of a Dim may be, by name. One becomes a symbol when an emitted expression
  /// first mentions it.
  std::map<std::string, SymbolInfo, std::less<>> otherSymbols;
  /// What the entry point's `requires` says of them.
  DimFacts facts;
  /// Adds the counter of a scan of `length` steps; its number. No name of a user looks like its.
  unsigned addLoopSymbol(const Dim &length);

  /// Where another guard of the entry point can be written (empty, behind its last guard, or behind
  /// its signature where it has none), for fixes; invalid if there is no such place.
  syntax::Span guardPlace;
  bool hasGuards = false;

  /// The module path of the function being checked ("layers.0"), for `Diagnostic::inModule`; empty
  /// in the model itself.
  std::string modulePath;
  /// The name that operations emitted now carry in their location ("conv2d", "relu"). The path of
  /// the module stands on the calls around them, and is joined when calls are inlined.
  std::string opName;

  /// A build-time value in scope by name (for patterns: a name that is an int in scope *is* that
  /// int). Never reports.
  std::function<std::optional<Value>(std::string_view)> lookup;

  /// What dimension variables of the entry point mean in its body: themselves, a number given by
  /// `--dim`, or what its guards say.
  std::map<std::string, Dim, std::less<>> entryDims;
  /// A variable for a number that is known when a call begins.
  Dim runtimeScalar(const std::string &name, SymbolInfo source);

  /// Has the runtime check on entry that an expression with run-time scalars is not negative.
  std::function<void(const Dim &, syntax::Span)> checkOnEntry;

  /// Reports an error in the current module.
  syntax::Diagnostic &error(std::string_view code, syntax::Span span, std::string message) {
    syntax::Diagnostic &diag = diags.error(code, span, std::move(message));
    if (!modulePath.empty())
      diag.inModule(modulePath);
    return diag;
  }

  /// `NameLoc(opName, FileLineColLoc)`.
  mlir::Location location(syntax::Span span) const;

  /// The IR's type of an element: `float` is what the precision here says, `bool` is i1, an i4 that
  /// is not in memory is i8.
  mlir::Type elementType(Element element);
  /// With encoding if a size is symbolic.
  mlir::RankedTensorType tensorType(Element element, std::span<const Dim> shape);
  /// As it lies in memory: i4 are bytes, two in each along the last axis.
  static std::vector<Dim> storedShape(Element element, std::span<const Dim> shape);
  mlir::RankedTensorType storedType(Element element, std::span<const Dim> shape);
  mlir::RankedTensorType tensorType(const TensorValue &tensor) {
    return tensorType(tensor.element, tensor.shape);
  }
  /// `()[symbols] -> (dims...)` over dimNames: for `nn.size`, `nn.slice`.
  mlir::AffineMap affineMap(std::span<const Dim> dims);

private:
  /// Gives symbols to the variables that have none yet.
  void numberSymbols(std::span<const Dim> dims);
};

} // namespace nnc::frontend
